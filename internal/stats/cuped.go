package stats

import "math"

// Covaried are the values of an arm's units with what was known of each before:
// usually the same metric in the week before the experiment.
type Covaried struct {
	Y   []float64
	Pre []float64 // as many
}

// CUPEDComparison is a difference of means adjusted by what was known before.
type CUPEDComparison struct {
	Comparison
	Theta        float64 // slope of Y on Pre; 0 where Pre does not vary: no adjustment
	MeanA, MeanB float64 // adjusted
}

// CUPED compares means with less variance: Y − θ(X − X̄) in place of Y, with
// Welch's test, where θ is the slope within the arms, so that an effect of the
// experiment does not leak into it. The variance falls by the square of the
// correlation (Deng, Xu, Kohavi & Walker, WSDM 2013).
func CUPED(a, b Covaried, conf float64) CUPEDComparison {
	if !a.sound() || !b.sound() {
		return CUPEDComparison{Comparison: untestable()}
	}
	preA, preB := Describe(a.Pre), Describe(b.Pre)
	within := a.products(preA.Mean) + b.products(preB.Mean)
	squares := preA.squares() + preB.squares()
	theta := within / squares
	if !(squares > 0) || !finite(theta) {
		theta = 0
	}
	nA, nB := float64(len(a.Pre)), float64(len(b.Pre))
	centre := preA.Mean*(nA/(nA+nB)) + preB.Mean*(nB/(nA+nB))
	adjustedA, adjustedB := Describe(a.adjusted(theta, centre)), Describe(b.adjusted(theta, centre))
	return CUPEDComparison{Comparison: Welch(adjustedA, adjustedB, conf), Theta: theta, MeanA: adjustedA.Mean, MeanB: adjustedB.Mean}
}

func (c Covaried) sound() bool {
	return len(c.Y) > 0 && len(c.Y) == len(c.Pre) && finite(c.Y...) && finite(c.Pre...)
}

// products are Σ(x−x̄)y.
func (c Covaried) products(mean float64) float64 {
	mid, total := Describe(c.Y).Mean, 0.0
	for i, x := range c.Pre {
		total += (x - mean) * (c.Y[i] - mid)
	}
	return total
}

func (c Covaried) adjusted(theta, centre float64) []float64 {
	adjusted := make([]float64, len(c.Y))
	for i, y := range c.Y {
		adjusted[i] = y - theta*(c.Pre[i]-centre)
	}
	return adjusted
}

// squares are Σ(x−x̄)².
func (s Sample) squares() float64 { return s.Variance * math.Max(0, float64(s.N-1)) }
