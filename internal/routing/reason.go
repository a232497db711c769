package routing

import (
	"fmt"
	"math"
	"strconv"

	"github.com/busuhq/busu/internal/llm"
	"github.com/busuhq/busu/internal/prompt"
)

// reason explains a plan in one sentence, such as "Short factual question
// (complexity 0.08, simple): small is the cheapest model for it, at 1/25 of
// large's cost." Costs compared are the expected ones of the plan.
func reason(p *prompt.Features, tier llm.Tier, choices []Choice) string {
	b := begin(make([]byte, 0, usualReason), p)
	b = strconv.AppendFloat(append(b, " (complexity "...), cut(p.Complexity), 'f', 2, 64)
	b = append(append(append(b, ", "...), tier...), "): "...)
	b = append(append(append(b, choices[0].Model.ID...), ' '), role(tier, choices)...)
	return string(append(appendComparison(b, choices), '.'))
}

// usualReason is longer than any, in bytes: it stays on the stack, and every
// request has a reason.
const usualReason = 256

// begin begins a reason's sentence: descriptions begin with a small letter.
func begin(b []byte, p *prompt.Features) []byte {
	b = p.AppendDescription(b)
	b[0] -= 'a' - 'A'
	return b
}

// role says why the first choice was taken.
func role(tier llm.Tier, choices []Choice) string {
	planned := &choices[0]
	switch {
	case !capable(planned, tier.Rank()) && len(choices) == 1:
		return fmt.Sprintf("is the only model that can take it, though meant for %s prompts", planned.Model.Tier)
	case !capable(planned, tier.Rank()):
		return fmt.Sprintf("is the most capable model that can take it, though meant for %s prompts", planned.Model.Tier)
	case len(choices) == 1:
		return "is the only model that can take it"
	case planned.Price.Unknown:
		return "is up to it, at a price that is not known"
	case tied(tier, choices):
		return "is up to it and no model that is costs less"
	default:
		return "is the cheapest model for it"
	}
}

// tied reports whether another capable model costs what the planned one does.
func tied(tier llm.Tier, choices []Choice) bool {
	for i := range choices[1:] {
		if c := &choices[1+i]; capable(c, tier.Rank()) && compareCosts(c, &choices[0]) == 0 {
			return true
		}
	}
	return false
}

// appendComparison sets the planned model's cost against the dearest one's, and adds
// nothing where these are the same.
func appendComparison(b []byte, choices []Choice) []byte {
	planned, dearest := &choices[0], &choices[0]
	for i := range choices {
		if choices[i].Cost > dearest.Cost {
			dearest = &choices[i]
		}
	}
	switch {
	case dearest.Cost == planned.Cost, planned.Price.Unknown:
		return b
	case planned.Cost == 0:
		return append(b, ", at no cost"...)
	default:
		b = appendShare(append(b, ", at "...), float64(planned.Cost)/float64(dearest.Cost))
		return append(append(append(b, " of "...), dearest.Model.ID...), "'s cost"...)
	}
}

// appendShare writes a proportion below 1 as people say it, rounded: 1/25, or 42 %.
func appendShare(b []byte, s float64) []byte {
	switch {
	case s < 0.1:
		return strconv.AppendFloat(append(b, "1/"...), 1/s, 'f', 0, 64)
	case s < 0.995:
		return append(strconv.AppendFloat(b, 100*s, 'f', 0, 64), " %"...)
	default:
		return append(b, "nearly all"...)
	}
}

// cut drops what is beyond two decimals, so that a score never reads as lying
// in another tier than its own.
func cut(score float64) float64 { return math.Floor(score*100+1e-9) / 100 }
