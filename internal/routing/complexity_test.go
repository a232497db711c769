package routing

import (
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/busuhq/busu/internal/llm"
	"github.com/busuhq/busu/internal/pricing"
	"github.com/busuhq/busu/internal/prompt"
)

// model is a candidate that costs usd dollars per million tokens, in and out.
func model(id string, tier llm.Tier, usd int64) Candidate {
	price := pricing.Nanos(usd * 1_000_000_000)
	return Candidate{
		Model: llm.Model{ID: id, Tier: tier},
		Price: pricing.Price{Input: price, CachedInput: price, Output: price},
	}
}

func window(c Candidate, tokens int) Candidate {
	c.Model.ContextTokens = tokens
	return c
}

// scored is a request of a given complexity.
func scored(complexity float64) Request {
	return Request{
		Prompt:    prompt.Features{Counters: prompt.Scan("Write a poem"), Complexity: complexity},
		TokensIn:  100,
		MaxTokens: 1000,
	}
}

func ids(p Plan) string {
	var names []string
	for _, c := range p.Choices {
		names = append(names, c.Model.ID)
	}
	return strings.Join(names, " ")
}

func TestChoiceByTier(t *testing.T) {
	t.Parallel()
	var (
		small  = model("small", llm.TierSimple, 1)
		medium = model("medium", llm.TierModerate, 5)
		large  = model("large", llm.TierComplex, 25)
		all    = []Candidate{large, small, medium}
	)
	tests := []struct {
		name       string
		complexity float64
		candidates []Candidate
		want       string
	}{
		{"simple", 0.29, all, "small medium large"},
		{"moderate", 0.3, all, "medium large small"},
		{"complex", 0.7, all, "large medium small"},
		{"none of the tier: the next up", 0.1, []Candidate{large, medium}, "medium large"},
		{"none up to it: the best below", 0.9, []Candidate{small, medium}, "medium small"},
		{"cheapest of the tier", 0.1, []Candidate{model("b", llm.TierSimple, 2), small, medium}, "small b medium"},
		{"a more capable model that costs less", 0.1, []Candidate{small, medium, model("gift", llm.TierComplex, 0)}, "gift small medium"},
		{"equal prices: the prompt's tier", 0.5, []Candidate{model("c", llm.TierComplex, 1), model("m", llm.TierModerate, 1), model("s", llm.TierSimple, 1)}, "m c s"},
		{"zero prices: the prompt's tier", 0.1, []Candidate{model("c", llm.TierComplex, 0), model("s", llm.TierSimple, 0)}, "s c"},
		{"equals stay in order", 0.1, []Candidate{model("x", llm.TierSimple, 1), model("y", llm.TierSimple, 1)}, "x y"},
		{"one model", 0.9, []Candidate{small}, "small"},
		{"unknown tier comes last", 0.1, []Candidate{model("odd", "", 0), small}, "small odd"},
	}
	for _, tt := range tests {
		plan, err := Complexity{}.Plan(scored(tt.complexity), tt.candidates)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if got := ids(plan); got != tt.want {
			t.Errorf("%s: planned %q, want %q", tt.name, got, tt.want)
		}
	}
}

// A model whose price nobody knows may cost anything: those with a price go
// before it, but not those that are not up to the prompt.
func TestUnknownPricesComeLast(t *testing.T) {
	t.Parallel()
	unknown := func(id string, tier llm.Tier) Candidate {
		return Candidate{Model: llm.Model{ID: id, Tier: tier}, Price: pricing.Price{Unknown: true}}
	}
	small, large := model("small", llm.TierSimple, 1), model("large", llm.TierComplex, 25)
	for _, c := range []struct {
		name       string
		complexity float64
		candidates []Candidate
		want       string
		reason     string
	}{
		{"of its tier", 0.1, []Candidate{unknown("x", llm.TierSimple), small, large}, "small x large", "is the cheapest model for it"},
		{"a dearer tier", 0.1, []Candidate{unknown("x", llm.TierSimple), large}, "large x", "is the cheapest model for it"},
		{"the only capable one", 0.9, []Candidate{small, unknown("x", llm.TierComplex)}, "x small", "at a price that is not known"},
		{"all alike", 0.1, []Candidate{unknown("x", llm.TierComplex), unknown("y", llm.TierSimple)}, "y x", "at a price that is not known"},
	} {
		plan, err := Complexity{}.Plan(scored(c.complexity), c.candidates)
		if err != nil || ids(plan) != c.want || !strings.Contains(plan.Reason(), c.reason) || strings.Contains(plan.Reason(), "no cost") {
			t.Errorf("%s: %s (%q), %v, want %s (%q)", c.name, ids(plan), plan.Reason(), err, c.want, c.reason)
		}
	}
}

