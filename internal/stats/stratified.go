package stats

import "math"

// Stratum is the difference of two arms within a part of an experiment, such
// as the time between two changes of the weights.
type Stratum struct{ Diff, SE float64 }

// Combine gives the difference over all strata, each weighted by the inverse of
// its variance, so that a drift between strata is no difference of arms
// (Cochran, Biometrics 10, 1954). Strata that say nothing are left out.
func Combine(strata []Stratum, conf float64) Comparison {
	least := math.MaxFloat64
	for _, s := range strata {
		if s.sound() {
			least = min(least, s.SE)
		}
	}
	weights, diff := 0.0, 0.0
	for _, s := range strata {
		if s.sound() {
			w := (least / s.SE) * (least / s.SE) // 1 at most
			weights += w
			diff += (s.Diff - diff) * (w / weights)
		}
	}
	if weights == 0 {
		return untestable()
	}
	return zTest(diff, least/math.Sqrt(weights), conf)
}

func (s Stratum) sound() bool { return finite(s.Diff, s.SE) && s.SE > 0 }

// Table is two arms of one stratum.
type Table struct{ A, B Binomial }

// MantelHaenszel tests whether two arms succeed equally often within all
// strata, without correction, with one degree of freedom (Mantel & Haenszel, J.
// Natl. Cancer Inst. 22, 1959; Agresti, 3rd ed., 6.4). Strata in which a row or
// column is empty say nothing and are left out. MinExpected is the least of
// the strata's sums; the effect size is not given.
func MantelHaenszel(tables []Table) ChiSquareTest {
	var off, variance, successes, failures float64
	for _, t := range tables {
		if !t.A.sound() || !t.B.sound() {
			continue
		}
		a, b := float64(t.A.Trials), float64(t.B.Trials)
		good := float64(t.A.Successes) + float64(t.B.Successes)
		bad := float64(t.A.Failures()) + float64(t.B.Failures())
		n := a + b
		if good == 0 || bad == 0 {
			continue
		}
		off += differenceOfProducts(float64(t.B.Successes), a, float64(t.A.Successes), b) / n
		variance += (a / n) * (b / n) * good * (bad / (n - 1))
		successes += good * (min(a, b) / n)
		failures += bad * (min(a, b) / n)
	}
	if variance == 0 {
		return ChiSquareTest{DF: 1, P: 1}
	}
	statistic := off / variance * off
	return ChiSquareTest{Statistic: statistic, DF: 1, P: chiSquareTail(statistic, 1), MinExpected: min(successes, failures), Testable: true}
}
