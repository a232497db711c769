package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/busuhq/busu/internal/event"
)

// dueLane is what of a lane is stored and not counted in user_days yet.
type dueLane struct {
	journalLane
	seqs event.Ranges
}

func dueSeqs(ctx context.Context, tx pgx.Tx) (due []dueLane, err error) {
	rows, err := tx.Query(ctx, `
		SELECT journal, stream, partition, (persisted - coalesce(seqs, '{}'))::text
		FROM journal_marks LEFT JOIN counted_marks USING (journal, stream, partition)
		WHERE stream IN ($1, $2) AND persisted <> coalesce(seqs, '{}') ORDER BY journal, stream, partition`,
		event.Completions.String(), event.Feedback.String())
	if err != nil {
		return nil, err
	}
	var d dueLane
	var stream, seqs string
	_, err = pgx.ForEachRow(rows, []any{&d.journal, &stream, &d.Partition, &seqs}, func() (err error) {
		if d.Stream, err = event.ParseStream(stream); err != nil {
			return err
		}
		if d.seqs, err = event.ParseRanges(seqs); err != nil || len(d.seqs) == 0 {
			return err
		}
		due = append(due, d)
		return nil
	})
	return due, err
}

// dueRuns are runs of seqs of a stream, by columns.
type dueRuns struct {
	journals      []string
	partitions    []int32
	firsts, lasts []int64
}

func (r *dueRuns) any() bool { return len(r.journals) > 0 }

// args are arguments of a statement, with others behind them.
func (r *dueRuns) args(others ...any) []any {
	return append([]any{r.journals, r.partitions, r.firsts, r.lasts}, others...)
}

// takeDue takes up to most seqs of a stream, of each lane its share, and reports
// whether any are left.
func takeDue(due []dueLane, of event.Stream, most int) (taken dueRuns, left bool) {
	lanes := 0
	for _, d := range due {
		if d.Stream == of {
			lanes++
		}
	}
	for _, d := range due {
		if d.Stream != of {
			continue
		}
		share := int64(max(most/lanes, 1))
		for _, run := range d.seqs {
			if share == 0 {
				left = true
				break
			}
			if run.Last-run.First >= share {
				run.Last, left = run.First+share-1, true
			}
			share -= run.Last - run.First + 1
			taken.journals, taken.partitions = append(taken.journals, d.journal), append(taken.partitions, int32(d.Partition))
			taken.firsts, taken.lasts = append(taken.firsts, run.First), append(taken.lasts, run.Last)
		}
	}
	return taken, left
}

// noteCounted adds runs to what is counted of their lanes.
func noteCounted(ctx context.Context, tx pgx.Tx, of event.Stream, r dueRuns) error {
	_, err := tx.Exec(ctx, `
		INSERT INTO counted_marks AS c (journal, stream, partition, seqs)
		SELECT journal, $5::text, partition, range_agg(int8range(first, last, '[]'))
		FROM unnest($1::text[], $2::int[], $3::bigint[], $4::bigint[]) AS due (journal, partition, first, last)
		GROUP BY journal, partition
		ON CONFLICT (journal, stream, partition) DO UPDATE SET seqs = c.seqs + excluded.seqs`, r.args(of.String())...)
	return err
}
