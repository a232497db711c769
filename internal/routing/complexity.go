package routing

import (
	"cmp"
	"math"

	"github.com/busuhq/busu/internal/llm"
	"github.com/busuhq/busu/internal/prompt"
)

// Complexity plans by the prompt's complexity alone: without learned weights,
// deterministic, and explainable in one sentence.
//
// It plans the cheapest candidate of the prompt's tier or above, the one of
// the lower tier where costs are equal, and the cheapest of the best tier
// below when there is none. Fallbacks follow: the prompt's tier, those above
// it upwards, those below it downwards, and by cost within each. A model whose
// price nobody knows counts as dearer than any other: it may cost anything.
type Complexity struct{}

// Name is "complexity", the name callers choose it by.
func (Complexity) Name() string { return "complexity" }

// Plan implements Strategy.
func (s Complexity) Plan(r Request, candidates []Candidate) (Plan, error) {
	choices, err := fits(&r, candidates)
	if err != nil {
		return Plan{}, err
	}
	score := r.Prompt.Complexity
	tier := Tier(score)
	eligible := choices[:goodEnough(choices, r.MinQuality)]
	order(eligible, tier.Rank())
	choices[0].Probability = 1
	return Plan{
		Strategy:   s.Name(),
		Complexity: score,
		Tier:       tier,
		Confidence: confidence(score, !capable(&choices[0], tier.Rank())),
		Choices:    choices,
		prompt:     r.Prompt, basis: onTier, eligible: len(eligible), least: r.MinQuality,
	}, nil
}

// order sorts choices into the order to try them in for a prompt of the
// wanted rank. Of equals the one named first in the model list stays first.
func order(choices []Choice, wanted int) {
	arrange(choices, func(a, b *Choice) int {
		return cmp.Or(
			cmp.Compare(distance(a, wanted), distance(b, wanted)),
			compareCosts(a, b),
		)
	})
	best := 0
	for i := range choices {
		if capable(&choices[i], wanted) && compareCosts(&choices[i], &choices[best]) < 0 {
			best = i
		}
	}
	planned := choices[best]
	copy(choices[1:best+1], choices[:best])
	choices[0] = planned
}

// compareCosts orders choices by cost, those of unknown cost last.
func compareCosts(a, b *Choice) int {
	if a.Price.Unknown != b.Price.Unknown {
		if a.Price.Unknown {
			return 1
		}
		return -1
	}
	return cmp.Compare(a.Cost, b.Cost)
}

func capable(c *Choice, wanted int) bool { return c.Model.Tier.Rank() >= wanted }

// distance ranks a choice's tier for a prompt of the wanted rank: the tier
// itself, those above it upwards, those below it downwards.
func distance(c *Choice, wanted int) int {
	rank := c.Model.Tier.Rank()
	if rank >= wanted {
		return rank - wanted
	}
	return len(llm.Tiers()) + wanted - rank
}

// Distances of a score from the nearest boundary of tiers. One telling word
// moves a score by 0.05 to 0.2 there: within fairDistance the tier is a
// toss-up, beyond clearDistance few single words change it.
const (
	clearDistance = 0.15
	fairDistance  = 0.05
)

// confidence is high or medium by the score's distance to the nearest
// boundary of tiers, and low close to one or when no candidate is up to the
// tier.
func confidence(score float64, overtaxed bool) Confidence {
	away := min(math.Abs(score-prompt.ModerateFrom), math.Abs(score-prompt.ComplexFrom))
	switch {
	case overtaxed || away < fairDistance:
		return ConfidenceLow
	case away < clearDistance:
		return ConfidenceMedium
	default:
		return ConfidenceHigh
	}
}
