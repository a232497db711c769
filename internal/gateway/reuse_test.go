package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/busuhq/busu/internal/cache"
	"github.com/busuhq/busu/internal/cachetest"
	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/gateway"
	"github.com/busuhq/busu/internal/llm"
)

// facts is a ledger that keeps all of them.
type facts struct {
	mu      sync.Mutex
	intents int
	all     []event.CompletionRecorded
}

func (l *facts) Intend(*event.CompletionRecorded) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.intents++
	return nil
}

func (l *facts) Record(f event.Fact) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	f.Head().Journal, f.Head().Seq = "test", int64(len(l.all)+1)
	if err := f.Validate(); err != nil {
		return err
	}
	l.all = append(l.all, *f.(*event.CompletionRecorded))
	return nil
}

func (l *facts) count(of func(*event.CompletionRecorded) bool) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range l.all {
		if of(&l.all[i]) {
			n++
		}
	}
	return n
}

// reusing is a bench whose answers are given again.
func reusing(t *testing.T) (*bench, *facts) {
	b, l := newBench(), new(facts)
	c := cache.New(cache.Options{MemoryBytes: 1 << 20, TTL: time.Minute})
	b.Gateway.Reuse = &gateway.Reuse{Keys: cache.Keys{Scope: cache.ScopeProject}, Cache: c}
	b.Gateway.Ledger = l
	return b, l
}

func reusable() gateway.Request {
	r := question()
	r.Reuse = true
	return r
}

func TestAnswerIsGivenAgain(t *testing.T) {
	t.Parallel()
	b, l := reusing(t)
	first := b.complete(t, reusable()).Fact
	other := reusable()
	other.UserID = "bob"
	answer := b.complete(t, other)
	f := answer.Fact
	b.trace.want(t, "call cheap-2026")
	if answer.Text != "Paris." || f.Cache != event.CacheMemory || f.CostNanos != 0 || f.OriginCostNanos != first.CostNanos || first.CostNanos == 0 ||
		f.BaselineCostNanos != first.BaselineCostNanos || f.TokensOut != first.TokensOut || f.Model != "cheap" || f.UserID != "bob" || f.ID == first.ID || f.CacheMatch != "exact" || first.CacheMatch != "" {
		t.Errorf("recorded %+v", f)
	}
	if l.intents != 1 || len(l.all) != 2 {
		t.Errorf("%d intents, %d facts", l.intents, len(l.all))
	}
}

// TestEstimatesStayEstimates: whoever gets an answer whose tokens the vendor
// did not tell is told so, too.
func TestEstimatesStayEstimates(t *testing.T) {
	t.Parallel()
	for _, told := range []bool{true, false} {
		b, _ := reusing(t)
		given := llm.Response{Text: "Paris.", FinishReason: llm.FinishStop}
		if told {
			given.Usage = usage
		}
		b.provider.answers["cheap-2026"] = answering(given)
		first := b.complete(t, reusable()).Fact
		again := b.complete(t, reusable()).Fact
		if again.Cache != event.CacheMemory || first.Estimated == told || again.Estimated == told || again.TokensOut != first.TokensOut {
			t.Errorf("usage told %v: the answer is estimated %v, the hit from %s %v", told, first.Estimated, again.Cache, again.Estimated)
		}
	}
}

// TestWhatIsNotGivenAgain: each of these asks something else, or may not be
// answered with what was made for others.
func TestWhatIsNotGivenAgain(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*gateway.Request){
		"bypassed":        func(r *gateway.Request) { r.Reuse = false },
		"another project": func(r *gateway.Request) { r.Project = "another" },
		"another limit":   func(r *gateway.Request) { r.Ask.MaxTokens = 51 },
		"another system prompt": func(r *gateway.Request) {
			r.Ask.Messages = append([]llm.Message{{Role: llm.RoleSystem, Content: "Be brief."}}, r.Ask.Messages...)
		},
		"a model that did not answer": func(r *gateway.Request) { r.Model = "dear" },
	} {
		b, _ := reusing(t)
		b.complete(t, reusable())
		r := reusable()
		change(&r)
		if f := b.complete(t, r).Fact; f.Cache != event.CacheMiss {
			t.Errorf("%s: %s", name, f.Cache)
		}
	}
}

func TestFailuresAndHalfAnswersAreNotGivenAgain(t *testing.T) {
	t.Parallel()
	b, _ := reusing(t)
	b.provider.answers["cheap-2026"] = answering(llm.Response{Text: "Par", FinishReason: llm.FinishLength, Usage: usage})
	for range 2 {
		if f := b.complete(t, reusable()).Fact; f.Cache != event.CacheMiss || f.Status != event.StatusCutOff {
			t.Errorf("%s, %s", f.Cache, f.Status)
		}
	}
	for m := range b.provider.answers {
		b.provider.answers[m] = failing(llm.ErrorRateLimited)
	}
	for range 2 {
		if answer, err := b.Complete(t.Context(), reusable()); !errors.Is(err, gateway.ErrProviders) || answer.Fact.Cache != event.CacheMiss {
			t.Errorf("%v, %+v", err, answer.Fact)
		}
	}
}

