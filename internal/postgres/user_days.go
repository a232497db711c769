package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/busuhq/busu/internal/event"
)

// lateRows is how long a transaction that stores rows may last: what it stores
// bears the time at which it began.
const lateRows = time.Minute

// ChangedDays lists the days, in UTC, that rows or verdicts were stored for
// since the last Counted, oldest first, and up to when that is told.
func (db *DB) ChangedDays(ctx context.Context) (days []time.Time, until time.Time, err error) {
	rows, err := db.pool.Query(ctx, `
		WITH since AS (SELECT coalesce((SELECT until FROM counted), '-infinity') - $1::interval AS at)
		SELECT day, now() FROM (
			SELECT DISTINCT at::date AS day FROM completions WHERE persisted_at > (SELECT at FROM since)
			UNION
			SELECT DISTINCT c.at::date FROM feedback f JOIN completions c ON c.id = f.request_id AND c.at = `+timeOf("f.request_id")+`
				WHERE f.persisted_at > (SELECT at FROM since) AND NOT f.implicit
			UNION
			SELECT NULL) AS changed
		ORDER BY day`, lateRows)
	if err != nil {
		return nil, until, fmt.Errorf("read changed days: %w", err)
	}
	var day *time.Time
	_, err = pgx.ForEachRow(rows, []any{&day, &until}, func() error {
		if day != nil {
			days = append(days, *day)
		}
		return nil
	})
	if err != nil {
		return nil, until, fmt.Errorf("read changed days: %w", err)
	}
	return days, until.UTC(), nil
}

// timeOf is the time in a UUIDv7, as SQL.
func timeOf(id string) string {
	return `to_timestamp(('x' || translate(left(` + id + `::text, 13), '-', ''))::bit(48)::bigint / 1000.0)`
}

// Counted notes up to when days are counted.
func (db *DB) Counted(ctx context.Context, until time.Time) error {
	_, err := db.pool.Exec(ctx, `INSERT INTO counted (until) VALUES ($1) ON CONFLICT (one) DO UPDATE SET until = excluded.until`, until)
	if err != nil {
		return fmt.Errorf("note what is counted: %w", err)
	}
	return nil
}

// decided says of whose requests a strategy decided: callers' that named no
// model.
const decided = `strategy NOT IN ('model', '` + event.StrategyShadow + `', '` + event.StrategyJudge + `')`

// CountDay adds up the day's requests per user. A user's requests are compared
// for so long after the first one, at most until the day ends, and verdicts on
// them for so long after that. Only rows that changed are written.
func (db *DB) CountDay(ctx context.Context, day time.Time, observation, verdicts time.Duration) error {
	from := day.UTC().Truncate(24 * time.Hour)
	to := from.AddDate(0, 0, 1)
	err := db.tx(ctx, func(tx pgx.Tx) error {
		var before int64
		if err := tx.QueryRow(ctx, `SELECT coalesce(max(n), 0) FROM forgotten`).Scan(&before); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, countDay, from, to, observation, verdicts); err != nil {
			return err
		}
		if err := countNoForgotten(ctx, tx, from, before); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `
			INSERT INTO priced_days AS p
			SELECT project, $1::date, coalesce(price_version, ''), baseline_model, count(*), count(*) FILTER (WHERE unpriced)
			FROM completions WHERE at >= $1 AND at < $2 AND `+decided+` GROUP BY 1, 2, 3, 4
			ON CONFLICT (project, day, price_version, baseline_model)
			DO UPDATE SET requests = excluded.requests, unpriced = excluded.unpriced WHERE p.requests <> excluded.requests`, from, to)
		return err
	})
	if err != nil {
		return fmt.Errorf("count users of %s: %w", from.Format(time.DateOnly), err)
	}
	return nil
}

// userDaySums are the columns of user_days behind first_at, and what they are
// of a day's requests.
var userDaySums = []struct{ column, sum string }{
	{"first_at", `min(first_at)`},
	{"requests", `count(*)`},
	{"cost_nanos", `sum(cost_nanos)`},
	{"origin_cost_nanos", `sum(origin_cost_nanos)`},
	{"baseline_cost_nanos", `sum(baseline_cost_nanos)`},
	{"good", `count(*) FILTER (WHERE ok AND NOT coalesce(bad, false))`},
	{"judged", `count(quality)`},
	{"quality_sum", `coalesce(sum(quality), 0)`},
	{"latency_us", `sum(latency_us)`},
	{"unpriced", `count(*) FILTER (WHERE unpriced)`},
	{"planned", `count(planned_nanos)`},
	{"planned_nanos", `coalesce(sum(planned_nanos), 0)`},
	{"planned_quality", `coalesce(sum(planned_quality), 0)`},
	{"cheapest_nanos", `coalesce(sum(cheapest_nanos), 0)`},
	{"cheapest_quality", `coalesce(sum(cheapest_quality), 0)`},
	{"dearest_nanos", `coalesce(sum(dearest_nanos), 0)`},
	{"dearest_quality", `coalesce(sum(dearest_quality), 0)`},
	{"observed_until", `min(observed_until)`},
	{"judged_until", `min(judged_until)`},
	{"observed", `count(*) FILTER (WHERE at < observed_until)`},
	{"observed_nanos", `coalesce(sum(origin_cost_nanos) FILTER (WHERE at < observed_until), 0)`},
	{"observed_good", `count(*) FILTER (WHERE at < observed_until AND ok AND NOT coalesce(bad_then, false))`},
	{"observed_judged", `count(quality_then) FILTER (WHERE at < observed_until)`},
	{"observed_quality", `coalesce(sum(quality_then) FILTER (WHERE at < observed_until), 0)`},
	{"observed_us", `coalesce(sum(latency_us) FILTER (WHERE at < observed_until), 0)`},
}

