package gateway_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/busuhq/busu/internal/cache"
	"github.com/busuhq/busu/internal/cachetest"
	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/gateway"
	"github.com/busuhq/busu/internal/llm"
)

// followed has one request lead a call that lasts ten seconds and another
// follow it from its second second on. It gives the follower's answer.
func followed(t *testing.T, b *bench, s *sink) (answer gateway.Answer, err error) {
	t.Helper()
	r, first := reusable(), reusable()
	if s != nil {
		r.Sink, first.Sink = s, &sink{trace: new(trace)}
	}
	var leader sync.WaitGroup
	leader.Go(func() { _, _ = b.Complete(t.Context(), first) })
	time.Sleep(2 * time.Second)
	answer, err = b.Complete(t.Context(), r)
	leader.Wait()
	return answer, err
}

// slowly answers in ten seconds, in pieces after five.
func slowly(err error) func(context.Context, llm.Request) (llm.Response, error) {
	return func(ctx context.Context, r llm.Request) (llm.Response, error) {
		time.Sleep(5 * time.Second)
		if r.Emit != nil {
			if err := r.Emit(llm.Chunk{Text: "Paris."}); err != nil {
				return llm.Response{}, err
			}
		}
		time.Sleep(5 * time.Second)
		return paris, err
	}
}

// TestWaitingForAnothersCallIsNoOverhead, and the first piece is when it came.
func TestWaitingForAnothersCallIsNoOverhead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for name, c := range map[string]struct {
			sink   *sink
			ttft   time.Duration
			err    error
			status string
		}{
			"whole":     {nil, 8 * time.Second, nil, event.StatusOK},
			"in pieces": {&sink{trace: new(trace)}, 3 * time.Second, nil, event.StatusOK},
			"failed":    {&sink{trace: new(trace)}, 3 * time.Second, &llm.ProviderError{Kind: llm.ErrorUnavailable, Err: errors.New("no")}, event.StatusError},
		} {
			b, _ := reusing(t)
			b.provider.streams["cheap-2026"] = slowly(c.err)
			answer, err := followed(t, b, c.sink)
			if (err != nil) != (c.err != nil) {
				t.Fatalf("%s: %v", name, err)
			}
			f := answer.Fact
			if f.OverheadUS != 0 || f.LatencyUS != 8_000_000 || f.TTFTUS != c.ttft.Microseconds() || f.Status != c.status || f.CostNanos != 0 {
				t.Errorf("%s: overhead %d µs, latency %d µs, first piece after %d µs: %+v", name, f.OverheadUS, f.LatencyUS, f.TTFTUS, f)
			}
			if c.sink != nil && (c.sink.begun.Cache != event.CacheMemory || c.sink.begun.ID != f.ID) {
				t.Errorf("%s: begun as %+v", name, c.sink.begun)
			}
		}
	})
}

// TestNobodyPaysForAFailedCallOfAnothers, nor is it a call without a price.
func TestNobodyPaysForAFailedCallOfAnothers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b, _ := reusing(t)
		for i := range b.Candidates {
			b.Candidates[i].Price.Unknown = true
		}
		fail := slowly(&llm.ProviderError{Kind: llm.ErrorRateLimited, Err: errors.New("no")})
		b.provider.streams["cheap-2026"], b.provider.streams["dear-2026"] = fail, fail
		answer, err := followed(t, b, nil)
		if f := answer.Fact; !errors.Is(err, gateway.ErrProviders) || f.Unpriced || f.TokensIn+f.TokensOut != 0 || f.Model != "dear" || f.ErrorKind != "rate_limited" {
			t.Errorf("%v, %+v", err, f)
		}
	})
}

