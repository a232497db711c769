package guard_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/busuhq/busu/internal/llm"
	"github.com/busuhq/busu/internal/provider/guard"
)

func of(caller string) llm.Request { return llm.Request{Caller: caller} }

// TestOneWhoFloodsWaitsForHimself: another caller waits for the call in its way
// to end, and for one turn of each who waits; the flood is served in order.
func TestOneWhoFloodsWaitsForHimself(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const takes, places, flood = time.Second, 4, 400
		var mu sync.Mutex
		var served []int
		v := vendor(func(ctx context.Context, r llm.Request) (llm.Response, error) {
			if r.Caller == "flood" {
				mu.Lock()
				served = append(served, r.N)
				mu.Unlock()
			}
			return paris, wait(ctx, takes)
		})
		p := guard.New(v, guard.Options{Name: "vendor", MaxConcurrency: places, Queue: flood})
		var all sync.WaitGroup
		for i := range flood {
			all.Go(func() {
				if _, err := p.Complete(t.Context(), llm.Request{Caller: "flood", N: i}); err != nil {
					t.Error(err)
				}
			})
			time.Sleep(time.Millisecond)
		}
		for range 20 { // one call after the other, as people ask
			began := time.Now()
			if _, err := p.Complete(t.Context(), of("ada")); err != nil {
				t.Error(err)
			}
			if waited := time.Since(began) - takes; waited > takes {
				t.Errorf("beside %d calls of another one waits for %s", p.State().Waiting, waited)
			}
		}
		all.Wait()
		if !slices.IsSorted(served) || len(served) != flood {
			t.Errorf("the flood was served in the order %v", served)
		}
		idle(t, p)
	})
}

// TestAFullQueueHasRoomForOthers: who has more places than another gives up his
// last, and is told so.
func TestAFullQueueHasRoomForOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := guard.New(taking(time.Second), guard.Options{Name: "vendor", MaxConcurrency: 1, Queue: 10})
		var all sync.WaitGroup
		refused := map[string]*atomic.Int64{"flood": new(atomic.Int64), "ada": new(atomic.Int64)}
		call := func(caller string) {
			all.Go(func() {
				_, err := p.Complete(t.Context(), of(caller))
				if err == nil {
					return
				}
				refused[caller].Add(1)
				failed := failure(t, err, llm.ErrorOverloaded)
				if !failed.Unsent || failed.RetryAfter < time.Second || !strings.Contains(failed.Error(), "queue is full") {
					t.Errorf("%s is refused with %v, to come back after %s", caller, failed, failed.RetryAfter)
				}
			})
			synctest.Wait()
		}
		for range 21 { // one at the vendor, ten who wait, ten who are refused
			call("flood")
		}
		if n := refused["flood"].Load(); n != 10 {
			t.Errorf("%d of the flood were refused", n)
		}
		for range 10 {
			call("ada")
		}
		if flood, ada := refused["flood"].Load(), refused["ada"].Load(); flood != 15 || ada != 5 {
			t.Errorf("%d of the flood and %d of ada were refused, of ten places", flood, ada)
		}
		all.Wait()
		if s := idle(t, p); s.Shed != 20 {
			t.Errorf("%d are counted as shed", s.Shed)
		}
	})
}

// TestSheddingKnowsTheDeadline: refused at once is whoever would not be answered
// in time, and nobody else.
func TestSheddingKnowsTheDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const takes, places = time.Second, 2
		p := guard.New(taking(takes), guard.Options{Name: "vendor", MaxConcurrency: places, Queue: 1000, Timeout: 10 * time.Second})
		if _, err := p.Complete(t.Context(), llm.Request{}); err != nil { // it learns how long calls take
			t.Fatal(err)
		}
		var all sync.WaitGroup
		var answered, refused atomic.Int64
		for range 100 {
			all.Go(func() {
				began := time.Now()
				_, err := p.Complete(t.Context(), llm.Request{})
				if took := time.Since(began); err != nil && took > 0 {
					t.Errorf("it took %s to refuse: %v", took, err)
				}
				if err == nil {
					answered.Add(1)
					return
				}
				refused.Add(1)
				if failed := failure(t, err, llm.ErrorOverloaded); failed.RetryAfter < 8*time.Second || failed.RetryAfter > 11*time.Second || !failed.Unsent {
					t.Errorf("refused with %v, to come back after %s", failed, failed.RetryAfter)
				}
			})
		}
		all.Wait()
		if n := answered.Load(); n != 20 || refused.Load() != 80 {
			t.Errorf("%d were answered, in ten seconds twenty can be; %d were refused", n, refused.Load())
		}
		if s := idle(t, p); s.Shed != 80 {
			t.Errorf("%d are counted as shed", s.Shed)
		}
	})
}

// TestWaitsEndAtTheDeadline when calls take longer than any before.
func TestWaitsEndAtTheDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := guard.New(taking(time.Hour), guard.Options{Name: "vendor", MaxConcurrency: 1, Queue: 10, Timeout: time.Minute})
		var all sync.WaitGroup
		all.Go(func() { failure(t, ask(t.Context(), p, 1), llm.ErrorTimeout) })
		synctest.Wait()
		time.Sleep(time.Second)
		began := time.Now()
		all.Go(func() {
			failed := failure(t, ask(context.WithoutCancel(t.Context()), p, 1), llm.ErrorTimeout)
			if !strings.Contains(failed.Error(), "all attempts") {
				t.Error(failed)
			}
		})
		synctest.Wait()
		failed := failure(t, ask(t.Context(), p, 1), llm.ErrorOverloaded)
		if took := time.Since(began); took != time.Minute || !failed.Unsent || failed.RetryAfter < time.Second {
			t.Errorf("the wait ended after %s with %v", took, failed)
		}
		all.Wait()
		if s := idle(t, p); s.Breaker != "closed" || s.Shed != 1 {
			t.Errorf("the breaker is %s, %d were shed", s.Breaker, s.Shed)
		}
	})
}

