package stats

import "math"

// Wilson is the score interval of a share of successes, within 0 … 1 (Wilson,
// JASA 22, 1927).
func Wilson(b Binomial, conf float64) Interval {
	if !b.sound() || !probability(conf) {
		return Interval{0, 1}
	}
	n, p := float64(b.Trials), b.Share()
	q := float64(b.Failures()) / n
	z := normalUpper((1 - conf) / 2)
	scale := 1 + z*z/n
	middle := (p + z*z/(2*n)) / scale
	half := z * math.Sqrt(p*q/n+z*z/(4*n*n)) / scale
	interval := Interval{max(0, middle-half), min(1, middle+half)}
	if b.Successes == 0 {
		interval.Low = 0 // which rounding would miss
	}
	if b.Failures() == 0 {
		interval.High = 1
	}
	return interval
}

// ProportionsComparison is the difference between two shares of successes.
type ProportionsComparison struct {
	Diff     float64
	SE       float64  // unpooled
	Wald     Interval // Diff ± z·SE, clipped to −1 … 1; for comparison
	Newcombe Interval // the one to show
	Lift     Lift
	Testable bool // false where an arm has no trials
}

// CompareProportions gives the intervals of a difference between two shares:
// Newcombe's hybrid of Wilson's intervals (Newcombe, Stat. Med. 17, 1998,
// method 10), Wald's, and the relative lift by the delta method, which is known
// where the control has successes.
func CompareProportions(a, b Binomial, conf float64) ProportionsComparison {
	if !a.sound() || !b.sound() || !probability(conf) {
		return ProportionsComparison{Wald: Interval{-1, 1}, Newcombe: Interval{-1, 1}, Lift: Lift{Interval: everything()}}
	}
	pA, pB := a.Share(), b.Share()
	varA, varB := shareVariance(a), shareVariance(b)
	diff, se := pB-pA, math.Sqrt(varA+varB)
	wald := around(diff, normalUpper((1-conf)/2)*se)
	return ProportionsComparison{
		Diff: diff, SE: se,
		Wald:     Interval{max(-1, wald.Low), min(1, wald.High)},
		Newcombe: newcombe(pA, Wilson(a, conf), pB, Wilson(b, conf)),
		Lift:     lift(pA, varA, pB, varB, conf),
		Testable: true,
	}
}

// shareVariance is pq/n.
func shareVariance(b Binomial) float64 {
	n := float64(b.Trials)
	return b.Share() * (float64(b.Failures()) / n) / n
}

func newcombe(pA float64, a Interval, pB float64, b Interval) Interval {
	diff := pB - pA
	return Interval{
		max(-1, diff-math.Hypot(pB-b.Low, a.High-pA)),
		min(1, diff+math.Hypot(b.High-pB, pA-a.Low)),
	}
}
