// Package gateway is one request's life: plan, intent, call, fact, answer.
//
// The intent is on disk before a provider is paid, and the fact before the
// caller has the answer. Nothing after that can make the answer fail or wait.
package gateway

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/llm"
	"github.com/busuhq/busu/internal/pricing"
	"github.com/busuhq/busu/internal/prompt"
	"github.com/busuhq/busu/internal/routing"
)

// Ledger records what is about to happen and what has happened.
type Ledger interface {
	// Intend keeps what the fact would say if the process died now. When it
	// fails, no provider may be called.
	Intend(c *event.CompletionRecorded) error
	// Record keeps the fact, and gives it its place in the ledger.
	Record(f event.Fact) error
}

// Gateway answers requests. Its fields are set once and never changed.
type Gateway struct {
	Strategies   map[string]routing.Strategy
	Default      string // the strategy of requests that name none
	Candidates   []routing.Candidate
	Baseline     routing.Candidate // what savings are measured against
	Providers    map[string]llm.Provider
	PriceVersion string
	Ledger       Ledger
}

// Request is one prompt with what the caller wishes.
type Request struct {
	ID          uuid.UUID // UUIDv7, given on arrival: becomes that of the fact; made here when it is nil
	Project     string
	KeyID       string
	UserID      string
	SessionID   string
	CallerID    string // the caller's own id for it
	Messages    []llm.Message
	MaxTokens   int
	Temperature *float64
	Strategy    string // "" is the default one
	Model       string // answers without routing, when it is set
	Metadata    map[string]string
}

// Answer is what the caller gets, with the fact that was recorded of it.
type Answer struct {
	Text string
	Fact *event.CompletionRecorded
}

// strategyExplicit is the strategy of requests that name their model.
const strategyExplicit = "model"

// ErrProviders says that every provider in the plan failed. The fact is in
// the returned answer.
var ErrProviders = errors.New("every provider failed")

// OverloadedError comes with ErrProviders when at least one of them had no room
// for the request, and did not fail: the request may come again.
type OverloadedError struct {
	RetryAfter time.Duration // until there may be room
}

func (e *OverloadedError) Error() string {
	return fmt.Sprintf("overloaded: there may be room in %s", e.RetryAfter)
}

// ErrCanceled says that the caller left, or was made to. The fact is in the
// returned answer.
var ErrCanceled = errors.New("canceled by the caller")

// ErrLedger says that nothing can be recorded, so nothing is answered.
var ErrLedger = errors.New("the request cannot be recorded")

// ErrUnknown says that a request names a strategy or a model that there is
// not.
var ErrUnknown = errors.New("unknown name")

// Strategy checks the name of a strategy; "" is the default one.
func (g *Gateway) Strategy(name string) (routing.Strategy, error) {
	if name == "" {
		name = g.Default
	}
	s, ok := g.Strategies[name]
	if !ok {
		return nil, fmt.Errorf("%w: strategy %q", ErrUnknown, name)
	}
	return s, nil
}

// Candidate finds a model by its id.
func (g *Gateway) Candidate(id string) (routing.Candidate, error) {
	for _, c := range g.Candidates {
		if c.Model.ID == id {
			return c, nil
		}
	}
	return routing.Candidate{}, fmt.Errorf("%w: model %q", ErrUnknown, id)
}

// Plan decides which models would answer r, in order. It records nothing.
func (g *Gateway) Plan(r Request) (routing.Plan, error) {
	ask := routing.Request{
		Prompt:    prompt.Read(llm.LastUser(r.Messages)),
		TokensIn:  estimateTokens(r.Messages),
		MaxTokens: int64(r.MaxTokens),
	}
	if r.Model != "" {
		return g.planModel(r.Model, ask)
	}
	s, err := g.Strategy(r.Strategy)
	if err != nil {
		return routing.Plan{}, err
	}
	return s.Plan(ask, g.Candidates)
}

