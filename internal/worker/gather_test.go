package worker_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/eventtest"
	"github.com/busuhq/busu/internal/worker"
)

// few is as long as a few facts wait for others that come at the same time.
const few = 3 * time.Millisecond

type gather = worker.Gather[*event.CompletionRecorded]

// TestLanesAreStoredTogether: of many who bring few, most share a transaction,
// each is told what of its own was new, and nobody waits long.
func TestLanesAreStoredTogether(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStores(1)
		const lanes, times = 6, 50
		g := &gather{Store: s, Lanes: lanes}
		facts := completions(s.random, 1)
		mustStore(t, g, facts, 1, few)
		began := time.Now()
		var all sync.WaitGroup
		for lane := range lanes {
			all.Go(func() {
				r := rand.New(rand.NewPCG(7, uint64(lane)))
				for range times {
					mine := completions(r, 1+r.IntN(5))
					again := append(slices.Clone(mine[:1]), facts...) // stored already
					mustStore(t, g, mine, len(mine), few)
					g.Pause(t.Context())
					mustStore(t, g, again, 0, few)
					g.Pause(t.Context())
				}
			})
		}
		all.Wait()
		if took := time.Since(began); s.batches > 2*times+2 || took < 2*times*25*time.Millisecond {
			t.Errorf("%d calls of %d lanes took %d transactions in %s", 2*times*lanes, lanes, s.batches, took)
		}
	})
}

func completions(r *rand.Rand, n int) (facts []*event.CompletionRecorded) {
	for range n {
		facts = append(facts, eventtest.Completion(r, time.Now()))
	}
	return facts
}

func mustStore(t *testing.T, g *gather, facts []*event.CompletionRecorded, want int, within time.Duration) {
	t.Helper()
	began := time.Now()
	added, err := g.Persist(t.Context(), facts)
	if err != nil || len(added) != want || time.Since(began) > within {
		t.Errorf("%d of %d were new, want %d: %v, after %s", len(added), len(facts), want, err, time.Since(began))
	}
	for _, f := range facts[:want] {
		if !slices.Contains(added, f.ID) {
			t.Errorf("%s was new, and is not in %v", f.ID, added)
		}
	}
}

// TestManyFactsDoNotWait for those of others: who has many stores them at once,
// and so do those who have many together.
func TestManyFactsDoNotWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStores(1)
		g := &gather{Store: s, Lanes: 6}
		mustStore(t, g, completions(s.random, 10), 10, few)
		mustStore(t, g, completions(s.random, 300), 300, 0)
		var all sync.WaitGroup
		for lane := range 5 {
			all.Go(func() {
				mustStore(t, g, completions(rand.New(rand.NewPCG(8, uint64(lane))), 60), 60, 0)
			})
		}
		all.Wait()
		if s.batches != 3 {
			t.Errorf("%d transactions", s.batches)
		}
	})
}

// TestOneBadFactKeepsNobodyBack: when facts cannot be stored together, each
// lane hears of its own.
func TestOneBadFactKeepsNobodyBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStores(1)
		g := &gather{Store: s, Lanes: 5}
		bad := completions(s.random, 1)
		s.poison[bad[0].ID] = true
		var all sync.WaitGroup
		for lane := range 4 {
			all.Go(func() {
				mustStore(t, g, completions(rand.New(rand.NewPCG(9, uint64(lane))), 3), 3, few)
			})
		}
		all.Go(func() {
			if added, err := g.Persist(t.Context(), bad); !errors.Is(err, errUnstorable) || len(added) > 0 {
				t.Errorf("of a bad fact %v are stored: %v", added, err)
			}
		})
		all.Wait()
	})
}

// slow is a Store that takes its time.
type slow struct{ *stores }

func (s slow) Persist(ctx context.Context, facts []*event.CompletionRecorded) ([]uuid.UUID, error) {
	select {
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-time.After(time.Minute):
		return s.stores.Persist(ctx, facts)
	}
}

// TestWhoWaitsForOthersMayLeave when its time is up, whoever stores.
func TestWhoWaitsForOthersMayLeave(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStores(1)
		g := &gather{Store: slow{s}, Lanes: 3}
		var all sync.WaitGroup
		for lane := range 3 {
			all.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				began := time.Now()
				facts := completions(rand.New(rand.NewPCG(2, uint64(lane))), 2)
				if _, err := g.Persist(ctx, facts); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) > time.Second {
					t.Errorf("%v, after %s", err, time.Since(began))
				}
			})
		}
		all.Wait()
	})
}

// TestSharedStoreLosesNothing: several workers, with a store that fails now and
// then, among facts that can never be stored.
func TestSharedStoreLosesNothing(t *testing.T) {
	t.Parallel()
	for seed := range uint64(10) {
		synctest.Test(t, func(t *testing.T) {
			s := newStores(seed)
			good, bad := fill(t, s, 500)
			s.failing = .1
			g := &gather{Store: s, Lanes: 4}
			ctx, cancel := context.WithCancel(t.Context())
			var running sync.WaitGroup
			for range 4 {
				w := newWorker(s)
				w.Store, w.Alone, w.Pause = g, s, g.Pause
				running.Go(func() { _ = w.Run(ctx) })
			}
			for !s.done() {
				time.Sleep(time.Second) // synctest's clock
			}
			cancel()
			running.Wait()
			for _, id := range good {
				if _, stored := s.rows[id]; !stored {
					t.Errorf("seed %d: %s is not stored", seed, id)
				}
			}
			if len(s.rows) != len(good) || len(s.buried) != len(bad) {
				t.Errorf("seed %d: %d rows of %d, %d buried of %d", seed, len(s.rows), len(good), len(s.buried), len(bad))
			}
		})
	}
}
