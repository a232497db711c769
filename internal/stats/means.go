package stats

import "math"

// Sample is what a test of means needs to know of an arm.
type Sample struct {
	N        int64
	Mean     float64
	Variance float64 // with N − 1
}

// Describe gives the sample of values. Values that are no numbers, or whose
// squares are too large to be, make it empty.
func Describe(values []float64) Sample {
	n := float64(len(values))
	if n == 0 || !finite(values...) {
		return Sample{}
	}
	mean, rest, squares := 0.0, 0.0, 0.0
	for _, x := range values {
		mean += x / n // their sum might overflow
	}
	for _, x := range values {
		rest += (x - mean) / n // what rounding has left of the first pass
	}
	mean += rest
	for _, x := range values {
		squares += (x - mean) * (x - mean)
	}
	variance := squares / max(1, n-1)
	if !finite(mean, variance) {
		return Sample{}
	}
	return Sample{N: int64(len(values)), Mean: mean, Variance: variance}
}

// meanVariance is the variance of the mean.
func (s Sample) meanVariance() float64 { return s.Variance / float64(s.N) }

func (s Sample) sound() bool { return s.N > 1 && finite(s.Mean, s.Variance) && s.Variance >= 0 }

// constant is the standard error, relative to the means, below which R holds
// data to be constant: there is nothing left but rounding.
const constant = 10 * 0x1p-52

// Welch compares two means without taking their variances to be equal, with
// Satterthwaite's degrees of freedom (Welch, Biometrika 34, 1947). It is not
// testable with fewer than two values in an arm or without variance.
func Welch(a, b Sample, conf float64) Comparison {
	if !a.sound() || !b.sound() || !probability(conf) {
		return untestable()
	}
	diff, variance := b.Mean-a.Mean, a.meanVariance()+b.meanVariance()
	se := math.Sqrt(variance)
	if !finite(diff, se) || se <= constant*max(math.Abs(a.Mean), math.Abs(b.Mean)) {
		return untestable()
	}
	shareA, shareB := a.meanVariance()/variance, b.meanVariance()/variance
	df := 1 / (shareA*shareA/float64(a.N-1) + shareB*shareB/float64(b.N-1))
	return tTest(diff, se, df, conf)
}

// tTest compares by Student's t distribution.
func tTest(diff, se, df, conf float64) Comparison {
	if !finite(diff, se, df) || se <= 0 || df <= 0 || !probability(conf) {
		return untestable()
	}
	t := bounded(diff / se)
	return Comparison{Diff: diff, SE: se, Statistic: t, DF: df, P: min(1, 2*studentTail(math.Abs(t), df)),
		Interval: around(diff, studentUpper((1-conf)/2, df)*se), Testable: true}
}
