package gateway_test

import (
	"context"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/gateway"
	"github.com/busuhq/busu/internal/llm"
	"github.com/busuhq/busu/internal/routing"
)

func TestIntentBeforeCallAndFactAfter(t *testing.T) {
	t.Parallel()
	b := newBench()
	answer := b.complete(t, question())
	b.trace.want(t, "intent", "call cheap-2026", "fact")
	if answer.Text != "Paris." || answer.Fact.ID != b.ledger.fact.ID || b.ledger.intent.ID != b.ledger.fact.ID {
		t.Errorf("answered %q as %s, intended %s, recorded %s", answer.Text, answer.Fact.ID, b.ledger.intent.ID, b.ledger.fact.ID)
	}
}

// TestIntentReadsAsInterrupted: what is on disk while a provider works is the
// fact of a process that died then.
func TestIntentReadsAsInterrupted(t *testing.T) {
	t.Parallel()
	b := newBench()
	r := question()
	r.KeyID, r.SessionID, r.CallerID, r.Metadata = "k", "s", "theirs", map[string]string{"team": "search"}
	b.complete(t, r)
	i := b.ledger.intent
	if i.Status != event.StatusInterrupted || !i.Estimated || i.Cache != event.CacheMiss || i.LatencyUS != 0 {
		t.Errorf("status %s, estimated %t, cache %s, latency %d", i.Status, i.Estimated, i.Cache, i.LatencyUS)
	}
	if i.Project != "default" || i.KeyID != "k" || i.UserID != "ada" || i.SessionID != "s" || i.CallerID != "theirs" || i.Metadata["team"] != "search" {
		t.Errorf("of whom: %+v", i)
	}
	if i.Model != "cheap" || i.PlannedModel != "cheap" || i.Provider != "vendor" || i.BaselineModel != "dear" || i.PriceVersion != "v7" ||
		i.Strategy != "complexity" || i.Confidence == "" || i.Reason == "" || len(i.Candidates) != 2 {
		t.Errorf("what was planned: %+v", i)
	}
	// 12 in, 50 out, which are fewer than an answer is expected to have:
	// (12×150 + 50×600) and (12×3000 + 50×15000) dollars per 10⁹ tokens.
	if i.TokensIn != estimatedIn || i.TokensOut != 50 || i.CostNanos != 31_800 || i.BaselineCostNanos != 786_000 {
		t.Errorf("%d in and %d out cost %d, baseline %d", i.TokensIn, i.TokensOut, i.CostNanos, i.BaselineCostNanos)
	}
	i.Journal, i.Seq = "test", 1
	if err := i.Validate(); err != nil {
		t.Errorf("cannot be recorded as it stands: %v", err)
	}
}

// TestCostsAreExact: 10 fresh and 3 cached tokens in, 7 out.
func TestCostsAreExact(t *testing.T) {
	t.Parallel()
	b := newBench()
	f := b.complete(t, question()).Fact
	// 10×150 + 3×75 + 7×600 = 5,925 and 10×3000 + 3×300 + 7×15000 = 135,900
	if f.CostNanos != 5_925 || f.OriginCostNanos != 5_925 || f.BaselineCostNanos != 135_900 || f.SavingsNanos() != 129_975 {
		t.Errorf("cost %d, origin %d, baseline %d, saved %d", f.CostNanos, f.OriginCostNanos, f.BaselineCostNanos, f.SavingsNanos())
	}
	if f.TokensIn != 13 || f.TokensInCached != 3 || f.TokensOut != 7 || f.TokensReasoning != 2 || f.Estimated {
		t.Errorf("tokens %d (%d cached), %d (%d reasoning), estimated %t", f.TokensIn, f.TokensInCached, f.TokensOut, f.TokensReasoning, f.Estimated)
	}
}

func TestBaselineSavesNothing(t *testing.T) {
	t.Parallel()
	b := newBench()
	r := question()
	r.Model = "dear"
	if f := b.complete(t, r).Fact; f.SavingsNanos() != 0 || f.CostNanos != 135_900 {
		t.Errorf("cost %d, saved %d", f.CostNanos, f.SavingsNanos())
	}
}

