package postgres

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/busuhq/busu/internal/event"
)

// markPersisted adds the facts' seqs to what is stored of their lanes. Lanes
// are taken in order, so that workers do not wait for each other in a circle.
func markPersisted(ctx context.Context, tx pgx.Tx, facts []*event.CompletionRecorded) error {
	seqs := map[journalLane]event.Ranges{}
	for _, f := range facts {
		l := journalLane{f.Journal, event.Lane{Stream: f.Stream(), Partition: f.Partition}}
		ranges := seqs[l]
		ranges.Add(f.Seq)
		seqs[l] = ranges
	}
	lanes := make([]journalLane, 0, len(seqs))
	for l := range seqs {
		lanes = append(lanes, l)
	}
	slices.SortFunc(lanes, compareLanes)
	batch := new(pgx.Batch)
	for _, l := range lanes {
		batch.Queue(`INSERT INTO journal_marks (journal, stream, partition, persisted)
			VALUES ($1, $2, $3, $4::text::int8multirange)
			ON CONFLICT (journal, stream, partition)
			DO UPDATE SET persisted = journal_marks.persisted + excluded.persisted`,
			l.journal, l.Stream.String(), l.Partition, seqs[l].String())
	}
	return tx.SendBatch(ctx, batch).Close()
}

type journalLane struct {
	journal string
	event.Lane
}

func compareLanes(a, b journalLane) int {
	return cmp.Or(cmp.Compare(a.journal, b.journal), cmp.Compare(a.Stream, b.Stream), cmp.Compare(a.Partition, b.Partition))
}

// Persisted gives, per lane of a journal, the seq up to which nothing is
// missing.
func (db *DB) Persisted(ctx context.Context, journal string) (map[event.Lane]int64, error) {
	rows, err := db.pool.Query(ctx, `
		SELECT stream, partition, upper(r) - 1
		FROM journal_marks, unnest(persisted) AS r
		WHERE journal = $1 AND lower(r) = 1`, journal)
	if err != nil {
		return nil, fmt.Errorf("read journal marks: %w", err)
	}
	marks := map[event.Lane]int64{}
	var name string
	var partition int
	var seq int64
	_, err = pgx.ForEachRow(rows, []any{&name, &partition, &seq}, func() error {
		stream, err := event.ParseStream(name)
		marks[event.Lane{Stream: stream, Partition: partition}] = seq
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read journal marks: %w", err)
	}
	return marks, nil
}