// TestEqualPromptsAtOnceMakeOneCall, whole or in pieces, and each has its own
// fact.
func TestEqualPromptsAtOnceMakeOneCall(t *testing.T) {
	t.Parallel()
	for _, streaming := range []bool{false, true} {
		b, l := reusing(t)
		const n = 1000
		var calls atomic.Int64
		gate := make(chan struct{})
		words := strings.SplitAfter("The capital of France is Paris.", " ")
		b.provider.streams["cheap-2026"] = func(ctx context.Context, r llm.Request) (llm.Response, error) {
			calls.Add(1)
			<-gate
			if r.Emit == nil {
				return llm.Response{Text: strings.Join(words, ""), FinishReason: llm.FinishStop, Usage: usage}, nil
			}
			return pieces(llm.Response{Usage: usage}, nil, words...)(ctx, r)
		}
		var everybody sync.WaitGroup
		for range n {
			everybody.Go(func() {
				r, s := reusable(), &sink{trace: new(trace)}
				if streaming {
					r.Sink = s
				}
				answer, err := b.Complete(t.Context(), r)
				for _, c := range answer.Tail {
					s.text += c.Text
				}
				if err != nil || answer.Text != strings.Join(words, "") || streaming && (s.text != answer.Text || s.begun.Model != "cheap") {
					t.Errorf("%v: %q in pieces, %q, begun by %q", err, s.text, answer.Text, s.begun.Model)
				}
			})
		}
		for deadline := time.Now().Add(10 * time.Second); b.Reuse.Shared().Followed < n-1 && time.Now().Before(deadline); {
			time.Sleep(time.Millisecond)
		}
		close(gate)
		everybody.Wait()
		paid := l.count(func(f *event.CompletionRecorded) bool { return f.Cache == event.CacheMiss && f.CostNanos > 0 })
		shared := l.count(func(f *event.CompletionRecorded) bool {
			return f.Cache == event.CacheMemory && f.CacheMatch == "in_flight" && f.CostNanos == 0 && f.OriginCostNanos > 0
		})
		if calls.Load() != 1 || paid != 1 || shared != n-1 || l.intents != 1 {
			t.Errorf("streaming %t: %d calls, %d paid, %d shared, %d intents", streaming, calls.Load(), paid, shared, l.intents)
		}
	}
}

// TestWhoLeavesDoesNotTakeTheOthersAlong: the call goes on for them, and is
// recorded and paid for once.
func TestWhoLeavesDoesNotTakeTheOthersAlong(t *testing.T) {
	t.Parallel()
	b, l := reusing(t)
	gate := make(chan struct{})
	b.provider.streams["cheap-2026"] = func(ctx context.Context, r llm.Request) (llm.Response, error) {
		select {
		case <-gate:
			return paris, nil
		case <-ctx.Done():
			return llm.Response{}, ctx.Err()
		}
	}
	impatient, leave := context.WithCancel(t.Context())
	left := make(chan error)
	go func() {
		_, err := b.Complete(impatient, reusable())
		left <- err
	}()
	for b.Reuse.Shared().Led == 0 {
		time.Sleep(time.Millisecond)
	}
	stayed := make(chan gateway.Answer)
	go func() {
		answer, err := b.Complete(t.Context(), reusable())
		if err != nil {
			t.Error(err)
		}
		stayed <- answer
	}()
	for b.Reuse.Shared().Followed == 0 {
		time.Sleep(time.Millisecond)
	}
	leave()
	close(gate) // who makes the call stays until it has ended
	if err := <-left; !errors.Is(err, gateway.ErrCanceled) {
		t.Error(err)
	}
	if answer := <-stayed; answer.Text != "Paris." || answer.Fact.CostNanos != 0 {
		t.Errorf("%+v", answer)
	}
	if paid := l.count(func(f *event.CompletionRecorded) bool { return f.CostNanos == 5_925 && f.Status == event.StatusOK }); paid != 1 || len(l.all) != 2 {
		t.Errorf("paid %d times, %d facts", paid, len(l.all))
	}
}

// TestLastWhoLeavesEndsTheCall.
func TestLastWhoLeavesEndsTheCall(t *testing.T) {
	t.Parallel()
	b, l := reusing(t)
	ctx, leave := context.WithCancel(t.Context())
	b.provider.streams["cheap-2026"] = func(ctx context.Context, _ llm.Request) (llm.Response, error) {
		leave()
		<-ctx.Done()
		return llm.Response{}, ctx.Err()
	}
	answer, err := b.Complete(ctx, reusable())
	if !errors.Is(err, gateway.ErrCanceled) || answer.Fact == nil || answer.Fact.Status != event.StatusCanceled || len(l.all) != 1 {
		t.Errorf("%v, %+v, %d facts", err, answer.Fact, len(l.all))
	}
}