func TestPropensity(t *testing.T) {
	t.Parallel()
	b := newBench()
	planned := b.complete(t, question()).Fact
	if planned.Propensity != 1 || planned.Strategy != "complexity" || planned.Candidates[0].Probability != 1 {
		t.Errorf("planned with %g by %s", planned.Propensity, planned.Strategy)
	}
	r := question()
	r.Model, r.Strategy = "dear", "complexity"
	named := b.complete(t, r).Fact
	if named.Propensity != 0 || named.Strategy != "model" || named.Model != "dear" || len(named.Candidates) != 1 {
		t.Errorf("named with %g by %s, %s of %v", named.Propensity, named.Strategy, named.Model, named.Candidates)
	}
}

func TestProviderIsAskedAsTheCallerAsked(t *testing.T) {
	t.Parallel()
	b := newBench()
	r := question()
	warm := 0.25
	r.Ask.Temperature = &warm
	b.complete(t, r)
	got := b.provider.asked
	if got.Model != "cheap-2026" || got.MaxTokens != 50 || got.Temperature != &warm || !reflect.DeepEqual(got.Messages, r.Ask.Messages) {
		t.Errorf("asked %+v", got)
	}
}

func TestRequestKeepsItsID(t *testing.T) {
	t.Parallel()
	b := newBench()
	r := question()
	r.ID = uuid.Must(uuid.NewV7())
	if f := b.complete(t, r).Fact; f.ID != r.ID || !f.At.Equal(event.TimeOf(r.ID)) {
		t.Errorf("recorded as %s at %s, arrived as %s", f.ID, f.At, r.ID)
	}
	if f := b.complete(t, question()).Fact; f.ID.Version() != 7 {
		t.Errorf("made the id %s", f.ID)
	}
}

// TestStatuses: how an answer that came is recorded.
func TestStatuses(t *testing.T) {
	t.Parallel()
	usage := llm.Usage{In: 10, Out: 5}
	for name, c := range map[string]struct {
		response  llm.Response
		status    string
		estimated bool
		in, out   int64
	}{
		"answered":          {llm.Response{Text: "a", FinishReason: llm.FinishStop, Usage: usage}, event.StatusOK, false, 10, 5},
		"cut off":           {llm.Response{Text: "a", FinishReason: llm.FinishLength, Usage: usage}, event.StatusCutOff, false, 10, 5},
		"cut off, empty":    {llm.Response{FinishReason: llm.FinishLength, Usage: usage}, event.StatusCutOff, false, 10, 5},
		"filtered":          {llm.Response{Text: "a", FinishReason: llm.FinishContentFilter, Usage: usage}, event.StatusCutOff, false, 10, 5},
		"empty":             {llm.Response{FinishReason: llm.FinishStop, Usage: llm.Usage{In: 10}}, event.StatusEmpty, false, 10, 0},
		"usage missing":     {llm.Response{Text: strings.Repeat("word ", 8), FinishReason: llm.FinishStop}, event.StatusOK, true, estimatedIn, 10},
		"input missing":     {llm.Response{Text: "a", FinishReason: llm.FinishStop, Usage: llm.Usage{Out: 5}}, event.StatusOK, true, estimatedIn, 5},
		"output missing":    {llm.Response{Text: "abcd", FinishReason: llm.FinishStop, Usage: llm.Usage{In: 10}}, event.StatusOK, true, 10, 1},
		"nonsense":          {llm.Response{Text: "abcd", FinishReason: llm.FinishStop, Usage: llm.Usage{In: -1, Out: math.MaxInt64}}, event.StatusOK, true, estimatedIn, 1},
		"parts beyond all":  {llm.Response{Text: "a", FinishReason: llm.FinishStop, Usage: llm.Usage{In: 10, CachedIn: 11, Out: 5, Reasoning: 6}}, event.StatusOK, false, 10, 5},
		"parts below zero":  {llm.Response{Text: "a", FinishReason: llm.FinishStop, Usage: llm.Usage{In: 10, CachedIn: -1, Out: 5, Reasoning: -1}}, event.StatusOK, false, 10, 5},
		"nothing whatever":  {llm.Response{}, event.StatusEmpty, true, estimatedIn, 0},
		"more than a model": {llm.Response{Text: "a", Usage: llm.Usage{In: 1 << 62, Out: 5}}, event.StatusOK, true, estimatedIn, 5},
	} {
		b := newBench()
		b.provider.answers["cheap-2026"] = answering(c.response)
		f := b.complete(t, question()).Fact
		if f.Status != c.status || f.Estimated != c.estimated || f.TokensIn != c.in || f.TokensOut != c.out {
			t.Errorf("%s: %s, estimated %t, %d in, %d out; want %+v", name, f.Status, f.Estimated, f.TokensIn, f.TokensOut, c)
		}
		if says, want := f.Implicit != "", name == "empty" || name == "filtered" || name == "nothing whatever"; says != want {
			t.Errorf("%s: the answer says %q against its model", name, f.Implicit)
		}
		if f.TokensInCached > f.TokensIn || f.TokensReasoning > f.TokensOut {
			t.Errorf("%s: %d of %d cached, %d of %d reasoning", name, f.TokensInCached, f.TokensIn, f.TokensReasoning, f.TokensOut)
		}
	}
}

