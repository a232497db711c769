package guard_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/busuhq/busu/internal/llm"
	"github.com/busuhq/busu/internal/provider/guard"
	"github.com/busuhq/busu/internal/redisdb"
	"github.com/busuhq/busu/internal/rollup"
	"github.com/busuhq/busu/internal/storetest"
)

// board is one in memory, for tests of time.
type board struct {
	mu   sync.Mutex
	said map[string][]rollup.ProviderState
	at   map[string]time.Time
	away bool
}

var errAway = errors.New("away")

func (b *board) Exchange(_ context.Context, process string, mine []rollup.ProviderState) (map[string][]rollup.ProviderState, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.away {
		return nil, errAway
	}
	b.said[process], b.at[process] = mine, time.Now()
	all := map[string][]rollup.ProviderState{}
	for p, states := range b.said {
		age := time.Since(b.at[p])
		if age > 5*time.Second {
			continue
		}
		for _, s := range states {
			all[p] = append(all[p], s.Aged(float64(age)/1e6))
		}
	}
	return all, nil
}

func (b *board) set(away bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.away = away
}

// replica is a process with one provider.
type replica struct {
	*guard.Provider
	vendor *switched
	log    *log
}

// log collects what is logged.
type log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// replicas start that many processes that share a board until the test ends.
func replicas(t *testing.T, b guard.Board, n int) (all []replica) {
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	for i := range n {
		r := replica{vendor: &switched{now: well}, log: new(log)}
		r.Provider = guard.New(r.vendor, single)
		a := &guard.Agreement{Process: fmt.Sprint("process ", i), Providers: []*guard.Provider{r.Provider}, Board: b,
			Log: slog.New(slog.NewTextHandler(r.log, nil))}
		running.Go(func() {
			if err := a.Run(ctx); err != nil {
				t.Error(err)
			}
		})
		all = append(all, r)
	}
	t.Cleanup(func() {
		stop()
		running.Wait()
	})
	return all
}

func shared() *board {
	return &board{said: map[string][]rollup.ProviderState{}, at: map[string]time.Time{}}
}

// TestReplicasAgree: what opens in one opens in all within two seconds, until
// the same time; then each probes for itself.
func TestReplicasAgree(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		all := replicas(t, shared(), 3)
		time.Sleep(2500 * time.Millisecond) // between two exchanges
		all[0].vendor.set(down)
		_ = ask(t.Context(), all[0].Provider, 5)
		opened := time.Now()
		time.Sleep(2 * time.Second)
		for i, r := range all {
			s := breaker(t, r.Provider, rollup.BreakerOpen)
			if want := float64(time.Until(opened.Add(5*time.Second))) / 1e6; s.NextProbeMS < want-1 || s.NextProbeMS > want+1 {
				t.Errorf("process %d probes in %g ms, not in %g", i, s.NextProbeMS, want)
			}
			if failed := failure(t, ask(t.Context(), r.Provider, 1), llm.ErrorUnavailable); !errors.Is(failed, guard.ErrOpen) {
				t.Errorf("process %d asks: %v", i, failed)
			}
			if want := int64(0); i > 0 && s.Opened != want {
				t.Errorf("process %d says it has seen that itself", i)
			}
		}
		time.Sleep(3*time.Second + time.Millisecond)
		for i, r := range all {
			breaker(t, r.Provider, rollup.BreakerHalfOpen)
			if err := ask(t.Context(), r.Provider, 1); (err == nil) != (i > 0) {
				t.Errorf("process %d probes: %v", i, err)
			}
		}
		time.Sleep(4 * time.Second)
		breaker(t, all[0].Provider, rollup.BreakerOpen) // for ten seconds now
		breaker(t, all[1].Provider, rollup.BreakerClosed)
		breaker(t, all[2].Provider, rollup.BreakerClosed)
	})
}

// TestOwnEvidenceCounts: who has seen it fail himself goes by that, whatever
// the others find.
func TestOwnEvidenceCounts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		all := replicas(t, shared(), 2)
		all[0].vendor.set(down)
		_ = ask(t.Context(), all[0].Provider, 5)
		time.Sleep(7500 * time.Millisecond)
		breaker(t, all[0].Provider, rollup.BreakerHalfOpen)
		if err := ask(t.Context(), all[1].Provider, 1); err != nil {
			t.Fatal(err)
		}
		all[1].vendor.set(down)
		_ = ask(t.Context(), all[1].Provider, 5)
		breaker(t, all[1].Provider, rollup.BreakerOpen)
		time.Sleep(3 * time.Second)
		breaker(t, all[0].Provider, rollup.BreakerHalfOpen)
	})
}

// TestOneSickProcess: whose own network is broken keeps the others from the
// provider for five seconds once, however long it goes on.
func TestOneSickProcess(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		all := replicas(t, shared(), 2)
		all[0].vendor.set(down)
		refused := 0
		for range 3600 {
			time.Sleep(100 * time.Millisecond)
			_ = ask(t.Context(), all[0].Provider, 2)
			if ask(t.Context(), all[1].Provider, 1) != nil {
				refused++
			}
		}
		if refused == 0 || refused > 50 {
			t.Errorf("in six minutes the healthy one refused %d of 3600 calls", refused)
		}
	})
}

