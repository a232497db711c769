package guard

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/busuhq/busu/internal/llm"
	"github.com/busuhq/busu/internal/rollup"
)

// queue lets as many calls through as the vendor bears; the others take turns,
// or are refused early enough to go elsewhere. A stream keeps its place until
// it has ended. Nothing runs beside the calls themselves.
type queue struct {
	next  llm.Provider
	name  string
	slots *slots

	rateLimited, timeouts atomic.Int64
}

const (
	soonest = time.Second // that a refused caller is asked to come back
	latest  = time.Minute
)

func (q *queue) Complete(ctx context.Context, r llm.Request) (got llm.Response, err error) {
	taken, err := q.slots.take(ctx, r.Caller)
	if err != nil {
		return llm.Response{}, q.refusal(err)
	}
	shown := neutral // a panic shows nothing
	defer func() { q.slots.give(taken, shown) }()
	got, err = q.next.Complete(ctx, r)
	shown = q.read(err)
	return got, err
}

// read counts what a call ended with, and says what it shows of the load.
func (q *queue) read(err error) result {
	if err == nil {
		return borne
	}
	if failed, ok := errors.AsType[*llm.ProviderError](err); ok {
		switch failed.Kind {
		case llm.ErrorRateLimited:
			q.rateLimited.Add(1)
		case llm.ErrorTimeout:
			q.timeouts.Add(1)
		}
	}
	if tooMuch(err) {
		return overborne
	}
	return neutral
}

// refusal says why a call got no place.
func (q *queue) refusal(err error) error {
	if _, ok := errors.AsType[*llm.ProviderError](err); ok {
		return err // the breaker's
	}
	e := &llm.ProviderError{Provider: q.name, Kind: llm.ErrorCanceled, Unsent: true, Err: err}
	if full, ok := errors.AsType[*noRoom](err); ok {
		e.Kind, e.RetryAfter = llm.ErrorOverloaded, min(max(full.after, soonest), latest)
	}
	return e
}

func (q *queue) describe(s *rollup.ProviderState, now time.Time) {
	s.RateLimited, s.Timeouts = q.rateLimited.Load(), q.timeouts.Load()
	q.slots.describe(s, now)
}

func (s *slots) describe(state *rollup.ProviderState, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	state.InFlight, state.Limit = s.inFlight, s.limit.calls()
	state.Waiting, state.Shed = s.waiting.len(), s.shed
	if since, ok := s.waiting.oldest(); ok {
		state.OldestWaitMS = milliseconds(max(0, now.Sub(since)))
	}
}