// TestOverheadIsLatencyWithoutProviders, over all that were tried.
func TestOverheadIsLatencyWithoutProviders(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(25 * 365 * 24 * time.Hour) // bubbles begin in 2000, facts in 2020; ids made later than now would hold up the clock of all others
		b := newBench()
		b.ledger.slow = 3 * time.Millisecond
		b.provider.answers["cheap-2026"] = func(context.Context) (llm.Response, error) {
			time.Sleep(200 * time.Millisecond)
			return failing(llm.ErrorUnavailable)(nil)
		}
		b.provider.answers["dear-2026"] = func(context.Context) (llm.Response, error) {
			time.Sleep(500 * time.Millisecond)
			return paris, nil
		}
		f := b.complete(t, question()).Fact
		if f.LatencyUS != 703_000 || f.OverheadUS != 3_000 || f.TTFTUS != f.LatencyUS {
			t.Errorf("latency %d µs, first token %d, overhead %d; want 703000, the same, 3000", f.LatencyUS, f.TTFTUS, f.OverheadUS)
		}
	})
}

func TestUnknownNamesAreRefused(t *testing.T) {
	t.Parallel()
	b := newBench()
	for _, change := range []func(*gateway.Request){
		func(r *gateway.Request) { r.Strategy = "nope" },
		func(r *gateway.Request) { r.Model = "nope" },
	} {
		r := question()
		change(&r)
		if _, err := b.Complete(t.Context(), r); !errors.Is(err, gateway.ErrUnknown) {
			t.Errorf("Complete gives %v", err)
		}
		if _, err := b.Plan(r); !errors.Is(err, gateway.ErrUnknown) {
			t.Errorf("Plan gives %v", err)
		}
	}
	b.trace.want(t)
}

func TestTooLargeForEveryModel(t *testing.T) {
	t.Parallel()
	b := newBench()
	for i := range b.Candidates {
		b.Candidates[i].Model.ContextTokens = 40
	}
	for _, model := range []string{"", "dear"} {
		r := question()
		r.Model = model
		var window *routing.ContextError
		if _, err := b.Complete(t.Context(), r); !errors.As(err, &window) || window.Largest != 40 {
			t.Errorf("model %q: %v", model, err)
		}
	}
	b.trace.want(t)
}

// TestPlanIsWhatCompleteDoes, and leaves no trace.
func TestPlanIsWhatCompleteDoes(t *testing.T) {
	t.Parallel()
	b := newBench()
	plan, err := b.Plan(question())
	if err != nil {
		t.Fatal(err)
	}
	b.trace.want(t)
	f := b.complete(t, question()).Fact
	if plan.Choices[0].Model.ID != f.PlannedModel || plan.Reason() != f.Reason || plan.Complexity != f.Complexity {
		t.Errorf("planned %+v, recorded %+v", plan, f)
	}
}

// TestOnlyTheLastQuestionIsRouted: a long system prompt makes no simple
// question hard; it is paid for all the same.
func TestOnlyTheLastQuestionIsRouted(t *testing.T) {
	t.Parallel()
	b := newBench()
	r := question()
	alone, err := b.Plan(r)
	if err != nil {
		t.Fatal(err)
	}
	r.Ask.Messages = append([]llm.Message{{Role: llm.RoleSystem, Content: strings.Repeat("Prove it step by step. ", 200)}}, r.Ask.Messages...)
	wrapped, err := b.Plan(r)
	if err != nil {
		t.Fatal(err)
	}
	if wrapped.Complexity != alone.Complexity || wrapped.Choices[0].Cost <= alone.Choices[0].Cost {
		t.Errorf("complexity %g and %g, cost %d and %d", alone.Complexity, wrapped.Complexity, alone.Choices[0].Cost, wrapped.Choices[0].Cost)
	}
}
