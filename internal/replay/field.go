package replay

import (
	"math"

	"github.com/busuhq/busu/internal/llm"
	"github.com/busuhq/busu/internal/pricing"
	"github.com/busuhq/busu/internal/routing"
)

// field is what a policy chooses among. While it learns to keep to a share of
// strong calls, a call counts as a call: every model stands at its mean cost.
// Where money is measured, a prompt's cost is estimated from its length, as
// what a single answer will cost nobody knows beforehand.
type field struct {
	candidates []routing.Candidate
	names      []string
	lines      []costLine
	strong     int // the best on average: what RouteLLM calls the strong model
	weak       int // the cheapest; of two models, the other one
	cheapest   int // the cheapest of all
}

// costLine is what a model's answer costs in dollars, by the prompt's tokens.
type costLine struct{ base, perToken float64 }

func (l costLine) at(tokens float64) float64 { return l.base + l.perToken*tokens }

// fitLine is the least-squares line through a model's costs, with no part of
// it below zero.
func fitLine(items []item, model int) costLine {
	n := float64(len(items))
	var x, y, xx, xy float64
	for i := range items {
		t, c := items[i].tokens, items[i].results[model].Cost
		x, y, xx, xy = x+t/n, y+c/n, xx+t*t/n, xy+t*c/n
	}
	slope := 0.0
	if spread := xx - x*x; spread > 0 {
		slope = max(0, (xy-x*y)/spread)
	}
	if base := y - slope*x; base >= 0 {
		return costLine{base: base, perToken: slope}
	}
	return costLine{perToken: y / x}
}

func newField(models []string, items []item) field {
	f := field{names: models}
	quality, cost := make([]float64, len(models)), make([]float64, len(models))
	for i := range items {
		for m, r := range items[i].results {
			quality[m] += r.Quality / float64(len(items))
			cost[m] += r.Cost / float64(len(items))
		}
	}
	for m := range models {
		if quality[m] > quality[f.strong] {
			f.strong = m
		}
	}
	f.weak = (f.strong + 1) % len(models)
	for m := range models {
		if m != f.strong && cost[m] < cost[f.weak] {
			f.weak = m
		}
	}
	for m := range models {
		if cost[m] < cost[f.cheapest] {
			f.cheapest = m
		}
	}
	for m, id := range models {
		f.lines = append(f.lines, fitLine(items, m))
		f.candidates = append(f.candidates, routing.Candidate{
			Model: llm.Model{ID: id, Tier: tierByCost(cost, m)},
			Price: pricing.Price{PerRequest: pricing.Nanos(math.Round(cost[m] * 1e9))},
		})
	}
	return f
}

// tierByCost is how an operator who knows nothing but prices would sort a
// model: by thirds between the cheapest and the dearest, in ratios.
func tierByCost(cost []float64, m int) llm.Tier {
	low, high := math.Inf(1), 0.0
	for _, c := range cost {
		low, high = min(low, c), max(high, c)
	}
	if !(low > 0) || low == high {
		return llm.TierModerate
	}
	switch at := math.Log(cost[m]/low) / math.Log(high/low); {
	case at < 1.0/3:
		return llm.TierSimple
	case at < 2.0/3:
		return llm.TierModerate
	default:
		return llm.TierComplex
	}
}
