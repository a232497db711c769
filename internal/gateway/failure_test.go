package gateway_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/gateway"
	"github.com/busuhq/busu/internal/llm"
)

func TestNextModelIsTried(t *testing.T) {
	t.Parallel()
	for _, kind := range []llm.ErrorKind{llm.ErrorTimeout, llm.ErrorUnavailable, llm.ErrorRateLimited, llm.ErrorAuth,
		llm.ErrorRejected, llm.ErrorMalformed} {
		b := newBench()
		b.provider.answers["cheap-2026"] = failing(kind)
		f := b.complete(t, question()).Fact
		b.trace.want(t, "intent", "call cheap-2026", "call dear-2026", "fact")
		if f.Model != "dear" || f.PlannedModel != "cheap" || !slices.Equal(f.Fallbacks, []string{"cheap"}) || f.ErrorKind != "" {
			t.Errorf("%s: served by %s after %v, planned %s, error %q", kind, f.Model, f.Fallbacks, f.PlannedModel, f.ErrorKind)
		}
		if f.CostNanos != 135_900 || f.Status != event.StatusOK || f.Propensity != 1 {
			t.Errorf("%s: cost %d, status %s, propensity %g", kind, f.CostNanos, f.Status, f.Propensity)
		}
	}
}

// TestAllModelsFail: recorded at no cost, with what the last one said.
func TestAllModelsFail(t *testing.T) {
	t.Parallel()
	b := newBench()
	b.provider.answers["cheap-2026"] = failing(llm.ErrorTimeout)
	b.provider.answers["dear-2026"] = failing(llm.ErrorRateLimited)
	answer, err := b.Complete(t.Context(), question())
	if !errors.Is(err, gateway.ErrProviders) || answer.Fact == nil {
		t.Fatalf("answered %+v, %v", answer, err)
	}
	f := answer.Fact
	if f.Status != event.StatusError || f.ErrorKind != "rate_limited" || f.Model != "dear" || !slices.Equal(f.Fallbacks, []string{"cheap"}) {
		t.Errorf("recorded as %s (%s), last %s after %v", f.Status, f.ErrorKind, f.Model, f.Fallbacks)
	}
	if f.CostNanos != 0 || f.BaselineCostNanos != 0 || f.TokensIn != 0 || f.TokensOut != 0 || f.Estimated {
		t.Errorf("a failure costs %d: %+v", f.CostNanos, f)
	}
	if got, want := gateway.Explain(f), "no model answered: tried cheap, dear; the last one failed with rate_limited"; got != want {
		t.Errorf("explained as %q, want %q", got, want)
	}
}

// TestErrorsOfNoKnownKind count as a provider that is not there.
func TestErrorsOfNoKnownKind(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err  error
		kind string
	}{
		"plain":                      {errors.New("boom"), "unavailable"},
		"a deadline of its own":      {context.DeadlineExceeded, "timeout"},
		"canceled, yet nobody left":  {context.Canceled, "unavailable"},
		"says canceled, nobody left": {&llm.ProviderError{Kind: llm.ErrorCanceled, Err: errors.New("?")}, "unavailable"},
	} {
		b := newBench()
		for model := range b.provider.answers {
			b.provider.answers[model] = func(context.Context) (llm.Response, error) { return llm.Response{}, c.err }
		}
		answer, err := b.Complete(t.Context(), question())
		if !errors.Is(err, gateway.ErrProviders) || answer.Fact.Status != event.StatusError || answer.Fact.ErrorKind != c.kind {
			t.Errorf("%s: %v, recorded %+v", name, err, answer.Fact)
		}
	}
}

func TestProviderThatIsNotConfigured(t *testing.T) {
	t.Parallel()
	b := newBench()
	b.Candidates[0].Model.Provider = "gone"
	f := b.complete(t, question()).Fact
	if f.Model != "dear" || !slices.Equal(f.Fallbacks, []string{"cheap"}) {
		t.Errorf("served by %s after %v", f.Model, f.Fallbacks)
	}
}

