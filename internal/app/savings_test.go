package app

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/busuhq/busu/internal/gateway"
	"github.com/busuhq/busu/internal/savings"
)

// fakeAccounts count how often they are read.
type fakeAccounts struct {
	mu    sync.Mutex
	reads int
	takes time.Duration
	err   error
}

func (f *fakeAccounts) Savings(_ context.Context, _ string, w savings.Window, now time.Time) (savings.Tally, error) {
	time.Sleep(f.takes)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reads++
	return savings.Tally{Window: w, AsOf: now, Limit: math.Inf(1)}, f.err
}

// A report is read once for all who ask meanwhile and soon after, longer the
// more it costs; without the database the last one is given.
func TestReportsAreReadOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fakeAccounts{takes: time.Second}
		r, w := newReports(f), savings.Windows()[0]
		var asking sync.WaitGroup
		for range 20 {
			asking.Go(func() {
				if got, err := r.Savings(t.Context(), "p", w); err != nil || got.Stale {
					t.Errorf("%+v, %v", got, err)
				}
			})
		}
		asking.Wait()
		time.Sleep(15 * time.Second)
		if _, err := r.Savings(t.Context(), "p", w); err != nil || f.reads != 1 {
			t.Errorf("read %d times, %v", f.reads, err)
		}
		f.err = errors.New("away")
		time.Sleep(10 * time.Second)
		if got, err := r.Savings(t.Context(), "p", w); err != nil || !got.Stale || f.reads != 2 {
			t.Errorf("stale %t after %d reads, %v", got.Stale, f.reads, err)
		}
		if _, err := r.Savings(t.Context(), "another", w); err == nil {
			t.Error("a report comes from nowhere")
		}
	})
}

type tripped []string

func (p tripped) Tripped(context.Context) ([]string, error) { return p, nil }

// A tenth of the users of a project whose guard has tripped are routed on.
func TestTheProbeIsATenth(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		guards := new(gateway.Guards)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); _ = guards.Follow(ctx, tripped{"p"}, slog.New(slog.DiscardHandler)) }()
		synctest.Wait()
		covers, probe := guarded(guards), 0
		for i := range 20_000 {
			user := "user-" + time.Duration(i).String()
			if covers("another", user) {
				t.Fatal("a guard that has not tripped guards")
			}
			if !covers("p", user) {
				probe++
			}
		}
		if probe < 1_850 || probe > 2_150 || !covers("p", "") {
			t.Errorf("%d of 20,000 are routed on; without a user %t", probe, !covers("p", ""))
		}
		stop()
		<-done
	})
}
