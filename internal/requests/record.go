package requests

import (
	"time"

	"github.com/google/uuid"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/llm"
	"github.com/busuhq/busu/internal/pricing"
)

// Record is all that was recorded of one request.
type Record struct {
	Entry
	Project    string            `json:"project"`
	KeyID      *string           `json:"key_id"`
	Metadata   map[string]string `json:"metadata"`
	Plan       Plan              `json:"plan"`
	Attempts   []Attempt         `json:"attempts"`          // in their order; none for an answer from a cache
	CacheMatch *string           `json:"cache_match"`       // how the question matched that of the answer
	OriginID   *uuid.UUID        `json:"origin_request_id"` // whose call made the answer that came from a cache; of a call in the background, whom it was made for
	Cost       Cost              `json:"cost"`
	Feedback   []Feedback        `json:"feedback"` // in the order in which it came
	Ledger     Place             `json:"ledger"`
}

// Plan is why the model was planned.
type Plan struct {
	Reason     *string     `json:"reason"`
	Complexity float64     `json:"complexity"`
	Propensity float64     `json:"propensity"` // of the planned model; 0 where nothing was chosen
	Snapshot   int64       `json:"snapshot"`   // of what was learned; 0 for none
	Candidates []Candidate `json:"candidates"` // in the order they would be tried
}

// Candidate is a model that the plan considered.
type Candidate struct {
	Model       string        `json:"model"`
	Quality     float64       `json:"quality"` // predicted chance of a good answer
	CostUSD     pricing.Nanos `json:"cost_usd"`
	Probability float64       `json:"probability"` // of being planned
}

// Candidates are those of a fact; never nil.
func Candidates(facts []event.Candidate) []Candidate {
	all := make([]Candidate, 0, len(facts))
	for _, c := range facts {
		all = append(all, Candidate{c.Model, c.Quality, pricing.Nanos(c.CostNanos), c.Probability})
	}
	return all
}

// Outcomes of attempts.
const (
	OutcomeAnswered = "answered"
	OutcomeFailed   = "failed"
)

// Attempt is a model that was asked.
type Attempt struct {
	Model   string `json:"model"`
	Outcome string `json:"outcome"`
}

// Cost is how the cost comes about, in integers: the sum of tokens × price,
// divided by 10⁶ once and rounded half up, plus the price per request.
type Cost struct {
	CostNanos     int64  `json:"cost_nanos"`        // what this request cost
	OriginNanos   int64  `json:"origin_cost_nanos"` // of the call that made the answer: what Lines make
	BaselineNanos int64  `json:"baseline_cost_nanos"`
	BaselineModel string `json:"baseline_model"`

	PriceVersion     *string `json:"price_version"`
	TokensCached     int64   `json:"tokens_in_cached"`
	TokensCacheWrite int64   `json:"tokens_in_cache_write"`
	TokensReasoning  int64   `json:"tokens_reasoning"` // of tokens_out

	// Lines are null where the prices of then are not known any more.
	Lines           []Line `json:"lines"`
	PerRequestNanos *int64 `json:"per_request_nanos"`
}

// Line is one kind of tokens at its price.
type Line struct {
	What         string `json:"what"`
	Tokens       int64  `json:"tokens"`
	NanosPerMtok int64  `json:"nanos_per_mtok"`
}

// Place is where the fact stands in the ledger.
type Place struct {
	Journal     string    `json:"journal"`
	Partition   int       `json:"partition"`
	Seq         int64     `json:"seq"`
	PersistedAt time.Time `json:"persisted_at"`
}

// Explain adds how the cost comes about at a price, provided that it is the
// one that the request was charged at: prices change, and what multiplies out
// to something else explains nothing.
func (r *Record) Explain(p pricing.Price) {
	u := llm.Usage{In: r.TokensIn, CachedIn: r.Cost.TokensCached, CacheWriteIn: r.Cost.TokensCacheWrite, Out: r.TokensOut, Reasoning: r.Cost.TokensReasoning}
	if r.Unpriced || p.Unknown || int64(p.Cost(u)) != r.Cost.OriginNanos {
		return
	}
	lines, each := p.Lines(u)
	r.Cost.Lines = make([]Line, 0, len(lines))
	for _, l := range lines {
		r.Cost.Lines = append(r.Cost.Lines, Line{l.What, l.Tokens, int64(l.Price)})
	}
	perRequest := int64(each)
	r.Cost.PerRequestNanos = &perRequest
}

// Asked are the attempts: the models that failed before, and the last one,
// whatever came of it. Answers from caches needed none.
func (e Entry) Asked() []Attempt {
	all := []Attempt{}
	if e.Cache != event.CacheMiss {
		return all
	}
	for _, model := range e.Fallbacks {
		all = append(all, Attempt{model, OutcomeFailed})
	}
	if e.Model == nil {
		return all
	}
	last := Attempt{*e.Model, OutcomeAnswered}
	if e.failed() {
		last.Outcome = OutcomeFailed
	}
	return append(all, last)
}

func (e Entry) failed() bool {
	return e.Status == event.StatusError || e.Status == event.StatusCanceled || e.Status == event.StatusInterrupted
}
