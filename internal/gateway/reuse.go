package gateway

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
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

	flights flight.Group[[sha256.Size]byte, *landed]
}

// landed is what a flight brings: an answer that was made for it, or a hit
// beyond memory.
type landed struct {
	made     Answer
	hit      *hit
	degraded bool // a level of the cache could not be asked
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

// share answers r from memory, or else with what one flight brings for all who
// ask the same now: an answer that is kept beyond memory, or the call. Whoever
// looks beyond memory does so in the flight, so that only one does, and none
// calls for what has just been answered.
func (g *Gateway) share(ctx context.Context, r Request, p routing.Plan, key cache.Key, started time.Time) (Answer, error) {
	models := modelsOf(p)
	if h, ok := g.Reuse.Cache.Recall(key, models); ok {
		return g.again(r, p, hitOf(h), started)
	}
	listener := &listener{gateway: g, sink: r.Sink, fact: g.begin(r, p)}
	result, err := g.Reuse.flights.Do(ctx, key.Within(models), listener.emit(), func(ctx context.Context, emit llm.Emit) (*landed, error) {
		look := g.Reuse.Cache.Get(ctx, key, models)
		defer look.Release()
		if look.Found {
			h := hitOf(look.Hit)
			return &landed{hit: &h, degraded: look.Degraded}, nil
		}
		leading := r
		leading.Degraded = degraded(r.Degraded, look.Degraded)
		leading.Sink = nil
		if emit != nil {
			leading.Sink = &forward{emit: emit}
		}
		answer, err := g.make(ctx, leading, p, started)
		if err == nil {
			g.Reuse.Cache.Put(look, entryOf(r, answer))
		}
		return &landed{made: answer, degraded: look.Degraded}, err
	})
	return g.land(ctx, r, p, listener, result, err, started)
}

// land gives one of those on a flight what it brought.
func (g *Gateway) land(ctx context.Context, r Request, p routing.Plan, l *listener, result flight.Result[*landed], err error, started time.Time) (Answer, error) {
	var made *Answer
	if brought := result.Value; brought != nil {
		r.Degraded = degraded(r.Degraded, brought.degraded)
		switch {
		case brought.hit == nil:
			made = &brought.made
		case err == nil:
			return g.again(r, p, *brought.hit, started)
		default:
			return g.unanswered(ctx, r, p, l, nil, err, started)
		}
	}
	if !result.Followed {
		return g.led(ctx, l, made, err)
	}
	return g.followed(ctx, r, p, l, made, err, started)
}

func degraded(before []string, now bool) []string {
	if !now {
		return before
	}
	return append(slices.Clone(before), "cache")
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
// recorded how far it came.
func (g *Gateway) led(ctx context.Context, l *listener, made *Answer, err error) (Answer, error) {
	if made == nil {
		return Answer{}, fmt.Errorf("%w: %w", ErrCanceled, err)
	}
	answer := *made
	if err != nil {
		return answer, asLeft(ctx, l, err)
	}
	return l.finish(answer), nil
}

// followed records a request that was answered by another's call: as a hit,
// for which nothing was paid, or as failed with it.
func (g *Gateway) followed(ctx context.Context, r Request, p routing.Plan, l *listener, made *Answer, err error, started time.Time) (Answer, error) {
	if err == nil {
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
	return g.unanswered(ctx, r, p, l, made, err, started)
}

// unanswered records a request that got no answer, for which nothing was paid:
// it left, or failed with the call that it followed.
func (g *Gateway) unanswered(ctx context.Context, r Request, p routing.Plan, l *listener, made *Answer, err error, started time.Time) (Answer, error) {
	f := g.begin(r, p)
	err = asLeft(ctx, l, err)
	f.Status, f.ErrorKind, f.Estimated = event.StatusError, string(llm.ErrorUnavailable), false
	if errors.Is(err, ErrCanceled) {
		f.Status, f.ErrorKind = event.StatusCanceled, string(llm.ErrorCanceled)
	} else if made != nil && made.Fact != nil {
		f.Provider, f.Model, f.Fallbacks, f.ErrorKind = made.Fact.Provider, made.Fact.Model, made.Fact.Fallbacks, made.Fact.ErrorKind
	}
	f.LatencyUS = time.Since(started).Microseconds()
	f.TTFTUS, f.OverheadUS = f.LatencyUS, 0
	f.TokensIn, f.TokensOut, f.CostNanos, f.OriginCostNanos, f.BaselineCostNanos = 0, 0, 0, 0, 0
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
