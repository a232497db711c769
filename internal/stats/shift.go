package stats

// PowerShift is the probability that a two-sided test at alpha rejects on the
// side of a shift, where the estimate will have the standard error se:
// P(Z > z_{1−α/2} − shift/se). Of a guardrail, the shift is the margin plus what
// the arm really gains, and the side is the one where the arm is shown to be
// inside (Schultzberg, Ankargren & Frånberg, Risk-aware product decisions in A/B
// tests with multiple metrics, 2024). It is 0 where nothing can be said.
func PowerShift(shift, se, alpha float64) float64 {
	if !finite(shift, se) || se <= 0 || !probability(alpha) {
		return 0
	}
	return normalTail(normalUpper(alpha/2) - bounded(shift/se))
}

// RealizedDesignEffect is by how much wider the variance of a ratio of counts
// is than it would be if all requests were independent: Variance over
// R(1−R)/Σn. It is 1 where nothing can be said.
func RealizedDesignEffect(m Moments) float64 {
	r := m.Ratio()
	variance, ok := m.Variance()
	effect := variance / (r * (1 - r)) * m.N
	if !ok || !(effect > 0) || !finite(effect) {
		return 1
	}
	return effect
}
