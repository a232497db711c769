package guard

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/busuhq/busu/internal/llm"
)

// retry asks again where that is safe: nothing was shown to the caller, and
// nothing can have been charged; see repeatable.
//
// The pause is random between nothing and a bound that doubles ("full jitter":
// M. Brooker, Exponential Backoff and Jitter, AWS Architecture Blog, 2015), so
// that those who failed together do not come back together. It comes on top of
// what the vendor asked for.
type retry struct {
	next     llm.Provider
	name     string
	retries  int
	repeated atomic.Int64
}

const (
	firstPause   = 250 * time.Millisecond // at most, before the first repetition
	longestPause = 10 * time.Second       // another model answers sooner
)

func (t *retry) Complete(ctx context.Context, r llm.Request) (llm.Response, error) {
	if r.Emit != nil && t.retries > 0 {
		return t.stream(ctx, r)
	}
	return t.try(ctx, r, func() bool { return true })
}

// stream repeats only until a piece is out.
func (t *retry) stream(ctx context.Context, r llm.Request) (llm.Response, error) {
	shown := false
	emit := r.Emit
	r.Emit = func(c llm.Chunk) error {
		shown = true
		return emit(c)
	}
	return t.try(ctx, r, func() bool { return !shown })
}

func (t *retry) try(ctx context.Context, r llm.Request, may func() bool) (llm.Response, error) {
	for n := 0; ; n++ {
		got, err := t.next.Complete(ctx, r)
		if err == nil || n >= t.retries || !may() || !repeatable(got, err) {
			return got, err
		}
		if !pause(ctx, n, err) {
			if ctx.Err() != nil { // the vendor has nothing of ours by then
				err = &llm.ProviderError{Provider: t.name, Kind: llm.ErrorCanceled, Unsent: true, Err: ctx.Err()}
			}
			return got, err
		}
		t.repeated.Add(1)
	}
}

// pause waits before repetition n, counted from 0. It returns false at once
// when the wait is too long or would end after the deadline, and when ctx ends.
func pause(ctx context.Context, n int, err error) bool {
	wait := rand.N(min(firstPause<<n, longestPause))
	if failed, ok := errors.AsType[*llm.ProviderError](err); ok {
		wait += failed.RetryAfter
	}
	deadline, limited := ctx.Deadline()
	if wait > longestPause || limited && time.Until(deadline) <= wait {
		return false
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
