package guard_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/busuhq/busu/internal/llm"
	"github.com/busuhq/busu/internal/provider/guard"
	"github.com/busuhq/busu/internal/rollup"
)

// switched is a vendor whose way to answer can be changed.
type switched struct {
	mu    sync.Mutex
	now   vendor
	calls int
}

func (s *switched) set(v vendor) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = v
}

func (s *switched) asked() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls
}

func (s *switched) Complete(ctx context.Context, r llm.Request) (llm.Response, error) {
	s.mu.Lock()
	s.calls++
	v := s.now
	s.mu.Unlock()
	return v(ctx, r)
}

var (
	well = taking(0)
	down = failing(llm.ProviderError{Kind: llm.ErrorUnavailable, Status: 503})
)

var single = guard.Options{Name: "vendor", MaxConcurrency: 64, Queue: 64}

// ask makes n calls, one after the other, and returns the last error.
func ask(ctx context.Context, p *guard.Provider, n int) (err error) {
	for range n {
		_, err = p.Complete(ctx, llm.Request{})
	}
	return err
}

func breaker(t *testing.T, p *guard.Provider, want string) rollup.ProviderState {
	t.Helper()
	s := p.State()
	if s.Breaker != want {
		t.Fatalf("the breaker is %s, want %s (%+v)", s.Breaker, want, s)
	}
	return s
}

// TestWhatSpeaksAgainstAProvider: five failures in a row open the breaker, if
// they are the provider's.
func TestWhatSpeaksAgainstAProvider(t *testing.T) {
	t.Parallel()
	for kind, want := range map[llm.ErrorKind]string{
		llm.ErrorUnavailable: rollup.BreakerOpen, llm.ErrorTimeout: rollup.BreakerOpen,
		llm.ErrorMalformed: rollup.BreakerOpen, llm.ErrorAuth: rollup.BreakerOpen,
		llm.ErrorRejected: rollup.BreakerClosed, llm.ErrorCanceled: rollup.BreakerClosed,
		llm.ErrorRateLimited: rollup.BreakerClosed, llm.ErrorOverloaded: rollup.BreakerClosed,
	} {
		p := guard.New(failing(llm.ProviderError{Kind: kind}), single)
		failure(t, ask(t.Context(), p, 4), kind)
		breaker(t, p, rollup.BreakerClosed)
		failure(t, ask(t.Context(), p, 1), kind)
		if s := breaker(t, p, want); want == rollup.BreakerOpen && s.Opened != 1 {
			t.Errorf("%s: it has opened %d times", kind, s.Opened)
		}
		failure(t, ask(t.Context(), p, 95), map[string]llm.ErrorKind{rollup.BreakerClosed: kind, rollup.BreakerOpen: llm.ErrorUnavailable}[want])
		breaker(t, p, want)
	}
	bare := guard.New(vendor(func(context.Context, llm.Request) (llm.Response, error) { return paris, errors.New("?") }), single)
	_ = ask(t.Context(), bare, 5)
	breaker(t, bare, rollup.BreakerOpen)
}

// TestTripsAtHalf of the calls of the last half minute, and not below.
func TestTripsAtHalf(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v := &switched{now: well}
		p := guard.New(v, single)
		_ = ask(t.Context(), p, 8)
		v.set(down)
		_ = ask(t.Context(), p, 7)
		breaker(t, p, rollup.BreakerClosed)
		_ = ask(t.Context(), p, 1)
		breaker(t, p, rollup.BreakerOpen)

		v = &switched{now: well}
		p = guard.New(v, single)
		_ = ask(t.Context(), p, 1000)
		time.Sleep(31 * time.Second) // an hour of good service does not excuse the outage that follows
		v.set(down)
		_ = ask(t.Context(), p, 4)
		time.Sleep(34 * time.Second)
		_ = ask(t.Context(), p, 4)
		breaker(t, p, rollup.BreakerClosed) // nor do eight failures in over a minute count
		_ = ask(t.Context(), p, 1)
		breaker(t, p, rollup.BreakerOpen)
	})
}

// TestCallsLongerThanTheWindowCount when they end.
func TestCallsLongerThanTheWindowCount(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := guard.New(vendor(hanging), guard.Options{Name: "vendor", MaxConcurrency: 8, AttemptTimeout: 10 * time.Minute})
		var all sync.WaitGroup
		for range 5 {
			all.Go(func() { _ = ask(t.Context(), p, 1) })
			time.Sleep(time.Second)
		}
		all.Wait()
		breaker(t, p, rollup.BreakerOpen)
	})
}

