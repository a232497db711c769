package gateway_test

import (
	"context"
	"errors"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/busuhq/busu/internal/gateway"
	"github.com/busuhq/busu/internal/learning"
	"github.com/busuhq/busu/internal/llm"
	"github.com/busuhq/busu/internal/prompt"
	"github.com/busuhq/busu/internal/routing"
)

// learningBench plans by the strategy hybrid.
func learningBench(t *testing.T) *bench {
	t.Helper()
	prior, err := learning.Shipped()
	if err != nil {
		t.Fatal(err)
	}
	b := newBench()
	b.Strategies, b.Default = gateway.NewPublished(prior, map[string]float64{"hybrid": 20}), "hybrid"
	return b
}

// What is recorded of a decision is all that a verdict on it needs.
func TestDecisionsAreRecordedToBeLearnedFrom(t *testing.T) {
	t.Parallel()
	b := learningBench(t)
	planned := map[string]float64{}
	const n = 4000
	for range n {
		b.complete(t, question())
		f := b.ledger.fact
		features, words, err := prompt.Decode(f.Features)
		if err != nil || len(words) != 6 || features.Counters.Words != 6 {
			t.Fatalf("the features are %+v, %d words, %v", features, len(words), err)
		}
		if f.Strategy != "hybrid" || f.Candidates[0].Model != f.PlannedModel || f.Candidates[0].Probability != f.Propensity {
			t.Fatalf("planned %s with %v of %+v", f.PlannedModel, f.Propensity, f.Candidates)
		}
		total := 0.0
		for _, c := range f.Candidates {
			if total += c.Probability; !(c.Prior > 0) {
				t.Fatalf("candidate without a prior: %+v", c)
			}
		}
		if math.Abs(total-1) > 1e-9 {
			t.Fatalf("propensities add up to %v", total)
		}
		planned[f.PlannedModel] += 1 / f.Propensity / n
	}
	// Each model is planned as often as its propensity says.
	for model, weight := range planned {
		if math.Abs(weight-1) > 0.15 {
			t.Errorf("%s was planned %.2f times as often as its propensity says", model, weight)
		}
	}
	if len(planned) != 2 {
		t.Errorf("planned were %v", planned)
	}
}

func TestWhoOnlyAsksIsNotTriedOutOn(t *testing.T) {
	t.Parallel()
	b := learningBench(t)
	first, err := b.Plan(question())
	if err != nil {
		t.Fatal(err)
	}
	for range 50 {
		p, err := b.Plan(question())
		if err != nil || p.Choices[0].Model.ID != first.Choices[0].Model.ID {
			t.Fatalf("planned %s, then %s", first.Choices[0].Model.ID, p.Choices[0].Model.ID)
		}
	}
}

func TestTheHoldoutGetsTheBaseline(t *testing.T) {
	t.Parallel()
	b := learningBench(t)
	b.Holdout = func(_, user string) bool { return user == "ada" }
	answer := b.complete(t, question())
	f := answer.Fact
	if !f.Holdout || f.PlannedModel != "dear" || f.Strategy != "baseline" || f.Propensity != 0 || len(f.Features) > 0 ||
		!strings.Contains(f.Reason, "hold-out") || len(f.Candidates) != 2 || f.Candidates[0].Prior != 0 {
		t.Errorf("the fact is %+v", f)
	}
	r := question()
	r.UserID = "grace"
	if f := b.complete(t, r).Fact; f.Holdout || f.Strategy != "hybrid" {
		t.Errorf("another user's fact is %+v", f)
	}
	r = question()
	r.Model = "cheap"
	if f := b.complete(t, r).Fact; f.Holdout || f.Model != "cheap" {
		t.Errorf("a request that names its model is %+v", f)
	}
	r = question()
	r.Models = []string{"cheap"} // the caller does not allow the baseline
	if f := b.complete(t, r).Fact; !f.Holdout || f.Model != "cheap" || !strings.Contains(f.Reason, "dear cannot answer") {
		t.Errorf("a request that the baseline cannot answer is %+v", f)
	}
}

