package cache_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/busuhq/busu/internal/cache"
	"github.com/busuhq/busu/internal/cachetest"
	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/redisdb"
	"github.com/busuhq/busu/internal/storetest"
)

// ask is what a gateway does: look, call, put. It returns the answer.
func (p process) ask(ctx context.Context, text string, call func() *cache.Entry) *cache.Entry {
	p.t.Helper()
	l := p.Get(ctx, cachetest.Key(p.t, text), models)
	defer l.Release()
	if l.Found || ctx.Err() != nil {
		return l.Entry
	}
	e := call()
	if e != nil {
		p.Put(l, *e)
	}
	return e
}

// With leases, many processes that ask the same at once make one call.
func TestOneProcessMakesTheAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		redis := cachetest.NewFake()
		var calls atomic.Int64
		var all sync.WaitGroup
		for range 10 {
			p := start(t, cache.Options{Redis: redis, Leases: redis})
			all.Go(func() {
				e := p.ask(t.Context(), "q", func() *cache.Entry {
					calls.Add(1)
					time.Sleep(20 * time.Second) // longer than a lease
					return cachetest.Entry("small")
				})
				if e == nil {
					t.Error("no answer")
				}
			})
		}
		d := took(all.Wait)
		if calls.Load() != 1 || d > 21*time.Second {
			t.Errorf("%d calls, %s", calls.Load(), d)
		}
	})
}

// When its holder fails, the next one gets the lease at once; when it crashes,
// when the lease has ended; and whoever waits can leave.
func TestALeaseGoesOn(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		crash bool
		most  time.Duration
	}{"failure": {false, 500 * time.Millisecond}, "crash": {true, 3200 * time.Millisecond}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				redis := cachetest.NewFake()
				one := cache.New(cache.Options{Redis: redis, Leases: redis, TTL: ttl})
				ctx, crash := context.WithCancel(t.Context())
				done := make(chan error, 1)
				if !c.crash {
					go func() { done <- one.Run(ctx) }()
				}
				two := start(t, cache.Options{Redis: redis, Leases: redis})
				l := one.Get(t.Context(), cachetest.Key(t, "q"), models)
				if !c.crash {
					l.Release()
				}
				impatient, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
				defer cancel()
				if c.crash {
					if e := two.ask(impatient, "q", nil); e != nil || !errors.Is(impatient.Err(), context.DeadlineExceeded) {
						t.Error("it did not leave")
					}
				}
				if d := took(func() {
					if two.ask(t.Context(), "q", func() *cache.Entry { return cachetest.Entry("small") }) == nil {
						t.Error("no answer")
					}
				}); d > c.most {
					t.Errorf("the next one waited %s", d)
				}
				crash()
				if !c.crash {
					<-done
				}
			})
		})
	}
}

// A lease goes back with the answer, for good: when that is gone, the next one
// makes it without waiting.
func TestALeaseGoesBackWithTheAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		redis := cachetest.NewFake()
		one, two := start(t, cache.Options{Redis: redis, Leases: redis}), start(t, cache.Options{Redis: redis, Leases: redis})
		call := func() *cache.Entry { return cachetest.Entry("small") }
		one.ask(t.Context(), "q", call)
		time.Sleep(10 * time.Second)
		if _, err := one.Flush(t.Context(), event.DefaultProject); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if d := took(func() { two.ask(ctx, "q", call) }); d != 0 {
			t.Errorf("the next one waited %s", d)
		}
	})
}

// Where Redis fails while somebody waits for an answer, it makes its own.
func TestLeasesEndWithRedis(t *testing.T) {
	t.Parallel()
	for _, mode := range []cachetest.Mode{cachetest.Down, cachetest.Hanging} {
		synctest.Test(t, func(t *testing.T) {
			redis := cachetest.NewFake()
			one, two := start(t, cache.Options{Redis: redis, Leases: redis}), start(t, cache.Options{Redis: redis, Leases: redis})
			var first sync.WaitGroup
			call := func() *cache.Entry { time.Sleep(time.Minute); return cachetest.Entry("small") }
			first.Go(func() { one.ask(t.Context(), "q", call) })
			synctest.Wait()
			first.Go(func() {
				d := took(func() { two.ask(t.Context(), "q", func() *cache.Entry { return cachetest.Entry("small") }) })
				if d > 3*time.Second {
					t.Errorf("it waited %s", d)
				}
			})
			time.Sleep(2 * time.Second)
			redis.Be(mode)
			first.Wait()
			redis.Be(cachetest.Up)
		})
	}
}

// The same on a real Redis, with many questions.
func TestOneProcessMakesTheAnswerForReal(t *testing.T) {
	t.Parallel()
	url := storetest.Redis(t)
	var all []process
	for range 4 {
		db, err := redisdb.Open(url)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { db.Close() })
		redis := db.Cache(ttl, 1<<30)
		all = append(all, start(t, cache.Options{Redis: redis, Leases: redis}))
	}
	var calls []int64
	for round, began := 0, time.Now(); time.Since(began) < time.Minute; round++ { // on a busy machine Redis may be left alone for a moment, and all call
		until(t, func() bool {
			for _, p := range all {
				if p.look(fmt.Sprint(time.Now())).Degraded {
					return false
				}
			}
			return true
		})
		calls = askAll(t, all, round)
		if slices.Max(calls) == 1 {
			return
		}
	}
	t.Errorf("calls per question: %v", calls)
}

// askAll has all processes ask the same questions at once, and returns how many
// calls each question brought.
func askAll(t *testing.T, all []process, round int) []int64 {
	var calls [20]atomic.Int64
	var asking sync.WaitGroup
	for n := range calls {
		for _, p := range all {
			asking.Go(func() {
				e := p.ask(t.Context(), fmt.Sprint("round ", round, " question ", n), func() *cache.Entry {
					calls[n].Add(1)
					time.Sleep(50 * time.Millisecond)
					return cachetest.Entry("small")
				})
				if e == nil {
					t.Error("no answer")
				}
			})
		}
	}
	asking.Wait()
	var counts []int64
	for n := range calls {
		counts = append(counts, calls[n].Load())
	}
	return counts
}
