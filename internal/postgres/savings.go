package postgres

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/busuhq/busu/internal/savings"
	"github.com/busuhq/busu/internal/stats"
)

// Winsorising starts where there are so many days of users to take the limit
// from: this quantile of what they cost per request, before the window begins.
const (
	leastForLimit = 1000
	limitQuantile = 0.999
	limitDays     = 90
)

// Savings reads what is counted of a project in a window that ends on the day
// of now.
func (db *DB) Savings(ctx context.Context, project string, w savings.Window, now time.Time) (t savings.Tally, err error) {
	today := now.UTC().Truncate(24 * time.Hour)
	t = savings.Tally{Window: w, From: today.AddDate(0, 0, 1-w.Days)}
	options := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly} // all of one moment
	err = pgx.BeginTxFunc(ctx, db.pool, options, func(tx pgx.Tx) error {
		var first *time.Time // day with a hold-out
		err := tx.QueryRow(ctx, `SELECT coalesce((SELECT until FROM counted), now()),
			(SELECT min(day) FROM user_days WHERE project = $1 AND holdout)`, project).Scan(&t.AsOf, &first)
		if err != nil {
			return err
		}
		t.AsOf = t.AsOf.UTC()
		if first != nil {
			t.Start = max(int(t.From.Sub(*first).Hours()/24), 0)
		}
		units := unitsOf{project: project, from: t.From, asOf: t.AsOf, rows: "true"}
		if first != nil && first.After(t.From) {
			units.from = *first // until then there was nothing to compare with
		}
		if t.Limit, err = limitBefore(ctx, tx, project, t.From); err != nil {
			return err
		}
		if t.Since, t.Routed, t.Holdout, err = units.read(ctx, tx, "holdout", t.Limit); err != nil {
			return err
		}
		if err := readTraffic(ctx, tx, project, &t); err != nil {
			return err
		}
		if err := readPriced(ctx, tx, project, &t); err != nil {
			return err
		}
		t.Guard, err = readGuard(ctx, tx, project)
		return err
	})
	if err != nil {
		return t, fmt.Errorf("read savings: %w", err)
	}
	return t, nil
}

// limitBefore is what a user's mean cost is taken as where it is above, from
// the days before a window begins, so that nothing in it moves it.
func limitBefore(ctx context.Context, tx pgx.Tx, project string, from time.Time) (limit float64, err error) {
	var n int64
	err = tx.QueryRow(ctx, `SELECT count(*), coalesce(percentile_disc($4) WITHIN GROUP (ORDER BY observed_nanos::float8 / observed), 0)
		FROM user_days WHERE project = $1 AND day >= $2::timestamptz::date AND day < $3::timestamptz::date AND user_id <> '' AND observed > 0`,
		project, from.AddDate(0, 0, -limitDays), from, limitQuantile).Scan(&n, &limit)
	if n < leastForLimit || limit <= 0 {
		limit = math.Inf(1)
	}
	return limit, err
}

// unitsOf are a project's users, each with the first observation from a time
// on, where it has matured.
type unitsOf struct {
	project string
	from    time.Time
	to      *time.Time // days from then on do not count; nil: all do
	asOf    time.Time
	rows    string // condition on those that count
}

// moments are the sums of stats.Moments, of a numerator by a denominator.
func moments(n, y string) string {
	sums := []string{"count(*) FILTER (WHERE %n > 0)", "sum(%n)", "sum(%y)", "sum(%n * %n)", "sum(%y * %y)", "sum(%n * %y)"}
	for i, s := range sums {
		sums[i] = "coalesce(" + strings.NewReplacer("%n", n, "%y", y).Replace(s) + ", 0)"
	}
	return strings.Join(sums, ", ")
}

