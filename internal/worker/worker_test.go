package worker_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/eventtest"
	"github.com/busuhq/busu/internal/worker"
)

var errUnstorable = errors.New("cannot be stored")

// stores is a stream and a database that fail at random.
type stores struct {
	mu      sync.Mutex
	random  *rand.Rand
	failing float64
	queue   []event.Entry
	pending map[string]event.Entry
	rows    map[uuid.UUID]int64
	buried  map[string]string
	poison  map[uuid.UUID]bool
	astray  map[uuid.UUID]bool
	batches int

	discarded map[uuid.UUID]bool
}

func newStores(seed uint64) *stores {
	return &stores{random: rand.New(rand.NewPCG(seed, 0)), pending: map[string]event.Entry{},
		rows: map[uuid.UUID]int64{}, buried: map[string]string{}, poison: map[uuid.UUID]bool{}, astray: map[uuid.UUID]bool{}, discarded: map[uuid.UUID]bool{}}
}

func (s *stores) fails() error {
	if s.random.Float64() < s.failing {
		return errors.New("away")
	}
	return nil
}

func (s *stores) Read(context.Context, time.Time) ([]event.Entry, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.queue) == 0 {
		s.mu.Unlock()
		time.Sleep(200 * time.Millisecond) // as a blocking read does; the clock is synctest's
		s.mu.Lock()
		return nil, nil
	}
	if err := s.fails(); err != nil {
		return nil, err
	}
	n := min(1+s.random.IntN(50), len(s.queue))
	given := s.queue[:n]
	s.queue = s.queue[n:]
	for _, e := range given {
		s.pending[e.ID] = e
	}
	return given, nil
}

func (s *stores) Persist(_ context.Context, facts []*event.CompletionRecorded) ([]uuid.UUID, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.batches++
	if err := s.fails(); err != nil {
		return nil, err
	}
	for _, f := range facts {
		if s.poison[f.ID] {
			return nil, fmt.Errorf("insert: %w", errUnstorable)
		}
	}
	var added []uuid.UUID
	for _, f := range facts {
		if _, stored := s.rows[f.ID]; !stored {
			s.rows[f.ID] = f.Seq
			added = append(added, f.ID)
		}
	}
	if s.random.Float64() < s.failing {
		return nil, errors.New("committed, and the connection broke")
	}
	return added, nil
}

func (s *stores) Discard(_ context.Context, f event.Fact) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.fails(); err != nil {
		return err
	}
	s.discarded[f.Head().ID] = true
	return nil
}

func (s *stores) Ack(_ context.Context, entries []event.Entry) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.fails(); err != nil {
		return err
	}
	for _, e := range entries {
		fact, err := event.Decode(e.Body)
		if err != nil {
			return err
		}
		if _, stored := s.rows[fact.Head().ID]; !stored {
			panic("acknowledged before it was stored")
		}
		delete(s.pending, e.ID)
	}
	return nil
}

func (s *stores) Bury(_ context.Context, refused []event.Refused) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.fails(); err != nil {
		return err
	}
	for _, r := range refused {
		if _, again := s.buried[r.ID]; again {
			panic("buried twice")
		}
		s.buried[r.ID] = r.Reason
		delete(s.pending, r.ID)
	}
	return nil
}

func (s *stores) done() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.queue) == 0 && len(s.pending) == 0
}

func newWorker(s *stores) *worker.Worker[*event.CompletionRecorded] {
	return &worker.Worker[*event.CompletionRecorded]{Decode: event.Entry.Completion, Source: s, Store: s, Log: slog.New(slog.DiscardHandler),
		Unstorable: func(err error) bool { return errors.Is(err, errUnstorable) }}
}

var lane = event.Lane{Stream: event.Completions}

// fill queues n good facts with malformed and unstorable ones among them.
func fill(t *testing.T, s *stores, n int) (good []uuid.UUID, bad []string) {
	t.Helper()
	at := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	for i := range n {
		f := eventtest.Completion(s.random, at)
		eventtest.Number("j", int64(i+1), f)
		body, err := event.Encode(f)
		if err != nil {
			t.Fatal(err)
		}
		e := event.Entry{Lane: lane, ID: fmt.Sprintf("%d-%d", at.UnixMilli(), i+1), Body: body}
		switch s.random.IntN(20) {
		case 3:
			e.ID = fmt.Sprintf("%d-%d", at.AddDate(2, 0, 0).UnixMilli(), i+1) // not when the fact says that it came
			s.astray[f.ID] = true
			bad = append(bad, e.ID)
		case 0:
			e.Body = body[:len(body)/2]
			bad = append(bad, e.ID)
		case 1:
			s.poison[f.ID] = true
			bad = append(bad, e.ID)
		case 2:
			e.Partition = 3 // not where the fact says that it belongs
			bad = append(bad, e.ID)
		default:
			good = append(good, f.ID)
		}
		s.queue = append(s.queue, e)
	}
	return good, bad
}

