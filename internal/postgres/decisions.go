package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/busuhq/busu/internal/event"
)

// decide writes facts that the worker publishes into the transaction that they
// are about, and numbers them without a gap. Transactions that do so wait for
// each other from here to their end.
func decide(ctx context.Context, tx pgx.Tx, facts ...event.Fact) error {
	if len(facts) == 0 {
		return nil
	}
	if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(hashtext('busu: decisions'))`); err != nil {
		return err
	}
	var last int64
	if err := tx.QueryRow(ctx, `SELECT coalesce(max(seq), 0) FROM decisions`).Scan(&last); err != nil {
		return err
	}
	for _, f := range facts {
		last++
		head := f.Head()
		head.Journal, head.Partition, head.Seq = event.WorkerJournal, 0, last
		if err := f.Validate(); err != nil {
			return err
		}
		body, err := event.Encode(f)
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `INSERT INTO decisions (seq, id, at, type, project, body) VALUES ($1, $2, $3, $4, $5, $6)`,
			last, head.ID, head.At, head.Type, f.Key(), body); err != nil {
			return err
		}
	}
	return nil
}

// Decisions gives up to most of the facts behind a seq, in order, as one run.
// It has no bodies when there are none.
func (db *DB) Decisions(ctx context.Context, after int64, most int) (event.Run, error) {
	run := event.Run{Journal: event.WorkerJournal, Lane: event.Lane{Stream: event.Decisions}, Last: after}
	rows, err := db.pool.Query(ctx, `SELECT seq, body::text FROM decisions WHERE seq > $1 ORDER BY seq LIMIT $2`, after, most)
	if err != nil {
		return run, fmt.Errorf("read decisions: %w", err)
	}
	var body string
	_, err = pgx.ForEachRow(rows, []any{&run.Last, &body}, func() error {
		run.Bodies = append(run.Bodies, []byte(body))
		return nil
	})
	if err != nil {
		return run, fmt.Errorf("read decisions: %w", err)
	}
	return run, nil
}
