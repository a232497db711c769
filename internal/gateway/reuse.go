package gateway

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

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

	flights flight.Group[[sha256.Size]byte, *shared]
}

// Shared counts the calls that were made and those that others' were used for.
func (u *Reuse) Shared() flight.Stats { return u.flights.Stats() }

// keyOf names what r asks, and false where its answer is for it alone.
func (g *Gateway) keyOf(r *Request) (cache.Key, bool) {
	if g.Reuse == nil || !r.Reuse || r.Sink != nil && r.Ask.Format != llm.FormatChat {
		return cache.Key{}, false
	}
	return g.Reuse.Keys.Of(cache.Question{Request: &r.Ask, Stream: r.Sink != nil, Project: r.Project, KeyID: r.KeyID})
}

// shared is what a flight brings: an answer that was made for it, or one that
// was kept.
type shared struct {
	Answer
	kept     *cache.Hit // nil: it was made
	degraded bool       // the cache could not be asked
}

// share answers r with what is kept, or with the call that is made for all who
// ask the same now. Those look beyond memory together, too: a crowd would ask
// each level as often as it has heads.
func (g *Gateway) share(ctx context.Context, r Request, p routing.Plan, key cache.Key, started time.Time) (Answer, error) {
	models := modelsOf(p)
	if kept, ok := g.Reuse.Cache.Recall(key, models); ok {
		return g.again(r, p, hitOf(kept), started)
	}
	listener := &listener{gateway: g, sink: r.Sink, fact: g.begin(r, p)}
	result, err := g.Reuse.flights.Do(ctx, key.Within(models), listener.emit(), func(ctx context.Context, emit llm.Emit) (*shared, error) {
		look := g.Reuse.Cache.Get(ctx, key, models)
		defer look.Release()
		return g.lead(ctx, r, p, look, listener, emit, started)
	})
	brought := result.Value
	if brought != nil && brought.degraded {
		r.Degraded = append(slices.Clone(r.Degraded), degradedCache)
	}
	switch {
	case err == nil && brought.kept != nil:
		return g.again(r, p, hitOf(*brought.kept), started)
	case result.Followed:
		return g.followed(ctx, r, p, listener, brought, err, started)
	default:
		return g.led(ctx, r, p, listener, brought, err, started)
	}
}

// degradedCache is what answers say that are made because the cache could not
// be asked.
const degradedCache = "cache"

// lead brings the answer for all who wait: what look has found, or one that it
// has made as r. Its own listener may have left.
func (g *Gateway) lead(ctx context.Context, r Request, p routing.Plan, look cache.Look, l *listener, emit llm.Emit, started time.Time) (*shared, error) {
	brought := &shared{degraded: look.Degraded}
	if look.Degraded {
		r.Degraded = append(slices.Clone(r.Degraded), degradedCache)
	}
	if err := context.Cause(ctx); err != nil { // all left while another process was at it
		var failed error
		brought.Answer, failed = g.leave(r, p, started)
		return brought, errors.Join(fmt.Errorf("%w: %w", ErrCanceled, err), failed)
	}
	if look.Found {
		brought.kept = &look.Hit
		if l.parted.Swap(true) {
			_, err := g.leave(r, p, started)
			return brought, err
		}
		return brought, nil
	}
	r.Sink = nil
	if emit != nil {
		r.Sink = &forward{emit: emit}
	}
	var err error
	if brought.Answer, err = g.make(ctx, r, p, started); err == nil {
		g.Reuse.Cache.Put(look, entryOf(r, brought.Answer))
	}
	return brought, err
}

func modelsOf(p routing.Plan) []string {
	ids := make([]string, len(p.Choices))
	for i, c := range p.Choices {
		ids[i] = c.Model.ID
	}
	return ids
}

// led is the answer of the request whose call it was, which has recorded it.
// Who left in the middle has no answer: the call goes on for others, or has
// recorded how far it came. Where it finds a kept answer, and so records nothing,
// listener.parted says who tells that this one left.
func (g *Gateway) led(ctx context.Context, r Request, p routing.Plan, l *listener, brought *shared, err error, started time.Time) (Answer, error) {
	switch {
	case brought == nil && !l.parted.Swap(true):
		return Answer{}, fmt.Errorf("%w: %w", ErrCanceled, err)
	case brought == nil || brought.kept != nil:
		answer, failed := g.leave(r, p, started)
		return answer, errors.Join(fmt.Errorf("%w: %w", ErrCanceled, err), failed)
	case err != nil:
		return brought.Answer, asLeft(ctx, l, err)
	default:
		return l.finish(brought.Answer), nil
	}
}

// followed records a request that was answered by another's call: as a hit,
// for which nothing was paid, or as failed with it.
func (g *Gateway) followed(ctx context.Context, r Request, p routing.Plan, l *listener, brought *shared, err error, started time.Time) (Answer, error) {
	if err == nil {
		made := brought.Answer
		h := hit{response: made.Response, fact: made.Fact, level: event.CacheMemory, label: cache.InFlight}
		f := g.hitFact(r, p, h, started)
		if err := g.Ledger.Record(f); err != nil {
			return Answer{}, fmt.Errorf("%w: %w", ErrLedger, err)
		}
		return l.finish(Answer{Response: made.Response, Tail: made.Tail, Fact: f}), nil
	}
	if errors.Is(err, ErrLedger) {
		return Answer{}, err
	}
	err = asLeft(ctx, l, err)
	if errors.Is(err, ErrCanceled) {
		answer, failed := g.leave(r, p, started)
		return answer, errors.Join(err, failed)
	}
	f := g.withoutCall(r, p, started)
	f.Status, f.ErrorKind = event.StatusError, string(llm.ErrorUnavailable)
	if brought != nil && brought.Fact != nil {
		f.Provider, f.Model, f.Fallbacks, f.ErrorKind = brought.Fact.Provider, brought.Fact.Model, brought.Fact.Fallbacks, brought.Fact.ErrorKind
	}
	if failed := g.Ledger.Record(f); failed != nil {
		return Answer{}, fmt.Errorf("%w: %w", ErrLedger, failed)
	}
	if !errors.Is(err, ErrProviders) {
		err = fmt.Errorf("%w: %w", ErrProviders, err)
	}
	return Answer{Fact: f}, err
}

