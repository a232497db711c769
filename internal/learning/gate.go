package learning

import "math"

// Gate says how much weight the learned difference between models deserves.
// It holds it, before every update, against the verdict that comes in, by
// inverse propensity: for a decision that chose model m with propensity p out
// of k models,
//
//	gain  = d_m · e / p        e: the verdict minus what the prior expected
//	power = Σ over models of d²
//
// where d is the learned deviation of a model from the mean over the models of
// the decision. The expectation of gain is what the learned part and the truth
// beyond the prior have in common, over all models and not only those chosen.
// Weight w improves on the prior's squared error of the differences by
// 2w·gain − w²·power: best at gain / power, short of a little doubt. The gate
// gives the weight at the lower end of the gain's interval, which is proof; and
// while the interval is too wide to prove anything, as where one model is seldom
// tried, up to a little trust, as long as the estimate itself says as much. A
// small and steady weight brings most of the gain and cannot do much harm, a
// larger one on no proof would follow the noise. Below zero there is none.
type Gate struct {
	gain, squares, power float64 // decayed sums over decisions
}

const (
	gateCaution  = 1.5        // standard errors below the estimate
	gateTrust    = 0.15       // weight that the estimate is given without proof
	gateDoubt    = 2.0        // power that is taken to have brought no gain: the first few decisions prove nothing
	gateMemory   = 1 - 1/5e3  // what a decision leaves of those before
	propensities = 1.0 / 50.0 // smaller ones count as this: few decisions must not decide all
)

// observe takes a decision's learned deviation d, the surprise e of the prior
// and the power.
func (g *Gate) observe(d, e, power, propensity float64) {
	gain := d * e / max(propensity, propensities)
	if !finite(gain) || !finite(power) {
		return
	}
	g.gain = gateMemory*g.gain + gain
	g.squares = gateMemory*g.squares + gain*gain
	g.power = gateMemory*g.power + power
}

// Weight is 0 while nothing speaks for the learned part, and at most 1.
func (g *Gate) Weight() float64 {
	power := g.power + gateDoubt
	best := g.gain / power
	proven := best - gateCaution*math.Sqrt(g.squares)/power
	return max(0, min(1, max(proven, min(best, gateTrust))))
}
