package postgres

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/busuhq/busu/internal/event"
)

// queueMarks adds the facts' seqs to what is stored of their lanes. Lanes
// are taken in order, so that workers do not wait for each other in a circle.
func queueMarks[F event.Fact](batch *pgx.Batch, facts []F) {
	seqs := map[journalLane]event.Ranges{}
	for _, f := range facts {
		at := f.Head()
		l := journalLane{at.Journal, event.Lane{Stream: f.Stream(), Partition: at.Partition}}
		ranges := seqs[l]
		ranges.Add(at.Seq)
		seqs[l] = ranges
	}
	lanes := make([]journalLane, 0, len(seqs))
	for l := range seqs {
		lanes = append(lanes, l)
	}
	slices.SortFunc(lanes, compareLanes)
	for _, l := range lanes {
		batch.Queue(`INSERT INTO journal_marks (journal, stream, partition, persisted)
			VALUES ($1, $2, $3, $4::text::int8multirange)
			ON CONFLICT (journal, stream, partition)
			DO UPDATE SET persisted = journal_marks.persisted + excluded.persisted`,
			l.journal, l.Stream.String(), l.Partition, seqs[l].String())
	}
}

type journalLane struct {
	journal string
	event.Lane
}

func compareLanes(a, b journalLane) int {
	return cmp.Or(cmp.Compare(a.journal, b.journal), cmp.Compare(a.Stream, b.Stream), cmp.Compare(a.Partition, b.Partition))
}

// Discard marks a fact that can never be stored, and went to the dead letters:
// its journal need not keep it, and a reader of the ledger sees that it is
// missing for a reason.
func (db *DB) Discard(ctx context.Context, f event.Fact) error {
	at := f.Head()
	_, err := db.pool.Exec(ctx, `
		INSERT INTO journal_marks (journal, stream, partition, buried) VALUES ($1, $2, $3, int8multirange(int8range($4, $4, '[]')))
		ON CONFLICT (journal, stream, partition) DO UPDATE SET buried = journal_marks.buried + excluded.buried`,
		at.Journal, f.Stream().String(), at.Partition, at.Seq)
	if err != nil {
		return fmt.Errorf("discard %s: %w", at.ID, err)
	}
	return nil
}

// Persisted gives, per lane of a journal, the seqs that are stored, or buried
// for good.
func (db *DB) Persisted(ctx context.Context, journal string) (map[event.Lane]event.Ranges, error) {
	rows, err := db.pool.Query(ctx, `
		SELECT stream, partition, (persisted + buried)::text FROM journal_marks WHERE journal = $1`, journal)
	if err != nil {
		return nil, fmt.Errorf("read journal marks: %w", err)
	}
	marks := map[event.Lane]event.Ranges{}
	var name, text string
	var partition int
	_, err = pgx.ForEachRow(rows, []any{&name, &partition, &text}, func() error {
		stream, err := event.ParseStream(name)
		if err != nil {
			return err
		}
		marks[event.Lane{Stream: stream, Partition: partition}], err = event.ParseRanges(text)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read journal marks: %w", err)
	}
	return marks, nil
}
