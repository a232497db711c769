// Package worker takes facts from the streams and stores them for good.
//
// A batch is acknowledged only after PostgreSQL has committed it, and storing
// a fact again changes nothing; so whatever dies in between, a fact is stored
// exactly once.
package worker

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/busuhq/busu/internal/event"
)

// Source hands out entries of one lane until they are acknowledged.
type Source interface {
	// Read returns the next entries, or none after waiting a moment.
	Read(ctx context.Context, now time.Time) ([]event.Entry, error)
	Ack(ctx context.Context, entries []event.Entry) error
	// Bury acknowledges entries that cannot be processed and keeps their bytes
	// with the reasons.
	Bury(ctx context.Context, refused []event.Refused) error
}

// Fact is a pointer to a fact.
type Fact interface {
	comparable
	event.Fact
}

// Store keeps facts of one kind for good.
type Store[F Fact] interface {
	// Persist stores facts in one transaction and returns the ids of those
	// that were new.
	Persist(ctx context.Context, facts []F) ([]uuid.UUID, error)
	// Discard notes that a fact can never be stored.
	Discard(ctx context.Context, f event.Fact) error
}

// Worker persists the facts of one lane.
type Worker[F Fact] struct {
	Source Source
	// Decode reads an entry. Of one that is refused, but can be read, it gives
	// the fact with the error.
	Decode     func(event.Entry) (F, error)
	Store      Store[F]
	Alone      Store[F]              // of facts that must not take others along; nil: Store
	Pause      func(context.Context) // before more is read, where few came twice; nil: none
	Unstorable func(error) bool      // the data is at fault, not the database
	Log        *slog.Logger

	few   bool // were read last
	stats Stats
}

// Stats count what a worker has done. They are safe to read at any time.
type Stats struct {
	Persisted atomic.Int64 // facts that were new
	Repeated  atomic.Int64 // facts that were stored already
	Buried    atomic.Int64 // entries that could not be processed
	Failures  atomic.Int64 // attempts that failed and were repeated
}

// Stats gives the counters.
func (w *Worker[F]) Stats() *Stats { return &w.stats }

const (
	retryFirst = 100 * time.Millisecond
	retryMost  = 5 * time.Second
	tryFor     = 30 * time.Second
)

// readAhead is how many entries at once say that there is a backlog. Then the
// next batch is read and decoded while the one before is stored; else it would
// only wait there, while what comes after it has to wait in the stream.
const readAhead = 250

// Run works until ctx ends; what was not begun then stays pending. Redis or
// PostgreSQL being away only makes it wait. What is stored is acknowledged
// while the next batch is under way.
func (w *Worker[F]) Run(ctx context.Context) error {
	decoded, through := make(chan batch[F]), make(chan batch[F], 1)
	go func() {
		defer close(decoded)
		for ctx.Err() == nil {
			w.read(ctx, decoded)
		}
	}()
	go func() {
		defer close(through)
		for b := range decoded {
			w.persist(ctx, b, through)
			close(b.done)
		}
	}()
	for b := range through {
		if w.discard(ctx, b.misfits) {
			w.bury(ctx, b.bad)
		}
		w.retry(ctx, func(ctx context.Context) error { return w.Source.Ack(ctx, b.entries) })
	}
	return nil
}

// retry repeats try until it succeeds, or ctx ends and it returns false. A try
// that has begun is finished even when the process is told to stop, and there
// is always one: what is stored should not come again.
func (w *Worker[F]) retry(ctx context.Context, try func(context.Context) error) bool {
	for wait := retryFirst; ; wait = min(2*wait, retryMost) {
		attempt, cancel := context.WithTimeout(context.WithoutCancel(ctx), tryFor)
		err := try(attempt)
		cancel()
		if err == nil {
			return true
		}
		w.stats.Failures.Add(1)
		w.Log.Warn("worker cannot go on and tries again", "err", err, "in", wait)
		select {
		case <-ctx.Done():
			return false
		case <-time.After(wait/2 + rand.N(wait)):
		}
	}
}

// An entry that was handed out often may be what kills the worker. It is
// processed alone, so that it takes no others along, and in the end buried.
const (
	aloneAfter = 5
	buryAfter  = 20
)

var errDeadly = fmt.Errorf("it was handed out more than %d times and never stored: it may be what kills the worker", buryAfter)

