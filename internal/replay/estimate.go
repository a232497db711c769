package replay

import "math"

// Weighed is a logged decision as an estimator sees it: what a target policy
// makes of it, and what came of it. Outcome is a cost or a quality; so are the
// two that a model predicts.
type Weighed struct {
	Weight    float64 // chance that the target takes the logged choice, by the chance that it had
	Outcome   float64
	Predicted float64 // of the logged choice
	Expected  float64 // predicted of what the target would choose
	Unit      int     // decisions of one unit, such as a user, may be alike
}

// Estimates say what a policy would have got in the mean, from the decisions
// of another one. With weights w, outcomes y, predictions m of the choice
// taken and v of the target's:
//
//	IPS              mean(w·y)               unbiased; varies with the weights
//	SelfNormalised   Σ w·y / Σ w             a little biased; varies less
//	DoublyRobust     mean(v + w·(y − m))     unbiased whatever m says, and varies little where m is right
//	Direct           mean(v)                 what the predictions alone say
//
// as in Dudík, Langford and Li, "Doubly Robust Policy Evaluation and
// Learning", 2011. Intervals are of 95 %, normal, by the variance of the sums
// of units (linearised for the ratio).
type Estimates struct {
	IPS            Interval `json:"ips"`
	SelfNormalised Interval `json:"self_normalised"`
	DoublyRobust   Interval `json:"doubly_robust"`
	Direct         float64  `json:"direct"`
	Difference     Interval `json:"difference_to_logged"` // doubly robust, paired
	Decisions      int      `json:"decisions"`
	Effective      float64  `json:"effective_sample_size"` // (Σ w)² / Σ w²
	MeanWeight     Interval `json:"mean_weight"`           // 1 in expectation, if the propensities are true
	LargestWeight  float64  `json:"largest_weight"`
}

// normal95 is the half-width of a 95 % interval in standard errors.
const normal95 = 1.959963984540054

// Estimate estimates. No decisions give zeros.
func Estimate(rows []Weighed) (e Estimates) {
	e.Decisions = len(rows)
	if len(rows) == 0 {
		return e
	}
	n := float64(len(rows))
	var sum, squares, wy float64
	for _, r := range rows {
		sum += r.Weight
		squares += r.Weight * r.Weight
		wy += r.Weight * r.Outcome
		e.Direct += r.Expected / n
		e.LargestWeight = max(e.LargestWeight, r.Weight)
	}
	if squares > 0 {
		e.Effective = sum * sum / squares
	}
	u := newUnits(rows)
	e.IPS = u.mean(func(r Weighed) float64 { return r.Weight * r.Outcome })
	e.DoublyRobust = u.mean(Weighed.robust)
	e.Difference = u.mean(func(r Weighed) float64 { return r.robust() - r.Outcome })
	e.MeanWeight = u.mean(func(r Weighed) float64 { return r.Weight })
	if sum > 0 {
		ratio := wy / sum
		half := normal95 * u.stderr(func(r Weighed) float64 { return r.Weight * (r.Outcome - ratio) * n / sum })
		e.SelfNormalised = Interval{Estimate: ratio, Low: ratio - half, High: ratio + half}
	}
	return e
}

func (r Weighed) robust() float64 { return r.Expected + r.Weight*(r.Outcome-r.Predicted) }

// units sum up what decisions of one unit have in common.
type units struct {
	rows []Weighed
	sums []float64
	n    int // units with a decision
}

func newUnits(rows []Weighed) *units {
	u := &units{rows: rows}
	last := 0
	for _, r := range rows {
		last = max(last, r.Unit)
	}
	u.sums = make([]float64, last+1)
	seen := make([]bool, last+1)
	for _, r := range rows {
		if !seen[r.Unit] {
			seen[r.Unit] = true
			u.n++
		}
	}
	return u
}

// mean is that of a value over decisions, with its interval.
func (u *units) mean(value func(Weighed) float64) Interval {
	mean := 0.0
	for _, r := range u.rows {
		mean += value(r) / float64(len(u.rows))
	}
	half := normal95 * u.stderr(func(r Weighed) float64 { return value(r) - mean })
	return Interval{Estimate: mean, Low: mean - half, High: mean + half}
}

// stderr is the standard error of the mean of a deviation over decisions. Of a
// single unit nothing can be said.
func (u *units) stderr(deviation func(Weighed) float64) float64 {
	if u.n < 2 {
		return math.Inf(1)
	}
	clear(u.sums)
	for _, r := range u.rows {
		u.sums[r.Unit] += deviation(r)
	}
	squares := 0.0
	for _, s := range u.sums {
		squares += s * s
	}
	return math.Sqrt(squares*float64(u.n)/float64(u.n-1)) / float64(len(u.rows))
}
