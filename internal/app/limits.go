package app

import (
	"log/slog"

	"github.com/busuhq/busu/internal/config"
	"github.com/busuhq/busu/internal/limit"
	"github.com/busuhq/busu/internal/redisdb"
	"github.com/busuhq/busu/internal/telemetry"
)

// startLimits keeps the limits of keys from now on.
func startLimits(cfg config.Config, s *stores, desk *redisdb.DB, r telemetry.Registerer, log *slog.Logger, life *lifecycle) *limit.Keeper {
	k := limit.NewKeeper(desk, s.presence.id(), cfg.Limits.WhenUnavailable == "open", log)
	life.start("limits", k.Run)
	stats := k.Stats()
	for reason, of := range map[string]func() int64{
		"requests":         func() int64 { return stats.Exceeded(limit.Requests) },
		"tokens":           func() int64 { return stats.Exceeded(limit.Tokens) },
		"concurrency":      func() int64 { return stats.Exceeded(limit.Concurrency) },
		"user_requests":    func() int64 { return stats.ExceededByUsers(limit.Requests) },
		"user_tokens":      func() int64 { return stats.ExceededByUsers(limit.Tokens) },
		"user_concurrency": func() int64 { return stats.ExceededByUsers(limit.Concurrency) },
		"unavailable":      stats.Unavailable,
	} {
		telemetry.Counter(telemetry.Labelled(r, "reason", reason), "busu_limit_refused_total", "Requests that were refused because of a limit of a key or its users, by reason.",
			func() float64 { return float64(of()) })
	}
	telemetry.Counter(r, "busu_limit_passed_total", "Requests that passed although it could not be known how their key's limits stand.",
		func() float64 { return float64(stats.Passed()) })
	telemetry.Counter(r, "busu_limit_waited_total", "Requests that waited for Redis, because this process had no share of their key's limit, or too little.",
		func() float64 { return float64(stats.Waited()) })
	telemetry.Counter(r, "busu_limit_share_failures_total", "Times that limits could not be shared through Redis.",
		func() float64 { return float64(stats.Failures()) })
	telemetry.Gauge(r, "busu_limit_users", "Users whose limits this process counts for now.", func() float64 { return float64(k.Users()) })
	return k
}
