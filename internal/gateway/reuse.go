package gateway

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/busuhq/busu/internal/cache"
	"github.com/busuhq/busu/internal/chat"
	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/flight"
	"github.com/busuhq/busu/internal/llm"
	"github.com/busuhq/busu/internal/routing"
)

// Reuse gives answers again: those that are kept, and those that are being
// made. Its fields are set once and never changed.
type Reuse struct {
	Keys  cache.Keys
	Cache *cache.Cache

	flights flight.Group[[sha256.Size]byte, *made]
}

// Shared counts the calls that were made and those that others' were used for.
func (u *Reuse) Shared() flight.Stats { return u.flights.Stats() }

// keyOf names what r asks, and false where its answer is for it alone.
func (g *Gateway) keyOf(r *Request, p *decision) (cache.Key, bool) {
	if g.Reuse == nil || !r.Reuse || r.Sink != nil && r.Ask.Format != llm.FormatChat {
		return cache.Key{}, false
	}
	return g.Reuse.Keys.Of(cache.Question{Request: &r.Ask, Stream: r.Sink != nil, Project: r.Project, KeyID: r.KeyID,
		Experiments: p.arms, Holdout: p.holdout || p.guarded,
		Constraints: constraintsOf(r)})
}

// constraintsOf are the caller's on who may answer, beyond the models.
func constraintsOf(r *Request) (constraints []string) {
	if r.MaxCost > 0 {
		constraints = append(constraints, "max_cost="+r.MaxCost.String())
	}
	if r.MinQuality > 0 {
		constraints = append(constraints, "min_quality="+strconv.FormatFloat(r.MinQuality, 'g', -1, 64))
	}
	return constraints
}

// search answers r with the one look beyond memory, and call, that is made for all
// who ask the same now. It may outlive r, which is why it is a function of its own:
// what memory has need not bring r and p to the heap.
func (g *Gateway) search(ctx context.Context, r Request, p decision, key cache.Key, models []string, started time.Time) (Answer, error) {
	l := &listener{gateway: g, sink: r.Sink, fact: g.begin(&r, &p)}
	joined := time.Now()
	result, err := g.Reuse.flights.Do(ctx, key.Within(models), l.emit(), func(ctx context.Context, emit llm.Emit) (*made, error) {
		l.leads = true
		leading := r
		leading.Sink = nil
		if emit != nil {
			leading.Sink = &forward{emit: emit}
		}
		return g.lead(ctx, &leading, &p, key, models, started)
	})
	l.waited = time.Since(joined)
	if !result.Followed {
		return g.led(ctx, l, result.Value, err)
	}
	return g.followed(ctx, &r, &p, l, result.Value, err, started)
}

func modelsOf(p *routing.Plan) []string {
	const usual = 8
	ids := make([]string, 0, usual)
	for i := range p.Choices {
		ids = append(ids, p.Choices[i].Model.ID)
	}
	return ids
}

// made is what the one who leads brings for all.
type made struct {
	Answer
	hit      *hit // that it is; nil where a model was called
	degraded bool // a level of the cache could not be asked
}

// lead looks beyond memory for an answer, and has one made where there is none.
// r is its own.
func (g *Gateway) lead(ctx context.Context, r *Request, p *decision, key cache.Key, models []string, started time.Time) (*made, error) {
	look := g.Reuse.Cache.Get(ctx, key, models)
	defer look.Release()
	if look.Degraded {
		r.Degraded = without(r.Degraded, degradedCache)
	}
	m := &made{degraded: look.Degraded}
	var err error
	if look.Found {
		h := hitOf(look.Hit)
		h.waited = look.Waited
		m.hit, r.Sink = &h, nil // each listener begins by itself
		m.Answer, err = g.again(r, p, &h, started)
		return m, err
	}
	if m.Answer, err = g.make(ctx, r, p, started); err == nil {
		g.Reuse.Cache.Put(look, entryOf(r, &m.Answer))
	}
	return m, err
}

// degradedCache says that an answer was made without a level of the cache.
const degradedCache = "cache"

// without adds to what a request was answered without.
func without(degraded []string, what string) []string { return append(slices.Clone(degraded), what) }

// led is the answer of the request whose call it was, which has recorded it.
// Who left in the middle has no answer: the call goes on for others, or has
// recorded how far it came.
func (g *Gateway) led(ctx context.Context, l *listener, m *made, err error) (Answer, error) {
	if m == nil {
		return Answer{}, fmt.Errorf("%w: %w", ErrCanceled, err)
	}
	if err != nil {
		return m.Answer, asLeft(ctx, l, err)
	}
	return l.finish(m.Answer), nil
}

// followed records a request that was answered by another's call: as a hit,
// for which nothing was paid, or as failed with it.
func (g *Gateway) followed(ctx context.Context, r *Request, p *decision, l *listener, m *made, err error, started time.Time) (Answer, error) {
	if errors.Is(err, ErrLedger) {
		return Answer{}, err
	}
	if refusedByBudget(err) { // that of the one who led, which may be another's
		return g.make(ctx, r, p, started)
	}
	if m != nil && m.degraded {
		r.Degraded = without(r.Degraded, degradedCache)
	}
	if err != nil {
		return g.failedWith(r, p, l, m, asLeft(ctx, l, err), started)
	}
	h := hit{response: m.Response, of: originOf(m.Fact), level: event.CacheMemory, label: cache.InFlight, waited: l.waited}
	if m.hit != nil {
		h = *m.hit
	}
	f := g.hitFact(r, p, &h, started)
	l.time(f, started)
	if err := g.Ledger.Record(f); err != nil {
		return Answer{}, fmt.Errorf("%w: %w", ErrLedger, err)
	}
	return l.finish(Answer{Response: m.Response, Tail: m.Tail, Fact: f}), nil
}

