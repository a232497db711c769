package postgres

import (
	"context"
	"fmt"
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
	"provider", "model", "status", "error_kind", "finish_reason", "fallbacks", "degraded", "cache",
	"tokens_in", "tokens_in_cached", "tokens_out", "tokens_reasoning",
	"cost_nanos", "origin_cost_nanos", "baseline_cost_nanos", "baseline_model",
	"price_version", "unpriced", "estimated",
	"latency_us", "ttft_us", "overhead_us", "latency_bin", "ttft_bin", "overhead_bin",
	"journal", "partition", "seq",
}

// Persist stores facts, adds the new ones to the rollups and marks the seqs of
// all as stored, in one transaction. It returns the ids of those that were not
// there before. Storing a fact again
// changes nothing. An error for which Unstorable is true means that one of
// them can never be stored.
func (db *DB) Persist(ctx context.Context, facts []*event.CompletionRecorded) (added []uuid.UUID, err error) {
	err = db.tx(ctx, func(tx pgx.Tx) error {
		if added, err = insertCompletions(ctx, tx, facts); err != nil {
			return err
		}
		// What workers compete for comes last, so that it is locked shortly.
		if err := addRollups(ctx, tx, onlyAdded(facts, added)); err != nil {
			return err
		}
		return markPersisted(ctx, tx, facts)
	})
	if err != nil {
		return nil, fmt.Errorf("persist %d completions: %w", len(facts), err)
	}
	return added, nil
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

// insertCompletions copies straight into the table, which cannot skip what is
// there already. That is rare: only where it happens, the facts take the way
// over a staging table.
func insertCompletions(ctx context.Context, tx pgx.Tx, facts []*event.CompletionRecorded) ([]uuid.UUID, error) {
	err := pgx.BeginFunc(ctx, tx, func(inner pgx.Tx) error { return copyCompletions(ctx, inner, "completions", facts) })
	if err == nil {
		added := make([]uuid.UUID, len(facts))
		for i, f := range facts {
			added[i] = f.ID
		}
		return added, nil
	}
	if !isDuplicate(err) {
		return nil, err
	}
	return insertMissing(ctx, tx, facts)
}

func insertMissing(ctx context.Context, tx pgx.Tx, facts []*event.CompletionRecorded) ([]uuid.UUID, error) {
	if _, err := tx.Exec(ctx, `CREATE TEMP TABLE IF NOT EXISTS completions_stage
		(LIKE completions INCLUDING DEFAULTS) ON COMMIT DELETE ROWS`); err != nil {
		return nil, err
	}
	if err := copyCompletions(ctx, tx, "pg_temp.completions_stage", facts); err != nil {
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

// InsertCompletions stores facts in a transaction of the caller's, without
// what Persist adds to them: for bench, which measures what that costs.
func InsertCompletions(ctx context.Context, tx pgx.Tx, facts []*event.CompletionRecorded) ([]uuid.UUID, error) {
	return insertCompletions(ctx, tx, facts)
}
