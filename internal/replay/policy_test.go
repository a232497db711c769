package replay

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/busuhq/busu/internal/learning"
	"github.com/busuhq/busu/internal/llm"
	"github.com/busuhq/busu/internal/pricing"
	"github.com/busuhq/busu/internal/prompt"
	"github.com/busuhq/busu/internal/routing"
)

// TestGoals has λ meet what is asked for.
func TestGoals(t *testing.T) {
	t.Parallel()
	l := served(t, knowing(t), synthetic(3000, 5), 5)
	for _, share := range []float64{0.1, 0.25, 0.4} { // half of the prompts gain by it: no λ sends more
		r, err := EvaluatePolicy(l, Target{Strategy: Logged, StrongShare: &share}, PolicyOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if got := r.Models["strong"]; math.Abs(got-share) > 0.03 {
			t.Errorf("%.3f goes to the strong model, want %.1f", got, share)
		}
	}
	cheap, err1 := EvaluatePolicy(l, Target{Strategy: Logged, QualityTarget: value(0.8)}, PolicyOptions{})
	dear, err2 := EvaluatePolicy(l, Target{Strategy: Logged, QualityTarget: value(0.98)}, PolicyOptions{})
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	if cheap.Cost.Direct >= dear.Cost.Direct || cheap.Quality.Direct < 0.8*dear.Quality.Direct-0.01 || *cheap.Lambda <= *dear.Lambda {
		t.Errorf("80 %% of the quality: %v at λ %v; 98 %%: %v at λ %v", cheap.Cost.Direct, *cheap.Lambda, dear.Cost.Direct, *dear.Lambda)
	}
	if m := dear.Fixed.Mix; m == nil || m.Quality <= dear.Fixed.Cheapest.Quality.Estimate || m.Quality >= dear.Fixed.Baseline.Quality.Estimate {
		t.Errorf("the mix at equal cost is %+v, between %+v and %+v", m, dear.Fixed.Cheapest, dear.Fixed.Baseline)
	}
	if dear.Unit != "user" || dear.Units != 97 {
		t.Errorf("%d units are called %s, want 97 users", dear.Units, dear.Unit)
	}
}

// catalog describes the models of synthetic rows, the strong one at a price a
// million tokens.
func catalog(output pricing.Nanos) map[string]routing.Candidate {
	return map[string]routing.Candidate{
		"strong": {Model: llm.Model{ID: "strong", Tier: llm.TierComplex, ContextTokens: 10}, Price: pricing.Price{Output: output}},
		"weak":   {Model: llm.Model{ID: "weak", Tier: llm.TierSimple}, Price: pricing.Price{PerRequest: 1000}},
	}
}

// TestPriorGoesByThePrior where the prior says the opposite of what was learned.
func TestPriorGoesByThePrior(t *testing.T) {
	t.Parallel()
	l := served(t, knowing(t), synthetic(2000, 5), 5)
	for i := range l.Decisions {
		for c := range l.Decisions[i].Candidates {
			of := &l.Decisions[i].Candidates[c]
			of.Quality, of.Prior = 0.5, value(0.5)
			if of.Model == "strong" {
				of.Quality, of.Prior = 0.9, value(0.1)
			}
		}
	}
	for strategy, want := range map[string]string{Logged: "strong", Prior: "weak"} {
		r, err := EvaluatePolicy(l, Target{Strategy: strategy, Lambda: value(0.0)}, PolicyOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if r.Models[want] != 1 {
			t.Errorf("%s takes %v, want %s always", strategy, r.Models, want)
		}
	}
}

// TestPredictBy has what was logged come out again: the strategy that decided
// predicts the same from the features that it logged.
func TestPredictBy(t *testing.T) {
	t.Parallel()
	hybrid := knowing(t)
	rows := synthetic(50, 5)
	l := served(t, hybrid, rows, 5)
	names := map[string]routing.Candidate{}
	items := ready(rows, []string{"strong", "weak"})
	f := newField([]string{"strong", "weak"}, items)
	for _, c := range f.candidates {
		names[c.Model.ID] = c
	}
	predict := PredictBy(hybrid, names)
	for i := range l.Decisions {
		d := &l.Decisions[i]
		if _, err := predict(d); err == nil {
			t.Fatal("a prompt is predicted that was not logged")
		}
		d.Features = prompt.Append(nil, &items[i].features, items[i].words)
		got, err := predict(d)
		if err != nil {
			t.Fatal(err)
		}
		for c, candidate := range d.Candidates {
			if math.Abs(got[c]-candidate.Quality) > 1e-9 {
				t.Errorf("%s is predicted %v, and was %v", candidate.Model, got[c], candidate.Quality)
			}
		}
	}
	delete(names, "weak")
	if _, err := predict(&l.Decisions[0]); err == nil || !strings.Contains(err.Error(), "tier of weak") {
		t.Errorf("a model that nobody knows is predicted: %v", err)
	}
}

// TestUnpricedIsDear: a model without a price is not the cheapest.
func TestUnpricedIsDear(t *testing.T) {
	t.Parallel()
	l, err := ReadLog(strings.NewReader(strings.Replace(decided, `"model":"n",`, `"model":"n","unpriced":true,`, 1)), "")
	if err != nil {
		t.Fatal(err)
	}
	v, err := Target{Strategy: Logged}.view(&l.Decisions[0])
	if err != nil || v.cheapest() != 0 || v.options[1].cost != 2*v.options[0].cost {
		t.Errorf("%+v (%v)", v.options, err)
	}
}

// TestOtherPrices pays what the catalog says, expected and logged.
func TestOtherPrices(t *testing.T) {
	t.Parallel()
	l := served(t, knowing(t), synthetic(3000, 6), 6)
	for _, output := range []pricing.Nanos{1e9, 20e9} { // 50 tokens cost 0.00005, 0.001 dollars
		r, err := EvaluatePolicy(l, Target{Strategy: Logged, StrongShare: value(0.5), Catalog: catalog(output)}, PolicyOptions{CostOnly: true})
		if err != nil {
			t.Fatal(err)
		}
		share := r.Models["strong"]
		if want := share*50*float64(output)/1e15 + (1-share)*1e-6; !within(r.Cost.IPS, want) || r.Quality != nil {
			t.Errorf("at %s a million tokens it costs %+v, want %v", output, r.Cost.IPS, want)
		}
	}
}

// TestCalibration has predictions ten times too high make no difference, where
// inverse propensity is not told of them at all.
func TestCalibration(t *testing.T) {
	t.Parallel()
	estimate := func(factor int64) Estimates {
		l := served(t, knowing(t), synthetic(3000, 6), 6)
		for i := range l.Decisions {
			for c := range l.Decisions[i].Candidates {
				l.Decisions[i].Candidates[c].CostNanos *= factor
			}
		}
		r, err := EvaluatePolicy(l, Target{Strategy: Logged, StrongShare: value(0.5)}, PolicyOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return r.Cost
	}
	right, high := estimate(1), estimate(10)
	if width := func(i Interval) float64 { return i.High - i.Low }; width(high.DoublyRobust) > 1.01*width(right.DoublyRobust) || width(right.DoublyRobust) > width(right.IPS) {
		t.Errorf("%+v from predictions that are right, %+v from high ones", right, high)
	}
}

// TestCalibrationLooksAway: what came of a decision must not move its own
// predictions.
func TestCalibrationLooksAway(t *testing.T) {
	t.Parallel()
	rows := newWorld(1, 0.3).log(rand.New(rand.NewPCG(1, 1)), 200)
	names := make([]string, len(rows))
	for i := range names {
		names[i] = fmt.Sprint("m", i%3)
	}
	predicted := func(outcome float64) Weighed {
		mine := append([]Weighed{}, rows...)
		mine[7].Outcome = outcome
		scale(mine, names, names)
		return mine[7]
	}
	if a, b := predicted(0), predicted(1); a.Predicted != b.Predicted || a.Expected != b.Expected || a.Predicted == rows[7].Predicted {
		t.Errorf("predicted %v and %v, uncalibrated %v", a, b, rows[7])
	}
}

// TestComplexityOnALog follows the tiers: simple prompts go to the weak model,
// others to the strong one.
func TestComplexityOnALog(t *testing.T) {
	t.Parallel()
	l := served(t, knowing(t), synthetic(3000, 7), 7)
	simple := 0.0
	for i := range l.Decisions {
		l.Decisions[i].Complexity = float64(i%10) / 10
		if i%10 < 3 {
			simple++
		}
	}
	r, err := EvaluatePolicy(l, Target{Strategy: Complexity, Catalog: catalog(1e12)}, PolicyOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if r.Lambda != nil || math.Abs(r.Models["weak"]-simple/3000) > 1e-9 {
		t.Errorf("complexity sends %.3f to the weak model, want %.3f (λ %v)", r.Models["weak"], simple/3000, r.Lambda)
	}
}

// TestThinOverlap says what is missing, and what would be needed.
func TestThinOverlap(t *testing.T) {
	t.Parallel()
	hybrid := knowing(t)
	blind := routing.Hybrid{Learned: routing.Learned{Prior: hybrid.Prior, Model: learning.New(nil, learning.Assumed())}}
	silent := served(t, hybrid, synthetic(3000, 6), 6)
	for i := range silent.Decisions {
		silent.Decisions[i].Quality = nil
	}
	for name, tt := range map[string]struct {
		log    Log
		target Target
		says   string
	}{
		"nothing was tried": {served(t, blind, synthetic(500, 1), 1), Target{Strategy: Logged, Lambda: value(1e9)},
			"for 100 % of 500 decisions the policy takes a model that had no chance of being planned there (weak 100 %). Needed: decisions of a strategy that tries"},
		"few decisions": {served(t, hybrid, synthetic(60, 2), 2), Target{Strategy: Logged, StrongShare: value(0.5)},
			"too thin: 60 decisions with costs are worth"},
		"no such model": {silent, Target{Strategy: Logged, Lambda: value(0.0), Models: []string{"other"}}, "none that may be chosen 100 %"},
		"no verdicts":   {silent, Target{Strategy: Logged, StrongShare: value(0.5)}, "no decision has a verdict"},
	} {
		_, err := EvaluatePolicy(tt.log, tt.target, PolicyOptions{})
		var thin *OverlapError
		if !errors.As(err, &thin) || !strings.Contains(err.Error(), tt.says) || thin.Needed == "" {
			t.Errorf("%s: the error is %v, want one that says %q", name, err, tt.says)
		}
	}
	if _, err := EvaluatePolicy(silent, Target{Strategy: Logged, StrongShare: value(0.5)}, PolicyOptions{CostOnly: true}); err != nil {
		t.Errorf("costs need no verdicts: %v", err)
	}
}

// TestFailuresCount: no answer is a bad one, and who planned it is to blame.
func TestFailuresCount(t *testing.T) {
	t.Parallel()
	l := served(t, knowing(t), synthetic(2000, 6), 6)
	for i := range l.Decisions {
		d := &l.Decisions[i]
		if d.PlannedModel == "strong" {
			d.Quality, d.Status = nil, "error"
		} else {
			d.Quality = value(1.0)
		}
	}
	r, err := EvaluatePolicy(l, Target{Strategy: Logged, StrongShare: value(0.5)}, PolicyOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if q := r.Fixed.Baseline.Quality; q == nil || !within(*q, 0) {
		t.Errorf("a baseline that never answers is worth %+v", q)
	}
}

const decided = `{"id":"a","strategy":"hybrid","planned_model":"m","propensity":0.9,"candidates":[{"model":"m","quality":0.8,"cost_nanos":10,"probability":0.9},{"model":"n","quality":0.5,"cost_nanos":1,"probability":0.1}],"status":"ok","cache":"miss","cost_nanos":12,"quality":1,"latency_us":7}`

func TestReadLog(t *testing.T) {
	t.Parallel()
	with := func(old, new string) string { return strings.Replace(decided, old, new, 1) }
	lines := strings.Join([]string{decided, with(`"cache":"miss"`, `"cache":"redis"`), with(`"cache":"miss"`, `"cache":"memory"`),
		with(`"propensity":0.9`, `"propensity":0`), with(`"id":"a"`, `"id":"b","holdout":true`), with(`hybrid`, `complexity`),
		with(`"status":"ok"`, `"status":"canceled"`), with(`"id":"a"`, `"unpriced":true`), with(`hybrid`, `shadow`), with(`hybrid`, `judge`)}, "\n")
	l, err := ReadLog(strings.NewReader(lines), "hybrid")
	if err != nil {
		t.Fatal(err)
	}
	want := []LeftOut{{"answered from a cache", 2}, {"nothing was chosen: the request named its model", 1}, {"of the hold-out", 1},
		{"decided by another strategy", 1}, {"the caller left, or the process died", 1}, {"its price is not known", 1}, {"asked in the background, beside a decision", 2}}
	if len(l.Decisions) != 1 || fmt.Sprint(l.LeftOut) != fmt.Sprint(want) {
		t.Errorf("%d decisions, left out %v, want 1, %v", len(l.Decisions), l.LeftOut, want)
	}
	for name, bad := range map[string]string{
		"no JSON": `{`, "no number": with(`0.8`, `"high"`), "another propensity": with(`"propensity":0.9`, `"propensity":0.8`),
		"chances that do not add up": with(`"probability":0.1`, `"probability":0.3`), "a stranger": with(`"planned_model":"m"`, `"planned_model":"x"`),
		"quality": with(`"quality":1,`, `"quality":1.5,`), "money": with(`"cost_nanos":12`, `"cost_nanos":-1`), "a prior": with(`"quality":0.8`, `"quality":0.8,"prior":2`),
	} {
		if _, err := ReadLog(strings.NewReader(decided+"\n"+bad), ""); err == nil || !strings.Contains(err.Error(), "decision 2") {
			t.Errorf("%s: the error is %v, want one that names decision 2", name, err)
		}
	}
	if _, err := EvaluatePolicy(Log{LeftOut: want}, Target{Strategy: Logged, Lambda: value(1.0)}, PolicyOptions{}); err == nil || !strings.Contains(err.Error(), "2 answered from a cache") {
		t.Errorf("of no decisions: %v", err)
	}
}

func TestTargetUsage(t *testing.T) {
	t.Parallel()
	for name, target := range map[string]Target{
		"no goal":             {Strategy: Logged},
		"two goals":           {Strategy: Logged, Lambda: value(1.0), StrongShare: value(0.5)},
		"a goal out of range": {Strategy: Logged, StrongShare: value(1.5)},
		"not a number":        {Strategy: Prior, Lambda: value(math.NaN())},
		"complexity's goal":   {Strategy: Complexity, StrongShare: value(0.5), Catalog: catalog(1)},
		"no tiers":            {Strategy: Complexity},
		"what must be told":   {Strategy: Hybrid, Lambda: value(1.0)},
	} {
		if target.Validate() == nil {
			t.Errorf("%s is taken", name)
		}
	}
	own := Target{Strategy: Hybrid, Lambda: value(1.0), Predict: func(d *Decision) ([]float64, error) { return nil, nil }}
	if err := own.Validate(); err != nil {
		t.Errorf("a strategy with its own predictions: %v", err)
	}
	l, err := ReadLog(strings.NewReader(decided), "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := EvaluatePolicy(l, own, PolicyOptions{}); err == nil || !strings.Contains(err.Error(), "0 predictions for 2") {
		t.Errorf("predictions that are not there are used: %v", err)
	}
	if _, err := EvaluatePolicy(l, Target{Strategy: Prior, Lambda: value(1.0)}, PolicyOptions{}); err == nil || !strings.Contains(err.Error(), "no prior") {
		t.Errorf("a prior that was not logged is used: %v", err)
	}
	if _, err := EvaluatePolicy(l, Target{Strategy: Logged, Lambda: value(1.0), Catalog: catalog(1)}, PolicyOptions{}); err == nil || !strings.Contains(err.Error(), "of m are not known") {
		t.Errorf("a price that nobody knows is used: %v", err)
	}
}
