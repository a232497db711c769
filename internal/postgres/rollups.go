package postgres

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/rollup"
)

// queueRollups adds facts that are stored in the same transaction to their
// minutes, in rows of their own. Locking the rows that are there, reading them
// and writing them back is what commits would wait for longest; that is left to
// MergeRollups.
func queueRollups(batch *pgx.Batch, facts []*event.CompletionRecorded) {
	byPartition := map[int][]*event.CompletionRecorded{}
	for _, f := range facts {
		byPartition[f.Partition] = append(byPartition[f.Partition], f)
	}
	for partition, facts := range byPartition {
		sums := rollup.Sum(facts, time.Minute)
		maps.Copy(sums, rollup.SumKeys(facts, time.Minute))
		rows := columnsOf(partition, sums)
		batch.Queue(insertRollups("rollups_new"), rows.values()...)
	}
}

// level is a table of rollups: what it holds of a stretch of time.
type level struct {
	table string
	start string // the column of when the stretch begins
	step  time.Duration
}

// levels are those that minutes are merged into, beside five minutes. Hours and
// days add up all partitions.
var (
	minutes = level{"rollups_minutes", "minute", time.Minute}
	coarse  = [...]level{{"rollups_hours", "hour", time.Hour}, {"rollups_days", "day", 24 * time.Hour}}
)

const rollupSums = `requests, errors, cost_nanos, baseline_cost_nanos, tokens_in, tokens_out, latency, ttft, overhead`

// insertRollups adds rows given as rollupColumns.values.
func insertRollups(table string) string {
	return `INSERT INTO ` + table + ` (partition, project, minute, kind, name, ` + rollupSums + `)
		SELECT $1, * FROM ` + unnestRollups(2)
}

// unnestRollups makes rows of arrays, from a parameter on.
func unnestRollups(from int) string {
	types := []string{"text", "timestamptz", "text", "text", "bigint", "bigint", "bigint", "bigint", "bigint", "bigint", "bytea", "bytea", "bytea"}
	for i, t := range types {
		types[i] = fmt.Sprintf("$%d::%s[]", from+i, t)
	}
	return `unnest(` + strings.Join(types, ", ") + `)`
}

// rollupColumns are rows of one partition as arrays, for unnest.
type rollupColumns struct {
	partition                                             int
	projects, kinds, names                                []string
	minutes                                               []time.Time
	requests, errors, cost, baseline, tokensIn, tokensOut []int64
	latency, ttft, overhead                               [][]byte
}

func columnsOf(partition int, sums map[rollup.Slot]*rollup.Cell) *rollupColumns {
	r := &rollupColumns{partition: partition}
	for slot, c := range sums {
		r.add(slot, c)
	}
	return r
}

