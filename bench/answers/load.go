package answers

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/busuhq/busu/bench/measure"
)

// outcome is what came of requests that were sent at a rate.
type outcome struct {
	took   []time.Duration // of those that were answered, from when each was due
	sent   int             // after the warm-up
	failed int             // of them
	err    error           // of one that failed, for words
}

const (
	warmUp = time.Second
	spin   = 100 * time.Microsecond // before a request is due, because sleeping is that inexact
)

// openLoop sends requests at a rate, each when it is due, however many are
// under way. Those of the warm-up are not counted.
func openLoop(ctx context.Context, rate int, lasts time.Duration, send func(i int) error) outcome {
	o, _ := mixedLoop(ctx, rate, lasts, send, func(int) bool { return false })
	return o
}

// mixedLoop is an open loop of two kinds of requests, each with an outcome of
// its own: what they share, they share alike.
func mixedLoop(ctx context.Context, rate int, lasts time.Duration, send func(i int) error, isOther func(i int) bool) (o, other outcome) {
	gap := time.Second / time.Duration(rate)
	warm, n := int(warmUp/gap), int((warmUp+lasts)/gap)
	took, errs := make([]time.Duration, n), make([]error, n)
	var under sync.WaitGroup
	start := time.Now()
	for i := range n {
		if ctx.Err() != nil {
			took, errs = took[:i], errs[:i]
			break
		}
		due := start.Add(time.Duration(i) * gap)
		measure.SleepExactly(time.Until(due) - spin)
		for time.Now().Before(due) {
		}
		under.Go(func() {
			errs[i] = send(i)
			took[i] = time.Since(due)
		})
	}
	under.Wait()
	o.err, other.err = ctx.Err(), ctx.Err()
	for i := warm; i < len(took); i++ {
		if isOther(i) {
			other.count(took[i], errs[i])
		} else {
			o.count(took[i], errs[i])
		}
	}
	return o, other
}

func (o *outcome) count(took time.Duration, err error) {
	if o.sent++; err != nil {
		o.failed, o.err = o.failed+1, err
		return
	}
	o.took = append(o.took, took)
}

func (o outcome) failedShare() float64 { return float64(o.failed) / float64(max(o.sent, 1)) }

// sound fails where too many failed for the rest to say anything.
func (o outcome) sound() error {
	if o.sent == 0 || o.failedShare() > mostFailed {
		return fmt.Errorf("%d of %d requests failed: %w", o.failed, o.sent, errors.Join(o.err, errUnsound))
	}
	return nil
}

// mostFailed is the share of requests that may fail.
const mostFailed = 0.001

var errUnsound = errors.New("more than 0.1 %")

// closedLoop lets some callers send n requests, each its next one when it has
// the answer.
func closedLoop(ctx context.Context, callers, n int, send func(i int) error) error {
	var under sync.WaitGroup
	errs := make([]error, callers)
	for c := range callers {
		under.Go(func() {
			for i := c; i < n && errs[c] == nil && ctx.Err() == nil; i += callers {
				errs[c] = send(i)
			}
		})
	}
	under.Wait()
	return errors.Join(append(errs, ctx.Err())...)
}