// planModel is the plan of a request that names its model: that one, without
// a fallback. Nothing was chosen, so it has no propensity.
func (g *Gateway) planModel(id string, ask routing.Request) (routing.Plan, error) {
	c, err := g.Candidate(id)
	if err != nil {
		return routing.Plan{}, err
	}
	plan, err := routing.Complexity{}.Plan(ask, []routing.Candidate{c})
	if err != nil {
		return routing.Plan{}, err
	}
	plan.Strategy = strategyExplicit
	plan.Confidence = routing.ConfidenceHigh
	plan.Reason = fmt.Sprintf("The request names %s.", id)
	plan.Choices[0].Probability = 0
	return plan, nil
}

// messageTokens are the tokens that a chat format spends around a message.
const messageTokens = 4

func estimateTokens(messages []llm.Message) int64 {
	var n int64
	for _, m := range messages {
		n += prompt.EstimateTokens(m.Content) + messageTokens
	}
	return n
}

// Complete answers r. With ErrProviders and ErrCanceled the answer still holds
// the fact; with any other error nothing was recorded, or the intent will be
// settled when the process starts again.
func (g *Gateway) Complete(ctx context.Context, r Request) (Answer, error) {
	started := time.Now()
	plan, err := g.Plan(r)
	if err != nil {
		return Answer{}, err
	}
	if r.ID == uuid.Nil {
		if r.ID, err = uuid.NewV7(); err != nil {
			return Answer{}, fmt.Errorf("make request id: %w", err)
		}
	}
	fact := g.begin(r, plan)
	if err := g.Ledger.Intend(fact); err != nil {
		return Answer{}, fmt.Errorf("%w: %w", ErrLedger, err)
	}
	outcome, err := g.settle(ctx, r, plan, fact, started)
	if err != nil {
		return Answer{}, fmt.Errorf("%w: %w", ErrLedger, err)
	}
	return Answer{Text: outcome.response.Text, Fact: fact}, failure(fact, outcome)
}

// settle calls the plan's models and records what came of it. When one of them
// panics, the intent is recorded as it stands: until then its part of the
// journal could not be given up.
func (g *Gateway) settle(ctx context.Context, r Request, p routing.Plan, f *event.CompletionRecorded, started time.Time) (outcome, error) {
	called := false
	defer func() {
		if !called {
			_ = g.Ledger.Record(f) // the panic goes on, and is what gets told
		}
	}()
	o := g.call(ctx, r, p)
	called = true
	g.finish(f, o, started)
	return o, g.Ledger.Record(f)
}

func failure(f *event.CompletionRecorded, o outcome) error {
	switch {
	case o.err == nil:
		return nil
	case f.Status == event.StatusCanceled:
		return fmt.Errorf("%w: %w", ErrCanceled, o.err)
	case o.room > 0:
		return fmt.Errorf("%w: %w: %w", ErrProviders, &OverloadedError{o.room}, o.err)
	default:
		return fmt.Errorf("%w: %w", ErrProviders, o.err)
	}
}

// begin is the fact as it would read if the process died right after the
// provider was called: interrupted, at the expected cost.
func (g *Gateway) begin(r Request, p routing.Plan) *event.CompletionRecorded {
	planned := p.Choices[0]
	f := event.NewCompletion(r.ID)
	f.Project, f.KeyID = r.Project, r.KeyID
	f.UserID, f.SessionID, f.CallerID, f.Metadata = r.UserID, r.SessionID, r.CallerID, r.Metadata
	f.Strategy, f.Complexity, f.Confidence, f.Reason = p.Strategy, p.Complexity, string(p.Confidence), p.Reason
	f.PlannedModel, f.Propensity = planned.Model.ID, planned.Probability
	for _, c := range p.Choices {
		f.Candidates = append(f.Candidates, event.Candidate{
			Model: c.Model.ID, Quality: c.Quality, CostNanos: int64(c.Cost), Probability: c.Probability})
	}
	f.Provider, f.Model = planned.Model.Provider, planned.Model.ID
	f.Cache = event.CacheMiss
	f.BaselineModel, f.PriceVersion = g.Baseline.Model.ID, g.PriceVersion
	f.Status = event.StatusInterrupted
	f.Estimated = true
	g.charge(f, planned.Candidate, llm.Usage{In: estimateTokens(r.Messages), Out: planned.TokensOut})
	return f
}

