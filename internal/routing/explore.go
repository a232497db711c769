package routing

import "math"

// Exploration says how often a strategy plans a model that it does not hold
// for the best, to learn of it. The zero value never does.
//
// Of k models, one whose q − λ·cost lies gap below the best one's is planned
// with probability 1 / (k + (gap/width)²), the best with what remains. Where
// models are nearly equal for a prompt the choice is nearly even: there trying
// costs least, and there what is learned decides. A try costs gap, so that a
// decision is expected to lose no more than width / 2√k by each of the others,
// and less the clearer it is: width²/gap. Inverse-gap weighting, 1 / (k +
// gap/width), loses nearly width on all clear ones, which are most.
//
// Besides, every model keeps a floor, so that clear cases are looked at, too: a
// share of decisions is spread evenly, which grows with the models.
//
// Width shrinks with the root of the verdicts seen, and the floor falls with it
// from FloorStart to FloorEnd.
type Exploration struct {
	Width                float64 // of the gap, in quality, before any verdict
	Narrowing            float64 // by which its inverse grows per root of a verdict, of what it was at first
	FloorStart, FloorEnd float64 // of each model, 0 … 1
}

// DefaultExploration was chosen by busu eval routing on folds of the recorded
// outcomes.
func DefaultExploration() Exploration {
	return Exploration{Width: 0.0225, Narrowing: 0.002, FloorStart: 0.02, FloorEnd: 0.01}
}

// mostSpread bounds the share of decisions that is spread evenly over models,
// however many there are.
const mostSpread = 0.1

// at is the rule after so many verdicts: the width, and the floor of a model.
func (e Exploration) at(verdicts uint64) (width, floor float64) {
	root := math.Sqrt(float64(verdicts))
	return e.Width / (1 + e.Narrowing*root), max(e.FloorEnd, e.FloorStart/(1+root/10))
}

// explores reports whether the rule ever plans another than the best.
func (e Exploration) explores() bool { return e.Width > 0 || e.FloorStart > 0 }

// propensities sets the probability of each choice, the best of which comes
// first. worth is q − λ·cost of each.
func (e Exploration) propensities(choices []Choice, worth []float64, verdicts uint64) {
	if !e.explores() || len(choices) == 1 {
		choices[0].Probability = 1
		return
	}
	width, floor := e.at(verdicts)
	k, rest := float64(len(choices)), 1.0
	spread := min(mostSpread, k*floor)
	for i := 1; i < len(choices); i++ {
		p := spread / k
		if width > 0 {
			z := max(0, worth[0]-worth[i]) / width
			p += (1 - spread) / (k + z*z)
		}
		p = math.Floor(p*1e6) / 1e6 // six decimals, as rounded; what is left over is the best one's
		choices[i].Probability = p
		rest -= p
	}
	choices[0].Probability = rounded(rest)
}

// pick is the index of the choice that chance falls on. Chance outside of
// 0 … 1, or none, falls on the best.
func pick(choices []Choice, chance float64) int {
	if !(chance > 0 && chance < 1) {
		return 0
	}
	for i, c := range choices {
		if chance < c.Probability {
			return i
		}
		chance -= c.Probability
	}
	return 0
}