// TestTimeoutsOfTheWholeCall count when the vendor had most of the time.
func TestTimeoutsOfTheWholeCall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := guard.New(vendor(hanging), guard.Options{Name: "vendor", MaxConcurrency: 64, Timeout: time.Second})
		failure(t, ask(t.Context(), p, 5), llm.ErrorTimeout)
		breaker(t, p, rollup.BreakerOpen)
	})
}

// TestOpenBreaker refuses at once, says until when, and asks nobody.
func TestOpenBreaker(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v := &switched{now: down}
		o := single
		o.Retries, o.Timeout = 3, time.Minute
		p := guard.New(v, o)
		_ = ask(t.Context(), p, 5)
		breaker(t, p, rollup.BreakerOpen)
		asked := v.asked()
		time.Sleep(time.Second)
		began := time.Now()
		failed := failure(t, ask(t.Context(), p, 1), llm.ErrorUnavailable)
		if took := time.Since(began); took > 0 || v.asked() != asked {
			t.Errorf("the refusal took %s, the vendor was asked %d times", took, v.asked()-asked)
		}
		s := breaker(t, p, rollup.BreakerOpen)
		if !errors.Is(failed, guard.ErrOpen) || !failed.Unsent || failed.RetryAfter != time.Duration(s.NextProbeMS*1e6) ||
			failed.RetryAfter <= 0 || failed.RetryAfter > 4*time.Second {
			t.Errorf("refused with %v, to come back after %s; the next probe is in %g ms", failed, failed.RetryAfter, s.NextProbeMS)
		}
		if s.BreakerForMS < 1000 || s.BreakerForMS > 60_000 {
			t.Errorf("it has been open for %g ms", s.BreakerForMS)
		}
	})
}

// TestProbes: one call goes through when the time has come, those beside it are
// refused; it decides. Each that fails doubles the time to the next, up to a
// minute, and one that succeeds forgets it all.
func TestProbes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v := &switched{now: down}
		p := guard.New(v, single)
		_ = ask(t.Context(), p, 5)
		for _, seconds := range []float64{5, 10, 20, 40, 60, 60} {
			if s := breaker(t, p, rollup.BreakerOpen); s.NextProbeMS != seconds*1000 || s.Opened != 1 {
				t.Fatalf("the next probe is in %g ms, want %g s; opened %d times", s.NextProbeMS, seconds, s.Opened)
			}
			time.Sleep(time.Duration(seconds) * time.Second)
			breaker(t, p, rollup.BreakerHalfOpen)
			v.set(func(ctx context.Context, r llm.Request) (llm.Response, error) {
				_ = wait(ctx, time.Second)
				return down(ctx, r)
			})
			before := v.asked()
			var probing sync.WaitGroup
			probing.Go(func() { _ = ask(t.Context(), p, 1) })
			synctest.Wait()
			for range 10 {
				failed := failure(t, ask(t.Context(), p, 1), llm.ErrorUnavailable)
				if !errors.Is(failed, guard.ErrOpen) || failed.RetryAfter != time.Second {
					t.Errorf("beside a probe: %v, come back after %s", failed, failed.RetryAfter)
				}
			}
			probing.Wait()
			if v.asked() != before+1 {
				t.Errorf("%d calls went through", v.asked()-before)
			}
		}
		v.set(well)
		time.Sleep(time.Minute)
		if err := ask(t.Context(), p, 1); err != nil {
			t.Fatal(err)
		}
		breaker(t, p, rollup.BreakerClosed)
		v.set(down)
		_ = ask(t.Context(), p, 5)
		if s := breaker(t, p, rollup.BreakerOpen); s.NextProbeMS != 5000 || s.Opened != 2 {
			t.Errorf("opened again: the next probe is in %g ms, opened %d times", s.NextProbeMS, s.Opened)
		}
		time.Sleep(5 * time.Second)
		_ = ask(t.Context(), p, 1)
		if s := breaker(t, p, rollup.BreakerOpen); s.NextProbeMS != 10_000 {
			t.Errorf("after its first probe the next is in %g ms", s.NextProbeMS)
		}
	})
}

// TestProbesThatSayNothing leave it half open: the next call is a probe, too.
func TestProbesThatSayNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v := &switched{now: down}
		p := guard.New(v, single)
		_ = ask(t.Context(), p, 5)
		time.Sleep(5 * time.Second)
		for _, kind := range []llm.ErrorKind{llm.ErrorCanceled, llm.ErrorRateLimited, llm.ErrorCanceled} {
			v.set(failing(llm.ProviderError{Kind: kind}))
			failure(t, ask(t.Context(), p, 1), kind)
			breaker(t, p, rollup.BreakerHalfOpen)
		}
		v.set(failing(llm.ProviderError{Kind: llm.ErrorRejected})) // who refuses a request is there
		failure(t, ask(t.Context(), p, 1), llm.ErrorRejected)
		breaker(t, p, rollup.BreakerClosed)
	})
}

