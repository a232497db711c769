package replay

import (
	"math"

	"github.com/busuhq/busu/internal/llm"
	"github.com/busuhq/busu/internal/pricing"
	"github.com/busuhq/busu/internal/routing"
)

// field is what a policy chooses among: the models, at their mean costs. What
// a single answer will cost nobody knows beforehand, so it is not told.
type field struct {
	candidates []routing.Candidate
	names      []string
	strong     int // the best on average: what RouteLLM calls the strong model
	weak       int // the cheapest; of two models, the other one
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
	for m, id := range models {
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
