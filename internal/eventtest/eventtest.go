// Package eventtest makes facts for tests.
package eventtest

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/google/uuid"

	"github.com/busuhq/busu/internal/event"
)

// ID makes a UUIDv7 of a time, with randomness from r.
func ID(r *rand.Rand, at time.Time) uuid.UUID {
	var id uuid.UUID
	binary.BigEndian.PutUint64(id[:], uint64(at.UnixMilli())<<16|uint64(r.Uint32())&0xffff)
	binary.BigEndian.PutUint64(id[8:], r.Uint64())
	id[6] = id[6]&0x0f | 0x70
	id[8] = id[8]&0x3f | 0x80
	return id
}

// Completion makes a random fact of a request that arrived at at. It is whole
// but for its place in the ledger.
func Completion(r *rand.Rand, at time.Time) *event.CompletionRecorded {
	c := event.NewCompletion(ID(r, at))
	c.Project = event.DefaultProject
	c.UserID = fmt.Sprintf("user-%d", r.IntN(50))
	c.Strategy = pick(r, "complexity", "model")
	c.PlannedModel = pick(r, "small", "medium", "large")
	c.Model, c.Provider = c.PlannedModel, pick(r, "simulated", "openai")
	c.Propensity, c.Complexity = 1, r.Float64()
	c.Confidence = pick(r, "high", "medium", "low")
	c.Reason = "Short factual question: ü 漢字 🙂 \"quoted\""
	c.Candidates = []event.Candidate{{Model: "small", Quality: .9, CostNanos: 12, Probability: 1}, {Model: "large", Quality: .99, CostNanos: 900}}
	if r.IntN(2) == 0 {
		c.Features = binary.BigEndian.AppendUint64([]byte{1}, r.Uint64())
	}
	c.Status = pick(r, event.StatusOK, event.StatusOK, event.StatusOK, event.StatusCutOff, event.StatusError, event.StatusInterrupted)
	c.Cache = pick(r, event.CacheMiss, event.CacheMiss, event.CacheMemory, event.CacheRedis, event.CachePostgres)
	if c.Cache != event.CacheMiss {
		c.CacheMatch = pick(r, "exact", "similar", "in_flight")
	}
	if c.Status == event.StatusError {
		c.ErrorKind = pick(r, "timeout", "unavailable")
	}
	if r.IntN(5) == 0 {
		c.Fallbacks = []string{pick(r, "small", "medium"), pick(r, "medium", "large")}
	}
	if r.IntN(5) == 0 {
		c.Experiments = []event.Arm{{Experiment: "e1", Arm: pick(r, "control", "test")}}
	}
	c.TokensIn, c.TokensOut = r.Int64N(4000), r.Int64N(2000)
	c.CostNanos = r.Int64N(1_000_000)
	c.OriginCostNanos = c.CostNanos
	c.BaselineCostNanos = c.CostNanos * (1 + r.Int64N(20))
	if c.Unpriced = r.IntN(10) == 0; c.Unpriced {
		c.CostNanos, c.OriginCostNanos, c.BaselineCostNanos = 0, 0, 0
	}
	c.BaselineModel, c.PriceVersion = "large", "2026-11"
	c.LatencyUS = r.Int64N(5_000_000)
	c.TTFTUS, c.OverheadUS = r.Int64N(c.LatencyUS+1), r.Int64N(1000)
	return c
}

func pick(r *rand.Rand, from ...string) string { return from[r.IntN(len(from))] }

// Feedback makes a random verdict on a request that came at at. It is whole but
// for its place in the ledger.
func Feedback(r *rand.Rand, at time.Time, request uuid.UUID) *event.FeedbackRecorded {
	f := event.NewFeedback(ID(r, at))
	f.Project, f.RequestID = event.DefaultProject, request
	f.Source = pick(r, "", "user", "grader")
	f.Comment = pick(r, "", "ü 漢字 🙂 \"quoted\"")
	if r.IntN(2) == 0 {
		f.Rating = event.RatingLow + r.IntN(event.RatingHigh)
	}
	if correct := r.IntN(2) == 0; r.IntN(2) == 0 {
		f.Correct = &correct
	}
	if score := r.Float64(); f.Rating == 0 && f.Correct == nil || r.IntN(2) == 0 {
		f.Score = &score
	}
	return f
}

// Number gives facts of a kind their places in a journal's first partition,
// from a seq on.
func Number[F event.Fact](journal string, from int64, facts ...F) {
	for i, f := range facts {
		head := f.Head()
		head.Journal, head.Partition, head.Seq = journal, 0, from+int64(i)
	}
}
