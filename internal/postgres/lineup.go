package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/busuhq/busu/internal/lineup"
	"github.com/busuhq/busu/internal/stats"
)

// Judged says how good the answers of models were found, by the newest verdicts
// that were given on a project's requests since from: at most some thousands,
// so that it takes as long however many there are.
func (db *DB) Judged(ctx context.Context, project string, from time.Time) (j lineup.Judged, err error) {
	const most = 5000
	j = lineup.Judged{Routed: map[string]*lineup.Quality{}, Holdout: map[string]*lineup.Quality{}}
	rows, err := db.pool.Query(ctx, `
		WITH newest AS MATERIALIZED (
			SELECT request_id, quality, bad FROM feedback
			WHERE project = $1 AND at >= $2 AND NOT implicit AND state IN ('learned', 'kept') ORDER BY at DESC LIMIT $3),
		judged AS (
			SELECT request_id, avg(quality) AS quality, bool_or(bad) AS bad FROM newest GROUP BY request_id),
		units AS (
			SELECT c.model, c.holdout, coalesce(nullif(c.user_id, ''), c.id::text) AS unit,
				count(*)::float8 AS n, sum(j.quality) AS y, count(*) FILTER (WHERE j.bad) AS bad
			FROM judged j JOIN completions c ON c.id = j.request_id AND c.at >= $2 AND c.project = $1
			WHERE c.model IS NOT NULL GROUP BY 1, 2, 3)
		SELECT model, holdout, sum(bad)::bigint, `+moments("n", "y")+` FROM units GROUP BY model, holdout`, project, from, most)
	if err != nil {
		return j, fmt.Errorf("read verdicts by model: %w", err)
	}
	var model string
	var holdout bool
	var bad int64
	var m stats.Moments
	_, err = pgx.ForEachRow(rows, []any{&model, &holdout, &bad, &m.Units, &m.N, &m.Y, &m.NN, &m.YY, &m.NY}, func() error {
		if holdout {
			j.Holdout[model] = lineup.QualityOf(m, bad)
		} else {
			j.Routed[model] = lineup.QualityOf(m, bad)
		}
		return nil
	})
	if err != nil {
		return j, fmt.Errorf("read verdicts by model: %w", err)
	}
	return j, nil
}

// Choices gives what the newest decisions of a strategy predicted: of at most
// most, among somewhat more of the newest requests since from.
func (db *DB) Choices(ctx context.Context, project, strategy string, from time.Time, most int) ([]lineup.Decision, error) {
	rows, err := db.pool.Query(ctx, `
		SELECT planned_model, baseline_model, candidates FROM (
			SELECT planned_model, baseline_model, candidates, strategy, at FROM completions
			WHERE project = $1 AND at >= $3 ORDER BY at DESC, id DESC LIMIT 4 * $4) AS newest
		WHERE strategy = $2 AND candidates IS NOT NULL ORDER BY at DESC LIMIT $4`, pgx.QueryExecModeDescribeExec, project, strategy, from, most)
	if err != nil {
		return nil, fmt.Errorf("read decisions: %w", err)
	}
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (d lineup.Decision, err error) {
		err = row.Scan(&d.Planned, &d.Baseline, &d.Candidates)
		return d, err
	})
	if err != nil {
		return nil, fmt.Errorf("read decisions: %w", err)
	}
	return all, nil
}
