package gateway_test

import (
	"encoding/json"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/busuhq/busu/internal/experiment"
)

// onTerms is an experiment almost all of whose users are in a test with
// parameters.
func onTerms(t *testing.T, strategy, parameters string) experiment.Status {
	t.Helper()
	spec := &experiment.ArmSpec{Strategy: strategy}
	if err := json.Unmarshal([]byte(parameters), &spec.Parameters); err != nil {
		t.Fatal(err)
	}
	return running(func(s *experiment.Start) { s.Test, s.TestShare = spec, new(.999) })
}

// Parameters of an arm do what they say, for those in the arm alone.
func TestArmsServeOnTheirTerms(t *testing.T) {
	t.Parallel()
	for parameters, want := range map[string]string{
		`{}`:                        "cheap",
		`{"models": ["dear"]}`:      "dear",
		`{"models": ["cheap"]}`:     "cheap",
		`{"models": ["gone"]}`:      "cheap", // cannot be served, and nobody is refused
		`{"min_quality": 0.99}`:     "dear",
		`{"min_quality": 0.01}`:     "cheap",
		`{"max_cost_usd": 0.00001}`: "cheap",
		`{"min_quality": 0.99, "max_cost_usd": 0.00015}`: "cheap",
		`{"max_cost_usd": 0.0000000001}`:                 "cheap",
	} {
		b := newBench()
		s := onTerms(t, "complexity", parameters)
		follow(t, b, s)
		if f := b.complete(t, asks("ada", old)).Fact; f.Model != want || f.Experiments[0].Arm != "test" {
			t.Errorf("%s: answered by %s in %v, want %s", parameters, f.Model, f.Experiments, want)
		}
		if f := b.complete(t, question()).Fact; f.Model != "cheap" || f.Experiments != nil {
			t.Errorf("%s: outside it is answered by %s", parameters, f.Model)
		}
		r := asks("ada", old)
		if r.MinQuality = 0.99; parameters == `{"min_quality": 0.01}` {
			if f := b.complete(t, r).Fact; f.Model != "dear" {
				t.Errorf("an arm that asks for less: answered by %s", f.Model)
			}
		}
		r.MinQuality, r.MaxCost = 0, 1
		if _, err := b.Complete(t.Context(), r); err == nil {
			t.Errorf("%s: what costs more than the caller allows is answered", parameters)
		}
		r.MaxCost = 0
		if r.Models = []string{"dear"}; parameters == `{"models": ["cheap"]}` {
			if f := b.complete(t, r).Fact; f.Model != "dear" {
				t.Errorf("what the caller asks for is answered by %s", f.Model)
			}
		}
		s.State, s.Winner = experiment.StateDecided, new("test")
		follow(t, b, s)
		if f := b.complete(t, asks("eve", old)).Fact; f.Model != want || f.Experiments != nil {
			t.Errorf("%s: as the winner it is answered by %s in %v, want %s", parameters, f.Model, f.Experiments, want)
		}
		b.Holdout = func(string, string) bool { return true }
		if f := b.complete(t, asks("ada", old)).Fact; f.Model != "dear" || !f.Holdout {
			t.Errorf("%s: of the hold-out it is answered by %s", parameters, f.Model)
		}
	}
}

func TestSteadyArmsTryNothingOut(t *testing.T) {
	t.Parallel()
	for parameters, steady := range map[string]bool{`{"explore": false}`: true, `{"explore": true}`: false, `{}`: false} {
		b := learningBench(t)
		follow(t, b, onTerms(t, "hybrid", parameters))
		for range 50 {
			if f := b.complete(t, asks("ada", old)).Fact; (f.Propensity == 1) != steady {
				t.Fatalf("%s: planned with a probability of %g", parameters, f.Propensity)
			}
		}
	}
}

// An arm with a goal of its own reaches it, wherever the project's price stands,
// and does not begin anew when the experiment is read again.
func TestArmsReachGoalsOfTheirOwn(t *testing.T) {
	t.Parallel()
	for _, share := range []float64{.2, .7} {
		b := learningBench(t)
		s := onTerms(t, "hybrid", fmt.Sprintf(`{"strong_share": %g}`, share))
		from := follow(t, b, s)
		strong := func(n int) float64 {
			sum := 0.0
			for i := range n {
				r := asks("ada", old)
				r.Ask.Messages[0].Content = fmt.Sprint("What is ", i%7, " times the integral of x^", i%11, "? Prove it, step by step.")
				b.complete(t, r)
				for _, c := range b.ledger.fact.Candidates {
					if c.Model == "dear" {
						sum += c.Probability
					}
				}
			}
			return sum / float64(n)
		}
		strong(1000)
		settled := strong(20)
		s.ArchivedAt = new(time.Now()) // changed in whatever way
		from.changed = []experiment.Status{s}
		if _, err := b.Trials.Update(t.Context(), from, time.Time{}); err != nil {
			t.Fatal(err)
		}
		if got := strong(20); math.Abs(got-settled) > .1 {
			t.Errorf("the baseline got %.3f, and %.3f when the experiment was read again", settled, got)
		}
		if got := strong(500); math.Abs(got-share) > .05 {
			t.Errorf("the baseline gets %.3f, the goal is %g", got, share)
		}
	}
}

// Asking what would be planned moves no price.
func TestPlansMoveNoPrice(t *testing.T) {
	t.Parallel()
	b := learningBench(t)
	follow(t, b, onTerms(t, "hybrid", `{"strong_share": 0.99}`))
	first, err := b.Plan(asks("ada", old))
	if err != nil {
		t.Fatal(err)
	}
	for range 200 {
		if _, err := b.Plan(asks("ada", old)); err != nil {
			t.Fatal(err)
		}
	}
	last, err := b.Plan(asks("ada", old))
	if err != nil || last.Choices[0].Probability != first.Choices[0].Probability || last.Choices[0].Model.ID != first.Choices[0].Model.ID {
		t.Errorf("the plan goes from %+v to %+v: %v", first.Choices[0], last.Choices[0], err)
	}
}
