package gateway_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/busuhq/busu/internal/cache"
	"github.com/busuhq/busu/internal/cachetest"
	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/gateway"
	"github.com/busuhq/busu/internal/llm"
)

// process is a gateway that shares its answers and leases with others.
func process(t *testing.T, shared *cachetest.Fake) (*bench, *facts) {
	b, l := newBench(), new(facts)
	c := cache.New(cache.Options{MemoryBytes: 1 << 20, TTL: time.Minute, Redis: shared, Leases: shared, Log: slog.New(slog.DiscardHandler)})
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { _ = c.Run(ctx) })
	t.Cleanup(func() { stop(); running.Wait() })
	b.Gateway.Reuse = &gateway.Reuse{Keys: cache.Keys{Scope: cache.ScopeProject}, Cache: c}
	b.Gateway.Ledger = l
	return b, l
}

// TestWhoWaitsForAnotherProcess: they wait together, by one claim; who leaves
// is recorded once, without a cost, and takes nobody along.
func TestWhoWaitsForAnotherProcess(t *testing.T) {
	t.Parallel()
	for name, last := range map[string]bool{"and stays": false, "and is the last to leave": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			shared := cachetest.NewFake()
			at, _ := process(t, shared)
			asked, goOn := make(chan struct{}), make(chan struct{})
			at.provider.answers["cheap-2026"] = func(context.Context) (llm.Response, error) {
				close(asked)
				<-goOn
				return llm.Response{Text: "Paris.", FinishReason: llm.FinishStop, Usage: usage}, nil
			}
			waiting, l := process(t, shared)
			var all sync.WaitGroup
			all.Go(func() { _, _ = at.Complete(t.Context(), reusable()) })
			<-asked
			ctx, leave := context.WithCancel(t.Context())
			var left, stayed error
			all.Go(func() { _, left = waiting.Complete(ctx, reusable()) })
			until(t, func() bool { return waiting.Reuse.Shared().Led == 1 })
			if !last {
				all.Go(func() { _, stayed = waiting.Complete(t.Context(), reusable()) })
				until(t, func() bool { return waiting.Reuse.Shared().Followed == 1 })
			}
			leave()
			if last {
				until(t, func() bool { return l.count(isCanceled) == 1 })
			}
			close(goOn)
			all.Wait()
			hits := l.count(func(f *event.CompletionRecorded) bool {
				return f.Cache == event.CacheRedis && f.Status == event.StatusOK && f.CostNanos == 0
			})
			want := 2 // who left gets what came for the other, on the record
			if last {
				want = 0
			}
			if !errors.Is(left, gateway.ErrCanceled) || stayed != nil || hits != want || len(l.all) != max(want, 1) {
				t.Errorf("%v, %v; %d hits among %+v", left, stayed, hits, l.all)
			}
			waiting.trace.want(t)
		})
	}
}

func isCanceled(f *event.CompletionRecorded) bool {
	return f.Status == event.StatusCanceled && f.CostNanos == 0 && f.TokensIn == 0 && !f.Estimated
}

func until(t *testing.T, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it did not come to pass")
		}
	}
}
