package stats

import "math"

// Moments are the sums from which a ratio of totals and its variance follow: of
// units that each have a denominator n, as their requests, and a numerator y,
// as those that were good, or their cost. They take O(1) memory per arm, and
// one addition per request. The zero value is an arm without units.
type Moments struct {
	Units int64   // m
	N     float64 // Σn
	Y     float64 // Σy
	NN    float64 // Σn²
	YY    float64 // Σy²
	NY    float64 // Σny
}

// Add counts a unit with its totals. It leaves out, and says false, what is no
// number, a denominator below zero, and what would overflow the sums.
func (m *Moments) Add(n, y float64) bool {
	return m.replace(m.plus(Moments{1, n, y, n * n, y * y, n * y}), n)
}

// Observe counts one more request, of value, for a unit that had n requests and
// the total y before; a unit's first comes with 0 and 0:
//
//	Σn² += 2n+1   Σy² += v(2y+v)   Σny += (n+1)(y+v) − ny
//
// It leaves out, and says false, what Add would.
func (m *Moments) Observe(n, y, value float64) bool {
	step := Moments{0, 1, value, 2*n + 1, value * (2*y + value), n*value + y + value}
	if n == 0 {
		step.Units = 1
	}
	return m.replace(m.plus(step), n)
}

func (m *Moments) replace(next Moments, n float64) bool {
	if !(n >= 0) || !finite(next.N, next.Y, next.NN, next.YY, next.NY) {
		return false
	}
	*m = next
	return true
}

// Plus gives the moments of the units of both.
func (m Moments) Plus(o Moments) Moments { return m.plus(o) }

func (m Moments) plus(o Moments) Moments {
	return Moments{m.Units + o.Units, m.N + o.N, m.Y + o.Y, m.NN + o.NN, m.YY + o.YY, m.NY + o.NY}
}

// Ratio is Σy/Σn, 0 without a denominator.
func (m Moments) Ratio() float64 {
	if !(m.N > 0) || !finite(m.Y/m.N) {
		return 0
	}
	return m.Y / m.N
}

// noise is the part of the sums that a variance must exceed to be more than
// their rounding.
const noise = 1e-12

// Variance is that of Ratio by the delta method, and whether there is one: with
// fewer than two units there is none. It is
//
//	(s²_Y + R² s²_n − 2R s_Yn) / (m n̄²) = Σ(y−Rn)² / ((m−1) m n̄²)
//
// (Deng, Knoblich & Lu, Applying the Delta Method in Metric Analytics, KDD 2018).
func (m Moments) Variance() (float64, bool) {
	r := m.Ratio()
	squares := m.YY - 2*r*m.NY + r*r*m.NN
	size := m.YY + 2*math.Abs(r*m.NY) + r*r*m.NN
	if m.Units < 2 || !(m.N > 0) || !finite(squares, size) {
		return 0, false
	}
	if squares <= noise*size {
		return 0, true
	}
	units := float64(m.Units)
	variance := squares / m.N / m.N * (units / (units - 1))
	if !finite(variance) {
		return 0, false
	}
	return variance, true
}

// RatioComparison is the difference between two ratios of totals.
type RatioComparison struct {
	Comparison
	RatioA, RatioB float64
	VarA, VarB     float64 // of the ratios
	SmallP         float64 // by Student's t with m_A+m_B−2 degrees of freedom: use it below about 40 units
	Lift           Lift
}

// CompareRatios tests whether two arms' ratios of totals differ, where units
// and not requests are independent: z = (R_B−R_A)/√(Var_A+Var_B). Its square
// takes the place of a chi-square of requests (Deng, Knoblich & Lu, KDD 2018).
func CompareRatios(a, b Moments, conf float64) RatioComparison {
	c := RatioComparison{Comparison: untestable(), RatioA: a.Ratio(), RatioB: b.Ratio(), SmallP: 1, Lift: Lift{Interval: everything()}}
	varA, okA := a.Variance()
	varB, okB := b.Variance()
	if !okA || !okB {
		return c
	}
	return compareEstimates(c.RatioA, varA, c.RatioB, varB, float64(a.Units)+float64(b.Units), conf)
}

// compareEstimates compares two ratios by their variances, which come from so
// many units.
func compareEstimates(rA, varA, rB, varB, units, conf float64) RatioComparison {
	c := RatioComparison{Comparison: zTest(rB-rA, math.Sqrt(varA+varB), conf), RatioA: rA, RatioB: rB, VarA: varA, VarB: varB,
		SmallP: 1, Lift: Lift{Interval: everything()}}
	if c.Testable {
		c.SmallP = min(1, 2*studentTail(math.Abs(c.Statistic), units-2))
		c.Lift = lift(rA, varA, rB, varB, conf)
	}
	return c
}

// UnitVariance is what Variance would be with a single unit: that of n units is
// a n-th of it. It says what sizes of arms find.
func (m Moments) UnitVariance() (float64, bool) {
	variance, ok := m.Variance()
	perUnit := variance * float64(m.Units)
	if !ok || !finite(perUnit) {
		return 0, false
	}
	return perUnit, true
}
