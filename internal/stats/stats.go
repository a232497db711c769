// Package stats is the arithmetic of experiments: tests, intervals, and forms
// of both that stay valid however often somebody looks. Numbers go in, numbers
// come out; who is compared with whom, and what follows, is decided elsewhere.
//
// Differences are B minus A, the test arm minus the control. Every result is
// finite. Input on which a test says nothing is an answer, too: Testable is
// false, P is 1, and the interval excludes nothing.
package stats

import "math"

// Interval is a range that the data do not speak against. Its ends are finite;
// an end that nothing bounds is the largest number there is.
type Interval struct{ Low, High float64 }

// everything excludes nothing.
func everything() Interval { return Interval{-math.MaxFloat64, math.MaxFloat64} }

// around is the interval of a half-width about a value.
func around(value, half float64) Interval {
	return Interval{bounded(value - half), bounded(value + half)}
}

// BoundedBelow says whether the data bound the interval from below.
func (i Interval) BoundedBelow() bool { return i.Low > -math.MaxFloat64 }

// BoundedAbove says whether the data bound the interval from above.
func (i Interval) BoundedAbove() bool { return i.High < math.MaxFloat64 }

// Contains says whether x lies in the interval, its ends included.
func (i Interval) Contains(x float64) bool { return i.Low <= x && x <= i.High }

// Within says whether the whole interval lies in low … high.
func (i Interval) Within(low, high float64) bool { return low <= i.Low && i.High <= high }

// Negated is the interval of the negated value, for metrics of which less is
// better.
func (i Interval) Negated() Interval { return Interval{-i.High, -i.Low} }

// Intersect is what both intervals contain: the looks of one confidence
// sequence may be intersected, and stay valid. Where they have nothing in
// common, which a sequence does with a probability below its alpha, the later
// one holds, and false says so.
func (i Interval) Intersect(later Interval) (Interval, bool) {
	both := Interval{max(i.Low, later.Low), min(i.High, later.High)}
	if !(both.Low <= both.High) {
		return later, false
	}
	return both, true
}

// Comparison is the difference between two arms with its test.
type Comparison struct {
	Diff      float64  // B − A, in the metric's unit
	SE        float64  // standard error of Diff
	Statistic float64  // Diff / SE: z, or t where DF is set
	DF        float64  // degrees of freedom of t; 0: the normal distribution
	P         float64  // two-sided
	Interval  Interval // of Diff
	Testable  bool
}

// untestable is the comparison that says nothing.
func untestable() Comparison { return Comparison{P: 1, Interval: everything()} }

// zTest compares by the normal distribution.
func zTest(diff, se, conf float64) Comparison {
	if !finite(diff, se) || se <= 0 || !probability(conf) {
		return untestable()
	}
	z := bounded(diff / se)
	return Comparison{Diff: diff, SE: se, Statistic: z, P: normalTwoSided(z),
		Interval: around(diff, normalUpper((1-conf)/2)*se), Testable: true}
}

// Lift is a relative difference, B/A − 1.
type Lift struct {
	Value    float64
	SE       float64
	Interval Interval
	Known    bool // false where A is zero or below, to which nothing can be relative
}

// lift applies the delta method to a quotient of two independent estimates
// (Casella & Berger, Statistical Inference, 2nd ed., 5.5.4).
func lift(a, varA, b, varB, conf float64) Lift {
	value := b/a - 1
	se := math.Sqrt(varB/(a*a) + varA*(b/(a*a))*(b/(a*a)))
	if !(a > 0) || !finite(value, se) || !probability(conf) {
		return Lift{Interval: everything()}
	}
	return Lift{Value: value, SE: se, Interval: around(value, normalUpper((1-conf)/2)*se), Known: true}
}

// finite says whether all are numbers.
func finite(xs ...float64) bool {
	for _, x := range xs {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return false
		}
	}
	return true
}

// bounded takes infinities to the largest numbers there are.
func bounded(x float64) float64 { return max(-math.MaxFloat64, min(math.MaxFloat64, x)) }

// probability says whether p lies strictly between 0 and 1, and so does the
// half of what it leaves, which tails are taken of.
func probability(p float64) bool { return p > 0 && p < 1 && p/2 > 0 }