// read adds up the units where a condition holds, second, and where it does
// not.
func (u unitsOf) read(ctx context.Context, tx pgx.Tx, second string, limit float64) (since time.Time, no, yes savings.Group, err error) {
	rows, err := tx.Query(ctx, `
		WITH units AS (
			SELECT DISTINCT ON (user_id) `+second+` AS second, first_at, judged_until, observed::float8 AS n, observed_nanos::float8 AS cost,
				observed_good::float8 AS good, observed_judged::float8 AS judged, observed_quality AS quality, observed_us::float8 AS us
			FROM user_days
			WHERE project = $1 AND day >= $2::timestamptz::date AND first_at >= $2 AND user_id <> '' AND (`+u.rows+`)
				AND ($5::timestamptz IS NULL OR day < $5::timestamptz::date)
			ORDER BY user_id, day, first_at)
		SELECT second, min(first_at), `+strings.Join([]string{
		moments("n", "least(cost, $4 * n)"), moments("n", "cost"), moments("n", "good"), moments("n", "judged"),
		moments("judged", "quality"), moments("n", "us")}, ", ")+`
		FROM units WHERE judged_until <= $3 GROUP BY second`, pgx.QueryExecModeDescribeExec, u.project, u.from, u.asOf, limit, u.to)
	if err != nil {
		return since, no, yes, err
	}
	var isSecond bool
	var first time.Time
	var g savings.Group
	into := []any{&isSecond, &first}
	for _, m := range []*stats.Moments{&g.Cost, &g.RawCost, &g.Good, &g.Rated, &g.Quality, &g.Latency} {
		into = append(into, &m.Units, &m.N, &m.Y, &m.NN, &m.YY, &m.NY)
	}
	_, err = pgx.ForEachRow(rows, into, func() error {
		if isSecond {
			yes = g
		} else {
			no = g
		}
		if since.IsZero() || first.Before(since) {
			since = first.UTC()
		}
		return nil
	})
	return since, no, yes, err
}

func readTraffic(ctx context.Context, tx pgx.Tx, project string, t *savings.Tally) error {
	rows, err := tx.Query(ctx, `
		SELECT holdout, count(DISTINCT user_id) FILTER (WHERE user_id <> ''), sum(requests)::bigint, sum(unpriced)::bigint, sum(cost_nanos)::bigint,
			sum(baseline_cost_nanos)::bigint, sum(planned)::bigint, sum(planned_nanos)::bigint, sum(planned_quality),
			sum(cheapest_nanos)::bigint, sum(cheapest_quality), sum(dearest_nanos)::bigint, sum(dearest_quality)
		FROM user_days WHERE project = $1 AND day >= $2::timestamptz::date GROUP BY holdout`, project, t.From)
	if err != nil {
		return err
	}
	var holdout bool
	var of savings.Traffic
	var e savings.Expected
	_, err = pgx.ForEachRow(rows, []any{&holdout, &of.Users, &of.Requests, &of.Unpriced, &of.CostNanos, &of.BaselineNanos, &e.Requests,
		&e.Planned.Nanos, &e.Planned.Quality, &e.Cheapest.Nanos, &e.Cheapest.Quality, &e.Dearest.Nanos, &e.Dearest.Quality}, func() error {
		if holdout {
			t.Kept = of
		} else {
			t.All, t.Expected = of, e
		}
		return nil
	})
	return err
}

func readPriced(ctx context.Context, tx pgx.Tx, project string, t *savings.Tally) error {
	var versions, baselines []string
	err := tx.QueryRow(ctx, `
		WITH seen AS (SELECT price_version, baseline_model, sum(requests) AS n FROM priced_days
			WHERE project = $1 AND day >= $2::timestamptz::date GROUP BY 1, 2)
		SELECT coalesce((SELECT array_agg(price_version ORDER BY n DESC, price_version) FROM
				(SELECT price_version, sum(n) AS n FROM seen WHERE price_version <> '' GROUP BY 1) AS v), '{}'),
			coalesce((SELECT array_agg(baseline_model ORDER BY n DESC, baseline_model) FROM
				(SELECT baseline_model, sum(n) AS n FROM seen GROUP BY 1) AS b), '{}')`, project, t.From).Scan(&versions, &baselines)
	t.PriceVersions, t.Baselines = versions, baselines
	return err
}

// readGuard is what a project's guard is, and since when.
func readGuard(ctx context.Context, tx pgx.Tx, project string) (g savings.Guard, err error) {
	var at time.Time
	err = tx.QueryRow(ctx, `SELECT state, at, evidence FROM guards WHERE project = $1 ORDER BY n DESC LIMIT 1`, project).
		Scan(&g.State, &at, &g.Evidence)
	if errors.Is(err, pgx.ErrNoRows) {
		return savings.Guard{State: savings.GuardArmed}, nil
	}
	g.At = new(at.UTC())
	return g, err
}