// read reads the next entries and passes them on as batches.
func (w *Worker[F]) read(ctx context.Context, decoded chan<- batch[F]) {
	var entries []event.Entry
	w.retry(ctx, func(ctx context.Context) (err error) {
		entries, err = w.Source.Read(ctx, time.Now())
		return err
	})
	b := newBatch[F]()
	for _, e := range entries {
		if e.Deliveries > aloneAfter {
			alone := newBatch[F]()
			alone.alone = true
			alone.add(e, w.Decode)
			pass(ctx, decoded, alone)
			continue
		}
		b.add(e, w.Decode)
	}
	wasFew := w.few
	w.few = len(entries) < readAhead
	if pass(ctx, decoded, b) && w.few {
		<-b.done
		if w.Pause != nil && wasFew {
			w.Pause(ctx)
		}
	}
}

// pass reports whether b was taken.
func pass[F Fact](ctx context.Context, to chan<- batch[F], b batch[F]) bool {
	if len(b.facts)+len(b.bad) == 0 {
		return false
	}
	select {
	case <-ctx.Done():
		return false
	case to <- b:
		return true
	}
}

// batch is a run of entries and, in the same order, their facts; and those
// that are none.
type batch[F Fact] struct {
	entries []event.Entry
	facts   []F
	bad     []event.Refused
	misfits []F           // of bad, those that can be read
	alone   bool          // what it has must not take others along
	done    chan struct{} // closed when it is stored
}

func newBatch[F Fact]() batch[F] { return batch[F]{done: make(chan struct{})} }

func (b *batch[F]) add(e event.Entry, decode func(event.Entry) (F, error)) {
	fact, err := decode(e)
	if err == nil && e.Deliveries > buryAfter {
		err = errDeadly
	}
	if err != nil {
		b.refuse(e, fact, err)
		return
	}
	b.entries = append(b.entries, e)
	b.facts = append(b.facts, fact)
}

// refuse takes an entry that will be buried, and its fact where it can be read.
func (b *batch[F]) refuse(e event.Entry, fact F, reason error) {
	b.bad = append(b.bad, event.Refused{Entry: e, Reason: reason.Error()})
	if none := *new(F); fact != none {
		b.misfits = append(b.misfits, fact)
	}
}

// split halves the facts; what is bad goes with the first half.
func (b batch[F]) split() (first, second batch[F]) {
	half := len(b.facts) / 2
	return batch[F]{entries: b.entries[:half], facts: b.facts[:half], bad: b.bad, misfits: b.misfits, alone: true},
		batch[F]{entries: b.entries[half:], facts: b.facts[half:], alone: true}
}

// persist stores a batch and passes on what is through. A fact that can never
// be stored is found by halving and buried, so that it does not keep the others
// back.
func (w *Worker[F]) persist(ctx context.Context, b batch[F], through chan<- batch[F]) {
	if len(b.facts) == 0 {
		through <- b
		return
	}
	store := w.Store
	if b.alone && w.Alone != nil {
		store = w.Alone
	}
	var unstorable error
	stored := w.retry(ctx, func(ctx context.Context) error {
		added, err := store.Persist(ctx, b.facts)
		if err != nil && w.Unstorable(err) {
			unstorable = err
			return nil
		}
		if err == nil {
			w.stats.Persisted.Add(int64(len(added)))
			w.stats.Repeated.Add(int64(len(b.facts) - len(added)))
		}
		return err
	})
	switch {
	case !stored: // pending; whoever has our name next gets it
	case unstorable == nil:
		through <- b
	case len(b.facts) == 1:
		b.refuse(b.entries[0], b.facts[0], unstorable)
		through <- batch[F]{bad: b.bad, misfits: b.misfits}
	default:
		first, second := b.split()
		w.persist(ctx, first, through)
		w.persist(ctx, second, through)
	}
}

// discard notes that facts are missing for a reason before they are buried, so
// that nobody looks for them, and their journals need not keep them.
func (w *Worker[F]) discard(ctx context.Context, facts []F) bool {
	for _, f := range facts {
		if !w.retry(ctx, func(ctx context.Context) error { return w.Store.Discard(ctx, f) }) {
			return false
		}
	}
	return true
}

func (w *Worker[F]) bury(ctx context.Context, refused []event.Refused) {
	if len(refused) == 0 || !w.retry(ctx, func(ctx context.Context) error { return w.Source.Bury(ctx, refused) }) {
		return
	}
	w.stats.Buried.Add(int64(len(refused)))
	w.Log.Warn("events cannot be processed and went to the dead letters", "events", len(refused),
		"first", refused[0].ID, "reason", refused[0].Reason)
}