// TestWhoLeavesTheQueueIsGoneAtOnce.
func TestWhoLeavesTheQueueIsGoneAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := guard.New(taking(time.Hour), guard.Options{Name: "vendor", MaxConcurrency: 1, Queue: 100})
		ctx, leave := context.WithCancel(t.Context())
		var all sync.WaitGroup
		all.Go(func() { _ = ask(t.Context(), p, 1) })
		synctest.Wait()
		for range 100 {
			all.Go(func() {
				if failed := failure(t, ask(ctx, p, 1), llm.ErrorCanceled); !failed.Unsent || !errors.Is(failed, context.Canceled) {
					t.Errorf("who left is told %v", failed)
				}
			})
		}
		synctest.Wait()
		time.Sleep(time.Second)
		if s := p.State(); s.Waiting != 100 || s.InFlight != 1 || s.OldestWaitMS != 1000 {
			t.Errorf("%d wait, %d are in flight, the oldest for %g ms", s.Waiting, s.InFlight, s.OldestWaitMS)
		}
		leave()
		synctest.Wait()
		if s := p.State(); s.Waiting != 0 || s.InFlight != 1 || s.Shed != 0 {
			t.Errorf("%d wait, %d are in flight, %d were shed", s.Waiting, s.InFlight, s.Shed)
		}
		all.Wait()
		idle(t, p)
	})
}

// TestStreamsKeepTheirPlace until they have ended.
func TestStreamsKeepTheirPlace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := guard.New(stalling(time.Second, time.Second, time.Second), guard.Options{Name: "vendor", MaxConcurrency: 1, IdleTimeout: 2 * time.Second})
		r := llm.Request{Emit: func(llm.Chunk) error {
			if s := p.State(); s.InFlight != 1 {
				t.Errorf("in the middle of a stream %d are in flight", s.InFlight)
			}
			return nil
		}}
		_, err := p.Complete(t.Context(), r)
		failure(t, err, llm.ErrorTimeout)
		idle(t, p)
	})
}

// TestNoPlaceIsLost: whatever ends calls, in whatever order, in the end nobody
// is in flight, nobody waits, and all places are there.
func TestNoPlaceIsLost(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		seed := rapid.Uint64().Draw(rt, "seed")
		synctest.Test(t, func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 0))
			places := 1 + r.IntN(5)
			var inFlight atomic.Int64
			v := vendor(func(ctx context.Context, q llm.Request) (llm.Response, error) {
				defer inFlight.Add(-1)
				if n := inFlight.Add(1); int(n) > places {
					t.Errorf("%d calls at the vendor, %d places", n, places)
				}
				return paris, errors.Join(q.Emit(llm.Chunk{}))
			})
			p := guard.New(v, guard.Options{Name: "vendor", MaxConcurrency: places, Queue: r.IntN(20), Retries: r.IntN(3),
				Timeout: time.Duration(1+r.IntN(20)) * time.Second, FirstTokenTimeout: time.Duration(1+r.IntN(5)) * time.Second})
			var all sync.WaitGroup
			for range 100 {
				time.Sleep(time.Duration(r.IntN(300)) * time.Millisecond)
				ctx, cancel := context.WithCancel(t.Context())
				if r.IntN(3) == 0 {
					time.AfterFunc(time.Duration(r.IntN(3000))*time.Millisecond, cancel)
				}
				how, takes, caller := r.IntN(8), time.Duration(r.IntN(4000))*time.Millisecond, fmt.Sprint(r.IntN(3))
				all.Go(func() {
					defer cancel()
					defer func() { _ = recover() }()
					_, _ = p.Complete(ctx, llm.Request{Caller: caller, Emit: ending(ctx, how, takes)})
				})
			}
			all.Wait()
			s := idle(t, p)
			if s.Limit < 1 || s.Limit > places {
				t.Errorf("the limit is %d of %d", s.Limit, places)
			}
			time.Sleep(10 * time.Minute)
			for range 500 * places { // recovers, breaker and limit
				_, _ = p.Complete(t.Context(), llm.Request{Emit: func(llm.Chunk) error { return nil }})
			}
			if s := idle(t, p); s.Breaker != "closed" {
				t.Errorf("it does not recover: %+v", s)
			}
		})
	})
}

// ending is a way for a call to end, played by the listener.
func ending(ctx context.Context, how int, takes time.Duration) llm.Emit {
	return func(llm.Chunk) error {
		err := wait(ctx, takes)
		switch how {
		case 0:
			panic("nil map")
		case 1:
			return errors.New("gone")
		default:
			return err
		}
	}
}

// TestOneProviderDoesNotSlowAnother: beside one that takes everything and
// answers nothing, calls of another take as long as ever.
func TestOneProviderDoesNotSlowAnother(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := guard.Options{Name: "vendor", MaxConcurrency: 8, Queue: 100, Retries: 2, Timeout: 30 * time.Second, AttemptTimeout: 20 * time.Second}
		stuck, fine := guard.New(vendor(hanging), o), guard.New(taking(100*time.Millisecond), o)
		var all sync.WaitGroup
		for range 200 {
			all.Go(func() {
				for range 10 {
					_ = ask(t.Context(), stuck, 1)
				}
			})
		}
		synctest.Wait()
		for range 500 {
			began := time.Now()
			if err := ask(t.Context(), fine, 1); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(began); took != 100*time.Millisecond {
				t.Errorf("beside a provider that hangs, a call took %s", took)
			}
		}
		all.Wait()
		idle(t, stuck)
	})
}
