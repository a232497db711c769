package gateway

import (
	"time"

	"github.com/google/uuid"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/llm"
	"github.com/busuhq/busu/internal/routing"
)

// Offer is what the models cost from a moment on.
type Offer struct {
	From         time.Time
	Candidates   []routing.Candidate // the Gateway's, in its order
	Baseline     routing.Candidate
	PriceVersion string
}

// offer is the one in force at a moment.
func (g *Gateway) offer(at time.Time) Offer {
	o := Offer{Candidates: g.Candidates, Baseline: g.Baseline, PriceVersion: g.PriceVersion}
	for _, later := range g.Later {
		if !later.From.After(at) {
			o = later
		}
	}
	return o
}

// at is when a request arrived: what its prices go by, even if they change
// before it is answered.
func (r *Request) at() time.Time {
	if r.ID == uuid.Nil {
		return time.Now()
	}
	return event.TimeOf(r.ID)
}

// baselineFor is what c is measured against: nothing was chosen among models
// that do not chat, so they are measured against themselves.
func (o Offer) baselineFor(c routing.Candidate) routing.Candidate {
	if c.Model.Chats() {
		return o.Baseline
	}
	return c
}

// charge writes down what was used, what it cost, and what the baseline model
// would have cost for the same tokens. What a model without a price has done
// is marked, and counts as neither cost nor saving. Without busu nobody would
// have paid for a call in the background: it lessens the saving by its cost.
func (g *Gateway) charge(f *event.CompletionRecorded, c routing.Candidate, u llm.Usage) {
	count(f, u)
	f.CostNanos = int64(c.Price.Cost(u))
	f.OriginCostNanos = f.CostNanos
	f.BaselineCostNanos = int64(g.offer(f.At).baselineFor(c).Price.Cost(u))
	f.Unpriced = c.Price.Unknown && (u.In > 0 || u.Out > 0)
	if f.Unpriced || f.Background() {
		f.BaselineCostNanos = 0
	}
}

// count writes down what was used.
func count(f *event.CompletionRecorded, u llm.Usage) {
	f.TokensIn, f.TokensInCached, f.TokensInCacheWrite = u.In, u.CachedIn, u.CacheWriteIn
	f.TokensOut, f.TokensReasoning = u.Out, u.Reasoning
}

// Usage is what f says was used, which is an estimate where the vendor did not
// tell.
func Usage(f *event.CompletionRecorded) llm.Usage {
	return llm.Usage{In: f.TokensIn, CachedIn: f.TokensInCached, CacheWriteIn: f.TokensInCacheWrite, Out: f.TokensOut, Reasoning: f.TokensReasoning}
}
