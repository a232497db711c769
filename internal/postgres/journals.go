package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/busuhq/busu/internal/event"
)

// numbered is the sum of the seqs in a heartbeat.
func numbered(seqs string) string {
	return `(SELECT coalesce(sum(value::bigint), 0) FROM jsonb_each_text(` + seqs + `))`
}

// KeepHeartbeats stores heartbeats, each unless a later one of its journal is
// there already: event.Heartbeat.Later, in SQL.
func (db *DB) KeepHeartbeats(ctx context.Context, beats []event.Heartbeat) error {
	if len(beats) == 0 {
		return nil
	}
	batch := new(pgx.Batch)
	for _, b := range beats {
		if b.Seqs == nil {
			b.Seqs = map[string]int64{} // or the driver would make NULL of it
		}
		batch.Queue(`
			INSERT INTO journals (id, heartbeat_at, recorded_until, open_intents, seqs) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (id) DO UPDATE SET heartbeat_at = excluded.heartbeat_at,
				recorded_until = excluded.recorded_until, open_intents = excluded.open_intents, seqs = journals.seqs || excluded.seqs
			WHERE (`+numbered("excluded.seqs")+`, excluded.heartbeat_at) > (`+numbered("journals.seqs")+`, journals.heartbeat_at)
				OR `+numbered("excluded.seqs")+` = 0 AND excluded.open_intents = 0
					AND (journals.open_intents, journals.heartbeat_at) <> (0, excluded.heartbeat_at)`,
			b.Journal, b.At, b.RecordedUntil, b.OpenIntents, b.Seqs)
	}
	err := db.tx(ctx, func(tx pgx.Tx) error { return tx.SendBatch(ctx, batch).Close() })
	if err != nil {
		return fmt.Errorf("keep heartbeats: %w", err)
	}
	return nil
}
