package postgres

import (
	"context"
	"fmt"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/rollup"
)

// completionColumns are the columns of completions that a fact fills, in the
// order of completionRow.
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

func completionRow(c *event.CompletionRecorded) []any {
	return []any{
		c.ID, c.At, c.Project, text(c.KeyID), text(c.UserID), text(c.SessionID), text(c.CallerID), object(c.Metadata),
		c.Strategy, list(c.Experiments), c.Holdout, c.PlannedModel, c.Propensity, c.Snapshot,
		c.Complexity, text(c.Confidence), text(c.Reason), list(c.Candidates),
		text(c.Provider), text(c.Model), c.Status, text(c.ErrorKind), text(c.FinishReason), c.Fallbacks, c.Degraded, c.Cache,
		c.TokensIn, c.TokensInCached, c.TokensOut, c.TokensReasoning,
		c.CostNanos, c.OriginCostNanos, c.BaselineCostNanos, c.BaselineModel,
		text(c.PriceVersion), c.Unpriced, c.Estimated,
		c.LatencyUS, c.TTFTUS, c.OverheadUS, rollup.Bin(c.LatencyUS), rollup.Bin(c.TTFTUS), rollup.Bin(c.OverheadUS),
		c.Journal, c.Partition, c.Seq,
	}
}

// text is NULL when it is empty, so that "no user" needs no special value.
func text(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func object(m map[string]string) any {
	if len(m) == 0 {
		return nil
	}
	return m
}

func list[T any](items []T) any {
	if len(items) == 0 {
		return nil
	}
	return items
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

// insertCompletions copies into a staging table of the session first: COPY is
// the fastest way in, and cannot skip what is there already.
func insertCompletions(ctx context.Context, tx pgx.Tx, facts []*event.CompletionRecorded) ([]uuid.UUID, error) {
	if _, err := tx.Exec(ctx, `CREATE TEMP TABLE IF NOT EXISTS completions_stage
		(LIKE completions INCLUDING DEFAULTS) ON COMMIT DELETE ROWS`); err != nil {
		return nil, err
	}
	rows := pgx.CopyFromSlice(len(facts), func(i int) ([]any, error) { return completionRow(facts[i]), nil })
	if _, err := tx.CopyFrom(ctx, pgx.Identifier{"pg_temp", "completions_stage"}, completionColumns, rows); err != nil {
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
