// Package guard stands between busu and a provider that is slow, down or full.
//
// It is four decorators of llm.Provider in a line, and one more around them:
//
//	total → retry → breaker → queue → deadline → vendor
//
// They share one room because their order is half of what they do, and because
// each reads the errors of the next. The order, from the outside:
//
//   - The total deadline is outermost: waiting, asking and asking again are all
//     time that the caller waits.
//   - Retry is around the breaker and the queue, so that every attempt is let
//     through and counted as any other, and nobody holds a place while waiting
//     to try again.
//   - The breaker is before the queue: nobody queues for a provider that is
//     down, and those who queue when it opens are sent on at once. What the
//     queue refuses does not speak against the provider.
//   - The queue is around one call and nothing else: a place is held exactly as
//     long as the vendor works, and what comes of it tells how many it bears.
//   - The deadlines of an attempt are innermost: they measure the vendor alone,
//     neither the queue nor a caller who reads slowly.
//
// A refused or failed call is an *llm.ProviderError, and the gateway goes on to
// the next model of its plan.
package guard

import (
	"context"
	"time"

	"github.com/busuhq/busu/internal/llm"
	"github.com/busuhq/busu/internal/rollup"
)

// Options say how much is asked of a provider, and how long it may take. Zero
// durations do not limit.
type Options struct {
	Name           string // the configured provider's, for errors and figures
	MaxConcurrency int    // calls at the vendor at once, at most; 0 is 1
	Queue          int    // calls that may wait for one of these to end; 0: nobody waits
	Retries        int    // attempts after the first

	Timeout           time.Duration // of it all: the queue, every attempt and the pauses between them; of a stream to its first piece
	AttemptTimeout    time.Duration // of one attempt at the vendor; of a stream to its first piece
	FirstTokenTimeout time.Duration // to the first piece of an answer that comes in pieces
	IdleTimeout       time.Duration // from one piece to the next
}

// Provider is a guarded one. It is safe for concurrent use.
type Provider struct {
	name    string
	timeout time.Duration
	line    llm.Provider // the decorators

	retry   *retry
	breaker *breaker
	queue   *queue
}

var _ llm.Provider = (*Provider)(nil)

// New guards a vendor's provider.
func New(vendor llm.Provider, o Options) *Provider {
	deadline := &deadline{next: vendor, name: o.Name, total: o.Timeout,
		attempt: o.AttemptTimeout, first: o.FirstTokenTimeout, idle: o.IdleTimeout}
	queue := &queue{next: deadline, name: o.Name, slots: newSlots(o.MaxConcurrency, o.Queue)}
	breaker := newBreaker(queue, o.Name, queue.slots.sendAway)
	retry := &retry{next: breaker, name: o.Name, retries: o.Retries}
	return &Provider{name: o.Name, timeout: o.Timeout, line: retry, retry: retry, breaker: breaker, queue: queue}
}

// Name is the configured provider's.
func (p *Provider) Name() string { return p.name }

// Failing reports whether the breaker lets no call through now.
func (p *Provider) Failing() bool { return !p.breaker.closed.Load() && p.breaker.held() > 0 }

// Spare reports whether the provider has room for calls that nobody waits for:
// the breaker lets calls through, nobody queues, and more than half of the
// places are free.
func (p *Provider) Spare() bool {
	if p.Failing() {
		return false
	}
	var s rollup.ProviderState
	p.queue.slots.describe(&s, time.Now())
	return s.Waiting == 0 && 2*s.InFlight < s.Limit
}

// Complete asks the vendor once the breaker and the queue let it, and again
// where that is safe. An error is an *llm.ProviderError, of kind
//
//   - timeout, naming the deadline that was missed;
//   - unavailable, Unsent and with RetryAfter, while the breaker is open;
//   - overloaded, Unsent and with RetryAfter, when there is no room in time;
//   - or as the vendor's provider gave it.
//
// What had been received is returned with it.
func (p *Provider) Complete(ctx context.Context, r llm.Request) (llm.Response, error) {
	if p.timeout > 0 {
		ctx = within(ctx, time.Now().Add(p.timeout))
	}
	return p.line.Complete(ctx, r)
}

// State is how the provider fares now, as this process sees it.
func (p *Provider) State() rollup.ProviderState {
	now := time.Now()
	s := rollup.ProviderState{Name: p.name, Processes: 1}
	p.breaker.describe(&s, now)
	p.queue.describe(&s, now)
	s.Retries = p.retry.repeated.Load()
	return s
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