// TestCallerWhoLeaves: whatever the call fails with then, the request is
// canceled, nothing else is tried, and the price is the estimate for the model
// that was being asked.
func TestCallerWhoLeaves(t *testing.T) {
	t.Parallel()
	for name, fail := range map[string]func(context.Context) (llm.Response, error){
		"canceled":    failing(llm.ErrorCanceled),
		"unavailable": failing(llm.ErrorUnavailable),
		"bare":        func(ctx context.Context) (llm.Response, error) { return llm.Response{}, ctx.Err() },
	} {
		for _, during := range []string{"cheap", "dear"} {
			b := newBench()
			ctx, leave := context.WithCancel(t.Context())
			b.provider.answers["cheap-2026"] = failing(llm.ErrorUnavailable)
			b.provider.answers[during+"-2026"] = func(context.Context) (llm.Response, error) {
				leave()
				return fail(ctx)
			}
			answer, err := b.Complete(ctx, question())
			if !errors.Is(err, gateway.ErrCanceled) || errors.Is(err, gateway.ErrProviders) {
				t.Fatalf("%s: %v", name, err)
			}
			f := answer.Fact
			// 12 in and 50 out are expected: see TestIntentReadsAsInterrupted.
			cost := map[string]int64{"cheap": 31_800, "dear": 786_000}[during]
			if f.Status != event.StatusCanceled || f.ErrorKind != "canceled" || !f.Estimated || f.Model != during ||
				f.CostNanos != cost || f.BaselineCostNanos != 786_000 {
				t.Errorf("%s: recorded as %s (%s) by %s, estimated %t, at %d, want %d", name, f.Status, f.ErrorKind, f.Model, f.Estimated, f.CostNanos, cost)
			}
		}
	}
}

// TestNobodyIsChargedForWaiting: who leaves before the vendor is asked pays
// nothing, and is canceled all the same.
func TestNobodyIsChargedForWaiting(t *testing.T) {
	t.Parallel()
	b := newBench()
	ctx, leave := context.WithCancel(t.Context())
	b.provider.answers["cheap-2026"] = func(context.Context) (llm.Response, error) {
		leave()
		return llm.Response{}, &llm.ProviderError{Kind: llm.ErrorCanceled, Unsent: true, Err: ctx.Err()}
	}
	answer, err := b.Complete(ctx, question())
	if !errors.Is(err, gateway.ErrCanceled) {
		t.Fatal(err)
	}
	if f := answer.Fact; f.Status != event.StatusCanceled || f.CostNanos != 0 || f.TokensIn != 0 || f.Estimated {
		t.Errorf("recorded as %s at %d, estimated %t", f.Status, f.CostNanos, f.Estimated)
	}
}

// TestOverloaded: without an answer, who may have room soonest says when to come
// back. Where nobody was full, nothing is said.
func TestOverloaded(t *testing.T) {
	t.Parallel()
	full := func(after time.Duration) func(context.Context) (llm.Response, error) {
		return func(context.Context) (llm.Response, error) {
			return llm.Response{}, &llm.ProviderError{Kind: llm.ErrorOverloaded, Unsent: true, RetryAfter: after, Err: errors.New("full")}
		}
	}
	for name, c := range map[string]struct {
		cheap, dear func(context.Context) (llm.Response, error)
		after       time.Duration // 0: not overloaded
	}{
		"both full":          {full(7 * time.Second), full(3 * time.Second), 3 * time.Second},
		"both, the other":    {full(3 * time.Second), full(7 * time.Second), 3 * time.Second},
		"one full, one down": {full(7 * time.Second), failing(llm.ErrorUnavailable), 7 * time.Second},
		"one down, one full": {failing(llm.ErrorUnavailable), full(7 * time.Second), 7 * time.Second},
		"both down":          {failing(llm.ErrorUnavailable), failing(llm.ErrorUnavailable), 0},
		"full without a say": {full(0), failing(llm.ErrorUnavailable), time.Nanosecond},
	} {
		b := newBench()
		b.provider.answers["cheap-2026"], b.provider.answers["dear-2026"] = c.cheap, c.dear
		answer, err := b.Complete(t.Context(), question())
		if !errors.Is(err, gateway.ErrProviders) || answer.Fact.Status != event.StatusError || answer.Fact.CostNanos != 0 {
			t.Fatalf("%s: %v, recorded %+v", name, err, answer.Fact)
		}
		overloaded, ok := errors.AsType[*gateway.OverloadedError](err)
		if ok != (c.after > 0) || ok && overloaded.RetryAfter != c.after {
			t.Errorf("%s: %v", name, err)
		}
	}
	b := newBench()
	b.provider.answers["cheap-2026"] = full(time.Second)
	if f := b.complete(t, question()).Fact; f.Model != "dear" || !slices.Equal(f.Fallbacks, []string{"cheap"}) {
		t.Errorf("with room elsewhere it was answered by %s after %v", f.Model, f.Fallbacks)
	}
}

