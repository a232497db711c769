package stats

import (
	"math"
	"slices"
)

// QuantileEstimate is a quantile of values with its interval.
type QuantileEstimate struct {
	Value    float64  // by linear interpolation, R's type 7
	Interval Interval // of order statistics; an end may be unbounded
	RankLow  int64    // of the interval's low end, from 1; 0: unbounded
	RankHigh int64    // of its high end; one above the number of values: unbounded
	Coverage float64  // what the interval really covers, at least what was asked for
	Testable bool
}

// Quantile estimates the q-th quantile, 0 … 1, of values whose order does not
// matter. The interval holds for any distribution: the ranks l and u between
// which the quantile lies, from the binomial distribution (Conover, Practical
// Nonparametric Statistics, 3rd ed., 3.2). A 95th percentile is bounded from
// about 100 values on, a 99th from about 500.
func Quantile(values []float64, q, conf float64) QuantileEstimate {
	n := int64(len(values))
	if n == 0 || !(q > 0 && q < 1) || !probability(conf) || !finite(values...) {
		return QuantileEstimate{Interval: everything()}
	}
	if !slices.IsSorted(values) {
		values = slices.Clone(values)
		slices.Sort(values)
	}
	e := QuantileEstimate{Value: interpolated(values, q), Interval: everything(), Testable: true}
	e.RankLow, e.RankHigh, e.Coverage = quantileRanks(n, q, conf)
	if e.RankLow > 0 {
		e.Interval.Low = values[e.RankLow-1]
	}
	if e.RankHigh <= n {
		e.Interval.High = values[e.RankHigh-1]
	}
	return e
}

// interpolated is Hyndman & Fan's definition 7 (The American Statistician 50,
// 1996).
func interpolated(sorted []float64, q float64) float64 {
	place := float64(len(sorted)-1) * q
	i := int(place)
	if i+1 >= len(sorted) {
		return sorted[len(sorted)-1]
	}
	part := place - float64(i)
	return (1-part)*sorted[i] + part*sorted[i+1]
}

// quantileRanks gives l and u for which at least conf of the binomial
// distribution lies in l … u−1, and how much does.
func quantileRanks(n int64, q, conf float64) (low, high int64, coverage float64) {
	d := binomial(n, q)
	tail := (1 - conf) / 2
	low, high = d.first+int64(len(d.p))-1, d.first
	below := 0.0
	for i, p := range d.p {
		if below += p; below >= tail {
			low = d.first + int64(i)
			break
		}
	}
	above := 0.0
	for i := len(d.p) - 1; i >= 0; i-- {
		if above += d.p[i]; above > tail { // so that P(X ≤ high−2) < 1−tail
			high = d.first + int64(i) + 1
			break
		}
	}
	for x := low; x < high; x++ {
		coverage += d.at(x)
	}
	return low, high, min(1, coverage)
}

// mostRanked is up to where ranks come from the binomial distribution; of more
// values the normal one is a rank off at most, and as fast as of few.
const mostRanked = 100_000

// QuantileRanks gives the ranks, from 1, of the order statistics between which
// the q-th quantile of n values lies, of which design count as one because they
// come in clusters (the design effect of the share of values below). A rank of 0
// or n+1 is unbounded. Of independent values the design is 1.
func QuantileRanks(n int64, q, conf, design float64) (low, high int64) {
	if n < 1 || !(q > 0 && q < 1) || !probability(conf) || !finite(design) {
		return 0, n + 1
	}
	design = min(max(1, design), float64(n))
	alone := max(1, int64(float64(n)/design))
	if alone <= mostRanked {
		low, high, _ = quantileRanks(alone, q, conf)
	} else {
		wide := normalUpper((1-conf)/2) * math.Sqrt(float64(alone)*q*(1-q))
		low, high = int64(math.Floor(float64(alone)*q-wide)), int64(math.Ceil(float64(alone)*q+wide))+1
	}
	scale := float64(n) / float64(alone)
	low = int64(math.Floor(float64(low) * scale))
	if high > alone {
		return low, n + 1
	}
	return low, int64(math.Ceil(float64(high) * scale))
}

// binomial is the number of successes in n trials of probability q.
func binomial(n int64, q float64) distribution {
	odds := q / (1 - q)
	return byRatios(0, n, int64((float64(n)+1)*q), func(x int64) float64 {
		return float64(n-x) / float64(x+1) * odds
	})
}

// CompareQuantiles tests whether a quantile differs between two arms: the
// standard error of each is its interval's width by that of the normal
// distribution, widened by the square root of the design effect where values
// come in clusters (Deng, Knoblich & Lu, KDD 2018, 4.3). It is not testable
// where an interval is unbounded.
func CompareQuantiles(a, b QuantileEstimate, designA, designB, conf float64) Comparison {
	if !a.Testable || !b.Testable || !bothEnds(a.Interval) || !bothEnds(b.Interval) || !probability(conf) {
		return untestable()
	}
	width := 2 * normalUpper((1-conf)/2)
	seA := (a.Interval.High - a.Interval.Low) / width * math.Sqrt(max(1, designA))
	seB := (b.Interval.High - b.Interval.Low) / width * math.Sqrt(max(1, designB))
	return zTest(b.Value-a.Value, math.Hypot(seA, seB), conf)
}

func bothEnds(i Interval) bool { return i.BoundedBelow() && i.BoundedAbove() }
