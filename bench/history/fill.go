package history

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/rollup"
)

const batch = 20_000

// fill stores the crowd's requests, rows and rollups, as the worker does.
func (b *bench) fill(ctx context.Context) error {
	var rows int
	if err := b.Pool.QueryRow(ctx, "SELECT count(*) FROM completions").Scan(&rows); err != nil {
		return err
	}
	if rows > 0 {
		return b.reuse(ctx, rows)
	}
	from := b.now.Add(-span)
	if err := b.DB.EnsureDays(ctx, from, 92); err != nil {
		return err
	}
	began, done := time.Now(), 0
	made := b.made(ctx, from, batch)
	for facts := range made {
		if _, err := b.DB.Persist(ctx, facts); err != nil {
			return err
		}
		done += len(facts)
		b.progress("fill", done, b.Rows, began)
	}
	b.facts.filling = time.Since(began)
	return ctx.Err()
}

// made makes facts while others are stored.
func (b *bench) made(ctx context.Context, from time.Time, batch int) <-chan []*event.CompletionRecorded {
	batches := make(chan []*event.CompletionRecorded, 2)
	go func() {
		defer close(batches)
		for i := 0; i < b.Rows; {
			var facts []*event.CompletionRecorded
			for ; i < b.Rows && len(facts) < batch; i++ {
				facts = append(facts, b.crowd.fact(i, from))
			}
			select {
			case <-ctx.Done():
				return
			case batches <- facts:
			}
		}
	}()
	return batches
}

// reuse takes a database that an earlier run has filled.
func (b *bench) reuse(ctx context.Context, rows int) error {
	if rows != b.Rows {
		return fmt.Errorf("%s holds %d completions, not %d: use another folder", b.Database.Dir, rows, b.Rows)
	}
	return b.Pool.QueryRow(ctx, "SELECT max(at) FROM completions").Scan(&b.now)
}

// merge merges rollups until there is nothing left, as upkeep does.
func (b *bench) merge(ctx context.Context) error {
	began := time.Now()
	total := 0
	if err := b.Pool.QueryRow(ctx, "SELECT count(*) FROM rollups_new").Scan(&total); err != nil {
		return err
	}
	b.facts.merged = total
	for done := 0; done < total; {
		n, err := b.DB.MergeRollups(ctx)
		if err != nil {
			return err
		}
		done += n
		b.progress("merge", done, total, began)
	}
	if err := b.keepFiveMinutes(ctx); err != nil {
		return err
	}
	b.facts.merging = time.Since(began)
	return b.DB.ShrinkRollups(ctx)
}

// keepFiveMinutes brings the sums of five minutes to where upkeep does: that is
// work where an earlier build has filled the database.
func (b *bench) keepFiveMinutes(ctx context.Context) error {
	for total := int64(0); ; {
		rows, err := b.DB.KeepFiveMinutes(ctx, rollup.EarliestFrom(5*time.Minute, time.Now()))
		if err != nil || rows == 0 {
			if total > 0 {
				fmt.Fprintln(b.Progress)
			}
			return err
		}
		total += rows
		fmt.Fprintf(b.Progress, "\rfive minutes: %d rows   ", total)
	}
}

// settle is what autovacuum comes to do.
func (b *bench) settle(ctx context.Context) error {
	tables := ""
	if b.facts.filling == 0 && b.facts.merged == 0 { // an earlier run has done so
		tables = " rollups_five_minutes" // but for what its build did not know
	}
	fmt.Fprintln(b.Progress, "vacuum")
	_, err := b.Pool.Exec(ctx, "VACUUM ANALYZE"+tables)
	return err
}

// progress draws a bar.
func (b *bench) progress(what string, done, all int, began time.Time) {
	const width = 40
	filled := width * done / all
	left := time.Duration(float64(time.Since(began)) / float64(done) * float64(all-done))
	fmt.Fprintf(b.Progress, "\r%-6s [%s%s] %d/%d, %s left   ", what, strings.Repeat("#", filled), strings.Repeat(".", width-filled), done, all, left.Round(time.Second))
	if done >= all {
		fmt.Fprintln(b.Progress)
	}
}

// size is what a table takes with its indexes.
type size struct {
	table          string
	rows           int64
	bytes, indexes int64
}

func (b *bench) measureSizes(ctx context.Context) error {
	for _, table := range []string{"completions", "rollups_minutes", "rollups_five_minutes", "rollups_hours", "rollups_days"} {
		s := size{table: table}
		err := b.Pool.QueryRow(ctx, `
			SELECT (SELECT count(*) FROM `+table+`), sum(pg_table_size(relid))::bigint, sum(pg_indexes_size(relid))::bigint
			FROM (SELECT relid FROM pg_partition_tree('`+table+`') UNION SELECT '`+table+`'::regclass) AS parts`).
			Scan(&s.rows, &s.bytes, &s.indexes)
		if err != nil {
			return err
		}
		b.facts.sizes = append(b.facts.sizes, s)
	}
	return nil
}
