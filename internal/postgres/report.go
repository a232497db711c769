package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/rollup"
)

// failed is Failed of a completion, in SQL.
const failed = `status IN ('error', 'canceled', 'interrupted')`

// timed says whose durations count: nobody waits for a call in the background.
const timed = `NOT ` + failed + ` AND strategy NOT IN ('` + event.StrategyShadow + `', '` + event.StrategyJudge + `')`

// dimensions gives a row for each dimension that a completion counts in.
const dimensions = `CROSS JOIN LATERAL (VALUES
	('all', ''), ('strategy', strategy), ('cache', cache), ('model', model), ('provider', provider),
	('confidence', confidence), ('error', error_kind), ('unpriced', CASE WHEN unpriced THEN '' END), ('fallback', CASE WHEN cardinality(fallbacks) > 0 THEN '' END)
	UNION ALL SELECT DISTINCT 'fallback', nullif(model, '') FROM unnest(fallbacks) AS model
	UNION ALL SELECT DISTINCT 'arm', (e ->> 'experiment') || '/' || (e ->> 'arm') FROM jsonb_array_elements(experiments) AS e) AS d (kind, name)`

// Report counts the stored completions of a project over a window at now. It
// reads rows, not rollups: it is what the live counters are held against.
func (db *DB) Report(ctx context.Context, project string, w rollup.Window, now time.Time) (rollup.Report, error) {
	cells, err := db.Cells(ctx, project, w.From(now))
	if err != nil {
		return rollup.Report{}, err
	}
	return rollup.NewReport(w, cells, rollup.SourcePostgres, now), nil
}

// Cells counts the stored completions of a project that arrived since from.
func (db *DB) Cells(ctx context.Context, project string, from time.Time) (rollup.Cells, error) {
	cells := rollup.Cells{}
	err := db.tx(ctx, func(tx pgx.Tx) error {
		if err := readCounters(ctx, tx, cells, project, from); err != nil {
			return err
		}
		return readSketches(ctx, tx, cells, project, from)
	})
	if err != nil {
		return nil, fmt.Errorf("count completions: %w", err)
	}
	return cells, nil
}

func readCounters(ctx context.Context, tx pgx.Tx, cells rollup.Cells, project string, from time.Time) error {
	rows, err := tx.Query(ctx, `
		SELECT d.kind, d.name, count(*), count(*) FILTER (WHERE `+failed+`),
		       sum(cost_nanos)::bigint, sum(baseline_cost_nanos)::bigint, sum(tokens_in)::bigint, sum(tokens_out)::bigint
		FROM completions `+dimensions+`
		WHERE project = $1 AND at >= $2 AND d.name IS NOT NULL
		GROUP BY d.kind, d.name`, project, from)
	if err != nil {
		return err
	}
	var d rollup.Dim
	var c rollup.Cell
	_, err = pgx.ForEachRow(rows,
		[]any{&d.Kind, &d.Name, &c.Requests, &c.Errors, &c.CostNanos, &c.BaselineNanos, &c.TokensIn, &c.TokensOut},
		func() error {
			cells.Add(d, c)
			return nil
		})
	return err
}

// readSketches adds the bins: latency in every dimension, the others for all
// requests.
func readSketches(ctx context.Context, tx pgx.Tx, cells rollup.Cells, project string, from time.Time) error {
	rows, err := tx.Query(ctx, `
		SELECT d.kind, d.name, b.what, b.bin, count(*)
		FROM completions `+dimensions+`
		CROSS JOIN LATERAL (VALUES ('latency', latency_bin), ('ttft', ttft_bin), ('overhead', overhead_bin)) AS b (what, bin)
		WHERE project = $1 AND at >= $2 AND d.name IS NOT NULL AND `+timed+`
		  AND (b.what = 'latency' OR d.kind = 'all')
		GROUP BY d.kind, d.name, b.what, b.bin`, project, from)
	if err != nil {
		return err
	}
	var d rollup.Dim
	var what string
	var bin int16
	var n int64
	_, err = pgx.ForEachRow(rows, []any{&d.Kind, &d.Name, &what, &bin, &n}, func() error {
		var sketch rollup.Sketch
		sketch.Count(bin, n)
		switch what {
		case "latency":
			cells.Add(d, rollup.Cell{Latency: sketch})
		case "ttft":
			cells.Add(d, rollup.Cell{TTFT: sketch})
		case "overhead":
			cells.Add(d, rollup.Cell{Overhead: sketch})
		}
		return nil
	})
	return err
}
