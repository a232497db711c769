package app

import (
	"context"
	"log/slog"

	"github.com/busuhq/busu/internal/cache"
	"github.com/busuhq/busu/internal/config"
	"github.com/busuhq/busu/internal/gateway"
	"github.com/busuhq/busu/internal/postgres"
	"github.com/busuhq/busu/internal/redisdb"
)

// forgetters are the places where something of users is kept. answers is the
// Redis that answers are kept in, redis that of the ledger.
func forgetters(answers, redis *redisdb.DB, ledger *postgres.DB, c *cache.Cache) gateway.Forgetters {
	repeats := redisdb.Idempotency{DB: answers}
	// A request that has just come does not say whose it is before it is read:
	// by the time that the caches are settled it has.
	return gateway.Forgetters{userRows{ledger}, repeats, c, repeats, deadLetters{redis}}
}

// userRows are the ledger and all that is made of it.
type userRows struct{ db *postgres.DB }

// ForgetUser implements gateway.Forgetter.
func (r userRows) ForgetUser(ctx context.Context, project, user string) (map[string]int64, error) {
	return r.db.Forget(ctx, project, user)
}

type deadLetters struct{ db *redisdb.DB }

// ForgetUser implements gateway.Forgetter.
func (d deadLetters) ForgetUser(ctx context.Context, project, user string) (map[string]int64, error) {
	n, err := d.db.ForgetDead(ctx, project, user)
	return map[string]int64{"dead_letters": n}, err
}

// NewForgetter removes what is kept of users from outside of the processes
// that serve. answers is the Redis that answers are kept in, redis that of the
// ledger.
func NewForgetter(cfg config.Config, answers, redis *redisdb.DB, ledger *postgres.DB, log *slog.Logger) gateway.Forgetter {
	return forgetters(answers, redis, ledger, cache.New(cache.Options{
		Redis: answers.Cache(cfg.Cache.TTL, 0), Postgres: ledger.ResponseCache(),
		TTL: cfg.Cache.TTL, PostgresTTL: cfg.Cache.PostgresTTL, Log: log,
	}))
}