// TestEqualPromptsAtOnceLookOnce beyond memory, and are all told what was away.
func TestEqualPromptsAtOnceLookOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b, l := reusing(t)
		redis := cachetest.NewFake()
		redis.Be(cachetest.Down)
		b.Reuse.Cache = cache.New(cache.Options{MemoryBytes: 1 << 20, Redis: redis, TTL: time.Minute, Log: slog.New(slog.DiscardHandler)})
		b.provider.streams["cheap-2026"] = slowly(nil)
		if answer, err := followed(t, b, nil); err != nil || answer.Fact.CacheMatch != string(cache.InFlight) {
			t.Errorf("%v, %+v", err, answer.Fact)
		}
		if told := l.count(func(f *event.CompletionRecorded) bool { return len(f.Degraded) == 1 && f.Degraded[0] == "cache" }); told != 2 {
			t.Errorf("%d of 2 were told", told)
		}
		if s := b.Reuse.Cache.Stats(); s.Misses != 1 || s.Levels[0].Errors != 1 {
			t.Errorf("looked %d times, %d errors", s.Misses, s.Levels[0].Errors)
		}
	})
}

// TestLeaseOutlivesWhoLeaves: while the call goes on for others, no other
// process makes it too.
func TestLeaseOutlivesWhoLeaves(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		redis := cachetest.NewFake()
		benches := make([]*bench, 2)
		for i := range benches {
			benches[i], _ = reusing(t)
			c := cache.New(cache.Options{MemoryBytes: 1 << 20, Redis: redis, Leases: redis, TTL: time.Minute, Log: slog.New(slog.DiscardHandler)})
			ctx, stop := context.WithCancel(context.Background())
			var running sync.WaitGroup
			running.Go(func() { _ = c.Run(ctx) })
			defer running.Wait()
			defer stop()
			benches[i].Reuse.Cache = c
			benches[i].provider.streams["cheap-2026"] = slowly(nil)
		}
		here, there := benches[0], benches[1]
		impatient, leave := context.WithCancel(t.Context())
		var others sync.WaitGroup
		others.Go(func() { _, _ = here.Complete(impatient, reusable()) })
		time.Sleep(time.Second)
		others.Go(func() { here.complete(t, reusable()) })
		time.Sleep(time.Second)
		leave()
		time.Sleep(time.Second)
		f := there.complete(t, reusable()).Fact
		others.Wait()
		there.trace.want(t) // no call
		if f.Cache != event.CacheRedis || f.OverheadUS > 500_000 || f.LatencyUS < 6_000_000 {
			t.Errorf("recorded %+v", f)
		}
	})
}

// TestWhoHasLeftOwesNothing for what was not asked.
func TestWhoHasLeftOwesNothing(t *testing.T) {
	t.Parallel()
	b := newBench()
	ctx, leave := context.WithCancel(t.Context())
	leave()
	answer, err := b.Complete(ctx, question())
	if f := answer.Fact; !errors.Is(err, gateway.ErrCanceled) || f.Status != event.StatusCanceled || f.CostNanos != 0 || f.Estimated {
		t.Errorf("%v, %+v", err, f)
	}
	b.trace.want(t, "intent", "fact")
}

// TestThoughtsAreNotHeldBackForEver: a model that thinks on is the one that
// answers.
func TestThoughtsAreNotHeldBackForEver(t *testing.T) {
	t.Parallel()
	b := newBench()
	thought := []byte(`{"thinking":"so …"}`)
	thoughts := 0
	s := &sink{trace: b.trace}
	b.provider.streams["cheap-2026"] = func(_ context.Context, ask llm.Request) (llm.Response, error) {
		for ; s.begun.Model == "" && thoughts < 10_000; thoughts++ {
			if err := ask.Emit(llm.Chunk{Data: thought}); err != nil {
				return llm.Response{}, err
			}
		}
		return llm.Response{}, &llm.ProviderError{Kind: llm.ErrorUnavailable, Err: errors.New("no")}
	}
	answer, err := b.stream(t, s)
	if !errors.Is(err, gateway.ErrProviders) || answer.Fact.Model != "cheap" || thoughts < 10 || thoughts > 200 || len(s.steps) != thoughts+4 {
		t.Errorf("%v, %s, %d thoughts, %d steps", err, answer.Fact.Model, thoughts, len(s.steps))
	}
}
