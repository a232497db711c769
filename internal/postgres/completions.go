package postgres

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/busuhq/busu/internal/event"
)

// completionColumns are the columns of completions that a fact fills, in the
// order of copyBuffer.completion.
var completionColumns = []string{
	"id", "at", "project", "key_id", "user_id", "session_id", "caller_id", "metadata",
	"strategy", "experiments", "holdout", "planned_model", "propensity", "snapshot",
	"complexity", "confidence", "reason", "candidates",
	"provider", "model", "status", "error_kind", "finish_reason", "fallbacks", "degraded", "cache", "cache_match", "origin_id",
	"tokens_in", "tokens_in_cached", "tokens_in_cache_write", "tokens_out", "tokens_reasoning",
	"cost_nanos", "origin_cost_nanos", "baseline_cost_nanos", "baseline_model",
	"price_version", "unpriced", "estimated",
	"latency_us", "ttft_us", "overhead_us", "latency_bin", "ttft_bin", "overhead_bin",
	"journal", "partition", "seq",
}

// Persist stores facts, adds the new ones to the rollups and marks the seqs of
// all as stored, in one transaction. It returns the ids of those that were not
// there before. Storing a fact again changes nothing. An error for which
// Unstorable is true means that one of them can never be stored.
func (db *DB) Persist(ctx context.Context, facts []*event.CompletionRecorded) (added []uuid.UUID, err error) {
	err = db.heeding(ctx, func(k known) error {
		facts, forgotten, err := db.namelessFacts(ctx, k, facts)
		if err != nil {
			return fmt.Errorf("persist %d completions: %w", len(facts), err)
		}
		added, err = db.insert(ctx, facts, func(batch *pgx.Batch, added []*event.CompletionRecorded) {
			queueFeatures(batch, added)
			queueImplicit(batch, added)
			queueRollups(batch, added)
			queueResults(batch, added)
			queueForgotten(batch, forgotten)
			queueMarks(batch, facts) // late: workers compete for them
			batch.Queue(heed, k.n)
		})
		return err
	})
	return added, err
}

// InsertCompletions stores facts without what Persist adds to them: for bench,
// which measures what that costs.
func (db *DB) InsertCompletions(ctx context.Context, facts []*event.CompletionRecorded) (added []uuid.UUID, err error) {
	return db.insert(ctx, facts, func(*pgx.Batch, []*event.CompletionRecorded) {})
}

// besides queues what goes with facts that were not there before.
type besides func(batch *pgx.Batch, added []*event.CompletionRecorded)

// insert copies straight into the table, which cannot skip what is there
// already. That is rare: only where it happens, all is done again by way of a
// staging table.
func (db *DB) insert(ctx context.Context, facts []*event.CompletionRecorded, and besides) ([]uuid.UUID, error) {
	facts = inOrder(facts)
	added, err := facts, db.insertNew(ctx, facts, and)
	if isOvertaken(err) {
		err = db.insertNew(ctx, facts, and)
	}
	if isDuplicate(err) {
		added, err = db.insertMissing(ctx, facts, and)
	}
	if err != nil {
		return nil, fmt.Errorf("persist %d completions: %w", len(facts), err)
	}
	ids := make([]uuid.UUID, len(added))
	for i, f := range added {
		ids[i] = f.ID
	}
	return ids, nil
}

// inOrder gives facts by id: two workers who store the same ones wait for each
// other, and must not do so in a circle.
func inOrder(facts []*event.CompletionRecorded) []*event.CompletionRecorded {
	byID := func(a, b *event.CompletionRecorded) int { return bytes.Compare(a.ID[:], b.ID[:]) }
	if slices.IsSortedFunc(facts, byID) {
		return facts
	}
	return slices.SortedStableFunc(slices.Values(facts), byID)
}

// insertNew is a transaction in two round trips: what a small batch takes is
// mostly waiting for answers.
func (db *DB) insertNew(ctx context.Context, facts []*event.CompletionRecorded, and besides) error {
	conn, err := db.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release() // which closes it, and so rolls back, unless the transaction has ended
	if err := copyCompletions(ctx, conn.Conn(), "BEGIN; COPY completions", facts); err != nil {
		_, _ = conn.Exec(ctx, "ROLLBACK")
		return err
	}
	batch := new(pgx.Batch)
	and(batch, facts)
	batch.Queue("COMMIT") // is not reached when anything before it fails
	return conn.SendBatch(ctx, batch).Close()
}

func (db *DB) insertMissing(ctx context.Context, facts []*event.CompletionRecorded, and besides) (added []*event.CompletionRecorded, err error) {
	err = db.tx(ctx, func(tx pgx.Tx) error {
		ids, err := copyMissing(ctx, tx, facts)
		if err != nil {
			return err
		}
		added = onlyAdded(facts, ids)
		batch := new(pgx.Batch)
		and(batch, added)
		return tx.SendBatch(ctx, batch).Close()
	})
	return added, err
}

// copyMissing gives the ids of those that were missing.
func copyMissing(ctx context.Context, tx pgx.Tx, facts []*event.CompletionRecorded) ([]uuid.UUID, error) {
	if _, err := tx.Exec(ctx, `CREATE TEMP TABLE IF NOT EXISTS completions_stage
		(LIKE completions INCLUDING DEFAULTS) ON COMMIT DELETE ROWS`); err != nil {
		return nil, err
	}
	if err := copyCompletions(ctx, tx.Conn(), "COPY pg_temp.completions_stage", facts); err != nil {
		return nil, err
	}
	columns := strings.Join(completionColumns, ", ")
	added, err := tx.Query(ctx, `INSERT INTO completions (`+columns+`)
		SELECT `+columns+` FROM pg_temp.completions_stage ON CONFLICT DO NOTHING RETURNING id`)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(added, pgx.RowTo[uuid.UUID])
}

func onlyAdded(facts []*event.CompletionRecorded, added []uuid.UUID) []*event.CompletionRecorded {
	missing := make(map[uuid.UUID]bool, len(added))
	for _, id := range added {
		missing[id] = true
	}
	var fresh []*event.CompletionRecorded
	for _, f := range facts {
		if missing[f.ID] {
			missing[f.ID] = false // the batch may hold it twice
			fresh = append(fresh, f)
		}
	}
	return fresh
}
