package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/busuhq/busu/internal/rollup"
)

// History reads a project's history at now from the rollups: minutes, five
// minutes, hours or days as the step says, and what is not merged yet.
func (db *DB) History(ctx context.Context, project string, s rollup.Span, now time.Time) (rollup.History, error) {
	pieces, err := db.pieces(ctx, project, s, now)
	if err != nil {
		return rollup.History{}, fmt.Errorf("read history: %w", err)
	}
	return rollup.NewHistory(s, pieces, rollup.SourcePostgres, now)
}

// levelFor is the coarsest whose stretches steps are made of.
func levelFor(step time.Duration) level {
	found := minutes
	if step%fiveMinutes.step == 0 {
		found = fiveMinutes
	}
	for _, l := range coarse {
		if step%l.step == 0 {
			found = l
		}
	}
	return found
}

// pieces reads one piece per name and step. It is one statement, and so of one
// moment: a row that is merged meanwhile is seen once, in either table.
func (db *DB) pieces(ctx context.Context, project string, s rollup.Span, now time.Time) ([]rollup.Piece, error) {
	l := levelFor(s.Step)
	kinds := []string{rollup.KindAll, rollup.KindUnpriced}
	if s.By != "" {
		kinds = append(kinds, s.By)
	}
	of := func(start, table string) string {
		return `SELECT ` + start + ` AS at, kind, name, ` + rollupSums + ` FROM ` + table + `
			WHERE project = $1 AND ` + start + ` >= $2 AND ` + start + ` < $3 AND kind = ANY ($4)`
	}
	stored := of(l.start, l.table)
	if l == fiveMinutes {
		stored += ` AND minute >= ` + fiveMinutesSince + ` UNION ALL ` + of(minutes.start, minutes.table) + ` AND minute < ` + fiveMinutesSince
	}
	// Planned for these values: a plan for any would not know how much is asked for.
	rows, err := db.pool.Query(ctx, `
		SELECT extract(epoch FROM date_bin($5, at, 'epoch'))::bigint, kind, name, sum(requests)::bigint, sum(errors)::bigint,
			sum(cost_nanos)::bigint, sum(baseline_cost_nanos)::bigint, sum(tokens_in)::bigint, sum(tokens_out)::bigint,
			array_agg(latency) FILTER (WHERE latency <> ''), array_agg(ttft) FILTER (WHERE ttft <> ''),
			array_agg(overhead) FILTER (WHERE overhead <> '')
		FROM (`+stored+` UNION ALL `+of("minute", "rollups_new")+`) AS stored
		GROUP BY 1, 2, 3`, pgx.QueryExecModeDescribeExec, project, s.From(now), s.To(now), kinds, s.Step)
	if err != nil {
		return nil, err
	}
	var pieces []rollup.Piece
	for rows.Next() {
		var p rollup.Piece
		c := &p.Cell
		if err := rows.Scan(&p.Start, &p.Dim.Kind, &p.Dim.Name, &c.Requests, &c.Errors, &c.CostNanos, &c.BaselineNanos,
			&c.TokensIn, &c.TokensOut, &p.Latency, &p.TTFT, &p.Overhead); err != nil {
			rows.Close()
			return nil, err
		}
		pieces = append(pieces, p)
	}
	return pieces, rows.Err()
}
