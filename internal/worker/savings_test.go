package worker_test

import (
	"context"
	"log/slog"
	"math"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/busuhq/busu/internal/savings"
	"github.com/busuhq/busu/internal/worker"
)

// books keeps days and guards, and fails now and then.
type books struct {
	school  // its lease, and how it fails
	mu      sync.Mutex
	stored  map[time.Time]int
	counted map[time.Time]int
	until   time.Time
	noted   int
	takes   time.Duration
	spent   time.Duration
	guard   savings.Guard
	good    func(state string) (routed, others float64)
	set     []string
}

func (b *books) ChangedDays(context.Context) (days []time.Time, until time.Time, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for day := time.Now().Truncate(24*time.Hour).AddDate(0, 0, -20); !day.After(time.Now()); day = day.AddDate(0, 0, 1) {
		if b.stored[day] != b.counted[day] || b.noted == 0 && b.stored[day] > 0 {
			days = append(days, day)
		}
	}
	return days, time.Now(), b.away()
}

func (b *books) CountDay(_ context.Context, day time.Time, observation, verdicts time.Duration) error {
	time.Sleep(b.takes)
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.away(); err != nil || observation < verdicts {
		return errAway
	}
	b.spent += b.takes
	b.counted[day] = b.stored[day]
	return nil
}

func (b *books) Counted(_ context.Context, until time.Time) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.away(); err != nil {
		return err
	}
	b.noted, b.until = b.noted+1, until
	return nil
}

func (b *books) ForgetUserDays(context.Context, time.Time) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.away()
}

func (b *books) Hold(ctx context.Context, name, owner string, lasts time.Duration) (bool, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.school.Hold(ctx, name, owner, lasts)
}

func (b *books) Guards(context.Context) (map[string]savings.Guard, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return map[string]savings.Guard{"p": b.guard}, b.away()
}

func (b *books) Watch(_ context.Context, _ string, g savings.Guard, _ []savings.Window, _ time.Time) ([]savings.Watched, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	routed, others := b.good(g.State)
	w := savings.Watched{Days: 7}
	r := rand.New(rand.NewPCG(1, 2))
	fill := func(g *savings.Group, users int, good float64) {
		for range users {
			u := savings.Unit{Requests: 10, CostNanos: 10}
			for range 10 {
				if r.Float64() < good {
					u.Good++
				}
			}
			g.Add(u, math.Inf(1))
		}
	}
	fill(&w.Routed, 3000, routed)
	fill(&w.Others, 1000, others)
	return []savings.Watched{w}, b.away()
}

func (b *books) SetGuard(_ context.Context, _, state string, e savings.Evidence) (bool, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.away(); err != nil {
		return false, err
	}
	changed := b.guard.State != state
	b.guard = savings.Guard{State: state, At: new(time.Now()), Evidence: &e}
	b.set = append(b.set, state)
	return changed, nil
}

func newBooks(fails float64) *books {
	return &books{school: *newSchool(5, fails), stored: map[time.Time]int{}, counted: map[time.Time]int{},
		guard: savings.Guard{State: savings.GuardArmed}, good: func(string) (float64, float64) { return 0.9, 0.9 }}
}

func (b *books) accountant() *worker.Accountant {
	return &worker.Accountant{Days: b, Guards: b, Old: b, Lease: b, Owner: "me", Observation: 24 * time.Hour, Keep: time.Hour, Log: slog.New(slog.DiscardHandler)}
}

// pass lets time pass, and the accountant work.
func (b *books) pass(d time.Duration) {
	b.mu.Unlock()
	time.Sleep(d)
	b.mu.Lock()
}

// run runs f while the accountant works, in a bubble where time is free; it
// works while f passes.
func (b *books) run(t *testing.T, f func()) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); _ = b.accountant().Run(ctx) }()
		b.mu.Lock()
		f()
		b.mu.Unlock()
		stop()
		<-done
	})
}

// Whatever fails, every day is counted in the end, the newest first, and it is
// noted only then.
func TestDaysAreCountedInTheEnd(t *testing.T) {
	t.Parallel()
	b := newBooks(0.2)
	b.run(t, func() {
		today := time.Now().Truncate(24 * time.Hour)
		for i := range 20 {
			b.stored[today.AddDate(0, 0, -i)] = 1
		}
		for range 40 {
			b.pass(time.Minute)
			b.stored[today]++
			late := today.AddDate(0, 0, -b.random.IntN(20))
			b.stored[late]++
		}
		b.pass(10 * time.Minute)
		for day, n := range b.stored {
			if b.counted[day] != n {
				t.Errorf("%s: %d of %d are counted", day, b.counted[day], n)
			}
		}
		if b.noted == 0 || time.Since(b.until) > time.Minute {
			t.Errorf("noted %d times, last %s ago", b.noted, time.Since(b.until))
		}
	})
}

// However long a day takes, counting takes a few per cent of the time.
func TestCountingRests(t *testing.T) {
	t.Parallel()
	b := newBooks(0)
	b.takes = 10 * time.Second
	b.run(t, func() {
		b.stored[time.Now().Truncate(24*time.Hour)] = 1
		for range 10 * 60 {
			b.stored[time.Now().Truncate(24*time.Hour)]++
			b.pass(time.Minute)
		}
	})
	if share := b.spent.Hours() / 10; share > 0.04 || share < 0.01 {
		t.Errorf("it takes %.3f of the time", share)
	}
}

// A guard trips at harm, stays so while the probe is no better, and is armed
// again when that is shown to be.
func TestGuardTripsAndRecovers(t *testing.T) {
	t.Parallel()
	b := newBooks(0.1)
	wait := func() { b.pass(5 * time.Minute) }
	b.run(t, func() {
		wait()
		if b.guard.State != savings.GuardArmed || len(b.set) != 0 {
			t.Errorf("%v without harm", b.set)
		}
		b.good = func(string) (float64, float64) { return 0.7, 0.9 }
		wait()
		if b.guard.State != savings.GuardTripped || b.guard.Evidence.Bound >= -savings.Margin || len(b.set) != 1 {
			t.Errorf("%v, %+v", b.set, b.guard.Evidence)
		}
		b.good = func(string) (float64, float64) { return 0.9, 0.9 }
		wait()
		if b.guard.State != savings.GuardArmed || b.guard.Evidence.Bound <= -savings.Margin || len(b.set) != 2 {
			t.Errorf("%v, %+v", b.set, b.guard.Evidence)
		}
	})
}