// TestAFailureIsEverybodys, and paid by nobody.
func TestAFailureIsEverybodys(t *testing.T) {
	t.Parallel()
	b, l := reusing(t)
	gate := make(chan struct{})
	fail := func(context.Context, llm.Request) (llm.Response, error) {
		<-gate
		return llm.Response{}, &llm.ProviderError{Kind: llm.ErrorRateLimited, Err: errors.New("no")}
	}
	b.provider.streams["cheap-2026"], b.provider.streams["dear-2026"] = fail, fail
	const n = 10
	var everybody sync.WaitGroup
	for range n {
		everybody.Go(func() {
			answer, err := b.Complete(t.Context(), reusable())
			if !errors.Is(err, gateway.ErrProviders) || answer.Fact.ErrorKind != "rate_limited" || answer.Fact.Status != event.StatusError {
				t.Errorf("%v, %+v", err, answer.Fact)
			}
		})
	}
	for b.Reuse.Shared().Followed < n-1 {
		time.Sleep(time.Millisecond)
	}
	close(gate)
	everybody.Wait()
	if errored := l.count(func(f *event.CompletionRecorded) bool { return f.CostNanos == 0 && f.Failed() }); errored != n {
		t.Errorf("%d of %d recorded as failed", errored, n)
	}
}

// TestStreamFromTheCache comes whole, as its end.
func TestStreamFromTheCache(t *testing.T) {
	t.Parallel()
	b, _ := reusing(t)
	b.complete(t, reusable())
	r, s := reusable(), &sink{trace: new(trace)}
	r.Sink = s
	answer := b.complete(t, r)
	var text string
	for _, c := range answer.Tail {
		text += c.Text
	}
	if answer.Fact.Cache != event.CacheMemory || text != "Paris." || s.begun.Model != "cheap" || s.begun.Cache != event.CacheMemory {
		t.Errorf("%q, begun %+v, recorded %+v", text, s.begun, answer.Fact)
	}
}

// TestNobodyCallsForWhatWasJustAnswered: whoever asks while an answer lands gets
// that.
func TestNobodyCallsForWhatWasJustAnswered(t *testing.T) {
	t.Parallel()
	b, l := reusing(t)
	const rounds, n = 2000, 16
	for round := range rounds {
		var everybody sync.WaitGroup
		for range n {
			everybody.Go(func() {
				r := reusable()
				r.Ask.Messages = []llm.Message{{Role: llm.RoleUser, Content: fmt.Sprint("What is ", round, " plus 1?")}}
				if _, err := b.Complete(t.Context(), r); err != nil {
					t.Error(err)
				}
			})
		}
		everybody.Wait()
	}
	if l.intents != rounds || len(l.all) != rounds*n {
		t.Errorf("%d calls for %d questions, %d facts", l.intents, rounds, len(l.all))
	}
}

// TestEqualPromptsInManyProcessesMakeOneCall: in each, one asks Redis for all.
func TestEqualPromptsInManyProcessesMakeOneCall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		redis := cachetest.NewFake()
		var calls atomic.Int64
		ctx, stop := context.WithCancel(t.Context())
		var running, everybody sync.WaitGroup
		var ledgers []*facts
		const n = 100
		for range 3 {
			b, l := reusing(t)
			ledgers = append(ledgers, l)
			c := cache.New(cache.Options{MemoryBytes: 1 << 20, TTL: time.Minute, Redis: redis, Leases: redis, Log: slog.New(slog.DiscardHandler)})
			running.Go(func() { _ = c.Run(ctx) })
			b.Reuse.Cache = c
			b.provider.streams["cheap-2026"] = func(context.Context, llm.Request) (llm.Response, error) {
				calls.Add(1)
				time.Sleep(10 * time.Second)
				return paris, nil
			}
			for range n {
				everybody.Go(func() {
					if answer, err := b.Complete(t.Context(), reusable()); err != nil || answer.Text != "Paris." {
						t.Errorf("%q, %v", answer.Text, err)
					}
				})
			}
		}
		everybody.Wait()
		stop()
		running.Wait()
		levels, paid := map[string]int{}, 0
		for _, l := range ledgers {
			for _, f := range l.all {
				levels[f.Cache]++
				if f.CostNanos > 0 {
					paid++
				}
			}
		}
		if calls.Load() != 1 || paid != 1 || levels[event.CacheMemory] != n-1 || levels[event.CacheRedis] != 2*n {
			t.Errorf("%d calls, %d paid, levels %v", calls.Load(), paid, levels)
		}
		if asked := redis.Finds(); asked > 300 { // two of them look now and then for ten seconds
			t.Errorf("Redis was asked %d times", asked)
		}
	})
}

// TestAnAnswerSaysThatTheCacheIsAway, also to those who follow; a hit in memory
// does not.
func TestAnAnswerSaysThatTheCacheIsAway(t *testing.T) {
	t.Parallel()
	b, _ := reusing(t)
	redis := cachetest.NewFake()
	redis.Be(cachetest.Down)
	b.Reuse.Cache = cache.New(cache.Options{MemoryBytes: 1 << 20, TTL: time.Minute, Redis: redis, Log: slog.New(slog.DiscardHandler)})
	for i, want := range []string{"[cache]", "[]"} {
		if f := b.complete(t, reusable()).Fact; fmt.Sprint(f.Degraded) != want || f.Status != event.StatusOK {
			t.Errorf("request %d: degraded %v", i, f.Degraded)
		}
	}
}
