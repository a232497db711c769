package postgres

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/rollup"
)

// addRollups adds facts that were just stored to their minutes. Rows are taken
// in order, so that workers do not wait for each other in a circle.
func addRollups(ctx context.Context, tx pgx.Tx, facts []*event.CompletionRecorded) error {
	byPartition := map[int][]*event.CompletionRecorded{}
	for _, f := range facts {
		byPartition[f.Partition] = append(byPartition[f.Partition], f)
	}
	for _, partition := range slices.Sorted(keysOf(byPartition)) {
		rows := rollupColumns{partition: partition}
		sums := rollup.Sum(byPartition[partition], time.Minute)
		for _, slot := range slices.SortedFunc(keysOf(sums), compareSlots) {
			if err := rows.add(slot, sums[slot]); err != nil {
				return err
			}
		}
		if err := rows.upsert(ctx, tx); err != nil {
			return err
		}
	}
	return nil
}

func keysOf[K comparable, V any](m map[K]V) func(func(K) bool) {
	return func(yield func(K) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

func compareSlots(a, b rollup.Slot) int {
	return cmp.Or(cmp.Compare(a.Project, b.Project), cmp.Compare(a.Start, b.Start),
		cmp.Compare(a.Dim.Kind, b.Dim.Kind), cmp.Compare(a.Dim.Name, b.Dim.Name))
}

// rollupColumns are rows as arrays, for unnest.
type rollupColumns struct {
	partition                                             int
	projects, kinds, names                                []string
	minutes                                               []time.Time
	requests, errors, cost, baseline, tokensIn, tokensOut []int64
	latency, ttft, overhead                               []string
}

func (r *rollupColumns) add(s rollup.Slot, c *rollup.Cell) error {
	r.projects, r.kinds, r.names = append(r.projects, s.Project), append(r.kinds, s.Dim.Kind), append(r.names, s.Dim.Name)
	r.minutes = append(r.minutes, time.Unix(s.Start, 0))
	r.requests, r.errors = append(r.requests, c.Requests), append(r.errors, c.Errors)
	r.cost, r.baseline = append(r.cost, c.CostNanos), append(r.baseline, c.BaselineNanos)
	r.tokensIn, r.tokensOut = append(r.tokensIn, c.TokensIn), append(r.tokensOut, c.TokensOut)
	for _, s := range []struct {
		sketch rollup.Sketch
		column *[]string
	}{{c.Latency, &r.latency}, {c.TTFT, &r.ttft}, {c.Overhead, &r.overhead}} {
		text, err := sketchText(s.sketch)
		if err != nil {
			return err
		}
		*s.column = append(*s.column, text)
	}
	return nil
}

func sketchText(s rollup.Sketch) (string, error) {
	if len(s) == 0 {
		return "{}", nil
	}
	b, err := json.Marshal(s)
	return string(b), err
}

func (r *rollupColumns) upsert(ctx context.Context, tx pgx.Tx) error {
	_, err := tx.Exec(ctx, `
		INSERT INTO rollups AS old (project, partition, minute, kind, name, requests, errors,
			cost_nanos, baseline_cost_nanos, tokens_in, tokens_out, latency, ttft, overhead)
		SELECT project, $1, minute, kind, name, requests, errors,
			cost, baseline, tokens_in, tokens_out, latency::jsonb, ttft::jsonb, overhead::jsonb
		FROM unnest($2::text[], $3::timestamptz[], $4::text[], $5::text[], $6::bigint[], $7::bigint[],
			$8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::text[], $13::text[], $14::text[])
			AS new (project, minute, kind, name, requests, errors, cost, baseline, tokens_in, tokens_out, latency, ttft, overhead)
		ON CONFLICT (project, partition, minute, kind, name) DO UPDATE SET
			requests = old.requests + excluded.requests,
			errors = old.errors + excluded.errors,
			cost_nanos = old.cost_nanos + excluded.cost_nanos,
			baseline_cost_nanos = old.baseline_cost_nanos + excluded.baseline_cost_nanos,
			tokens_in = old.tokens_in + excluded.tokens_in,
			tokens_out = old.tokens_out + excluded.tokens_out,
			latency = sketch_add(old.latency, excluded.latency),
			ttft = sketch_add(old.ttft, excluded.ttft),
			overhead = sketch_add(old.overhead, excluded.overhead)`,
		r.partition, r.projects, r.minutes, r.kinds, r.names, r.requests, r.errors,
		r.cost, r.baseline, r.tokensIn, r.tokensOut, r.latency, r.ttft, r.overhead)
	return err
}

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
	rows, err := tx.Query(ctx, `SELECT journal, persisted::text FROM journal_marks WHERE stream = $1 AND partition = $2`,
		event.Completions.String(), r.partition)
	if err != nil {
		return err
	}
	var journal, text string
	_, err = pgx.ForEachRow(rows, []any{&journal, &text}, func() (err error) {
		r.seqs[journal], err = event.ParseRanges(text)
		return err
	})
	return err
}

func (r *rebuilding) readTotals(ctx context.Context, tx pgx.Tx) error {
	rows, err := tx.Query(ctx, `
		SELECT project, kind, name, sum(requests)::bigint, sum(errors)::bigint, sum(cost_nanos)::bigint,
		       sum(baseline_cost_nanos)::bigint, sum(tokens_in)::bigint, sum(tokens_out)::bigint
		FROM rollups WHERE partition = $1 GROUP BY project, kind, name`, r.partition)
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
		FROM rollups WHERE partition = $1 AND minute >= $2`, r.partition, from)
	if err != nil {
		return err
	}
	for rows.Next() {
		var s rollup.Slot
		var c rollup.Cell
		if err := rows.Scan(&s.Project, &s.Start, &s.Dim.Kind, &s.Dim.Name, &c.Requests, &c.Errors, &c.CostNanos,
			&c.BaselineNanos, &c.TokensIn, &c.TokensOut, &c.Latency, &c.TTFT, &c.Overhead); err != nil {
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
		       coalesce(error_kind, ''), status, tokens_in, tokens_out, cost_nanos, baseline_cost_nanos,
		       latency_us, ttft_us, overhead_us
		FROM completions WHERE partition = $1 AND at >= $2`, r.partition, from)
	if err != nil {
		return err
	}
	var facts []*event.CompletionRecorded
	for rows.Next() {
		f := new(event.CompletionRecorded)
		if err := rows.Scan(&f.Project, &f.At, &f.Strategy, &f.Cache, &f.Model, &f.Provider, &f.Confidence,
			&f.ErrorKind, &f.Status, &f.TokensIn, &f.TokensOut, &f.CostNanos, &f.BaselineCostNanos,
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