// TestTurnsAreTheKeysOrElseTheUsers.
func TestTurnsAreTheKeysOrElseTheUsers(t *testing.T) {
	t.Parallel()
	b := newBench()
	for _, c := range []struct{ key, user, want string }{{"", "ada", "ada"}, {"key-7", "ada", "key-7"}, {"", "", ""}} {
		r := question()
		r.KeyID, r.UserID = c.key, c.user
		if b.complete(t, r); b.provider.asked.Caller != c.want {
			t.Errorf("key %q and user %q wait as %q", c.key, c.user, b.provider.asked.Caller)
		}
	}
}

// TestAnswerInTheLastMoment is an answer, even when nobody waits for it.
func TestAnswerInTheLastMoment(t *testing.T) {
	t.Parallel()
	b := newBench()
	ctx, leave := context.WithCancel(t.Context())
	b.provider.answers["cheap-2026"] = func(context.Context) (llm.Response, error) {
		leave()
		return paris, nil
	}
	answer, err := b.Complete(ctx, question())
	if err != nil || answer.Fact.Status != event.StatusOK || answer.Fact.CostNanos != 5_925 {
		t.Errorf("%v, recorded %+v", err, answer.Fact)
	}
}

func TestNothingIsCalledWithoutIntent(t *testing.T) {
	t.Parallel()
	b := newBench()
	b.ledger.refuseIntents = errors.New("disk full")
	answer, err := b.Complete(t.Context(), question())
	if !errors.Is(err, gateway.ErrLedger) || answer.Fact != nil {
		t.Errorf("answered %+v, %v", answer, err)
	}
	b.trace.want(t, "intent")
}

func TestNothingIsAnsweredWithoutFact(t *testing.T) {
	t.Parallel()
	b := newBench()
	b.ledger.refuseFacts = errors.New("disk full")
	answer, err := b.Complete(t.Context(), question())
	if !errors.Is(err, gateway.ErrLedger) || answer.Text != "" || answer.Fact != nil {
		t.Errorf("answered %+v, %v", answer, err)
	}
	b.trace.want(t, "intent", "call cheap-2026", "fact")
}

// TestPanicSettlesTheIntent and goes on.
func TestPanicSettlesTheIntent(t *testing.T) {
	t.Parallel()
	b := newBench()
	b.provider.answers["cheap-2026"] = func(context.Context) (llm.Response, error) { panic("boom") }
	func() {
		defer func() {
			if v := recover(); v != "boom" {
				t.Errorf("recovered %v", v)
			}
		}()
		_, _ = b.Complete(t.Context(), question())
		t.Error("the panic was swallowed")
	}()
	b.trace.want(t, "intent", "call cheap-2026", "fact")
	if f := b.ledger.fact; f.Status != event.StatusInterrupted || !f.Estimated || f.CostNanos != 31_800 {
		t.Errorf("recorded as %s, estimated %t, at %d", f.Status, f.Estimated, f.CostNanos)
	}
}
