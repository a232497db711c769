package stats

import "math"

// Sizes are per arm and real numbers: round up what is needed. Where units have
// several requests, divide the requests by the design effect before asking for
// power, and multiply by it what a size comes out at.

// PowerProportions is the probability that a two-sided test at alpha of two
// equal arms of size perArm rejects, where they succeed with pA and pB; the
// side that it would reject on by mistake is not counted, as in R's
// power.prop.test (Fleiss, Levin & Paik, Statistical Methods for Rates and
// Proportions, 3rd ed., 4.3). It is 0 where nothing can be said.
func PowerProportions(pA, pB, perArm, alpha float64) float64 {
	if !share(pA) || !share(pB) || !(perArm > 0) || !finite(perArm) || !probability(alpha) {
		return 0
	}
	pooled, separate := proportionsSD(pA, pB)
	if pooled == 0 {
		return 0
	}
	reach := math.Sqrt(perArm)*math.Abs(pB-pA) - normalUpper(alpha/2)*pooled
	if separate == 0 {
		if reach > 0 {
			return 1
		}
		return 0
	}
	return normalTail(-reach / separate)
}

// SampleSizeProportions is how large each arm must be for the power, between 0
// and 1, and whether any size will do: without a difference none does.
//
//	n = (z_{1−α/2} √(2p̄(1−p̄)) + z_{power} √(pA(1−pA) + pB(1−pB)))² / (pB−pA)²
func SampleSizeProportions(pA, pB, alpha, power float64) (float64, bool) {
	if !share(pA) || !share(pB) || !probability(alpha) || !probability(power) {
		return 0, false
	}
	pooled, separate := proportionsSD(pA, pB)
	root := (normalUpper(alpha/2)*pooled - normalUpper(power)*separate) / math.Abs(pB-pA)
	if n := root * root; root > 0 && finite(n) {
		return n, true
	}
	return 0, false
}

// Effect is a difference that could be found.
type Effect struct {
	B        float64 // what the test arm would have
	Absolute float64
	Relative float64 // to the control; 0 where that has nothing
}

// MDEProportions is the least improvement over pA that arms of size perArm find
// with the power, and whether there is one: below 1 there may be too little
// room.
func MDEProportions(pA, perArm, alpha, power float64) (Effect, bool) {
	if !share(pA) || !probability(power) || PowerProportions(pA, 1, perArm, alpha) < power {
		return Effect{}, false
	}
	low, high := pA, 1.0
	for low < high {
		middle := low + (high-low)/2
		if middle == low || middle == high {
			break
		}
		if PowerProportions(pA, middle, perArm, alpha) < power {
			low = middle
		} else {
			high = middle
		}
	}
	return effect(pA, high-pA), true
}

// effect is what a difference means to a control of a.
func effect(a, difference float64) Effect {
	e := Effect{B: bounded(a + difference), Absolute: difference}
	if relative := difference / a; a > 0 && finite(relative) {
		e.Relative = relative
	}
	return e
}

// MDEMeans is the least difference of means or ratios that is found with the
// power: (z_{1−α/2} + z_{power}) · se, where se is the standard error that the
// difference will have. For two arms of m units it is √(2v/m), with v the
// variance of a unit; for ratios Moments.UnitVariance. False says that nothing
// can be said.
func MDEMeans(control, se, alpha, power float64) (Effect, bool) {
	if !finite(control, se) || se <= 0 || !probability(alpha) || !probability(power) {
		return Effect{}, false
	}
	difference := (normalUpper(alpha/2) - normalUpper(power)) * se
	if !(difference > 0) || !finite(difference) {
		return Effect{}, false
	}
	return effect(control, difference), true
}

// DesignEffect is by how much requests that come in clusters, a cluster a unit,
// widen a variance: 1 + (E[n²]/E[n] − 1)·ICC (Kish, Survey Sampling, 1965). The
// moments say how many requests units have, icc how alike those of a unit are,
// 0 … 1. It is at least 1.
func DesignEffect(m Moments, icc float64) float64 {
	effect := 1 + (m.NN/m.N-1)*max(0, min(1, icc))
	if !(m.N > 0) || !finite(effect) {
		return 1
	}
	return max(1, effect)
}

// proportionsSD are the standard deviations under the null hypothesis and the
// alternative, times √n.
func proportionsSD(pA, pB float64) (pooled, separate float64) {
	mean := (pA + pB) / 2
	return math.Sqrt(2 * mean * (1 - mean)), math.Sqrt(pA*(1-pA) + pB*(1-pB))
}

// share says whether p is one.
func share(p float64) bool { return p >= 0 && p <= 1 }

// ConditionalPower is the probability that a two-sided test at alpha rejects at
// the end, given its z after a fraction of the information, 0 … 1, if the end's
// z is expected to be drift over all: the true difference by the standard error
// at the end. Below 10 % at the most favourable difference that the data still
// allow, going on is futile (Lan & Wittes, Biometrics 44, 1988). It is 0 where
// nothing can be said.
func ConditionalPower(z, fraction, drift, alpha float64) float64 {
	if !finite(z, drift) || !(fraction >= 0 && fraction <= 1) || !probability(alpha) {
		return 0
	}
	critical, gone := normalUpper(alpha/2), z*math.Sqrt(fraction)
	if fraction == 1 {
		if math.Abs(z) >= critical {
			return 1
		}
		return 0
	}
	expected, spread := bounded(gone+drift*(1-fraction)), math.Sqrt(1-fraction)
	return min(1, normalTail((critical-expected)/spread)+normalTail((critical+expected)/spread))
}
