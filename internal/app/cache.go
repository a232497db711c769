package app

import (
	"context"
	"log/slog"
	"time"

	"github.com/busuhq/busu/internal/cache"
	"github.com/busuhq/busu/internal/config"
	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/gateway"
	"github.com/busuhq/busu/internal/httpapi"
	"github.com/busuhq/busu/internal/postgres"
	"github.com/busuhq/busu/internal/redisdb"
	"github.com/busuhq/busu/internal/telemetry"
)

// openCacheRedis gives the Redis that answers are kept in, and how much of it
// they may take: the ledger's with a budget, or one of their own, which evicts
// by itself.
func openCacheRedis(cfg config.Config, s *stores, life *lifecycle) (db *redisdb.DB, budget int64, err error) {
	if own := cfg.RedisCache.Reveal(); own == "" || own == cfg.Redis.Reveal() {
		return s.redis, cfg.Cache.RedisBytes, nil
	}
	db, err = redisdb.Open(cfg.RedisCache.Reveal())
	if err != nil {
		return nil, 0, err
	}
	life.onClose("redis for answers", func(context.Context) error { return db.Close() })
	return db, 0, nil
}

// newCache makes the levels of the cache. It does not run yet.
func newCache(cfg config.Config, db *redisdb.DB, budget int64, s *stores, m *migration, log *slog.Logger) *cache.Cache {
	inRedis := db.Cache(cfg.Cache.TTL, budget)
	options := cache.Options{
		MemoryBytes: cfg.Cache.MemoryBytes, Redis: s.tracing.Redis(inRedis), Postgres: s.tracing.Postgres(keptAnswers{s.postgres.ResponseCache(), m}),
		TTL: cfg.Cache.TTL, PostgresTTL: cfg.Cache.PostgresTTL, Shorter: map[string]time.Duration{}, Log: log,
	}
	for _, p := range cfg.Retention.Projects {
		options.Shorter[p.Project] = p.Answers
	}
	if cfg.Cache.SingleFlight == config.FlightCluster {
		options.Leases = s.tracing.Leases(inRedis)
	}
	return cache.New(options)
}

// startCache gives answers again, unless that is switched off.
func startCache(cfg config.Config, c *cache.Cache, health *httpapi.Health, life *lifecycle) *gateway.Reuse {
	if !cfg.Cache.Enabled {
		return nil
	}
	life.start("cache", c.Run)
	reuse := &gateway.Reuse{Keys: cache.Keys{Scope: cache.Scope(cfg.Cache.Scope), Similar: cfg.Cache.Similar}, Cache: c}
	countCache(health.Registry(), reuse)
	return reuse
}

// keptAnswers is PostgreSQL for the cache, which may start before the schema is
// there.
type keptAnswers struct {
	*postgres.ResponseCache
	schema *migration
}

// Kept implements cache.Postgres.
func (a keptAnswers) Kept(ctx context.Context, since time.Time, kept func(fp uint64)) (time.Time, error) {
	if err := a.schema.wait(ctx); err != nil {
		return since, err
	}
	return a.ResponseCache.Kept(ctx, since, kept)
}

// expireAnswers removes what PostgreSQL keeps beyond its time.
func expireAnswers(c *postgres.ResponseCache, log *slog.Logger) func(context.Context) error {
	return func(ctx context.Context) error {
		tick := time.NewTicker(time.Minute)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return nil
			case <-tick.C:
			}
			if _, err := c.DropExpired(ctx, time.Now()); err != nil && ctx.Err() == nil {
				log.Debug("expired answers stay for now", "err", err)
			}
		}
	}
}

func countCache(r telemetry.Registerer, reuse *gateway.Reuse) {
	of := func(value func(cache.Stats) int64) func() float64 {
		return func() float64 { return float64(value(reuse.Cache.Stats())) }
	}
	for _, level := range []string{event.CacheMemory, event.CacheRedis, event.CachePostgres} {
		for _, label := range []cache.Label{cache.Exact, cache.Similar} {
			telemetry.Counter(telemetry.Labelled(telemetry.Labelled(r, "level", level), "match", string(label)),
				"busu_cache_hits_total", "Answers given again, by where they were kept and how the question matched.",
				of(func(s cache.Stats) int64 { return hits(s, level, label) }))
		}
	}
	telemetry.Counter(telemetry.Labelled(telemetry.Labelled(r, "level", event.CacheMemory), "match", string(cache.InFlight)),
		"busu_cache_hits_total", "Answers given again, by where they were kept and how the question matched.",
		func() float64 { return float64(reuse.Shared().Followed) })
	telemetry.Counter(r, "busu_cache_misses_total", "Questions without a kept answer.", of(func(s cache.Stats) int64 { return s.Misses }))
	telemetry.Counter(r, "busu_cache_stores_total", "Answers kept.", of(func(s cache.Stats) int64 { return s.Stores }))
	telemetry.Counter(r, "busu_cache_evicted_total", "Answers removed from memory for room.", of(func(s cache.Stats) int64 { return s.Evicted }))
	telemetry.Gauge(r, "busu_cache_bytes", "Memory that kept answers take in this process.", of(func(s cache.Stats) int64 { return s.Bytes }))
	for i, level := range []string{event.CacheRedis, event.CachePostgres} {
		labelled := telemetry.Labelled(r, "level", level)
		at := func(value func(cache.LevelStats) int64) func() float64 {
			return of(func(s cache.Stats) int64 { return value(s.Levels[i]) })
		}
		telemetry.Counter(labelled, "busu_cache_lookups_total", "Round trips to look for an answer.", at(func(l cache.LevelStats) int64 { return l.Asked }))
		telemetry.Counter(labelled, "busu_cache_spared_total", "Round trips that would have brought nothing.", at(func(l cache.LevelStats) int64 { return l.Spared }))
		telemetry.Counter(labelled, "busu_cache_errors_total", "Look-ups and stores that failed.", at(func(l cache.LevelStats) int64 { return l.Errors }))
		telemetry.Gauge(labelled, "busu_cache_away", "1 while the level failed and is left alone.", at(func(l cache.LevelStats) int64 {
			if l.Away {
				return 1
			}
			return 0
		}))
	}
}

func hits(s cache.Stats, level string, label cache.Label) int64 {
	for _, h := range s.Hits {
		if h.Level == level && h.Label == label {
			return h.Hits
		}
	}
	return 0
}
