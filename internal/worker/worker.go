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
	// Bury acknowledges an entry that cannot be processed and keeps its bytes
	// with the reason.
	Bury(ctx context.Context, e event.Entry, reason string) error
}

// Store keeps facts for good.
type Store interface {
	// Persist stores facts in one transaction and returns the ids of those
	// that were new.
	Persist(ctx context.Context, facts []*event.CompletionRecorded) ([]uuid.UUID, error)
	// Discard notes that a fact can never be stored.
	Discard(ctx context.Context, f *event.CompletionRecorded) error
}

// Worker persists the facts of one lane.
type Worker struct {
	Source     Source
	Store      Store
	Unstorable func(error) bool // the data is at fault, not the database
	Log        *slog.Logger

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
func (w *Worker) Stats() *Stats { return &w.stats }

const (
	retryFirst = 100 * time.Millisecond
	retryMost  = 5 * time.Second
	tryFor     = 30 * time.Second
)

// Run works until ctx ends; what is in hand then stays pending. Redis or
// PostgreSQL being away only makes it wait. The next batch is read and decoded
// while the one before is stored.
func (w *Worker) Run(ctx context.Context) error {
	decoded := make(chan batch)
	go func() {
		defer close(decoded)
		for ctx.Err() == nil {
			w.read(ctx, decoded)
		}
	}()
	for b := range decoded {
		for _, bad := range b.bad {
			w.bury(ctx, bad.entry, bad.reason)
		}
		w.persist(ctx, b)
	}
	return nil
}

// retry repeats try until it succeeds, or ctx ends and it returns false. A try
// that has begun is finished even when the process is told to stop.
func (w *Worker) retry(ctx context.Context, try func(context.Context) error) bool {
	for wait := retryFirst; ctx.Err() == nil; wait = min(2*wait, retryMost) {
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
		case <-time.After(wait/2 + rand.N(wait)):
		}
	}
	return false
}

// An entry that was handed out often may be what kills the worker. It is
// processed alone, so that it takes no others along, and in the end buried.
const (
	aloneAfter = 5
	buryAfter  = 20
)

var errDeadly = fmt.Errorf("it was handed out more than %d times and never stored: it may be what kills the worker", buryAfter)

// read reads the next entries and passes them on as batches.
func (w *Worker) read(ctx context.Context, decoded chan<- batch) {
	var entries []event.Entry
	w.retry(ctx, func(ctx context.Context) (err error) {
		entries, err = w.Source.Read(ctx, time.Now())
		return err
	})
	b := batch{}
	for _, e := range entries {
		if e.Deliveries > aloneAfter {
			pass(ctx, decoded, newBatch(e))
			continue
		}
		b.add(e)
	}
	pass(ctx, decoded, b)
}

func pass(ctx context.Context, to chan<- batch, b batch) {
	if len(b.facts)+len(b.bad) == 0 {
		return
	}
	select {
	case <-ctx.Done():
	case to <- b:
	}
}

// batch is a run of entries and, in the same order, their facts; and those
// that are none.
type batch struct {
	entries []event.Entry
	facts   []*event.CompletionRecorded
	bad     []refused
}

type refused struct {
	entry  event.Entry
	reason error
}

func newBatch(e event.Entry) (b batch) {
	b.add(e)
	return b
}

func (b *batch) add(e event.Entry) {
	fact, err := decode(e)
	if err == nil && e.Deliveries > buryAfter {
		err = errDeadly
	}
	if err != nil {
		b.bad = append(b.bad, refused{e, err})
		return
	}
	b.entries = append(b.entries, e)
	b.facts = append(b.facts, fact)
}

func (b batch) split() (batch, batch) {
	half := len(b.facts) / 2
	return batch{entries: b.entries[:half], facts: b.facts[:half]}, batch{entries: b.entries[half:], facts: b.facts[half:]}
}

// persist stores and acknowledges a batch. A fact that can never be stored is
// found by halving and buried, so that it does not keep the others back.
func (w *Worker) persist(ctx context.Context, b batch) {
	if len(b.facts) == 0 {
		return
	}
	var unstorable error
	stored := w.retry(ctx, func(ctx context.Context) error {
		added, err := w.Store.Persist(ctx, b.facts)
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
		w.retry(ctx, func(ctx context.Context) error { return w.Source.Ack(ctx, b.entries) })
	case len(b.facts) == 1:
		w.discard(ctx, b.entries[0], b.facts[0], unstorable)
	default:
		first, second := b.split()
		w.persist(ctx, first)
		w.persist(ctx, second)
	}
}

// discard notes that a fact is missing for a reason before it is buried, so that
// nobody looks for it.
func (w *Worker) discard(ctx context.Context, e event.Entry, f *event.CompletionRecorded, reason error) {
	if w.retry(ctx, func(ctx context.Context) error { return w.Store.Discard(ctx, f) }) {
		w.bury(ctx, e, reason)
	}
}

func (w *Worker) bury(ctx context.Context, e event.Entry, reason error) {
	if !w.retry(ctx, func(ctx context.Context) error { return w.Source.Bury(ctx, e, reason.Error()) }) {
		return
	}
	w.stats.Buried.Add(1)
	w.Log.Warn("event cannot be processed and went to the dead letters", "entry", e.ID, "reason", reason)
}

// decode reads an entry, and holds its own word on where it belongs against
// where it was found.
func decode(e event.Entry) (*event.CompletionRecorded, error) {
	fact, err := event.Decode(e.Body)
	if err != nil {
		return nil, err
	}
	c, ok := fact.(*event.CompletionRecorded)
	if !ok {
		return nil, fmt.Errorf("%s does not belong on %s", fact.Head().Type, e.Stream)
	}
	if c.Partition != e.Partition {
		return nil, fmt.Errorf("fact of partition %d on partition %d", c.Partition, e.Partition)
	}
	return c, nil
}