func (r *rollupColumns) add(s rollup.Slot, c *rollup.Cell) {
	r.projects, r.kinds, r.names = append(r.projects, s.Project), append(r.kinds, s.Dim.Kind), append(r.names, s.Dim.Name)
	r.minutes = append(r.minutes, time.Unix(s.Start, 0))
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

// keys are the arguments of a statement that finds rows.
func (r *rollupColumns) keys() []any {
	return []any{r.partition, r.projects, r.minutes, r.kinds, r.names}
}

func (r *rollupColumns) values() []any {
	return append(r.keys(), r.requests, r.errors, r.cost, r.baseline, r.tokensIn, r.tokensOut, r.latency, r.ttft, r.overhead)
}

// packed lets a sketch be a bytea.
type packed struct{ to *rollup.Sketch }

// ScanBytes is for pgx.
func (p packed) ScanBytes(v []byte) (err error) {
	*p.to, err = rollup.ParsePacked(v)
	return err
}

// Who changes rollups keeps others out, either at once or after a while, and
// keeps PostgreSQL from a plan that it makes while little is new, and stays with
// when there is much: to compare every row with all those that are to go, instead
// of going to where these are. He tells the database that five minutes are
// merged, too: earlier releases did not.
const (
	beginMerge   = `SELECT pg_try_advisory_xact_lock(` + mergeLock + `) AND ` + mergePlan
	waitForMerge = `SELECT pg_advisory_xact_lock(` + mergeLock + `), ` + mergePlan
	mergeLock    = `hashtext('busu: rollups')`
	mergePlan    = `set_config('enable_seqscan', 'off', true) = 'off' AND set_config('busu.five_minutes', 'added', true) = 'added'`
)

// MergeRollups adds what batches have added to their minutes to the rows of
// those minutes, five minutes, hours and days, of which there is one per key,
// and gives how many it took in: as many as a transaction should.
// Whoever comes while another process does so has nothing to do.
func (db *DB) MergeRollups(ctx context.Context) (merged int, err error) {
	err = db.tx(ctx, func(tx pgx.Tx) error {
		var isOurs bool
		err := tx.QueryRow(ctx, beginMerge).Scan(&isOurs)
		if err != nil || !isOurs {
			return err
		}
		sums := partitionSums{}
		if merged, err = sums.take(ctx, tx); err != nil {
			return err
		}
		added := sums.together()
		for partition, cells := range sums {
			if err := mergePartition(ctx, tx, partition, cells); err != nil {
				return err
			}
		}
		if err := mergeFiveMinutes(ctx, tx, added); err != nil {
			return err
		}
		for _, l := range coarse {
			if err := mergeLevel(ctx, tx, l, added.over(l.step)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("merge rollups: %w", err)
	}
	return merged, nil
}

// partitionSums are cells by partition.
type partitionSums map[int]map[rollup.Slot]*rollup.Cell

func (p partitionSums) add(partition int, s rollup.Slot, c rollup.Cell) {
	if p[partition] == nil {
		p[partition] = map[rollup.Slot]*rollup.Cell{}
	}
	if p[partition][s] == nil {
		p[partition][s] = new(rollup.Cell)
	}
	p[partition][s].Add(c)
}

const rollupValues = `partition, project, extract(epoch FROM minute)::bigint, kind, name, ` + rollupSums

// addAll adds rows of rollupValues, and counts them.
func (p partitionSums) addAll(rows pgx.Rows) (n int, err error) {
	var partition int
	var s rollup.Slot
	for ; rows.Next(); n++ {
		var c rollup.Cell
		if err := rows.Scan(&partition, &s.Project, &s.Start, &s.Dim.Kind, &s.Dim.Name, &c.Requests, &c.Errors, &c.CostNanos,
			&c.BaselineNanos, &c.TokensIn, &c.TokensOut, packed{&c.Latency}, packed{&c.TTFT}, packed{&c.Overhead}); err != nil {
			rows.Close()
			return n, err
		}
		p.add(partition, s, c)
	}
	return n, rows.Err()
}

// mostMerged bounds what a transaction merges, so that it ends in time however
// much has come together; a second brings a few thousand rows at most.
const mostMerged = 20_000

// mostEmpty is how large the table of what is new may stay after much has come
// together, in bytes: whoever looks into it reads through all of it.
const mostEmpty = 32 << 20

// ShrinkRollups gives back the room of a backlog that was merged. It keeps
// workers waiting for moments, and does nothing where there is little to give.
func (db *DB) ShrinkRollups(ctx context.Context) error {
	var bytes int64
	err := db.pool.QueryRow(ctx, `SELECT pg_relation_size('rollups_new')`).Scan(&bytes)
	if err == nil && bytes > mostEmpty {
		_, err = db.pool.Exec(ctx, `VACUUM (TRUNCATE) rollups_new`)
	}
	if err != nil {
		return fmt.Errorf("shrink rollups: %w", err)
	}
	return nil
}

// take takes what is new out of its table.
func (p partitionSums) take(ctx context.Context, tx pgx.Tx) (int, error) {
	rows, err := tx.Query(ctx, `DELETE FROM rollups_new
		WHERE ctid = ANY (ARRAY (SELECT ctid FROM rollups_new LIMIT $1)) RETURNING `+rollupValues, mostMerged)
	if err != nil {
		return 0, err
	}
	return p.addAll(rows)
}

// together adds partitions up.
func (p partitionSums) together() slotSums {
	sums := slotSums{}
	for _, cells := range p {
		for slot, c := range cells {
			sums.add(slot, *c)
		}
	}
	return sums
}

// slotSums are cells by where they are summed up.
type slotSums map[rollup.Slot]*rollup.Cell

func (s slotSums) add(slot rollup.Slot, c rollup.Cell) {
	if s[slot] == nil {
		s[slot] = new(rollup.Cell)
	}
	s[slot].Add(c)
}

// over adds up what lies in the same stretch of time.
func (s slotSums) over(step time.Duration) slotSums {
	sums, seconds := slotSums{}, int64(step/time.Second)
	for slot, c := range s {
		slot.Start = slot.Start / seconds * seconds
		sums.add(slot, *c)
	}
	return sums
}

// mergePartition reads the rows of cells, adds them up here, and writes them
// back: adding sketches in SQL costs ten times as much.
func mergePartition(ctx context.Context, tx pgx.Tx, partition int, cells map[rollup.Slot]*rollup.Cell) error {
	rows, err := tx.Query(ctx, `
		SELECT `+rollupValues+` FROM `+minutes.table+`
		JOIN unnest($2::text[], $3::timestamptz[], $4::text[], $5::text[]) AS new (project, minute, kind, name)
			USING (project, minute, kind, name)
		WHERE partition = $1`, columnsOf(partition, cells).keys()...)
	if err != nil {
		return err
	}
	if _, err := (partitionSums{partition: cells}).addAll(rows); err != nil {
		return err
	}
	_, err = tx.Exec(ctx, insertRollups(minutes.table)+`
		ON CONFLICT (project, partition, minute, kind, name) DO UPDATE SET `+replaceSums, columnsOf(partition, cells).values()...)
	return err
}

const replaceSums = `requests = excluded.requests, errors = excluded.errors,
	cost_nanos = excluded.cost_nanos, baseline_cost_nanos = excluded.baseline_cost_nanos,
	tokens_in = excluded.tokens_in, tokens_out = excluded.tokens_out,
	latency = excluded.latency, ttft = excluded.ttft, overhead = excluded.overhead`

// mergeLevel does the same for a level that has no partitions.
func mergeLevel(ctx context.Context, tx pgx.Tx, l level, cells slotSums) error {
	if len(cells) == 0 {
		return nil
	}
	rows, err := tx.Query(ctx, `
		SELECT 0, project, extract(epoch FROM `+l.start+`)::bigint, kind, name, `+rollupSums+` FROM `+l.table+`
		JOIN unnest($1::text[], $2::timestamptz[], $3::text[], $4::text[]) AS new (project, `+l.start+`, kind, name)
			USING (project, `+l.start+`, kind, name)`, columnsOf(0, cells).keys()[1:]...)
	if err != nil {
		return err
	}
	if _, err := (partitionSums{0: cells}).addAll(rows); err != nil {
		return err
	}
	return writeLevel(ctx, tx, l, cells)
}

func writeLevel(ctx context.Context, tx pgx.Tx, l level, cells slotSums) error {
	_, err := tx.Exec(ctx, `INSERT INTO `+l.table+` (project, `+l.start+`, kind, name, `+rollupSums+`)
		SELECT * FROM `+unnestRollups(1)+`
		ON CONFLICT (project, kind, `+l.start+`, name) DO UPDATE SET `+replaceSums, columnsOf(0, cells).values()[1:]...)
	return err
}
