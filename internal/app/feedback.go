package app

import (
	"log/slog"

	"github.com/busuhq/busu/internal/cache"
	"github.com/busuhq/busu/internal/config"
	"github.com/busuhq/busu/internal/httpapi"
	"github.com/busuhq/busu/internal/telemetry"
	"github.com/busuhq/busu/internal/worker"
)

// startJoiner brings feedback together with the answers that it is on.
func startJoiner(cfg config.Config, s *stores, m *migration, health *httpapi.Health, log *slog.Logger, life *lifecycle) error {
	joiner := &worker.Joiner{Verdicts: s.postgres, Graveyard: s.redis, Log: log}
	if cfg.Cache.Enabled {
		answers, budget, err := openCacheRedis(cfg, s, life)
		if err != nil {
			return err
		}
		c := cache.New(cache.Options{Redis: answers.Cache(cfg.Cache.TTL, budget), Postgres: s.postgres.ResponseCache(),
			TTL: cfg.Cache.TTL, PostgresTTL: cfg.Cache.PostgresTTL, Log: log})
		life.start("evicted answers", m.then(c.Settle))
		joiner.Answers = c
	}
	life.start("joiner", m.then(joiner.Run))
	countJoiner(health.Registry(), joiner.Stats())
	return nil
}

func countJoiner(r telemetry.Registerer, stats *worker.JoinerStats) {
	for state, n := range map[string]func() int64{
		"learned": stats.Learned.Load, "kept": stats.Kept.Load, "refused": stats.Refused.Load,
	} {
		telemetry.Counter(telemetry.Labelled(r, "state", state), "busu_feedback_joined_total", "Verdicts, by what became of them.",
			func() float64 { return float64(n()) })
	}
	telemetry.Counter(r, "busu_feedback_failures_total", "Answers that could not be evicted, and dead letters that could not be written, and that are tried again.",
		func() float64 { return float64(stats.Failures.Load()) })
}