// countDay takes the day's beginning and end, the observation, and how long
// verdicts are waited for. Those that nobody gave are left out: only answers of
// strategies that learn have any, and would look worse for it; so are a
// judge's, who sees none of the hold-out's answers.
var countDay = func() string {
	columns, sums, updates, old, fresh := "", "", "", "", ""
	for i, s := range userDaySums {
		comma := ", "
		if i == 0 {
			comma = ""
		}
		columns += ", " + s.column
		sums += ", " + s.sum
		updates += comma + s.column + " = excluded." + s.column
		old += comma + "u." + s.column
		fresh += comma + "excluded." + s.column
	}
	return `
		WITH mine AS MATERIALIZED (
			SELECT *, least(first_at + $3, $2) AS observed_until, least(first_at + $3, $2) + $4::interval AS judged_until FROM (
				SELECT id, project, coalesce(user_id, '') AS user_id, holdout, strategy = 'baseline' AND NOT holdout AS guarded, at,
					status = 'ok' AS ok, cost_nanos, origin_cost_nanos, baseline_cost_nanos, latency_us, unpriced,
					CASE WHEN NOT holdout AND strategy <> 'baseline' THEN candidates END AS candidates, planned_model, baseline_model,
					min(at) OVER (PARTITION BY project, user_id, holdout, strategy = 'baseline' AND NOT holdout) AS first_at
				FROM completions WHERE at >= $1 AND at < $2 AND ` + decided + `) AS day),
		judged AS (
			SELECT m.id, avg(f.quality) AS quality, bool_or(f.bad) AS bad,
				avg(f.quality) FILTER (WHERE f.at < m.judged_until) AS quality_then, bool_or(f.bad) FILTER (WHERE f.at < m.judged_until) AS bad_then
			FROM mine m JOIN feedback f ON f.request_id = m.id AND f.project = m.project
			WHERE f.state <> 'refused' AND NOT f.implicit AND NOT coalesce(starts_with(f.feedback_id, '` + event.FeedbackByJudge + `'), false) AND f.at >= $1 GROUP BY m.id)
		INSERT INTO user_days AS u (project, day, user_id, holdout, guarded` + columns + `)
		SELECT project, $1::date, user_id, holdout, guarded` + sums + `
		FROM mine LEFT JOIN judged USING (id) LEFT JOIN LATERAL (
			SELECT planned_nanos, planned_quality, cheapest_nanos, cheapest_quality, dearest_nanos, dearest_quality
			FROM (SELECT
				min(nanos) FILTER (WHERE model = planned_model) AS planned_nanos, min(quality) FILTER (WHERE model = planned_model) AS planned_quality,
				min(nanos) AS cheapest_nanos, (array_agg(quality ORDER BY nanos, quality DESC))[1] AS cheapest_quality,
				min(nanos) FILTER (WHERE model = baseline_model) AS dearest_nanos, min(quality) FILTER (WHERE model = baseline_model) AS dearest_quality
				FROM jsonb_to_recordset(candidates) AS c (model text, quality float8, cost_nanos bigint, unpriced boolean),
					LATERAL (SELECT c.cost_nanos AS nanos) AS n
				WHERE NOT coalesce(unpriced, false)) AS listed
			WHERE planned_nanos IS NOT NULL AND dearest_nanos IS NOT NULL) AS plans ON candidates IS NOT NULL
		GROUP BY project, user_id, holdout, guarded
		ON CONFLICT (project, day, user_id, holdout, guarded) DO UPDATE SET ` + updates + `
		WHERE (` + old + `) IS DISTINCT FROM (` + fresh + `)`
}()

// ForgetUserDays removes the days before a time.
func (db *DB) ForgetUserDays(ctx context.Context, before time.Time) error {
	_, err := db.pool.Exec(ctx, `WITH priced AS (DELETE FROM priced_days WHERE day < $1::timestamptz::date)
		DELETE FROM user_days WHERE day < $1::timestamptz::date`, before)
	if err != nil {
		return fmt.Errorf("remove old days of users: %w", err)
	}
	return nil
}
