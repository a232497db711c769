package routing

import (
	"math"
	"strconv"

	"github.com/busuhq/busu/internal/prompt"
)

// learnedReason explains a learned plan in one sentence, such as "Short factual
// question: small is predicted to reach 0.93 of large's quality at 1/40 of its
// cost; 212 similar rated answers." It compares with the best of the others,
// in predicted quality.
func learnedReason(p *prompt.Features, choices []Choice, tried bool) string {
	planned := &choices[0]
	b := begin(make([]byte, 0, usualReason), p)
	b = append(append(b, ": "...), planned.Model.ID...)
	if len(choices) == 1 {
		return string(append(b, " is the only model that can take it."...))
	}
	other := &choices[1]
	for i := range choices[2:] {
		if c := &choices[2+i]; c.Quality > other.Quality {
			other = c
		}
	}
	b = append(b, " is"...)
	if tried {
		b = append(b, " tried out (chance "...)
		b = append(strconv.AppendFloat(b, 100*planned.Probability, 'f', 0, 64), " %),"...)
	}
	b = append(b, " predicted to reach "...)
	b = strconv.AppendFloat(b, planned.Quality/other.Quality, 'f', 2, 64)
	b = append(append(append(b, " of "...), other.Model.ID...), "'s quality"...)
	b = append(appendPriceBeside(b, planned, other), "; "...)
	return string(append(appendRated(b, planned, other), '.'))
}

// appendPriceBeside sets the planned model's cost against another's.
func appendPriceBeside(b []byte, planned, other *Choice) []byte {
	switch {
	case planned.Price.Unknown:
		return append(b, " at a price that is not known"...)
	case other.Price.Unknown:
		return append(b, ", whose price is not known"...)
	case planned.Cost == other.Cost:
		return append(b, " at the same cost"...)
	case planned.Cost == 0:
		return append(b, " at no cost"...)
	case planned.Cost < other.Cost:
		b = appendShare(append(b, " at "...), float64(planned.Cost)/float64(other.Cost))
		return append(b, " of its cost"...)
	case other.Cost == 0:
		return append(b, ", which costs nothing"...)
	default:
		b = strconv.AppendFloat(append(b, " at "...), float64(planned.Cost)/float64(other.Cost), 'f', 1, 64)
		return append(b, " times its cost"...)
	}
}

// appendRated says on what a prediction rests: as many verdicts on this very prompt
// would have taught as much of the two models.
func appendRated(b []byte, planned, other *Choice) []byte {
	switch n := math.Round(planned.Evidence + other.Evidence); {
	case n < 1:
		return append(b, "no similar answer was rated yet"...)
	case n == 1:
		return append(b, "1 similar rated answer"...)
	default:
		return append(strconv.AppendFloat(b, n, 'f', 0, 64), " similar rated answers"...)
	}
}
