package app

import (
	"log/slog"

	"github.com/busuhq/busu/internal/cache"
	"github.com/busuhq/busu/internal/config"
	"github.com/busuhq/busu/internal/gateway"
	"github.com/busuhq/busu/internal/postgres"
	"github.com/busuhq/busu/internal/redisdb"
)

// forgetters are the places where something of users is kept.
func forgetters(answers *redisdb.DB, c *cache.Cache) gateway.Forgetters {
	repeats := redisdb.Idempotency{DB: answers}
	// A request that has just come does not say whose it is before it is read:
	// by the time that the caches are settled it has.
	return gateway.Forgetters{repeats, c, repeats}
}

// NewForgetter removes what is kept of users from outside of the processes
// that serve. answers is the Redis that answers are kept in.
func NewForgetter(cfg config.Config, answers *redisdb.DB, ledger *postgres.DB, log *slog.Logger) gateway.Forgetter {
	return forgetters(answers, cache.New(cache.Options{
		Redis: answers.Cache(cfg.Cache.TTL, 0), Postgres: ledger.ResponseCache(),
		TTL: cfg.Cache.TTL, PostgresTTL: cfg.Cache.PostgresTTL, Log: log,
	}))
}