func TestEveryFactIsStoredOrBuriedOnce(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			s := newStores(seed)
			good, bad := fill(t, s, 500)
			s.failing = .2
			w := newWorker(s)
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error)
			go func() { ended <- w.Run(ctx) }()
			for !s.done() {
				time.Sleep(time.Second) // synctest's clock
			}
			cancel()
			if err := <-ended; err != nil {
				t.Fatal(err)
			}
			for _, id := range good {
				if _, stored := s.rows[id]; !stored {
					t.Errorf("seed %d: %s is not stored", seed, id)
				}
			}
			for _, id := range bad {
				if s.buried[id] == "" {
					t.Errorf("seed %d: %s is not buried with a reason", seed, id)
				}
			}
			for _, misfits := range []map[uuid.UUID]bool{s.poison, s.astray} {
				for id := range misfits {
					if !s.discarded[id] {
						t.Errorf("seed %d: it is not noted that %s will never be stored", seed, id)
					}
				}
			}
			if len(s.discarded) != len(s.poison)+len(s.astray) {
				t.Errorf("seed %d: %d facts are noted as never to be stored, not %d and %d", seed, len(s.discarded), len(s.poison), len(s.astray))
			}
			if len(s.rows) != len(good) || len(s.buried) != len(bad) {
				t.Errorf("seed %d: %d rows of %d, %d buried of %d", seed, len(s.rows), len(good), len(s.buried), len(bad))
			}
			stats := w.Stats()
			if stats.Buried.Load() != int64(len(bad)) || stats.Persisted.Load()+stats.Repeated.Load() != int64(len(good)) {
				t.Errorf("seed %d: counted %d buried, %d + %d stored", seed, stats.Buried.Load(), stats.Persisted.Load(), stats.Repeated.Load())
			}
		})
	}
}

// A database that is away makes the worker wait: it does not read on, and the
// batch in hand is the first to be stored when it is back.
func TestWorkerWaitsForTheDatabase(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStores(1)
		fill(t, s, 200)
		s.poison = nil
		w := newWorker(s)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- w.Run(ctx) }()
		s.mu.Lock()
		s.failing = 1
		s.mu.Unlock()
		time.Sleep(10 * time.Minute)
		s.mu.Lock()
		held := len(s.pending)
		s.failing = 0
		s.mu.Unlock()
		if held > 100 {
			t.Errorf("it holds %d entries, more than the batch in hand and the next", held)
		}
		time.Sleep(time.Minute)
		if !s.done() {
			t.Error("it did not go on when the database was back")
		}
		cancel()
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
	})
}

func TestWorkerStopsWhileTheDatabaseIsAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStores(1)
		fill(t, s, 10)
		s.failing = 1
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- newWorker(s).Run(ctx) }()
		time.Sleep(time.Minute)
		cancel()
		began := time.Now()
		if err := <-ended; err != nil || time.Since(began) > time.Second {
			t.Errorf("it took %s to stop (%v)", time.Since(began), err)
		}
	})
}

// What may be killing the worker is stored alone, or in the end buried.
func TestOftenDeliveredIsHandledAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStores(3)
		at := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
		for i := range 30 {
			f := eventtest.Completion(s.random, at)
			eventtest.Number("j", int64(i+1), f)
			body, err := event.Encode(f)
			if err != nil {
				t.Fatal(err)
			}
			s.queue = append(s.queue, event.Entry{Lane: lane, ID: fmt.Sprintf("%d-%d", at.UnixMilli(), i+1), Body: body, Deliveries: int64(i)})
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- newWorker(s).Run(ctx) }()
		for !s.done() {
			time.Sleep(time.Second) // synctest's clock
		}
		cancel()
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
		if len(s.rows) != 21 || len(s.buried) != 9 {
			t.Errorf("%d are stored and %d buried; up to 20 deliveries are stored", len(s.rows), len(s.buried))
		}
		if s.batches < 16 {
			t.Errorf("15 that must be alone and others were stored in %d batches", s.batches)
		}
	})
}
