package routing

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/busuhq/busu/internal/llm"
)

// drawnPlan is one of len(p) models, of which the planned one was drawn by p.
func drawnPlan(p []float64, chance float64) Plan {
	plan := Plan{Learns: true, Strategy: "hybrid"}
	for i, x := range p {
		plan.Choices = append(plan.Choices, Choice{Candidate: Candidate{Model: llm.Model{ID: string(rune('a' + i))}}, Probability: x, Prior: .5})
	}
	i := pick(plan.Choices, chance)
	plan.Choices[0], plan.Choices[i] = plan.Choices[i], plan.Choices[0]
	return plan
}

// Each model is the second one as often as the second plan says, whatever the
// first went by.
func TestSecondIsDrawnAsItSays(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	for _, p := range [][]float64{{.9, .1}, {.5, .5}, {.9, .07, .03}, {1, 0, 0}, {.4, .3, .2, .1}} {
		const n = 40_000
		seen, said := map[string]float64{}, map[string]float64{}
		for range n {
			plan := drawnPlan(p, r.Float64())
			second, ok := Second(plan, r.Float64())
			if !ok {
				t.Fatal("there is no second model")
			}
			first := second.Choices[0]
			if first.Model.ID == plan.Choices[0].Model.ID {
				t.Fatalf("%s stands beside itself", first.Model.ID)
			}
			seen[first.Model.ID] += 1. / n
			total := 0.0
			for _, c := range second.Choices {
				said[c.Model.ID] = c.Probability
				total += c.Probability
			}
			if len(second.Choices) != len(p) || math.Abs(total-1) > 1e-9 {
				t.Fatalf("%d choices with %v in all: %+v", len(second.Choices), total, second.Choices)
			}
		}
		for id, q := range said {
			if math.Abs(seen[id]-q) > 5*math.Sqrt(.25/n) {
				t.Errorf("of %v, %s was second %.4f of times, not %.4f", p, id, seen[id], q)
			}
		}
	}
}

func TestSecondLeavesTheFirstPlanAlone(t *testing.T) {
	t.Parallel()
	plan := drawnPlan([]float64{.7, .2, .1}, 0)
	for _, chance := range []float64{0, .3, .999999, 1} {
		if _, ok := Second(plan, chance); !ok || plan.Choices[0].Model.ID != "a" || plan.Choices[0].Probability != .7 {
			t.Errorf("chance %v leaves %+v", chance, plan.Choices)
		}
	}
}

func TestSecondNeedsAPriceAndAChoice(t *testing.T) {
	t.Parallel()
	if _, ok := Second(drawnPlan([]float64{1}, 0), .5); ok {
		t.Error("one model has a second")
	}
	plan := drawnPlan([]float64{.8, .1, .1}, 0)
	plan.Learns = false
	if _, ok := Second(plan, .5); ok {
		t.Error("a plan that teaches nothing has a second model")
	}
	plan.Learns = true
	plan.Choices[1].Price.Unknown = true
	for _, chance := range []float64{0, .9} {
		second, ok := Second(plan, chance)
		if !ok || second.Choices[0].Model.ID != "c" {
			t.Fatalf("drawn is %+v", second.Choices)
		}
		for _, c := range second.Choices {
			if c.Probability != 0 {
				t.Errorf("%s has the probability %v, though not all could be drawn", c.Model.ID, c.Probability)
			}
		}
	}
	plan.Choices[2].Price.Unknown = true
	if _, ok := Second(plan, .5); ok {
		t.Error("drawn is a model without a price")
	}
}