// TestLateResults of calls from before it opened neither close nor open it.
func TestLateResults(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		late vendor
		then vendor
		want string
	}{
		"a success while it is open":      {well, down, rollup.BreakerHalfOpen},
		"a failure while it is half open": {down, down, rollup.BreakerHalfOpen},
		"failures after it has closed":    {down, well, rollup.BreakerClosed},
	} {
		synctest.Test(t, func(t *testing.T) {
			v := &switched{now: func(ctx context.Context, r llm.Request) (llm.Response, error) {
				_ = wait(ctx, 8*time.Second)
				return c.late(ctx, r)
			}}
			p := guard.New(v, single)
			var all sync.WaitGroup
			for range 6 {
				all.Go(func() { _ = ask(t.Context(), p, 1) })
			}
			synctest.Wait()
			v.set(down)
			_ = ask(t.Context(), p, 5)
			breaker(t, p, rollup.BreakerOpen)
			time.Sleep(6 * time.Second)
			v.set(c.then)
			if c.want == rollup.BreakerClosed {
				_ = ask(t.Context(), p, 1)
			}
			if s := p.State(); s.Breaker != c.want {
				t.Errorf("%s: before they end it is %s", name, s.Breaker)
			}
			all.Wait()
			if s := p.State(); s.Breaker != c.want {
				t.Errorf("%s: after they end it is %s", name, s.Breaker)
			}
		})
	}
}

// TestPanics go on, count as failures and leave nothing behind.
func TestPanics(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v := &switched{now: func(context.Context, llm.Request) (llm.Response, error) { panic("nil map") }}
		p := guard.New(v, single)
		panicked := func() (with any) {
			defer func() { with = recover() }()
			return ask(t.Context(), p, 1)
		}
		for range 5 {
			if got := panicked(); got != "nil map" {
				t.Fatalf("the panic became %v", got)
			}
		}
		idle(t, p)
		breaker(t, p, rollup.BreakerOpen)
		time.Sleep(5 * time.Second)
		if got := panicked(); got != "nil map" {
			t.Fatalf("a probe's panic became %v", got)
		}
		idle(t, p)
		if s := breaker(t, p, rollup.BreakerOpen); s.NextProbeMS != 10_000 {
			t.Errorf("after a probe that panicked, the next is in %g ms", s.NextProbeMS)
		}
	})
}

// TestThoseWhoWaitAreSentOn when the breaker opens, and do not wait for calls
// that hang. The places of the four that failed before that may have been given
// away by then.
func TestThoseWhoWaitAreSentOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v := &switched{now: hanging}
		p := guard.New(v, guard.Options{Name: "vendor", MaxConcurrency: 8, Queue: 100, AttemptTimeout: 10 * time.Second})
		began := time.Now()
		var all sync.WaitGroup
		var sentOn atomic.Int64
		for range 8 {
			all.Go(func() { failure(t, ask(t.Context(), p, 1), llm.ErrorTimeout) })
		}
		synctest.Wait()
		for range 50 {
			all.Go(func() {
				failed, _ := errors.AsType[*llm.ProviderError](ask(t.Context(), p, 1))
				if !errors.Is(failed, guard.ErrOpen) {
					return
				}
				sentOn.Add(1)
				if failed.RetryAfter != 5*time.Second || !failed.Unsent || failed.Kind != llm.ErrorUnavailable {
					t.Errorf("sent on with %v, to come back after %s", failed, failed.RetryAfter)
				}
				if took := time.Since(began); took != 10*time.Second {
					t.Errorf("sent on after %s", took)
				}
			})
		}
		synctest.Wait()
		if s := p.State(); s.Waiting != 50 || s.OldestWaitMS != 0 {
			t.Errorf("%d wait, the oldest for %g ms", s.Waiting, s.OldestWaitMS)
		}
		all.Wait()
		if s := idle(t, p); sentOn.Load() < 40 || int(sentOn.Load()) != 58-v.asked() || s.Shed != 0 {
			t.Errorf("%d of 50 were sent on, the vendor was asked %d times, %d were shed", sentOn.Load(), v.asked(), s.Shed)
		}
	})
}
