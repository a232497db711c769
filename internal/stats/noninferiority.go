package stats

import "math"

// NonInferiorityTest is whether an arm is shown not to be worse than another
// by more than a margin.
type NonInferiorityTest struct {
	Z           float64
	P           float64 // one-sided, of the null hypothesis that it is worse by the margin or more
	LowerBound  float64 // one-sided lower confidence bound of the difference
	NonInferior bool
	Testable    bool
}

// NonInferiority tests H₀: difference ≤ −margin of a metric of which more is
// better; for others negate diff. The margin is absolute, 0 or more; alpha is
// one-sided, usually 0.025 (Wald's form: Blackwelder, Controlled Clinical
// Trials 3, 1982).
func NonInferiority(diff, se, margin, alpha float64) NonInferiorityTest {
	if !finite(diff, se, margin) || se <= 0 || margin < 0 || !probability(alpha) {
		return NonInferiorityTest{P: 1, LowerBound: -math.MaxFloat64}
	}
	z := bounded((diff + margin) / se)
	p := normalTail(z)
	return NonInferiorityTest{Z: z, P: p, LowerBound: bounded(diff - normalUpper(alpha)*se), NonInferior: p < alpha, Testable: true}
}