// TestNoticesDoNotGoRound: an opening that is heeded is not passed on as one's
// own, and an old one is not heeded when its process comes back into view.
func TestNoticesDoNotGoRound(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := shared()
		all := replicas(t, b, 4)
		all[0].vendor.set(down)
		_ = ask(t.Context(), all[0].Provider, 5)
		time.Sleep(6 * time.Second)
		for _, r := range all[1:] {
			if err := ask(t.Context(), r.Provider, 1); err != nil {
				t.Fatal(err)
			}
		}
		_ = ask(t.Context(), all[0].Provider, 1)
		for range 60 {
			time.Sleep(time.Second)
			b.set(time.Now().Second()%20 > 10)
			for i, r := range all[1:] {
				if s := breaker(t, r.Provider, rollup.BreakerClosed); s.Opened != 0 {
					t.Errorf("process %d has opened %d times", i+1, s.Opened)
				}
			}
		}
	})
}

// TestWhoStartsLate stays away until the time that the others know, and no
// longer.
func TestWhoStartsLate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := shared()
		first := replicas(t, b, 1)[0]
		first.vendor.set(down)
		_ = ask(t.Context(), first.Provider, 5)
		time.Sleep(3500 * time.Millisecond)
		late := guard.New(well, single)
		a := &guard.Agreement{Process: "late", Providers: []*guard.Provider{late}, Board: b, Log: slog.New(slog.DiscardHandler)}
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		go func() { _ = a.Run(ctx) }()
		synctest.Wait()
		if s := breaker(t, late, rollup.BreakerOpen); s.NextProbeMS > 1500 {
			t.Errorf("who starts late probes in %g ms", s.NextProbeMS)
		}
		time.Sleep(1501 * time.Millisecond)
		if err := ask(t.Context(), late, 1); err != nil {
			t.Error(err)
		}
		breaker(t, late, rollup.BreakerClosed)
	})
}

// TestWithoutABoard each goes by what it sees itself, and says so once.
func TestWithoutABoard(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := shared()
		b.set(true)
		all := replicas(t, b, 2)
		all[0].vendor.set(down)
		_ = ask(t.Context(), all[0].Provider, 5)
		time.Sleep(2500 * time.Millisecond)
		breaker(t, all[0].Provider, rollup.BreakerOpen)
		breaker(t, all[1].Provider, rollup.BreakerClosed)
		b.set(false)
		time.Sleep(2 * time.Second)
		breaker(t, all[1].Provider, rollup.BreakerOpen)
		if log := all[1].log.String(); strings.Count(log, "level=WARN") != 1 || strings.Count(log, "again") != 1 {
			t.Errorf("it says %q", log)
		}
	})
}

// TestAgreementOverRedis is the real one, with Redis going away in the middle.
func TestAgreementOverRedis(t *testing.T) {
	t.Parallel()
	server := storetest.RedisServer(t)
	var boards []guard.Board
	for range 2 {
		db, err := redisdb.Open(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = db.Close() })
		boards = append(boards, db)
	}
	one := replicas(t, boards[0], 1)[0]
	other := guard.New(well, single)
	a := &guard.Agreement{Process: "other", Providers: []*guard.Provider{other}, Board: boards[1], Log: slog.New(slog.DiscardHandler)}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = a.Run(ctx)
	}()
	defer func() {
		stop()
		<-ended
	}()
	eventually := func(what string, within time.Duration, holds func() bool) {
		t.Helper()
		for deadline := time.Now().Add(within); !holds(); time.Sleep(10 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("not in time: %s; %+v and %+v", what, one.State(), other.State())
			}
		}
	}
	one.vendor.set(down)
	_ = ask(t.Context(), one.Provider, 5)
	began := time.Now()
	eventually("the other one opens", 4*time.Second, func() bool { return other.State().Breaker == rollup.BreakerOpen })
	took := time.Since(began)
	t.Logf("they agreed after %s", took.Round(time.Millisecond))
	// What is left to wait is told: the other one may be late by as long as that was on its way.
	if mine, others := one.State().NextProbeMS, other.State().NextProbeMS; others > mine+50+float64(took.Milliseconds()) || others < mine-1500 {
		t.Errorf("one probes in %g ms, the other in %g", mine, others)
	}
	db := boards[0].(*redisdb.DB)
	eventually("both are shown", 4*time.Second, func() bool {
		all, err := db.Providers(t.Context())
		return err == nil && len(all) == 1 && all[0].Processes == 2 && all[0].Breaker == rollup.BreakerOpen &&
			all[0].Limit == one.State().Limit+64
	})

	server.Stop(t) // it hangs: calls must not
	asked := time.Now()
	eventually("the other one probes without Redis", 10*time.Second, func() bool { return ask(t.Context(), other, 1) == nil })
	if took := time.Since(asked); took > 7*time.Second {
		t.Errorf("without Redis the probe came after %s", took)
	}
	began = time.Now()
	if err := ask(t.Context(), other, 1000); err != nil || time.Since(began) > time.Second {
		t.Errorf("while Redis hangs, 1000 calls took %s: %v", time.Since(began), err)
	}
	server.Cont(t)
}
