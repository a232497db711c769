package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/busuhq/busu/internal/experiment"
)

// Past is what users of a project did lately, as an experiment would see it.
type Past struct {
	Users  []experiment.Totals // within the observation from their first request on
	Within time.Duration       // in which they came
	SlowUS int64               // what 95 of 100 answered requests did not exceed
}

// mostPast bounds what is read of the past, in requests.
const mostPast = 50_000

// Past reads the last requests of a week, but for those of the hold-out.
func (db *DB) Past(ctx context.Context, project string, now time.Time, observation time.Duration) (p Past, err error) {
	since := now.Add(-7 * 24 * time.Hour)
	var first *time.Time
	var slow *int64
	const lately = `SELECT * FROM completions WHERE project = $1 AND at > $2 AND user_id IS NOT NULL AND NOT holdout ORDER BY at DESC LIMIT $3`
	if err := db.pool.QueryRow(ctx, `SELECT min(at), percentile_disc(0.95) WITHIN GROUP (ORDER BY latency_us) FILTER (WHERE NOT (`+failed+`))
		FROM (`+lately+`) AS r`, project, since, mostPast).Scan(&first, &slow); err != nil {
		return p, fmt.Errorf("read past traffic: %w", err)
	}
	if first == nil {
		return p, nil
	}
	if p.Within = now.Sub(*first); slow != nil {
		p.SlowUS = *slow
	}
	rows, err := db.pool.Query(ctx, `
		SELECT count(*), count(*) FILTER (WHERE status = 'ok' AND f.bad IS NOT TRUE), count(*) FILTER (WHERE NOT (`+failed+`)),
			count(f.quality), coalesce(sum(round(f.quality * 1e6)), 0)::bigint, sum(origin_cost_nanos)::bigint, sum(cost_nanos)::bigint,
			coalesce(sum(latency_us) FILTER (WHERE NOT (`+failed+`)), 0)::bigint, count(*) FILTER (WHERE latency_us > $5)
		FROM (SELECT *, min(at) OVER (PARTITION BY user_id) AS first FROM (`+lately+`) AS r) AS r
		LEFT JOIN LATERAL (SELECT bad, quality FROM feedback f WHERE f.request_id = r.id AND f.project = $1 AND NOT f.implicit ORDER BY f.id DESC LIMIT 1) AS f ON true
		WHERE at <= first + $4::interval GROUP BY user_id`, project, since, mostPast, observation, p.SlowUS)
	if err != nil {
		return p, fmt.Errorf("read past traffic: %w", err)
	}
	p.Users, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (t experiment.Totals, err error) {
		err = row.Scan(&t.Requests, &t.Good, &t.Answered, &t.Rated, &t.QualityMicros, &t.CostNanos, &t.PaidNanos, &t.LatencyUS, &t.Slow)
		return t, err
	})
	if err != nil {
		return p, fmt.Errorf("read past traffic: %w", err)
	}
	return p, nil
}
