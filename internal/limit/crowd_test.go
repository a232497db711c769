package limit_test

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

	"github.com/busuhq/busu/internal/limit"
	"github.com/busuhq/busu/internal/limittest"
)

// far is a desk that takes a moment to be reached, and to answer.
type far struct{ *limittest.Desk }

func (far) pause() { time.Sleep(rand.N(1500 * time.Microsecond)) }

// Share implements limit.Desk.
func (f far) Share(ctx context.Context, process string, reports []limit.Report) (limit.Answer, error) {
	f.pause()
	defer f.pause()
	return f.Desk.Share(ctx, process, reports)
}

// neighbours are processes that share limits, in the time of a bubble. All have
// heard of all.
func neighbours(t *testing.T, n int) (all []*limit.Keeper, stop func()) {
	desk := far{limittest.NewDesk(time.Now)}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	for i := range n {
		k := limit.NewKeeper(desk, fmt.Sprint(i), false, slog.New(slog.DiscardHandler))
		all = append(all, k)
		running.Go(func() { _ = k.Run(ctx) })
	}
	time.Sleep(2 * limit.Known)
	return all, func() { cancel(); running.Wait() }
}

// crowd lets so many requests come at once, to processes and of users that at
// tells.
func crowd(t *testing.T, all []*limit.Keeper, of limit.Limits, n int, at func(i int) (process int, user string)) (passed []limit.Pass, refused []error) {
	var mu sync.Mutex
	var asked sync.WaitGroup
	for i := range n {
		process, user := at(i)
		asked.Go(func() {
			of := of
			of.User = user
			p, err := all[process].Admit(t.Context(), of, time.Now(), 1)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				refused = append(refused, err)
			} else {
				passed = append(passed, p)
			}
		})
	}
	asked.Wait()
	return passed, refused
}

// As many as there may be at once come at once, to whichever processes: all pass,
// whatever was before, and one more does not.
func TestACrowdOfAllPasses(t *testing.T) {
	t.Parallel()
	for seed := range uint64(24) {
		synctest.Test(t, func(t *testing.T) {
			draw := rand.New(rand.NewPCG(seed, 6))
			all, stop := neighbours(t, 1+int(seed%4))
			defer stop()
			users, each := 1+draw.IntN(3), 1+draw.IntN(10)
			most := users * each
			anywhere := func(int) (int, string) { return draw.IntN(len(all)), "anyone" }
			evenly := func(i int) (int, string) { return i / users % len(all), fmt.Sprint(i % users) }
			for round := range 30 {
				of, at := limit.Limits{Key: "k", Own: limit.Most{Concurrency: int64(most)}}, anywhere
				if round%2 == 0 {
					of.PerUser, at = limit.Most{Concurrency: int64(each)}, evenly
				}
				isWhole := round%3 == 0
				n := most
				if !isWhole { // so that something was before
					n = draw.IntN(2*most + 1)
				}
				passed, refused := crowd(t, all, of, n, at)
				if isWhole && len(refused) > 0 {
					t.Errorf("seed %d, round %d, %d processes, %d users of %d: %d of %d pass: %v", seed, round, len(all), users, each, len(passed), n, errors.Join(refused...))
				}
				if isWhole && len(refused) == 0 {
					more, _ := crowd(t, all, of, 1, at)
					if len(more) > 0 {
						t.Errorf("seed %d, round %d: one more than %d passes", seed, round, n)
					}
					passed = append(passed, more...)
				}
				time.Sleep(time.Duration(draw.IntN(500)) * time.Millisecond)
				for _, p := range passed {
					p.Settle(time.Now(), 0)
				}
				time.Sleep(60 * time.Millisecond) // within which others hear of it
				time.Sleep(time.Duration(draw.IntN([]int{1, 100, 2000, 15000}[draw.IntN(4)])) * time.Millisecond)
			}
		})
	}
}

// What a process has forgotten, while the desk has not, counts again when it is
// asked for again.
func TestWhoComesAgainIsHeard(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		all, stop := neighbours(t, 2)
		defer stop()
		of := limit.Limits{Key: "k", User: "ada", PerUser: limit.Most{Concurrency: 1}}
		for after := range 12 {
			began := time.Now()
			p, err := all[0].Admit(t.Context(), of, began, 0)
			if waited := time.Since(began); err != nil || waited > 20*time.Millisecond {
				t.Errorf("%d: after %s: %v", after, waited, err)
			}
			time.Sleep(time.Second)
			p.Settle(time.Now(), 0)
			time.Sleep(time.Duration(after) * 500 * time.Millisecond)
		}
	})
}

// Where all of a limit is under way, who asks for more is refused as soon as the
// others can have said that they have none to spare.
func TestWhoIsOneTooManyHearsOfItSoon(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		all, stop := neighbours(t, 3)
		defer stop()
		of := limit.Limits{Key: "k", Own: limit.Most{Concurrency: 30}}
		passed, _ := crowd(t, all, of, 30, func(i int) (int, string) { return i % 3, "" })
		if len(passed) < 30 {
			t.Fatalf("only %d pass", len(passed))
		}
		for i := range 20 {
			began := time.Now()
			_, err := all[0].Admit(t.Context(), of, began, 0)
			if waited := time.Since(began); err == nil || i == 0 && waited > limit.Quiet+100*time.Millisecond || i > 0 && waited > 10*time.Millisecond {
				t.Errorf("request %d, refused after %s: %v", i, waited, err)
			}
		}
	})
}
