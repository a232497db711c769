package stats

import "math"

const (
	leastArm = 1.05 // a fifth of a degree of freedom less leaves nothing to compute with
	mostArm  = 1e15 // beyond that no size will do
)

// PowerMeans is the probability that a two-sided t test at alpha of two equal
// arms of size perArm, above 1, rejects, where means differ by delta and
// values by sd: the upper tail of the noncentral t distribution, as in R's
// power.t.test. It is 0 where nothing can be said.
func PowerMeans(delta, sd, perArm, alpha float64) float64 {
	df, shift := 2*(perArm-1), math.Sqrt(perArm/2)*math.Abs(delta)/sd
	if !finite(df, shift) || !(sd > 0) || !(perArm >= leastArm) || !probability(alpha) {
		return 0
	}
	return noncentralTail(studentUpper(alpha/2, df), df, shift)
}

// SampleSizeMeans is how large each arm must be for the power, between 0 and 1,
// and whether any size will do.
func SampleSizeMeans(delta, sd, alpha, power float64) (float64, bool) {
	if !probability(power) || !(PowerMeans(delta, sd, mostArm, alpha) >= power) {
		return 0, false
	}
	low, high := float64(leastArm), float64(leastArm)
	for PowerMeans(delta, sd, high, alpha) < power {
		low, high = high, 2*high
	}
	for high-low > 1e-12*high {
		if middle := low + (high-low)/2; PowerMeans(delta, sd, middle, alpha) < power {
			low = middle
		} else {
			high = middle
		}
	}
	return high, true
}

// noncentralTail is P((Z+shift)/S > t), S being the root of a chi-square by its
// df: the normal tail averaged over ln S, of which the trapezoidal rule takes
// all digits (Johnson, Kotz & Balakrishnan, Continuous Univariate Distributions
// 2, chapter 31).
func noncentralTail(t, df, shift float64) float64 {
	const steps, reach, negligible = 2048, 12, 40
	high := reach / math.Sqrt(2*df) // in standard deviations of ln S
	low := -high
	if high > 0.5 { // few degrees of freedom leave a long tail, to e^−negligible
		low = -0.5 - negligible/df
	}
	tail, total := 0.0, 0.0
	for i := range steps + 1 {
		w := low + (high-low)*float64(i)/steps
		density := math.Exp(df * (w - math.Expm1(2*w)/2))
		tail += density * normalTail(t*math.Exp(w)-shift)
		total += density
	}
	return min(1, tail/total)
}