// charge writes down what was used, what it cost, and what the baseline model
// would have cost for the same tokens.
func (g *Gateway) charge(f *event.CompletionRecorded, c routing.Candidate, u llm.Usage) {
	f.TokensIn, f.TokensInCached, f.TokensOut, f.TokensReasoning = u.In, u.CachedIn, u.Out, u.Reasoning
	f.CostNanos = nanos(c.Price, u)
	f.OriginCostNanos = f.CostNanos
	f.BaselineCostNanos = nanos(g.Baseline.Price, u)
}

func nanos(p pricing.Price, u llm.Usage) int64 { return int64(p.Cost(u)) }

// finish turns the intent into the fact.
func (g *Gateway) finish(f *event.CompletionRecorded, o outcome, started time.Time) {
	latency := time.Since(started)
	f.LatencyUS = latency.Microseconds()
	f.TTFTUS = f.LatencyUS // a whole answer comes at once
	f.OverheadUS = max(latency-o.waited, 0).Microseconds()
	f.Provider, f.Model, f.Fallbacks = o.served.Model.Provider, o.served.Model.ID, o.failed
	if o.err != nil {
		g.finishFailed(f, o)
		return
	}
	f.FinishReason = o.response.FinishReason
	f.Status = statusOf(o.response)
	usage, estimated := usageOf(o.response, f.TokensIn)
	f.Estimated = estimated
	g.charge(f, o.served, usage)
}

// finishFailed charges nothing for what failed, except when the caller left in
// the middle: the provider went on, and the estimate of the intent stands, at
// the price of the model that was being asked. One that was still waiting to be
// asked does not go on.
func (g *Gateway) finishFailed(f *event.CompletionRecorded, o outcome) {
	f.Status = event.StatusError
	f.ErrorKind = string(o.kind)
	usage := llm.Usage{}
	if o.kind == llm.ErrorCanceled {
		f.Status = event.StatusCanceled
	}
	f.Estimated = o.kind == llm.ErrorCanceled && !o.unsent
	if f.Estimated {
		usage = llm.Usage{In: f.TokensIn, Out: f.TokensOut}
	}
	g.charge(f, o.served, usage)
}

// maxTokens is above what any model can use in one call, and far below what a
// fact can hold.
const maxTokens = 1 << 32

// usageOf is what the provider says was used. Counts that it did not give, or
// that cannot be, are estimated: a wrong fact would be refused by the ledger,
// and the answer lost with it.
func usageOf(r llm.Response, tokensIn int64) (u llm.Usage, estimated bool) {
	u = r.Usage
	if u.In <= 0 || u.In > maxTokens {
		u.In, u.CachedIn, estimated = tokensIn, 0, true
	}
	if u.Out < 0 || u.Out > maxTokens || u.Out == 0 && r.Text != "" {
		u.Out, u.Reasoning, estimated = prompt.EstimateTokens(r.Text), 0, true
	}
	u.CachedIn = min(max(u.CachedIn, 0), u.In)
	u.Reasoning = min(max(u.Reasoning, 0), u.Out)
	return u, estimated
}

func statusOf(r llm.Response) string {
	switch {
	case r.FinishReason == llm.FinishLength || r.FinishReason == llm.FinishContentFilter:
		return event.StatusCutOff
	case r.Text == "":
		return event.StatusEmpty
	default:
		return event.StatusOK
	}
}