// failedWith records a request that left another's call or failed with it.
// Nothing was paid for it.
func (g *Gateway) failedWith(r *Request, p *decision, l *listener, m *made, err error, started time.Time) (Answer, error) {
	f := g.begin(r, p)
	g.charge(f, p.Choices[0].Candidate, llm.Usage{})
	f.Status, f.ErrorKind, f.Estimated = event.StatusError, string(llm.ErrorUnavailable), false
	if errors.Is(err, ErrCanceled) {
		f.Status, f.ErrorKind = event.StatusCanceled, string(llm.ErrorCanceled)
	} else if m != nil && m.Fact != nil {
		f.Provider, f.Model, f.Fallbacks, f.ErrorKind = m.Fact.Provider, m.Fact.Model, m.Fact.Fallbacks, m.Fact.ErrorKind
	}
	latency := time.Since(started)
	f.LatencyUS, f.TTFTUS = latency.Microseconds(), latency.Microseconds()
	f.OverheadUS = max(latency-l.waited, 0).Microseconds()
	l.time(f, started)
	if failed := g.Ledger.Record(f); failed != nil {
		return Answer{}, fmt.Errorf("%w: %w", ErrLedger, failed)
	}
	if !errors.Is(err, ErrCanceled) && !errors.Is(err, ErrProviders) {
		err = fmt.Errorf("%w: %w", ErrProviders, err)
	}
	return Answer{Fact: f}, err
}

// asLeft names the end of one who did not wait for the answer: who left, did
// not take a piece, or was too slow for the others.
func asLeft(ctx context.Context, l *listener, err error) error {
	if errors.Is(err, ErrCanceled) || ctx.Err() == nil && !l.left && !errors.Is(err, flight.ErrLagged) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrCanceled, err)
}

// hit is an answer that was made for another request.
type hit struct {
	response llm.Response
	of       origin
	level    string
	label    cache.Label
	waited   time.Duration // for the call that made it, where it was not there before
}

// origin is what is known of the request that an answer was made for.
type origin struct {
	id                              uuid.UUID
	provider, model, status, finish string
	estimated                       bool
	costNanos                       int64
	usage                           llm.Usage
}

func originOf(f *event.CompletionRecorded) origin {
	return origin{id: f.ID, provider: f.Provider, model: f.Model, status: f.Status, finish: f.FinishReason,
		estimated: f.Estimated, costNanos: f.CostNanos, usage: Usage(f)}
}

func hitOf(h cache.Hit) hit {
	return hit{response: h.Response, level: h.Level, label: h.Label,
		of: origin{id: h.RequestID, provider: h.Provider, model: h.Model, status: event.StatusOK, finish: h.Response.FinishReason,
			estimated: h.Estimated, costNanos: h.CostNanos, usage: h.Response.Usage}}
}

// again answers r with what was made before.
func (g *Gateway) again(r *Request, p *decision, h *hit, started time.Time) (Answer, error) {
	f := g.hitFact(r, p, h, started)
	if err := g.Ledger.Record(f); err != nil {
		return Answer{}, fmt.Errorf("%w: %w", ErrLedger, err)
	}
	answer := Answer{Response: h.response, Fact: f}
	if r.Sink != nil {
		answer.Tail = chat.Chunks(h.response)
		r.Sink.Begin(f)
	}
	return answer, nil
}

// hitFact is the fact of a request that was answered with h: nothing was paid,
// and what the call that made it had cost is beside that.
func (g *Gateway) hitFact(r *Request, p *decision, h *hit, started time.Time) *event.CompletionRecorded {
	f := g.outline(r, p)
	f.Cache, f.CacheMatch = h.level, string(h.label)
	f.Provider, f.Model = h.of.provider, h.of.model
	f.Status, f.FinishReason, f.Estimated = h.of.status, h.of.finish, h.of.estimated
	served, err := g.Candidate(h.of.model)
	if err != nil { // it was configured when the answer was made
		served = p.Choices[0].Candidate
	}
	g.charge(f, served, h.of.usage)
	f.CostNanos, f.OriginCostNanos = 0, h.of.costNanos
	f.OriginID, f.Features = h.of.id, nil // nothing can be learned of the plan of one that waited
	latency := time.Since(started)
	f.LatencyUS, f.TTFTUS = latency.Microseconds(), latency.Microseconds()
	f.OverheadUS = max(latency-h.waited, 0).Microseconds()
	return f
}

// entryOf is an answer as it is kept.
func entryOf(r *Request, a *Answer) cache.Entry {
	response := a.Response
	response.Usage = Usage(a.Fact)
	return cache.Entry{Project: r.Project, UserID: r.UserID, RequestID: a.Fact.ID, At: a.Fact.At,
		Provider: a.Fact.Provider, Model: a.Fact.Model, CostNanos: a.Fact.CostNanos, Estimated: a.Fact.Estimated,
		Experiments: a.Fact.Experiments, Holdout: a.Fact.Holdout, Response: response}
}
