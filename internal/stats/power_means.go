package stats

import "math"

const (
	leastArm = 2    // R's power.t.test starts here, too
	mostArm  = 1e15 // beyond that no size will do
)

// PowerMeans is the probability that a two-sided t test at alpha of two equal
// arms of size perArm, at least 2, rejects, where means differ by delta and
// values by sd: the upper tail of the noncentral t distribution, as in R's
// power.t.test. It is 0 where nothing can be said.
func PowerMeans(delta, sd, perArm, alpha float64) float64 {
	shift := math.Sqrt(perArm/2) * math.Abs(delta) / sd
	if !finite(shift) || !(sd > 0) || !(perArm >= leastArm) || !probability(alpha) {
		return 0
	}
	df := 2 * (perArm - 1)
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
// df: the normal tail averaged over S, by Simpson's rule (Johnson, Kotz &
// Balakrishnan, Continuous Univariate Distributions 2, chapter 31). It wants
// df ≥ 2.
func noncentralTail(t, df, shift float64) float64 {
	const steps, reach = 512, 12 // reach in standard deviations of S
	spread := reach / math.Sqrt(2*df)
	low, high := max(-1, -spread), spread // of S − 1
	tail, total := 0.0, 0.0
	for i := range steps + 1 {
		u := low + (high-low)*float64(i)/steps
		weight := 2.0 + float64(i%2)*2
		if i == 0 || i == steps {
			weight = 1
		}
		if u > -1 {
			weight *= math.Exp((df-1)*math.Log1p(u) - df*(u+u*u/2))
			tail += weight * normalTail(t*(1+u)-shift)
			total += weight
		}
	}
	return min(1, tail/total)
}
