// Package gateway is one request's life: plan, intent, call, fact, answer.
//
// The intent is on disk before a provider is paid, and the fact before the
// caller has the answer. Nothing after that can make the answer fail or wait.
package gateway

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/busuhq/busu/internal/budget"
	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/llm"
	"github.com/busuhq/busu/internal/pricing"
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

// Strategies finds strategies by name, as they stand for a project now.
type Strategies interface {
	Strategy(project, name string) (routing.Strategy, bool)
}

// Gateway answers requests. Its fields are set once and never changed.
type Gateway struct {
	Strategies   Strategies
	Default      string // the strategy of requests that name none
	Candidates   []routing.Candidate
	Baseline     routing.Candidate // what savings are measured against
	Providers    map[string]llm.Provider
	PriceVersion string
	Later        []Offer // price changes to come, in order
	Ledger       Ledger
	Budgets      Budgets // nil: there are none
	Reuse        *Reuse  // nil: every request is called for
	Shadow       *Shadow // nil: no second model is asked

	Redaction *Redaction // nil: requests go on as they came

	// Holdout says who gets the baseline whatever is planned: what the saving
	// is proven against. nil: nobody.
	Holdout func(project, user string) bool
	// Guarded says who gets the baseline because routed answers were shown to be
	// too bad. nil: nobody.
	Guarded func(project, user string) bool
	// Trials are the experiments. nil: there are none.
	Trials            *Trials
	DefaultExperiment string // id or name; enrols requests that name none
	// Failing says which providers are known to fail now. nil: none is.
	Failing func(provider string) bool

	// Planned is told of each plan once it is made, and when making it began. It
	// must not keep the plan's choices.
	// nil: nobody wants to know.
	Planned func(ctx context.Context, began time.Time, p routing.Plan, err error)

	desks sync.Pool // of *desk
}

// Request is one prompt with what the caller wishes.
type Request struct {
	ID        uuid.UUID // UUIDv7, given on arrival: becomes that of the fact; made here when it is nil
	Project   string
	KeyID     string
	UserID    string
	SessionID string
	CallerID  string      // the caller's own id for it
	Ask       llm.Request // all that is asked of a model; which one is the plan's to say
	Sink      Sink        // takes the answer piece by piece; nil: it comes whole
	Reuse     bool        // an answer that was made for another request will do
	Strategy  string      // "" is the default one
	Model     string      // answers without routing, when it is set

	Experiment string // id of the one whose arm decides; "": none is named

	Models     []string      // that may answer; none: any
	MaxCost    pricing.Nanos // that the answer may cost, at the worst; 0: any
	MinQuality float64       // that is to be predicted of the answer, 0 … 1

	Budgets  []budget.Budget // that pay for it
	Metadata map[string]string
	Degraded []string // what could not be done for it so far
}

// Sink takes a streamed answer. Its methods are called one after the other.
type Sink interface {
	// Begin comes before the first piece, when it is certain who answers: the
	// fact's provider, model, strategy, cache and reason will not change. It
	// does not come when nobody answers.
	Begin(f *event.CompletionRecorded)
	// Emit takes a piece. Its error means that the caller has left.
	Emit(c llm.Chunk) error
}

// Answer is what the caller gets, with the fact that was recorded of it.
type Answer struct {
	llm.Response
	// Tail are the last pieces of a streamed answer: a caller must not have its
	// end before the fact is recorded, and hears with it what it cost.
	Tail []llm.Chunk
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

// ErrFormat says that a model's provider does not speak the caller's format.
var ErrFormat = errors.New("not served in this format")

// Complete answers r. With ErrProviders and ErrCanceled the answer still holds
// the fact; with any other error nothing was recorded, or the intent will be
// settled when the process starts again.
func (g *Gateway) Complete(ctx context.Context, r Request) (Answer, error) {
	started := time.Now()
	if r.ID == uuid.Nil {
		id, err := uuid.NewV7()
		if err != nil {
			return Answer{}, fmt.Errorf("make request id: %w", err)
		}
		r.ID = id
	}
	if g.Redaction.covers(r.Project) {
		return g.redacted(ctx, r, started)
	}
	return g.answer(ctx, r, started)
}

// answer is Complete for what may leave.
func (g *Gateway) answer(ctx context.Context, r Request, started time.Time) (Answer, error) {
	on := g.desk()
	plan, err := g.decide(&r, on)
	if g.Planned != nil {
		g.Planned(ctx, started, plan.Plan, err)
	}
	if err != nil {
		g.desks.Put(on)
		return Answer{}, err
	}
	key, shared := g.keyOf(&r, &plan)
	if shared {
		if kept, ok := g.Reuse.Cache.Recall(key, modelsOf(&plan.Plan)); ok { // models that go no further stay on the stack
			h := hitOf(kept)
			defer g.desks.Put(on)
			return g.again(&r, &plan, &h, started)
		}
	}
	if g.leave(on, &plan); shared {
		return g.search(ctx, r, plan, key, modelsOf(&plan.Plan), started)
	}
	return g.make(ctx, &r, &plan, started)
}

// make has an answer made, paid by the request's budgets, and records that.
// What it cost counts, however it ends, and only once it is recorded.
func (g *Gateway) make(ctx context.Context, r *Request, plan *decision, started time.Time) (Answer, error) {
	holds, err := g.reserve(ctx, r, plan)
	if err != nil {
		return Answer{}, err
	}
	fact := g.begin(r, plan)
	if err := g.Ledger.Intend(fact); err != nil {
		holds.Settle(0)
		return Answer{}, fmt.Errorf("%w: %w", ErrLedger, err)
	}
	holds.Begin(time.Now())
	defer func() { holds.Settle(pricing.Nanos(fact.CostNanos)) }()
	outcome, err := g.settle(ctx, r, plan, fact, started)
	if err != nil {
		return Answer{}, fmt.Errorf("%w: %w", ErrLedger, err)
	}
	g.Shadow.offer(r, plan, fact, &outcome)
	return Answer{Response: outcome.response, Tail: outcome.tail, Fact: fact}, failure(fact, &outcome)
}

// settle calls the plan's models and records what came of it. When one of them
// panics, the intent is recorded as it stands: until then its part of the
// journal could not be given up.
func (g *Gateway) settle(ctx context.Context, r *Request, p *decision, f *event.CompletionRecorded, started time.Time) (outcome, error) {
	finished := false
	defer func() {
		if !finished {
			_ = g.Ledger.Record(f) // the panic goes on, and is what gets told
		}
	}()
	o := g.call(ctx, r, p, f)
	g.finish(f, &o, started)
	if o.err == nil {
		f.Implicit = implicitOf(&r.Ask, &o.response)
	}
	finished = true
	return o, g.Ledger.Record(f)
}

func failure(f *event.CompletionRecorded, o *outcome) error {
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