// A guard gives the baseline to whom it guards, says so, and leaves the hold-out
// and requests that name their model alone.
func TestTheGuardedGetTheBaseline(t *testing.T) {
	t.Parallel()
	b := learningBench(t)
	b.Holdout = func(_, user string) bool { return user == "held" }
	b.Guarded = func(project, user string) bool { return project == "default" && user != "probe" }
	for user, want := range map[string]struct {
		strategy, says string
		holdout        bool
	}{"ada": {"baseline", "guard has tripped", false}, "": {"baseline", "guard has tripped", false}, "held": {"baseline", "hold-out", true}, "probe": {"hybrid", "", false}} {
		r := question()
		r.UserID = user
		f := b.complete(t, r).Fact
		if f.Strategy != want.strategy || f.Holdout != want.holdout || !strings.Contains(f.Reason, want.says) ||
			want.strategy == "baseline" && (f.PlannedModel != "dear" || f.Propensity != 0 || len(f.Features) > 0) {
			t.Errorf("%q gets %+v", user, f)
		}
	}
	r := question()
	r.Model = "cheap"
	if f := b.complete(t, r).Fact; f.Model != "cheap" || f.Strategy != "model" {
		t.Errorf("a request that names its model is %+v", f)
	}
}

func TestConstraints(t *testing.T) {
	t.Parallel()
	b := newBench()
	r := question()
	r.Models = []string{"dear"}
	if f := b.complete(t, r).Fact; f.Model != "dear" || len(f.Candidates) != 1 {
		t.Errorf("of one allowed model, %+v", f)
	}
	r = question()
	r.MinQuality = 0.99
	if f := b.complete(t, r).Fact; f.Model != "dear" {
		t.Errorf("at least 0.99 was asked for, %s answered: %+v", f.Model, f.Candidates)
	}
	r = question()
	r.MaxCost = 1
	_, err := b.Complete(t.Context(), r)
	if tooDear, ok := errors.AsType[*routing.CostError](err); !ok || tooDear.Model != "cheap" {
		t.Errorf("for a nano-dollar: %v", err)
	}
}

func TestFailingProvidersAreLeftOut(t *testing.T) {
	t.Parallel()
	b := newBench()
	b.Candidates[0].Model.Provider = "other"
	b.Providers["other"] = b.provider
	failing := map[string]bool{"other": true}
	b.Failing = func(provider string) bool { return failing[provider] }
	if f := b.complete(t, question()).Fact; f.Model != "dear" || len(f.Candidates) != 1 {
		t.Errorf("planned were %+v", f.Candidates)
	}
	failing["vendor"] = true
	if f := b.complete(t, question()).Fact; f.Model != "cheap" || len(f.Candidates) != 2 {
		t.Errorf("with all failing, planned were %+v", f.Candidates)
	}
}

// The choice by a request's id is uniform.
func TestChance(t *testing.T) {
	t.Parallel()
	b := learningBench(t)
	r := question()
	plan, err := b.Plan(r)
	if err != nil {
		t.Fatal(err)
	}
	want := plan.Choices[0].Probability
	got := 0.0
	const n = 20_000
	for range n {
		r.ID = uuid.Must(uuid.NewV7())
		p, err := b.Plan(r)
		if err != nil {
			t.Fatal(err)
		}
		if p.Choices[0].Model.ID == plan.Choices[0].Model.ID {
			got += 1.0 / n
		}
	}
	if math.Abs(got-want) > 5*math.Sqrt(want*(1-want)/n) {
		t.Errorf("planned in %.4f of the cases, with propensity %.4f", got, want)
	}
}

// Plans are made one after the other on the same desk: a later one must change
// nothing of an earlier one, not even while its models are asked.
func TestAPlanStaysAsItWasMade(t *testing.T) {
	t.Parallel()
	b := newBench()
	hard := question()
	hard.Ask.Messages[0].Content = "Prove step by step that there are infinitely many primes, compare three proofs, and explain why each of them holds."
	first, err := b.Plan(question())
	if err != nil {
		t.Fatal(err)
	}
	was := slices.Clone(first.Choices)
	plan := func() {
		for range 10 {
			if p, err := b.Plan(hard); err != nil || p.Choices[0].Model.ID != "dear" {
				t.Errorf("planned %+v, %v", p.Choices, err)
			}
		}
	}
	if plan(); !reflect.DeepEqual(first.Choices, was) {
		t.Errorf("%+v became %+v", was, first.Choices)
	}
	b.provider.answers["cheap-2026"] = func(ctx context.Context) (llm.Response, error) {
		plan()
		return failing(llm.ErrorUnavailable)(ctx)
	}
	b.complete(t, question())
	b.trace.want(t, "intent", "call cheap-2026", "call dear-2026", "fact")
}
