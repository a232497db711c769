package routing

import (
	"cmp"
	"fmt"
	"strings"
)

// goodEnough moves the choices that are predicted to be good enough to the
// front, and gives their number. Where none is, the best one is all that is
// left to choose, and the others follow by what is predicted of them.
func goodEnough(choices []Choice, least float64) int {
	if least <= 0 {
		return len(choices)
	}
	n := 0
	for i := range choices {
		if choices[i].Quality >= least {
			good := choices[i]
			copy(choices[n+1:i+1], choices[n:i])
			choices[n] = good
			n++
		}
	}
	arrange(choices[n:], func(a, b *Choice) int { return cmp.Compare(b.Quality, a.Quality) })
	return max(n, 1)
}

// demanded adds to a reason what the quality that was asked for had to do with
// it.
func demanded(reason string, planned *Choice, least float64) string {
	switch {
	case least <= 0:
		return reason
	case planned.Quality < least:
		return fmt.Sprintf("%s; no model is predicted to reach the quality asked for, %.2f.", strings.TrimSuffix(reason, "."), least)
	default:
		return fmt.Sprintf("%s; at least %.2f was asked for.", strings.TrimSuffix(reason, "."), least)
	}
}
