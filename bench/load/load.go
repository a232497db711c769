package load

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/busuhq/busu/bench/measure"
)

// Load is what is sent, and how.
type Load struct {
	Addr        string
	Request     func(into []byte, i int) []byte // writes the i-th request over what into holds
	Connections int                             // of a closed loop; of an open one, at most
	Rate        int                             // of an open loop, per second
	Warm        time.Duration                   // at first, not counted
	For         time.Duration
	Holds       string        // what the head of an answer is looked for, such as a header; may be empty
	Streams     bool          // all answers are streams of events, which end with [DONE]; those that say so have to in any case
	Counting    func(on bool) // is told when counting begins and ends; may be nil
	Each        func(Fate)    // is told of each request that is counted, by many at once; may be nil
}

// Fate is what came of a request.
type Fate struct {
	Took time.Duration // as in Outcome
	Err  error         // nil: answered
}

// Outcome is what came of a load, without its warm-up.
type Outcome struct {
	Took     *measure.Histogram // answers with 200: in an open loop, from when each was due
	First    *measure.Histogram // the same, until the first of the body
	Answered int64              // with 200
	Refused  int64              // with 429 or 503
	Failed   int64              // otherwise, or not at all
	Holding  int64              // of those answered
	Events   int64              // in them
	Elapsed  time.Duration
	Err      error // one of the failures, or refusals, for words
}

// Sent is how many requests there were.
func (o *Outcome) Sent() int64 { return o.Answered + o.Refused + o.Failed }

// PerSecond is of those answered.
func (o *Outcome) PerSecond() float64 { return float64(o.Answered) / o.Elapsed.Seconds() }

// Share of the requests sent, in percent.
func (o *Outcome) Share(of int64) float64 { return 100 * float64(of) / float64(max(o.Sent(), 1)) }

// mostFailed is the share of requests, in percent, that may fail.
const mostFailed = .1

// Sound fails where too many failed for the rest to say anything.
func (o *Outcome) Sound() error {
	if o.Sent() == 0 {
		return errors.New("no request was answered in time")
	}
	if bad := o.Refused + o.Failed; o.Share(bad) > mostFailed {
		return fmt.Errorf("%d of %d requests were not answered: %w", bad, o.Sent(), o.Err)
	}
	return nil
}

// tally counts an outcome, for many at once.
type tally struct {
	load                                       *Load
	took, first                                measure.Histogram
	answered, refused, failed, holding, events atomic.Int64
	counting                                   atomic.Bool
	mu                                         sync.Mutex
	err                                        error
	holds                                      []byte
}

func newTally(l *Load) *tally { return &tally{load: l, holds: []byte(l.Holds)} }

var errUnended = errors.New("a stream did not say that it ended")

// count notes how a request fared that was begun, or due, at a time.
func (t *tally) count(began time.Time, r Reply, err error) {
	now := time.Now()
	if err == nil && r.Status == http.StatusOK && (t.load.Streams || r.Stream) && !r.Done {
		err = errUnended
	}
	refused := err == nil && (r.Status == http.StatusTooManyRequests || r.Status == http.StatusServiceUnavailable)
	if err == nil && r.Status != http.StatusOK {
		err = statusError(r)
	}
	if t.load.Each != nil {
		t.load.Each(Fate{Took: now.Sub(began), Err: err})
	}
	switch {
	case refused:
		t.refused.Add(1)
		t.note(err)
	case err != nil:
		t.failed.Add(1)
		t.note(err)
	default:
		t.answered.Add(1)
		t.took.Add(now.Sub(began))
		t.first.Add(r.First.Sub(began))
		t.events.Add(int64(r.Events))
		if r.Holds {
			t.holding.Add(1)
		}
	}
}

func statusError(r Reply) error { return fmt.Errorf("status %d: %s", r.Status, r.Quote) }

// note keeps the first error.
func (t *tally) note(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.err == nil {
		t.err = err
	}
}

func (t *tally) outcome(ctx context.Context, elapsed time.Duration) (Outcome, error) {
	return Outcome{Took: &t.took, First: &t.first, Answered: t.answered.Load(), Refused: t.refused.Load(), Failed: t.failed.Load(),
		Holding: t.holding.Load(), Events: t.events.Load(), Elapsed: elapsed, Err: t.err}, ctx.Err()
}

func (l *Load) tell(counting bool) {
	if l.Counting != nil {
		l.Counting(counting)
	}
}

// graceful is how long a request may take beyond its load.
const graceful = 30 * time.Second