func TestContextWindow(t *testing.T) {
	t.Parallel()
	request := scored(0.1) // needs 1,100 tokens
	small := window(model("small", llm.TierSimple, 1), 1099)
	medium := window(model("medium", llm.TierModerate, 5), 1100)
	unknown := model("unknown", llm.TierComplex, 25)

	plan, err := Complexity{}.Plan(request, []Candidate{small, medium, unknown})
	if err != nil || ids(plan) != "medium unknown" {
		t.Errorf("planned %q, %v; want medium unknown", ids(plan), err)
	}

	tiny := window(small, 10)
	_, err = Complexity{}.Plan(request, []Candidate{tiny, small})
	var tooSmall *ContextError
	if !errors.As(err, &tooSmall) || *tooSmall != (ContextError{Needed: 1100, Largest: 1099, Model: "small"}) {
		t.Errorf("error is %#v, want a ContextError that names small's 1099 tokens", err)
	}
	if !errors.Is(err, ErrNoCandidate) {
		t.Errorf("%v is no ErrNoCandidate", err)
	}

	request.TokensIn, request.MaxTokens = math.MaxInt64, math.MaxInt64
	if _, err = (Complexity{}).Plan(request, []Candidate{medium}); !errors.As(err, &tooSmall) {
		t.Errorf("an absurd request: error is %v", err)
	}
	if _, err = (Complexity{}).Plan(request, nil); !errors.Is(err, ErrNoCandidate) {
		t.Errorf("no candidates: error is %v", err)
	}
}

func TestConfidence(t *testing.T) {
	t.Parallel()
	tests := []struct {
		complexity float64
		want       Confidence
	}{
		{0.05, ConfidenceHigh}, {0.2, ConfidenceMedium}, {0.28, ConfidenceLow}, {0.32, ConfidenceLow},
		{0.36, ConfidenceMedium}, {0.5, ConfidenceHigh}, {0.69, ConfidenceLow}, {0.8, ConfidenceMedium}, {0.99, ConfidenceHigh},
	}
	large := []Candidate{model("large", llm.TierComplex, 1)}
	for _, tt := range tests {
		plan, err := Complexity{}.Plan(scored(tt.complexity), large)
		if err != nil || plan.Confidence != tt.want {
			t.Errorf("confidence at %.2f is %s (%v), want %s", tt.complexity, plan.Confidence, err, tt.want)
		}
	}
	plan, err := Complexity{}.Plan(scored(0.99), []Candidate{model("small", llm.TierSimple, 1)})
	if err != nil || plan.Confidence != ConfidenceLow {
		t.Errorf("confidence in a model that is not up to it is %s (%v), want low", plan.Confidence, err)
	}
}

func TestReason(t *testing.T) {
	t.Parallel()
	small, large := model("small", llm.TierSimple, 1), model("large", llm.TierComplex, 25)
	tests := []struct {
		name       string
		complexity float64
		candidates []Candidate
		want       string
	}{
		{"cheapest", 0.0899, []Candidate{small, large}, "Short request (complexity 0.08, simple): small is the cheapest model for it, at 1/25 of large's cost."},
		{"percent", 0.1, []Candidate{small, model("other", llm.TierSimple, 3)}, "Short request (complexity 0.10, simple): small is the cheapest model for it, at 33 % of other's cost."},
		{"not rounded into the next tier", 0.2999, []Candidate{small, large}, "Short request (complexity 0.29, simple): small is the cheapest model for it, at 1/25 of large's cost."},
		{"dearest", 0.8, []Candidate{small, large}, "Short request (complexity 0.80, complex): large is the cheapest model for it."},
		{"one", 0.1, []Candidate{small}, "Short request (complexity 0.10, simple): small is the only model that can take it."},
		{"overtaxed", 0.8, []Candidate{small}, "Short request (complexity 0.80, complex): small is the only model that can take it, though meant for simple prompts."},
		{"best below", 0.8, []Candidate{small, model("medium", llm.TierModerate, 5)}, "Short request (complexity 0.80, complex): medium is the most capable model that can take it, though meant for moderate prompts."},
		{"free", 0.1, []Candidate{model("free", llm.TierSimple, 0), large}, "Short request (complexity 0.10, simple): free is the cheapest model for it, at no cost."},
		{"tied", 0.1, []Candidate{model("a", llm.TierSimple, 1), model("b", llm.TierSimple, 1)}, "Short request (complexity 0.10, simple): a is up to it and no model that is costs less."},
		{"nearly tied", 0.1, []Candidate{model("a", llm.TierSimple, 999), model("b", llm.TierSimple, 1000)}, "Short request (complexity 0.10, simple): a is the cheapest model for it, at nearly all of b's cost."},
	}
	for _, tt := range tests {
		plan, err := Complexity{}.Plan(scored(tt.complexity), tt.candidates)
		if err != nil || plan.Reason() != tt.want {
			t.Errorf("%s: reason is %q (%v), want %q", tt.name, plan.Reason(), err, tt.want)
		}
	}
}

