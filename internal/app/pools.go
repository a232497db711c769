package app

import (
	"context"

	"github.com/busuhq/busu/internal/telemetry"
)

// countPools exports how the connections to the stores are used.
func countPools(r telemetry.Registerer, s *stores) {
	telemetry.Gauge(r, "busu_postgres_connections", "Open connections to PostgreSQL.",
		func() float64 { return float64(s.postgres.Connections().Open) })
	telemetry.Gauge(r, "busu_postgres_connections_busy", "Connections to PostgreSQL in use.",
		func() float64 { return float64(s.postgres.Connections().Busy) })
	telemetry.Gauge(r, "busu_postgres_connections_max", "Connections to PostgreSQL that may be open.",
		func() float64 { return float64(s.postgres.Connections().Most) })
	telemetry.Counter(r, "busu_postgres_wait_seconds_total", "Time spent waiting for a free connection.",
		func() float64 { return s.postgres.Connections().Waited.Seconds() })
	telemetry.Gauge(r, "busu_redis_fullness", "Share of its memory budget that Redis uses; -1 when it does not say.", func() float64 {
		ctx, cancel := context.WithTimeout(context.Background(), boardWithin)
		defer cancel()
		full, err := s.redis.Fullness(ctx)
		if err != nil {
			return -1
		}
		return full
	})
	telemetry.Gauge(r, "busu_redis_connections", "Open connections to Redis.",
		func() float64 { return float64(s.redis.Connections().Open) })
	telemetry.Gauge(r, "busu_redis_connections_busy", "Connections to Redis in use.",
		func() float64 { return float64(s.redis.Connections().Busy) })
	telemetry.Counter(r, "busu_redis_timeouts_total", "Waits for a free connection that were given up.",
		func() float64 { return float64(s.redis.Connections().Timeouts) })
}
