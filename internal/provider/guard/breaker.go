package guard

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sony/gobreaker/v2"

	"github.com/busuhq/busu/internal/llm"
	"github.com/busuhq/busu/internal/rollup"
)

// breaker stops asking a provider that fails: when at least tripFailures of
// the calls that ended within the window, and at least half of them, speak
// against it. After a while one call goes through as a probe, and decides.
//
// The library counts and keeps the state. Two things are ours. It files what a
// call ended with under the time when it began, and forgets what began before
// its window; models may take longer than any window that is worth having, so
// calls are reported when they end. And it knows one length of the open state,
// while ours doubles with each probe that fails, and can be another process's.
type breaker struct {
	next   llm.Provider
	name   string
	opened func(error) // called with what is to be told to those who wait
	cb     *gobreaker.CircuitBreaker[struct{}]

	closed   atomic.Bool
	epoch    atomic.Uint64 // counts openings and closings: results from before are void
	borrowed atomic.Int64  // how long it shall open for another process's word, ns; 0: not

	mu       sync.Mutex
	since    time.Time // it is closed, or is not
	probeAt  time.Time // until then it is open
	probes   int       // that failed since it opened
	openings int64     // for what we saw ourselves
}

const (
	window       = 30 * time.Second
	bucket       = 3 * time.Second
	tripFailures = 5
	firstOpen    = 5 * time.Second
	longestOpen  = time.Minute
	probeAgain   = time.Second // what those are told who come while a probe is under way
)

// Results that are no calls.
var (
	errElsewhere = errors.New("another process has found it failing")
	errVoid      = errors.New("from before the breaker changed")
	errPanicked  = errors.New("panicked")
)

func newBreaker(next llm.Provider, name string, opened func(error)) *breaker {
	b := &breaker{next: next, name: name, opened: opened, since: time.Now()}
	b.closed.Store(true)
	b.cb = gobreaker.NewCircuitBreaker[struct{}](gobreaker.Settings{
		Name: name, MaxRequests: 1, Interval: window, BucketPeriod: bucket,
		Timeout:       time.Nanosecond, // how long it stays open is ours: see probeAt
		ReadyToTrip:   b.trips,
		OnStateChange: b.changed,
		IsSuccessful:  func(err error) bool { return judge(err) == favours },
		IsExcluded:    func(err error) bool { return errors.Is(err, errVoid) || judge(err) == silent },
	})
	return b
}

func (b *breaker) trips(c gobreaker.Counts) bool {
	return b.borrowed.Load() > 0 || c.TotalFailures >= tripFailures && c.TotalFailures >= c.TotalSuccesses
}

func (b *breaker) Complete(ctx context.Context, r llm.Request) (llm.Response, error) {
	epoch := b.epoch.Load()
	if b.closed.Load() {
		return b.ask(ctx, r, epoch)
	}
	if wait := b.held(); wait > 0 {
		return llm.Response{}, b.refusal(wait)
	}
	return b.probe(ctx, r)
}

func (b *breaker) ask(ctx context.Context, r llm.Request, epoch uint64) (got llm.Response, err error) {
	err = errPanicked
	defer func() { b.report(epoch, err) }()
	return b.next.Complete(ctx, r)
}

// report tells the library how a call ended, as if it had just been made. What
// was begun in another epoch says nothing about this one.
func (b *breaker) report(epoch uint64, result error) {
	_, _ = b.cb.Execute(func() (struct{}, error) {
		if b.epoch.Load() != epoch {
			return struct{}{}, errVoid
		}
		return struct{}{}, result
	})
}

// probe lets one call through, and refuses those that come meanwhile.
func (b *breaker) probe(ctx context.Context, r llm.Request) (got llm.Response, err error) {
	asked := false
	_, refused := b.cb.Execute(func() (struct{}, error) {
		if b.held() > 0 { // it opened again between the look and the lock
			return struct{}{}, errVoid
		}
		asked = true
		got, err = b.next.Complete(ctx, r)
		return struct{}{}, err
	})
	if refused != nil && !asked {
		return got, b.refusal(max(b.held(), probeAgain))
	}
	return got, err
}

// held is how long no call goes through; 0 when one may.
func (b *breaker) held() time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	return max(0, time.Until(b.probeAt))
}

func (b *breaker) refusal(wait time.Duration) error {
	return &llm.ProviderError{Provider: b.name, Kind: llm.ErrorUnavailable, RetryAfter: wait, Unsent: true,
		Err: fmt.Errorf("%w, and will be for %s", ErrOpen, wait.Round(time.Millisecond))}
}

// changed is called by the library, under its lock.
func (b *breaker) changed(_ string, from, to gobreaker.State) {
	switch to {
	case gobreaker.StateOpen:
		wait := b.open(from, time.Now())
		b.opened(b.refusal(wait))
	case gobreaker.StateClosed:
		b.mu.Lock()
		defer b.mu.Unlock()
		b.epoch.Add(1)
		b.since, b.probes = time.Now(), 0
		b.closed.Store(true)
	case gobreaker.StateHalfOpen: // when that is, says probeAt
	}
}

func (b *breaker) open(from gobreaker.State, now time.Time) (wait time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.epoch.Add(1)
	b.closed.Store(false)
	borrowed := time.Duration(b.borrowed.Load())
	switch {
	case from == gobreaker.StateHalfOpen:
		b.probes++
		wait = min(firstOpen<<min(b.probes, 10), longestOpen)
	case borrowed > 0:
		wait, b.since = borrowed, now
	default:
		wait, b.since = firstOpen, now
		b.openings++
	}
	b.probeAt = now.Add(wait)
	return wait
}

// borrow opens a closed breaker on another process's word for as long as it
// will be open there. One that is not closed has its own evidence.
func (b *breaker) borrow(wait time.Duration) {
	if wait <= 0 || !b.closed.Load() {
		return
	}
	b.borrowed.Store(int64(min(wait, longestOpen)))
	b.report(b.epoch.Load(), errElsewhere)
	b.borrowed.Store(0)
}

func (b *breaker) describe(s *rollup.ProviderState, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s.Breaker = rollup.BreakerHalfOpen
	s.BreakerForMS = milliseconds(now.Sub(b.since))
	s.Opened = b.openings
	switch wait := b.probeAt.Sub(now); {
	case b.closed.Load():
		s.Breaker = rollup.BreakerClosed
	case wait > 0:
		s.Breaker, s.NextProbeMS = rollup.BreakerOpen, milliseconds(wait)
	}
}