// TestPlanIsSound checks, over prompts and model lists, what every plan keeps.
func TestPlanIsSound(t *testing.T) {
	t.Parallel()
	lists := [][]Candidate{
		{model("a", llm.TierSimple, 1), model("b", llm.TierModerate, 4), model("c", llm.TierComplex, 20)},
		{model("a", llm.TierComplex, 0), model("b", llm.TierComplex, 0)},
		{model("a", llm.TierSimple, 9), model("b", llm.TierModerate, 3), model("c", "odd", 1), model("d", llm.TierComplex, 1)},
		{model("a", llm.TierModerate, math.MaxInt64/1_000_000_000)},
	}
	for step := range 101 {
		for _, candidates := range lists {
			r := scored(float64(step) / 100)
			r.TokensIn = int64(step * step * 100)
			checkPlan(t, r, candidates)
		}
	}
}

func checkPlan(t *testing.T, r Request, candidates []Candidate) {
	t.Helper()
	plan, err := Complexity{}.Plan(r, candidates)
	if err != nil {
		t.Fatal(err)
	}
	again, _ := Complexity{}.Plan(r, candidates)
	if !reflect.DeepEqual(plan, again) {
		t.Error("two plans for one request differ")
	}
	if len(plan.Choices) != len(candidates) {
		t.Errorf("%d choices of %d candidates", len(plan.Choices), len(candidates))
	}
	propensity := 0.0
	for _, c := range plan.Choices {
		propensity += c.Probability
		if c.Cost < 0 || c.Cost > c.UpperCost {
			t.Errorf("%s: cost %s beyond the upper %s", c.Model.ID, c.Cost, c.UpperCost)
		}
		if !(c.Quality > 0 && c.Quality < 1) {
			t.Errorf("%s: quality %v is no chance", c.Model.ID, c.Quality)
		}
		if c.Model.Tier.Rank() >= plan.Tier.Rank() && c.Cost < plan.Choices[0].Cost {
			t.Errorf("%s is up to it and cheaper than %s, which was planned", c.Model.ID, plan.Choices[0].Model.ID)
		}
	}
	if propensity != 1 || plan.Choices[0].Probability != 1 {
		t.Errorf("propensities add up to %v, the first is %v", propensity, plan.Choices[0].Probability)
	}
}

// TestGoodEnough holds the prior to its definition: 0.80 for a tier's model
// where its tier ends.
func TestGoodEnough(t *testing.T) {
	t.Parallel()
	ends := map[llm.Tier]float64{llm.TierSimple: prompt.ModerateFrom, llm.TierModerate: prompt.ComplexFrom, llm.TierComplex: 1}
	for tier, end := range ends {
		if q := priorQuality(tier, end); math.Abs(q-0.80) > 0.005 {
			t.Errorf("a %s model's quality at %.1f is %.3f, want 0.80", tier, end, q)
		}
	}
}

func BenchmarkComplexity(b *testing.B) {
	three := []Candidate{model("small", llm.TierSimple, 1), model("medium", llm.TierModerate, 5), model("large", llm.TierComplex, 25)}
	ten := append(append(append(three[:3:3], three...), three...), model("xl", llm.TierComplex, 60))
	for name, candidates := range map[string][]Candidate{"3": three, "10": ten} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				r := Request{Prompt: prompt.Read("What is the capital of France?"), TokensIn: 8, MaxTokens: 1000}
				if _, err := (Complexity{}).Plan(r, candidates); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
