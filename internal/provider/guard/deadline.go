package guard

import (
	"context"
	"errors"
	"math"
	"sync"
	"time"

	"github.com/busuhq/busu/internal/llm"
)

// total is a context that says when the whole call must have ended. It does not
// end by itself: whoever waits, in the queue, between attempts or for the
// vendor, waits no longer than that. So a call needs one timer and not two.
type total struct {
	context.Context
	deadline time.Time
}

func (t total) Deadline() (time.Time, bool) { return t.deadline, true }

// within gives ctx a deadline, unless it has an earlier one of the caller's.
func within(ctx context.Context, deadline time.Time) context.Context {
	if callers, ok := ctx.Deadline(); ok && callers.Before(deadline) {
		return ctx
	}
	return total{ctx, deadline}
}

// deadline limits one attempt, and says of every call that ended early why.
type deadline struct {
	next                        llm.Provider
	name                        string
	total, attempt, first, idle time.Duration
}

func (d *deadline) Complete(ctx context.Context, r llm.Request) (llm.Response, error) {
	w := &watch{limits: d, emit: r.Emit}
	if all, ok := ctx.(total); ok { // the decorators hand it on as it is
		w.end = all.deadline
	}
	watched, cancel := context.WithCancel(ctx)
	w.cancel = cancel
	defer w.close()
	if r.Emit != nil {
		r.Emit = w.piece
		w.await(d.first, deadlineFirst)
	} else {
		w.await(0, "")
	}
	got, err := d.next.Complete(watched, r)
	if err != nil {
		err = d.explain(ctx, w, err)
	}
	return got, err
}

// explain says why a call ended early, where we know better than the vendor's
// provider, which sees a context that has ended.
func (d *deadline) explain(ctx context.Context, w *watch, err error) error {
	m, gone := w.outcome()
	switch {
	case ctx.Err() != nil:
		return d.fail(llm.ErrorCanceled, ctx.Err(), err)
	case m != nil:
		return d.fail(llm.ErrorTimeout, m, err)
	case gone:
		return d.fail(llm.ErrorCanceled, err, err)
	default:
		return err
	}
}

func (d *deadline) fail(kind llm.ErrorKind, why, from error) error {
	e := &llm.ProviderError{Provider: d.name, Kind: kind, Err: why}
	if vendors, ok := errors.AsType[*llm.ProviderError](from); ok {
		if vendors.Kind == kind && kind == llm.ErrorCanceled {
			return from
		}
		e.Status, e.Unsent = vendors.Status, vendors.Unsent
	}
	return e
}

// watch ends an attempt when the vendor keeps us waiting too long. The clock
// stands still while the caller takes a piece. One timer serves all limits: the
// nearest is set.
type watch struct {
	limits *deadline
	end    time.Time // of the whole call; zero: none
	emit   llm.Emit
	cancel context.CancelFunc

	mu      sync.Mutex
	timer   *time.Timer   // nil until there is a limit
	waiting time.Time     // for the vendor since then; zero while the caller takes a piece
	due     time.Time     // when it is too long; zero without a limit
	next    string        // the deadline that is missed then
	after   time.Duration // and its length
	held    time.Duration // that the vendor has had so far
	missed  *missed
	gone    bool // the caller takes no more pieces
	begun   bool // there was a piece
}

// await starts the clock. patience is how long this one piece may take, beside
// what is left for the attempt. An answer that has begun to come in pieces may
// take as long as they keep coming: a long one is no failure.
func (w *watch) await(patience time.Duration, name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.waiting = time.Now()
	left := time.Duration(math.MaxInt64)
	flows := w.begun && patience > 0
	if w.limits.attempt > 0 && !flows {
		left, w.next, w.after = w.limits.attempt-w.held, deadlineAttempt, w.limits.attempt
	}
	if patience > 0 && patience < left {
		left, w.next, w.after = patience, name, patience
	}
	if all := w.end.Sub(w.waiting); !w.end.IsZero() && !flows && all < left {
		left, w.next, w.after = all, deadlineTotal, w.limits.total
	}
	if left == math.MaxInt64 {
		return
	}
	w.due = w.waiting.Add(left)
	if w.timer == nil {
		w.timer = time.AfterFunc(left, w.fire)
	} else {
		w.timer.Reset(left)
	}
}

// stop stops the clock.
func (w *watch) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.timer != nil {
		w.timer.Stop()
	}
	if !w.waiting.IsZero() {
		w.held += time.Since(w.waiting)
	}
	w.waiting, w.due = time.Time{}, time.Time{}
}

// fire ends the attempt, unless the clock was stopped or set anew while the
// timer went off.
func (w *watch) fire() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.missed != nil || w.due.IsZero() || time.Now().Before(w.due) {
		return
	}
	held := w.held + time.Since(w.waiting)
	w.missed = &missed{deadline: w.next, after: w.after, excused: w.next == deadlineTotal && held < w.after/2}
	w.cancel()
}

// piece hands one on. How long the caller takes for it is not the vendor's.
func (w *watch) piece(c llm.Chunk) error {
	w.stop()
	err := w.emit(c)
	w.mu.Lock()
	w.begun, w.gone = true, w.gone || err != nil
	w.mu.Unlock()
	w.await(w.limits.idle, deadlineIdle)
	return err
}

func (w *watch) close() {
	w.stop()
	w.cancel()
}

// outcome stops the clock and says what ended the attempt, if we did or the
// caller.
func (w *watch) outcome() (m *missed, gone bool) {
	w.stop()
	return w.missed, w.gone
}
