package routing

import (
	"math"

	"github.com/busuhq/busu/internal/llm"
	"github.com/busuhq/busu/internal/prompt"
)

// The prior quality of a model is a logistic in how far its tier's ability
// lies above the prompt's complexity:
//
//	q = 1 / (1 + exp(−steepness · (ability − complexity)))
//
// It is a prior set by hand, not a measurement. Abilities are spaced so that
// every tier's models come down to the same quality, goodEnough, right where
// the tier's prompts end: "the cheapest model that is good enough" and "the
// cheapest model of the prompt's tier or above" are one rule.
const (
	steepness = 4.0
	margin    = 0.35 // ability above the end of the tier: goodEnough is 0.80
)

// ability is the complexity at which a model of the tier has even odds. An
// unknown tier is trusted with as little as the lowest.
func ability(tier llm.Tier) float64 {
	switch tier {
	case llm.TierComplex:
		return 1 + margin
	case llm.TierModerate:
		return prompt.ComplexFrom + margin
	default:
		return prompt.ModerateFrom + margin
	}
}

// priorQuality is the chance of a good answer that a model of the tier is
// given before anything is known of it, 0 … 1.
func priorQuality(tier llm.Tier, complexity float64) float64 {
	return rounded(1 / (1 + math.Exp(-steepness*(ability(tier)-complexity))))
}

// rounded leaves six decimals of a chance: no prediction knows the seventh. A fact
// has up to three of them for each candidate, which take half of their bytes then,
// and a third of the time to be written.
func rounded(chance float64) float64 { return math.Round(chance*1e6) / 1e6 }
