package routing

import (
	"fmt"
	"math"

	"github.com/busuhq/busu/internal/prompt"
)

// learnedReason explains a learned plan in one sentence, such as "Short factual
// question: small is predicted to reach 0.93 of large's quality at 1/40 of its
// cost; 212 similar rated answers." It compares with the best of the others,
// in predicted quality.
func learnedReason(p prompt.Features, choices []Choice, tried bool) string {
	planned := choices[0]
	text := capitalised(p.Describe()) + ": " + planned.Model.ID
	if len(choices) == 1 {
		return text + " is the only model that can take it."
	}
	other := choices[1]
	for _, c := range choices[2:] {
		if c.Quality > other.Quality {
			other = c
		}
	}
	if tried {
		text += fmt.Sprintf(" is tried out (chance %.0f %%),", 100*planned.Probability)
	} else {
		text += " is"
	}
	return text + fmt.Sprintf(" predicted to reach %.2f of %s's quality%s; %s.",
		planned.Quality/other.Quality, other.Model.ID, priceBeside(planned, other), rated(planned, other))
}

// priceBeside sets the planned model's cost against another's.
func priceBeside(planned, other Choice) string {
	switch {
	case planned.Price.Unknown:
		return " at a price that is not known"
	case other.Price.Unknown:
		return ", whose price is not known"
	case planned.Cost == other.Cost:
		return " at the same cost"
	case planned.Cost == 0:
		return " at no cost"
	case planned.Cost < other.Cost:
		return fmt.Sprintf(" at %s of its cost", share(float64(planned.Cost)/float64(other.Cost)))
	case other.Cost == 0:
		return ", which costs nothing"
	default:
		return fmt.Sprintf(" at %.1f times its cost", float64(planned.Cost)/float64(other.Cost))
	}
}

// rated says on what a prediction rests: as many verdicts on this very prompt
// would have taught as much of the two models.
func rated(planned, other Choice) string {
	switch n := math.Round(planned.Evidence + other.Evidence); {
	case n < 1:
		return "no similar answer was rated yet"
	case n == 1:
		return "1 similar rated answer"
	default:
		return fmt.Sprintf("%.0f similar rated answers", n)
	}
}
