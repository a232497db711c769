package pipeline

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/rollup"
)

// columns are those of completions that a fact fills, in the order of row: a
// copy of what internal/postgres keeps to itself.
func columns() []string {
	return []string{
		"id", "at", "project", "key_id", "user_id", "session_id", "caller_id", "metadata",
		"strategy", "experiments", "holdout", "planned_model", "propensity", "snapshot",
		"complexity", "confidence", "reason", "candidates",
		"provider", "model", "status", "error_kind", "finish_reason", "fallbacks", "degraded", "cache", "cache_match",
		"tokens_in", "tokens_in_cached", "tokens_in_cache_write", "tokens_out", "tokens_reasoning",
		"cost_nanos", "origin_cost_nanos", "baseline_cost_nanos", "baseline_model",
		"price_version", "unpriced", "estimated",
		"latency_us", "ttft_us", "overhead_us", "latency_bin", "ttft_bin", "overhead_bin",
		"journal", "partition", "seq",
	}
}

func row(c *event.CompletionRecorded) []any {
	return []any{
		c.ID, c.At, c.Project, text(c.KeyID), text(c.UserID), text(c.SessionID), text(c.CallerID), object(c.Metadata),
		c.Strategy, list(c.Experiments), c.Holdout, c.PlannedModel, c.Propensity, c.Snapshot,
		c.Complexity, text(c.Confidence), text(c.Reason), list(c.Candidates),
		text(c.Provider), text(c.Model), c.Status, text(c.ErrorKind), text(c.FinishReason), c.Fallbacks, c.Degraded, c.Cache, text(c.CacheMatch),
		c.TokensIn, c.TokensInCached, c.TokensInCacheWrite, c.TokensOut, c.TokensReasoning,
		c.CostNanos, c.OriginCostNanos, c.BaselineCostNanos, c.BaselineModel,
		text(c.PriceVersion), c.Unpriced, c.Estimated,
		c.LatencyUS, c.TTFTUS, c.OverheadUS, rollup.Bin(c.LatencyUS), rollup.Bin(c.TTFTUS), rollup.Bin(c.OverheadUS),
		c.Journal, c.Partition, c.Seq,
	}
}

func rows(facts []*event.CompletionRecorded) pgx.CopyFromSource {
	return pgx.CopyFromSlice(len(facts), func(i int) ([]any, error) { return row(facts[i]), nil })
}

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

// insertOne is the statement by which handlers of one message store it.
func insertOne() string {
	names := columns()
	places := make([]string, len(names))
	for i := range names {
		places[i] = fmt.Sprintf("$%d", i+1)
	}
	return "INSERT INTO completions (" + strings.Join(names, ", ") + ") VALUES (" + strings.Join(places, ", ") + ") ON CONFLICT DO NOTHING"
}

// oneByOne stores messages as they come, as libraries that hand out single
// messages have it.
type oneByOne struct {
	stores *stores
	insert string
}

func (s *stores) oneByOne() oneByOne { return oneByOne{s, insertOne()} }

func (o oneByOne) store(ctx context.Context, body []byte) error {
	fact, err := event.Decode(body)
	if err != nil {
		return err
	}
	c, ok := fact.(*event.CompletionRecorded)
	if !ok {
		return fmt.Errorf("%s is no completion", fact.Head().Type)
	}
	_, err = o.stores.pool.Exec(ctx, o.insert, row(c)...)
	return err
}
