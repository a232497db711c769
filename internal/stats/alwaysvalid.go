package stats

import "math"

// Mixture is a test that may be looked at after every unit: a Gaussian mixture
// of likelihood ratios over the size of the effect, tuned to be most powerful
// around a planned number of units. Whatever the number of looks, it rejects
// a true null hypothesis with at most the probability Alpha, asymptotically:
// look from about 30 units per arm on.
//
// Sources: Robbins, Ann. Math. Stat. 41, 1970; Johari, Koomen, Pekelis & Walsh,
// Always Valid Inference, Oper. Res. 70, 2022; Waudby-Smith et al., Ann. Stat.
// 52, 2024 (arXiv 2103.06476), equations 9 and 155.
type Mixture struct {
	Alpha float64 // 0 … 1, both sides together
	Rho2  float64 // variance of the mixture per unit, ρ²
}

// TuneMixture gives the mixture for a level alpha that is tightest at planned
// units, all arms together: ρ² = (−2 ln α + ln(−2 ln α + 1)) / planned. What
// cannot be tuned never rejects.
func TuneMixture(alpha float64, planned int64) Mixture {
	if !probability(alpha) || planned < 1 {
		return Mixture{}
	}
	wanted := -2 * math.Log(alpha)
	return Mixture{Alpha: alpha, Rho2: (wanted + math.Log1p(wanted)) / float64(planned)}
}

// usable says whether the mixture says anything at the time of units.
func (m Mixture) usable(units int64) bool {
	information := float64(units) * m.Rho2
	return probability(m.Alpha) && units > 0 && information > 0 && finite(information, 1/information)
}

// SequentialTest is one look at an always-valid test.
type SequentialTest struct {
	LogE     float64 // natural logarithm of the evidence against the null hypothesis
	P        float64 // min(1, 1/e); the least of all looks is valid, too: persist that
	Critical float64 // what the statistic must reach now
	Rejects  bool
	Testable bool
}

// Test looks at a chi-square statistic of df degrees of freedom, or a squared
// z with df 1, after so many units in all arms together:
//
//	e = exp(½ X² tρ²/(tρ²+1)) / (1+tρ²)^(df/2)
func (m Mixture) Test(statistic float64, df int, units int64) SequentialTest {
	if !m.usable(units) || df < 1 || math.IsNaN(statistic) || statistic < 0 {
		return SequentialTest{P: 1, Critical: math.MaxFloat64}
	}
	information := float64(units) * m.Rho2
	shrunk := information / (information + 1)
	logE := bounded(0.5*statistic*shrunk - 0.5*float64(df)*math.Log1p(information))
	critical := bounded((float64(df)*math.Log1p(information) - 2*math.Log(m.Alpha)) / shrunk)
	return SequentialTest{LogE: logE, P: min(1, math.Exp(-logE)), Critical: critical, Rejects: statistic >= critical, Testable: true}
}

// Sequence is the confidence sequence of a difference at one look: all looks
// together contain the truth with probability 1 − Alpha. It excludes zero
// exactly where Test of (diff/se)² rejects.
func (m Mixture) Sequence(diff, se float64, units int64) Interval {
	if !m.usable(units) || !finite(diff, se) || se <= 0 {
		return everything()
	}
	return around(diff, se*math.Sqrt(m.Test(0, 1, units).Critical))
}

// LowerSequence is the one-sided sequence: all looks together have the truth
// above it with probability 1 − Alpha. It mixes over effects of one sign:
//
//	diff − se·√(2 (tρ²+1)/(tρ²) · ln(1 + √(tρ²+1)/(2α)))
//
// Source: Waudby-Smith et al. 2024, the appendix on one-sided sequences.
func (m Mixture) LowerSequence(diff, se float64, units int64) float64 {
	if !m.usable(units) || !finite(diff, se) || se <= 0 {
		return -math.MaxFloat64
	}
	information := float64(units) * m.Rho2
	z2 := 2 * (information + 1) / information * math.Log1p(math.Sqrt(information+1)/(2*m.Alpha))
	return bounded(diff - se*math.Sqrt(z2))
}

// UpperSequence is LowerSequence for the other side.
func (m Mixture) UpperSequence(diff, se float64, units int64) float64 {
	return -m.LowerSequence(-diff, se, units)
}
