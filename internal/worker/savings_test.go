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

// books keeps what is due, and guards, and fails now and then.
type books struct {
	school  // its lease, and how it fails
	mu      sync.Mutex
	due     int
	takes   time.Duration
	spent   time.Duration
	watched int
	guard   savings.Guard
	good    func(state string) (routed, others float64)
	set     []string
}

func (b *books) CountUserDays(_ context.Context, most int, observation, verdicts time.Duration) (more bool, err error) {
	time.Sleep(b.takes)
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.away(); err != nil || observation < verdicts {
		return false, errAway
	}
	b.spent += b.takes
	b.due -= min(b.due, most)
	return b.due > 0, nil
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
	b.watched++
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
	return &books{school: *newSchool(5, fails),
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

// Whatever fails, all is counted in the end, at once while more is due.
func TestAllIsCountedInTheEnd(t *testing.T) {
	t.Parallel()
	b := newBooks(0.2)
	b.takes = time.Second
	b.run(t, func() {
		b.due = 200_000
		b.pass(time.Hour)
		if b.due > 0 {
			t.Errorf("%d are due", b.due)
		}
		if b.watched == 0 {
			t.Error("nobody looks at the guards")
		}
	})
}

// However long it takes to count what comes, it takes a few per cent of the
// time, and a fourth while it is behind.
func TestCountingRests(t *testing.T) {
	t.Parallel()
	for due, share := range map[int][2]float64{1: {.01, .04}, 1_000_000_000: {.2, .26}} {
		b := newBooks(0)
		b.takes = 10 * time.Second
		b.run(t, func() {
			b.due = due
			b.pass(10 * time.Hour)
		})
		if took := b.spent.Hours() / 10; took < share[0] || took > share[1] {
			t.Errorf("with %d due it takes %.3f of the time", due, took)
		}
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
