package stats

// CompareStrata is CompareRatios within strata, such as the times between two
// changes of the weights: each arm's ratio is that of the strata, weighted alike
// in both arms by Mantel's and Haenszel's NaNb/(Na+Nb), so that neither a drift
// between strata nor a change of the arms' shares is a difference of arms
// (direct standardization; Greenland & Robins, Biometrics 41, 1985). Weights
// do not depend on the outcomes, as those of Combine do, so that small strata
// do no harm. A stratum with fewer than two units in an arm is left out. Of one
// stratum with arms of about equal size it is CompareRatios.
//
// Where arms are of unequal size, variances are at least what they would be if
// units varied alike in both. A small arm that by chance holds few units out of
// the ordinary has an extreme ratio and takes its own variance for too small,
// both at once; between equal arms that cancels out, here it would pass for an
// effect.
func CompareStrata(a, b []Moments, conf float64) RatioComparison {
	return compareStrata(a, b, conf, func(Moments) float64 { return 0 })
}

// CompareShareStrata is CompareStrata for requests that each add 0 to 1 to the
// numerator. An arm of m units in which nearly all are alike does not have the
// variance of its data, but at least that of two units more that are different,
// p(1−p)/(m+4) with p = 2/(m+4) (Agresti & Coull, Am. Stat. 52, 1998): a
// perfect arm, too, is known to some margin only.
func CompareShareStrata(a, b []Moments, conf float64) RatioComparison {
	return compareStrata(a, b, conf, func(m Moments) float64 {
		units := float64(m.Units)
		added := 2 / (units + 4)
		return added * (1 - added) / (units + 4)
	})
}

func compareStrata(a, b []Moments, conf float64, least func(Moments) float64) RatioComparison {
	strata := make([]stratumOfTwo, 0, len(a))
	for i := range min(len(a), len(b)) {
		varA, okA := a[i].Variance()
		varB, okB := b[i].Variance()
		if okA && okB {
			wider := widening(a[i], b[i])
			strata = append(strata, stratumOfTwo{estimate{a[i].Ratio(), max(varA*wider, least(a[i]))}, estimate{b[i].Ratio(), max(varB*wider, least(b[i]))},
				a[i].N / (a[i].N + b[i].N) * b[i].N, float64(a[i].Units) + float64(b[i].Units)})
		}
	}
	return standardize(strata, conf)
}

// unequal is how many times the units of one arm the other has, from which on
// arms are of unequal size.
const unequal = 1.5

// widening is what the variances of arms of unequal size are multiplied by, 1 or
// more.
func widening(a, b Moments) float64 {
	varA, okA := a.Variance()
	varB, okB := b.Variance()
	unitsA, unitsB := float64(a.Units), float64(b.Units)
	if !okA || !okB || max(unitsA, unitsB) < unequal*min(unitsA, unitsB) {
		return 1
	}
	perA, perB := unitsA/a.N/a.N, unitsB/b.N/b.N // a unit's variance → the ratio's
	unit := (varA/perA*(unitsA-1) + varB/perB*(unitsB-1)) / (unitsA + unitsB - 2)
	wider := unit * (perA + perB) / (varA + varB)
	if !finite(wider) {
		return 1
	}
	return max(1, wider)
}

type estimate struct{ ratio, variance float64 }

// stratumOfTwo is what two arms had in a stratum.
type stratumOfTwo struct {
	a, b          estimate
	weight, units float64
}

func standardize(strata []stratumOfTwo, conf float64) RatioComparison {
	var total, rA, rB, vA, vB, units float64
	for _, s := range strata {
		if !(s.weight > 0) || !finite(s.weight) {
			continue
		}
		total += s.weight
		rA += s.weight * s.a.ratio
		rB += s.weight * s.b.ratio
		vA += s.weight * s.weight * s.a.variance
		vB += s.weight * s.weight * s.b.variance
		units += s.units
	}
	rA, rB, vA, vB = rA/total, rB/total, vA/total/total, vB/total/total
	if !(total > 0) || !finite(rA, rB, vA, vB) {
		return RatioComparison{Comparison: untestable(), SmallP: 1, Lift: Lift{Interval: everything()}}
	}
	return compareEstimates(rA, vA, rB, vB, units, conf)
}

// SampleRatioStrata is SampleRatio over strata with weights of their own: the
// sum of the statistics and of the degrees of freedom. Strata that say nothing
// are left out.
func SampleRatioStrata(observed [][]int64, weights [][]float64) ChiSquareTest {
	sum := ChiSquareTest{P: 1}
	for i := range min(len(observed), len(weights)) {
		test := SampleRatio(observed[i], weights[i])
		if !test.Testable {
			continue
		}
		if !sum.Testable || test.MinExpected < sum.MinExpected {
			sum.MinExpected = test.MinExpected
		}
		sum.Statistic, sum.DF, sum.Testable = bounded(sum.Statistic+test.Statistic), sum.DF+test.DF, true
	}
	if sum.Testable {
		sum.P = chiSquareTail(sum.Statistic, sum.DF)
	}
	return sum
}
