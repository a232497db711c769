package routing

import "math"

// Exploration says how often a strategy plans a model that it does not hold
// for the best, to learn of it. The zero value never does.
//
// Of k models, one whose q − λ·cost lies gap below the best one's is planned
// with probability 1 / (k + sharpness·gap), the best with what remains
// (inverse-gap weighting); of all that, a share floor is spread evenly. So
// every model keeps at least floor / k, and where models are nearly equal for
// a prompt the choice is nearly even: there trying costs least.
//
// Sharpness grows with the root of the verdicts seen, and the floor falls with
// it from FloorStart to FloorEnd.
type Exploration struct {
	Sharpness            float64 // before any verdict, per unit of quality
	Growth               float64 // by which it grows per root of a verdict
	FloorStart, FloorEnd float64 // 0 … 1
}

// DefaultExploration was chosen by busu eval routing on folds of the recorded
// outcomes.
func DefaultExploration() Exploration {
	return Exploration{Sharpness: 50, Growth: 0.5, FloorStart: 0.05, FloorEnd: 0.02}
}

// at is the rule after so many verdicts.
func (e Exploration) at(verdicts uint64) (sharpness, floor float64) {
	root := math.Sqrt(float64(verdicts))
	return e.Sharpness + e.Growth*root, max(e.FloorEnd, e.FloorStart/(1+root/10))
}

// explores reports whether the rule ever plans another than the best.
func (e Exploration) explores() bool { return e.Sharpness > 0 || e.FloorStart > 0 }

// propensities sets the probability of each choice, the best of which comes
// first. worth is q − λ·cost of each.
func (e Exploration) propensities(choices []Choice, worth []float64, verdicts uint64) {
	if !e.explores() || len(choices) == 1 {
		choices[0].Probability = 1
		return
	}
	sharpness, floor := e.at(verdicts)
	k, rest := float64(len(choices)), 1.0
	for i := 1; i < len(choices); i++ {
		p := (1 - floor) / (k + sharpness*max(0, worth[0]-worth[i]))
		choices[i].Probability = p + floor/k
		rest -= choices[i].Probability
	}
	choices[0].Probability = rest
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