// leave records a request that left without a call of its own.
func (g *Gateway) leave(r Request, p routing.Plan, started time.Time) (Answer, error) {
	f := g.withoutCall(r, p, started)
	f.Status, f.ErrorKind = event.StatusCanceled, string(llm.ErrorCanceled)
	if err := g.Ledger.Record(f); err != nil {
		return Answer{}, fmt.Errorf("%w: %w", ErrLedger, err)
	}
	return Answer{Fact: f}, nil
}

// withoutCall is the fact of a request for which no call was made.
func (g *Gateway) withoutCall(r Request, p routing.Plan, started time.Time) *event.CompletionRecorded {
	f := g.begin(r, p)
	f.Estimated, f.Unpriced = false, false
	f.LatencyUS = time.Since(started).Microseconds()
	f.TTFTUS, f.OverheadUS = f.LatencyUS, 0
	f.TokensIn, f.TokensOut, f.CostNanos, f.OriginCostNanos, f.BaselineCostNanos = 0, 0, 0, 0, 0
	return f
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
	fact     *event.CompletionRecorded // of that request; what of it is known
	level    string
	label    cache.Label
}

func hitOf(h cache.Hit) hit {
	f := &event.CompletionRecorded{Provider: h.Provider, Model: h.Model, CostNanos: h.CostNanos,
		FinishReason: h.Response.FinishReason, Status: event.StatusOK}
	count(f, h.Response.Usage)
	return hit{response: h.Response, level: h.Level, label: h.Label, fact: f}
}

// again answers r with what was made before.
func (g *Gateway) again(r Request, p routing.Plan, h hit, started time.Time) (Answer, error) {
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
func (g *Gateway) hitFact(r Request, p routing.Plan, h hit, started time.Time) *event.CompletionRecorded {
	f := g.begin(r, p)
	f.Cache, f.CacheMatch = h.level, string(h.label)
	f.Provider, f.Model = h.fact.Provider, h.fact.Model
	f.Status, f.FinishReason, f.Estimated = h.fact.Status, h.fact.FinishReason, h.fact.Estimated
	served, err := g.Candidate(h.fact.Model)
	if err != nil { // it was configured when the answer was made
		served = p.Choices[0].Candidate
	}
	g.charge(f, served, counted(h.fact))
	f.CostNanos, f.OriginCostNanos = 0, h.fact.CostNanos
	f.LatencyUS = time.Since(started).Microseconds()
	f.TTFTUS, f.OverheadUS = f.LatencyUS, f.LatencyUS
	return f
}

// entryOf is an answer as it is kept.
func entryOf(r Request, a Answer) cache.Entry {
	response := a.Response
	response.Usage = counted(a.Fact)
	return cache.Entry{Project: r.Project, UserID: r.UserID, RequestID: a.Fact.ID, At: a.Fact.At,
		Provider: a.Fact.Provider, Model: a.Fact.Model, CostNanos: a.Fact.CostNanos,
		Experiments: a.Fact.Experiments, Holdout: a.Fact.Holdout, Response: response}
}

// forward is the Sink of a call that is made for several: who answers goes
// with each piece.
type forward struct {
	emit llm.Emit
	from string
}

// Begin implements Sink.
func (f *forward) Begin(c *event.CompletionRecorded) { f.from = c.Model }

// Emit implements Sink.
func (f *forward) Emit(c llm.Chunk) error {
	c.From = f.from
	return f.emit(c)
}

// listener brings one request the pieces of a call that may be another's.
type listener struct {
	gateway *Gateway
	sink    Sink                      // nil: it waits for the whole answer
	fact    *event.CompletionRecorded // as it was planned
	begun   bool
	left    bool
	parted  atomic.Bool // the listener has left its call, or that found a kept answer: who comes second records that it left
}

func (l *listener) emit() llm.Emit {
	if l.sink == nil {
		return nil
	}
	return func(c llm.Chunk) error {
		l.begin(c.From)
		err := l.sink.Emit(c)
		l.left = l.left || err != nil
		return err
	}
}

func (l *listener) begin(model string) {
	if l.begun {
		return
	}
	l.begun = true
	if c, err := l.gateway.Candidate(model); err == nil {
		l.fact.Provider, l.fact.Model = c.Model.Provider, c.Model.ID
	}
	l.sink.Begin(l.fact)
}

// finish gives the rest of the answer: all of it where the call came without
// pieces.
func (l *listener) finish(a Answer) Answer {
	switch {
	case l.sink == nil:
		a.Tail = nil
	case !l.begun && a.Tail == nil:
		a.Tail = chat.Chunks(a.Response)
		l.begin(a.Fact.Model)
	default:
		l.begin(a.Fact.Model)
	}
	return a
}
