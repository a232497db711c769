package journal

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/busuhq/busu/internal/event"
)

// Stream takes facts in order. Append may have stored some of the entries
// when it fails; storing one twice is harmless.
type Stream interface {
	Append(ctx context.Context, entries []event.Entry) error
}

// Marks knows what is stored for good. Persisted gives, per lane of a journal,
// the seq up to which every fact is in PostgreSQL.
type Marks interface {
	Persisted(ctx context.Context, journal string) (map[event.Lane]int64, error)
}

// Shipper moves a journal's facts to the stream, in order, and lets go of
// segments that are stored. Redis or PostgreSQL being away only delays it.
type Shipper struct {
	Journal *Journal
	Stream  Stream
	Marks   Marks
	Log     *slog.Logger

	shipped atomic.Int64
	failing atomic.Bool
}

const (
	shipBatch    = 256
	shipTimeout  = 2 * time.Second
	releaseEvery = 5 * time.Second
	retryFirst   = 50 * time.Millisecond
	retryMost    = 5 * time.Second
)

// Backlog is the number of facts on disk that have not been shipped by this
// process, counting those found at start.
func (s *Shipper) Backlog() int64 {
	s.Journal.mu.Lock()
	defer s.Journal.mu.Unlock()
	return s.Journal.facts - s.shipped.Load()
}

// Failing reports whether the stream did not take the last batch.
func (s *Shipper) Failing() bool { return s.failing.Load() }

// Run ships until ctx ends. It begins behind what is persisted; where that
// cannot be told, at the start of the journal.
func (s *Shipper) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var releasing sync.WaitGroup
	defer releasing.Wait()
	defer cancel()
	persisted := s.release(ctx)
	releasing.Go(func() { s.releaseLoop(ctx) })
	return s.shipLoop(ctx, persisted)
}

func (s *Shipper) shipLoop(ctx context.Context, persisted marks) error {
	var at Position
	for ctx.Err() == nil {
		facts, next, err := s.Journal.Read(at, shipBatch)
		if err != nil {
			return err
		}
		at = next
		if len(facts) > 0 {
			s.ship(ctx, facts, persisted)
			continue
		}
		select {
		case <-ctx.Done():
		case <-s.Journal.Wrote():
		}
	}
	return nil
}

// ship appends what is not persisted, trying again until it works or ctx ends.
func (s *Shipper) ship(ctx context.Context, facts []Shipment, persisted marks) {
	entries := make([]event.Entry, 0, len(facts))
	for _, f := range facts {
		if f.Seq > persisted.at(f.Journal, f.Lane) {
			entries = append(entries, f.Entry)
		}
	}
	for wait := retryFirst; len(entries) > 0; wait = min(2*wait, retryMost) {
		err := s.append(ctx, entries)
		if err == nil {
			break
		}
		if ctx.Err() != nil {
			return
		}
		if !s.failing.Swap(true) {
			s.Log.Warn("stream does not take facts; they wait in the journal", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait/2 + rand.N(wait)): // apart from other processes
		}
	}
	if len(entries) > 0 && s.failing.Swap(false) {
		s.Log.Info("stream takes facts again")
	}
	s.shipped.Add(int64(len(facts)))
}

func (s *Shipper) append(ctx context.Context, entries []event.Entry) error {
	ctx, cancel := context.WithTimeout(ctx, shipTimeout)
	defer cancel()
	return s.Stream.Append(ctx, entries)
}

// marks are persisted seqs by journal.
type marks map[string]map[event.Lane]int64

func (m marks) at(journal string, lane event.Lane) int64 { return m[journal][lane] }

// releaseLoop is apart from shipping, which must neither wait for PostgreSQL
// nor, when it never comes to an end, keep segments from going.
func (s *Shipper) releaseLoop(ctx context.Context) {
	tick := time.NewTicker(releaseEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			s.release(ctx)
		}
	}
}

// release asks what is persisted and removes segments that are.
func (s *Shipper) release(ctx context.Context) marks {
	ctx, cancel := context.WithTimeout(ctx, shipTimeout)
	defer cancel()
	m := marks{}
	for _, id := range s.Journal.Journals() {
		lanes, err := s.Marks.Persisted(ctx, id)
		if err != nil {
			s.Log.Debug("cannot ask what is persisted; segments stay", "err", err)
			return m
		}
		m[id] = lanes
	}
	if err := s.Journal.Release(m.at); err != nil {
		s.Log.Warn("journal segments could not be removed", "err", err)
	}
	return m
}
