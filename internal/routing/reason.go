package routing

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/busuhq/busu/internal/llm"
	"github.com/busuhq/busu/internal/prompt"
)

// reason explains a plan in one sentence, such as "Short factual question
// (complexity 0.08, simple): small is the cheapest model for it, at 1/25 of
// large's cost." Costs compared are the expected ones of the plan.
func reason(p prompt.Features, tier llm.Tier, choices []Choice) string {
	return fmt.Sprintf("%s (complexity %.2f, %s): %s %s%s.",
		capitalised(p.Describe()), cut(p.Complexity), tier, choices[0].Model.ID, role(tier, choices), comparison(choices))
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

// comparison sets the planned model's cost against the dearest one's, and is
// empty where these are the same.
func comparison(choices []Choice) string {
	planned, dearest := &choices[0], &choices[0]
	for i := range choices {
		if choices[i].Cost > dearest.Cost {
			dearest = &choices[i]
		}
	}
	switch {
	case dearest.Cost == planned.Cost, planned.Price.Unknown:
		return ""
	case planned.Cost == 0:
		return ", at no cost"
	default:
		return fmt.Sprintf(", at %s of %s's cost", share(float64(planned.Cost)/float64(dearest.Cost)), dearest.Model.ID)
	}
}

// share writes a proportion below 1 as people say it, rounded: 1/25, or 42 %.
func share(s float64) string { return string(appendShare(nil, s)) }

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

// capitalised is for the ASCII sentences of Describe.
func capitalised(s string) string { return strings.ToUpper(s[:1]) + s[1:] }
