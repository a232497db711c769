package guard_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/busuhq/busu/internal/llm"
	"github.com/busuhq/busu/internal/provider/guard"
)

// bounded is a vendor that bears so many calls at once, and refuses more.
type bounded struct {
	bears                       int64
	inFlight, answered, refused atomic.Int64
}

func (b *bounded) Complete(ctx context.Context, r llm.Request) (llm.Response, error) {
	defer b.inFlight.Add(-1)
	if b.inFlight.Add(1) > b.bears {
		b.refused.Add(1)
		_ = wait(ctx, 20*time.Millisecond)
		return failing(llm.ProviderError{Kind: llm.ErrorRateLimited, Status: 429})(ctx, r)
	}
	b.answered.Add(1)
	return paris, wait(ctx, 500*time.Millisecond+rand.N(time.Second))
}

// insist asks until ctx ends.
func insist(ctx context.Context, p *guard.Provider) {
	for ctx.Err() == nil {
		failed, ok := errors.AsType[*llm.ProviderError](ask(ctx, p, 1))
		if ok && failed.Kind == llm.ErrorOverloaded { // at the end, when time gets short
			_ = wait(ctx, failed.RetryAfter)
		}
	}
}

// TestLimitFindsWhatTheVendorBears, in one process and in two that know nothing
// of each other, and nearly all calls are answered.
func TestLimitFindsWhatTheVendorBears(t *testing.T) {
	t.Parallel()
	for _, processes := range []int{1, 2} {
		synctest.Test(t, func(t *testing.T) {
			v := &bounded{bears: 20}
			ps := make([]*guard.Provider, processes)
			ctx, stop := context.WithTimeout(t.Context(), 10*time.Minute)
			defer stop()
			var all sync.WaitGroup
			for i := range ps {
				ps[i] = guard.New(v, guard.Options{Name: "vendor", MaxConcurrency: 100, Queue: 1000})
				for range 100 / processes {
					all.Go(func() { insist(ctx, ps[i]) })
				}
			}
			limits := make([]float64, 2) // on average
			for range 480 {
				time.Sleep(time.Second)
				for i, p := range ps {
					limits[i] += float64(p.State().Limit) / 480
				}
			}
			all.Wait()
			if sum := limits[0] + limits[1]; sum < 14 || sum > 24 {
				t.Errorf("%d processes: the vendor bears 20, the limits were %.1f", processes, limits)
			}
			if processes == 2 && (limits[0] > 2*limits[1] || limits[1] > 2*limits[0]) {
				t.Errorf("the shares are %.1f", limits)
			}
			if refused := float64(v.refused.Load()); refused > .1*(refused+float64(v.answered.Load())) {
				t.Errorf("%d processes: %g calls were refused, %d answered", processes, refused, v.answered.Load())
			}
			for _, p := range ps {
				if s := idle(t, p); s.Breaker != "closed" || s.RateLimited == 0 {
					t.Errorf("the breaker is %s, %d refusals are counted", s.Breaker, s.RateLimited)
				}
			}
		})
	}
}

// TestSignsOfLoad: what lets the limit shrink is what says that there is too
// much, and not every failure.
func TestSignsOfLoad(t *testing.T) {
	t.Parallel()
	const s = time.Second
	for name, c := range map[string]struct {
		failure llm.ProviderError
		limit   int
	}{
		"429":                 {llm.ProviderError{Kind: llm.ErrorRateLimited, Status: 429}, 44},
		"429 in a 200":        {llm.ProviderError{Kind: llm.ErrorRateLimited, Status: 200}, 44},
		"529":                 {llm.ProviderError{Kind: llm.ErrorUnavailable, Status: 529}, 44},
		"503 for a while":     {llm.ProviderError{Kind: llm.ErrorUnavailable, Status: 503, RetryAfter: s}, 44},
		"no answer":           {llm.ProviderError{Kind: llm.ErrorTimeout}, 44},
		"503":                 {llm.ProviderError{Kind: llm.ErrorUnavailable, Status: 503}, 64},
		"500":                 {llm.ProviderError{Kind: llm.ErrorUnavailable, Status: 500}, 64},
		"not reached":         {llm.ProviderError{Kind: llm.ErrorUnavailable, Unsent: true}, 64},
		"not reached in time": {llm.ProviderError{Kind: llm.ErrorTimeout, Unsent: true}, 64},
		"rejected":            {llm.ProviderError{Kind: llm.ErrorRejected, Status: 400}, 64},
		"canceled":            {llm.ProviderError{Kind: llm.ErrorCanceled}, 64},
		"key refused":         {llm.ProviderError{Kind: llm.ErrorAuth, Status: 401}, 64},
		"nonsense":            {llm.ProviderError{Kind: llm.ErrorMalformed, Status: 200}, 64},
	} {
		p := guard.New(failing(c.failure), single)
		failure(t, ask(t.Context(), p, 1), c.failure.Kind)
		if got := p.State().Limit; got != c.limit {
			t.Errorf("%s: the limit is %d, want %d", name, got, c.limit)
		}
	}
}

// TestWhatHoldsNobodyBackDoesNotGrow: calls one after the other do not show that
// the vendor bears more at once.
func TestWhatHoldsNobodyBackDoesNotGrow(t *testing.T) {
	t.Parallel()
	v := &switched{now: failing(llm.ProviderError{Kind: llm.ErrorRateLimited, Status: 429})}
	p := guard.New(v, single)
	_ = ask(t.Context(), p, 1)
	v.set(well)
	if err := ask(t.Context(), p, 1000); err != nil {
		t.Fatal(err)
	}
	if got := p.State().Limit; got != 44 {
		t.Errorf("the limit is %d, want 44 still", got)
	}
}
