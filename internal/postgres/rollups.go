package postgres

import (
	"cmp"
	"context"
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
		if err := addPartition(ctx, tx, partition, rollup.Sum(byPartition[partition], time.Minute)); err != nil {
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
	latency, ttft, overhead                               [][]byte
}

// key adds the key of a row only.
func (r *rollupColumns) key(s rollup.Slot) {
	r.projects, r.kinds, r.names = append(r.projects, s.Project), append(r.kinds, s.Dim.Kind), append(r.names, s.Dim.Name)
	r.minutes = append(r.minutes, time.Unix(s.Start, 0))
}

// values adds the counters of a row.
func (r *rollupColumns) values(c *rollup.Cell) {
	r.requests, r.errors = append(r.requests, c.Requests), append(r.errors, c.Errors)
	r.cost, r.baseline = append(r.cost, c.CostNanos), append(r.baseline, c.BaselineNanos)
	r.tokensIn, r.tokensOut = append(r.tokensIn, c.TokensIn), append(r.tokensOut, c.TokensOut)
	for _, s := range []struct {
		sketch rollup.Sketch
		column *[][]byte
	}{{c.Latency, &r.latency}, {c.TTFT, &r.ttft}, {c.Overhead, &r.overhead}} {
		*s.column = append(*s.column, s.sketch.AppendPacked([]byte{}))
	}
}

// packed lets a sketch be a bytea.
type packed struct{ to *rollup.Sketch }

// ScanBytes is for pgx.
func (p packed) ScanBytes(v []byte) (err error) {
	*p.to, err = rollup.ParsePacked(v)
	return err
}

// addPartition reads the rows of sums, adds them up here, and writes them back: adding
// sketches in SQL costs ten times as much, and all of it under the lock.
func addPartition(ctx context.Context, tx pgx.Tx, partition int, sums map[rollup.Slot]*rollup.Cell) error {
	slots := slices.SortedFunc(keysOf(sums), compareSlots)
	keys := rollupColumns{partition: partition}
	for _, slot := range slots {
		keys.key(slot)
	}
	found, err := keys.lock(ctx, tx, sums)
	if err != nil {
		return err
	}
	if found < len(slots) { // a new minute: make its rows, then they can be locked
		if err := keys.make(ctx, tx); err != nil {
			return err
		}
		return addPartition(ctx, tx, partition, sums)
	}
	for _, slot := range slots {
		keys.values(sums[slot])
	}
	return keys.update(ctx, tx)
}

const rollupKeys = `unnest($2::text[], $3::timestamptz[], $4::text[], $5::text[]) AS new (project, minute, kind, name)`

func (r *rollupColumns) make(ctx context.Context, tx pgx.Tx) error {
	_, err := tx.Exec(ctx, `
		INSERT INTO rollups (project, partition, minute, kind, name, requests, errors,
			cost_nanos, baseline_cost_nanos, tokens_in, tokens_out, latency, ttft, overhead)
		SELECT project, $1, minute, kind, name, 0, 0, 0, 0, 0, 0, '', '', ''
		FROM `+rollupKeys+` ON CONFLICT DO NOTHING`, r.partition, r.projects, r.minutes, r.kinds, r.names)
	return err
}

// lock locks rows in their order and, when all are there, adds them to sums.
func (r *rollupColumns) lock(ctx context.Context, tx pgx.Tx, sums map[rollup.Slot]*rollup.Cell) (int, error) {
	rows, err := tx.Query(ctx, `
		SELECT project, extract(epoch FROM minute)::bigint, kind, name, requests, errors, cost_nanos,
		       baseline_cost_nanos, tokens_in, tokens_out, latency, ttft, overhead
		FROM rollups JOIN `+rollupKeys+` USING (project, minute, kind, name)
		WHERE partition = $1 ORDER BY project, minute, kind, name FOR UPDATE OF rollups`,
		r.partition, r.projects, r.minutes, r.kinds, r.names)
	if err != nil {
		return 0, err
	}
	type stored struct {
		slot rollup.Slot
		cell rollup.Cell
	}
	var all []stored
	for rows.Next() {
		var s stored
		c := &s.cell
		if err := rows.Scan(&s.slot.Project, &s.slot.Start, &s.slot.Dim.Kind, &s.slot.Dim.Name, &c.Requests, &c.Errors, &c.CostNanos,
			&c.BaselineNanos, &c.TokensIn, &c.TokensOut, packed{&c.Latency}, packed{&c.TTFT}, packed{&c.Overhead}); err != nil {
			return 0, err
		}
		all = append(all, s)
	}
	if len(all) == len(sums) {
		for _, s := range all {
			sums[s.slot].Add(s.cell)
		}
	}
	return len(all), rows.Err()
}

func (r *rollupColumns) update(ctx context.Context, tx pgx.Tx) error {
	_, err := tx.Exec(ctx, `
		UPDATE rollups AS old SET requests = new.requests, errors = new.errors, cost_nanos = cost,
			baseline_cost_nanos = baseline, tokens_in = new.tokens_in, tokens_out = new.tokens_out,
			latency = new.latency, ttft = new.ttft, overhead = new.overhead
		FROM unnest($2::text[], $3::timestamptz[], $4::text[], $5::text[], $6::bigint[], $7::bigint[],
			$8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::bytea[], $13::bytea[], $14::bytea[])
			AS new (project, minute, kind, name, requests, errors, cost, baseline, tokens_in, tokens_out, latency, ttft, overhead)
		WHERE (old.project, old.partition, old.minute, old.kind, old.name) = (new.project, $1, new.minute, new.kind, new.name)`,
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
		       coalesce(error_kind, ''), status, unpriced, tokens_in, tokens_out, cost_nanos, baseline_cost_nanos,
		       latency_us, ttft_us, overhead_us
		FROM completions WHERE partition = $1 AND at >= $2`, r.partition, from)
	if err != nil {
		return err
	}
	var facts []*event.CompletionRecorded
	for rows.Next() {
		f := new(event.CompletionRecorded)
		if err := rows.Scan(&f.Project, &f.At, &f.Strategy, &f.Cache, &f.Model, &f.Provider, &f.Confidence,
			&f.ErrorKind, &f.Status, &f.Unpriced, &f.TokensIn, &f.TokensOut, &f.CostNanos, &f.BaselineCostNanos,
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
