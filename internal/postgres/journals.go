package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/busuhq/busu/internal/event"
)

// KeepHeartbeats stores heartbeats, each unless a later one of its journal is
// there already.
func (db *DB) KeepHeartbeats(ctx context.Context, beats []event.Heartbeat) error {
	if len(beats) == 0 {
		return nil
	}
	batch := new(pgx.Batch)
	for _, b := range beats {
		batch.Queue(`
			INSERT INTO journals (id, heartbeat_at, recorded_until, open_intents, seqs) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (id) DO UPDATE SET heartbeat_at = excluded.heartbeat_at,
				recorded_until = excluded.recorded_until, open_intents = excluded.open_intents, seqs = journals.seqs || coalesce(nullif(excluded.seqs, 'null'), '{}')
			WHERE journals.heartbeat_at < excluded.heartbeat_at`,
			b.Journal, b.At, b.RecordedUntil, b.OpenIntents, b.Seqs)
	}
	err := db.tx(ctx, func(tx pgx.Tx) error { return tx.SendBatch(ctx, batch).Close() })
	if err != nil {
		return fmt.Errorf("keep heartbeats: %w", err)
	}
	return nil
}
