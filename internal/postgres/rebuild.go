package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/rollup"
)

// Rebuild makes a partition's checkpoint at now from what is stored: the cells
// of all windows and the seqs that they count, as of one moment. Its position
// is the beginning of the stream; what is counted already is known by its seq.
func (db *DB) Rebuild(ctx context.Context, partition int, now time.Time) (rollup.Checkpoint, error) {
	c := rebuilding{partition: partition, now: now, cells: map[rebuiltKey]*rollup.Cell{}, seqs: map[string]event.Ranges{}}
	err := pgx.BeginTxFunc(ctx, db.pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		for _, step := range []func(context.Context, pgx.Tx) error{c.readSeqs, c.readTotals, c.readMinutes, c.readRows} {
			if err := step(ctx, tx); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return rollup.Checkpoint{}, fmt.Errorf("rebuild aggregates of partition %d: %w", partition, err)
	}
	return c.checkpoint(), nil
}

// rebuilding is a checkpoint while it is put together.
type rebuilding struct {
	partition int
	now       time.Time
	seqs      map[string]event.Ranges
	cells     map[rebuiltKey]*rollup.Cell
}

type rebuiltKey struct {
	project string
	key     rollup.Key
}

func (r *rebuilding) add(project string, key rollup.Key, c rollup.Cell) {
	at := rebuiltKey{project, key}
	if r.cells[at] == nil {
		r.cells[at] = new(rollup.Cell)
	}
	r.cells[at].Add(c)
}

func (r *rebuilding) checkpoint() rollup.Checkpoint {
	c := rollup.Checkpoint{Seqs: r.seqs}
	for at, cell := range r.cells {
		c.Cells = append(c.Cells, rollup.ProjectCell{Project: at.project, Key: at.key, Cell: cell})
	}
	return c
}

func (r *rebuilding) readSeqs(ctx context.Context, tx pgx.Tx) error {
	rows, err := tx.Query(ctx, storedSeqs, event.Completions.String(), r.partition)
	if err != nil {
		return err
	}
	return collectSeqs(rows, r.seqs)
}

const storedSeqs = `SELECT journal, persisted::text FROM journal_marks WHERE stream = $1 AND partition = $2`

func collectSeqs(rows pgx.Rows, into map[string]event.Ranges) error {
	var journal, text string
	_, err := pgx.ForEachRow(rows, []any{&journal, &text}, func() (err error) {
		into[journal], err = event.ParseRanges(text)
		return err
	})
	return err
}

// Stored gives the seqs of a partition's completions that are stored, by
// journal.
func (db *DB) Stored(ctx context.Context, partition int) (map[string]event.Ranges, error) {
	seqs := map[string]event.Ranges{}
	rows, err := db.pool.Query(ctx, storedSeqs, event.Completions.String(), partition)
	if err == nil {
		err = collectSeqs(rows, seqs)
	}
	if err != nil {
		return nil, fmt.Errorf("read what is stored of partition %d: %w", partition, err)
	}
	return seqs, nil
}

func (r *rebuilding) readTotals(ctx context.Context, tx pgx.Tx) error {
	rows, err := tx.Query(ctx, `
		SELECT project, kind, name, sum(requests)::bigint, sum(errors)::bigint, sum(cost_nanos)::bigint,
		       sum(baseline_cost_nanos)::bigint, sum(tokens_in)::bigint, sum(tokens_out)::bigint
		FROM rollups WHERE partition = $1 AND kind <> $2 GROUP BY project, kind, name`, r.partition, rollup.KindKey)
	if err != nil {
		return err
	}
	var project string
	var d rollup.Dim
	var c rollup.Cell
	_, err = pgx.ForEachRow(rows, []any{&project, &d.Kind, &d.Name, &c.Requests, &c.Errors, &c.CostNanos,
		&c.BaselineNanos, &c.TokensIn, &c.TokensOut}, func() error {
		r.add(project, rollup.Key{Dim: d}, c)
		return nil
	})
	return err
}

// windows lists the windows whose slots are whole minutes, or those whose are
// not, and where the longest of them begins.
func (r *rebuilding) windows(wholeMinutes bool) (ws []rollup.Window, from time.Time) {
	from = r.now
	for _, w := range rollup.Windows() {
		if (w.Resolution%time.Minute == 0) == wholeMinutes {
			ws = append(ws, w)
			if w.From(r.now).Before(from) {
				from = w.From(r.now)
			}
		}
	}
	return ws, from
}

// spread adds a cell to the slots of windows that its time falls into.
func (r *rebuilding) spread(ws []rollup.Window, s rollup.Slot, c rollup.Cell) {
	for _, w := range ws {
		if s.Start >= w.From(r.now).Unix() {
			r.add(s.Project, rollup.Key{Window: w.Name, Slot: w.Slot(s.Start), Dim: s.Dim}, c)
		}
	}
}

func (r *rebuilding) readMinutes(ctx context.Context, tx pgx.Tx) error {
	ws, from := r.windows(true)
	rows, err := tx.Query(ctx, `
		SELECT project, extract(epoch FROM minute)::bigint, kind, name, requests, errors, cost_nanos,
		       baseline_cost_nanos, tokens_in, tokens_out, latency, ttft, overhead
		FROM rollups WHERE partition = $1 AND minute >= $2 AND kind <> $3`, r.partition, from, rollup.KindKey)
	if err != nil {
		return err
	}
	for rows.Next() {
		var s rollup.Slot
		var c rollup.Cell
		if err := rows.Scan(&s.Project, &s.Start, &s.Dim.Kind, &s.Dim.Name, &c.Requests, &c.Errors, &c.CostNanos,
			&c.BaselineNanos, &c.TokensIn, &c.TokensOut, packed{&c.Latency}, packed{&c.TTFT}, packed{&c.Overhead}); err != nil {
			return err
		}
		r.spread(ws, s, c)
	}
	return rows.Err()
}

// readRows reads what windows finer than a minute need.
func (r *rebuilding) readRows(ctx context.Context, tx pgx.Tx) error {
	ws, from := r.windows(false)
	rows, err := tx.Query(ctx, `
		SELECT project, at, strategy, cache, coalesce(model, ''), coalesce(provider, ''), coalesce(confidence, ''),
		       coalesce(error_kind, ''), status, unpriced, fallbacks, experiments, tokens_in, tokens_out, cost_nanos, baseline_cost_nanos,
		       latency_us, ttft_us, overhead_us
		FROM completions WHERE partition = $1 AND at >= $2`, r.partition, from)
	if err != nil {
		return err
	}
	var facts []*event.CompletionRecorded
	for rows.Next() {
		f := new(event.CompletionRecorded)
		if err := rows.Scan(&f.Project, &f.At, &f.Strategy, &f.Cache, &f.Model, &f.Provider, &f.Confidence,
			&f.ErrorKind, &f.Status, &f.Unpriced, &f.Fallbacks, &f.Experiments, &f.TokensIn, &f.TokensOut, &f.CostNanos, &f.BaselineCostNanos,
			&f.LatencyUS, &f.TTFTUS, &f.OverheadUS); err != nil {
			return err
		}
		facts = append(facts, f)
	}
	for slot, c := range rollup.Sum(facts, time.Second) {
		r.spread(ws, slot, *c)
	}
	return rows.Err()
}
