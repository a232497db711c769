package experiment

import (
	"math"

	"github.com/busuhq/busu/internal/stats"
)

// Methods by which arms are compared.
const (
	methodChiSquare = "chi-square"
	methodFisher    = "Fisher's exact test"
	methodMH        = "Mantel–Haenszel chi-square over phases"
	methodRatio     = "cluster-robust z² (delta method)"
	methodAdjusted  = ", adjusted by what was before (CUPED)"
	methodStrata    = "cluster-robust z² (delta method) over phases"
)

// minExpected is the least expected count for which chi-square holds.
const minExpected = 5

// comparison is an arm against the control in one metric.
type comparison struct {
	stats.RatioComparison
	metric      Metric
	statistic   float64 // X² or z²
	minExpected float64
	method      string
	strata      int
	enough      bool // each arm has enough units that say something about the metric
	clustered   bool
	whole       [2]stats.Binomial // of shares
}

// compare holds an arm against the control. conf is of the fixed intervals.
func (t Tallies) compare(m Metric, arm int, conf float64) comparison {
	c := comparison{metric: m, clustered: t.clustered(), method: methodRatio}
	a, b := make([]stats.Moments, 0, 2), make([]stats.Moments, 0, 2)
	var units [2]int64
	for _, phase := range t {
		one, other := phase[Control].Sums[m.index()].moments(), phase[arm].Sums[m.index()].moments()
		units[0] += one.Units
		units[1] += other.Units
		if one.Units > 1 && other.Units > 1 {
			a, b = append(a, one), append(b, other)
		}
	}
	c.strata, c.enough = len(a), min(units[0], units[1]) >= minPerArm
	switch past := t.past(m, arm); {
	case past != nil:
		c.RatioComparison = stats.CompareAdjustedStrata(past[Control], past[1], conf)
	case m.bounded():
		c.RatioComparison = stats.CompareShareStrata(a, b, conf)
	default:
		c.RatioComparison = stats.CompareStrata(a, b, conf)
	}
	c.statistic = c.Statistic * c.Statistic
	if m.share() {
		c.count(a, b)
	}
	if c.strata > 1 && c.method == methodRatio {
		c.method = methodStrata
	}
	if t.past(m, arm) != nil {
		c.method += methodAdjusted
	}
	return c
}

// past are the control and the arm by phase with what is known of their units
// before, or nil without any.
func (t Tallies) past(m Metric, arm int) [][]stats.Paired {
	known := false
	both := [][]stats.Paired{nil, nil}
	for _, phase := range t {
		one, other := &phase[Control].Sums[m.index()], &phase[arm].Sums[m.index()]
		known = known || one.Past != nil && other.Past != nil
		if one.Units > 1 && other.Units > 1 {
			both[0], both[1] = append(both[0], one.paired()), append(both[1], other.paired())
		}
	}
	if !known {
		return nil
	}
	return both
}

// count compares shares. Where each unit has one request they are counts.
func (c *comparison) count(a, b []stats.Moments) {
	tables := make([]stats.Table, len(a))
	for i := range a {
		tables[i] = stats.Table{A: binomial(a[i]), B: binomial(b[i])}
		c.whole[0].Successes += tables[i].A.Successes
		c.whole[0].Trials += tables[i].A.Trials
		c.whole[1].Successes += tables[i].B.Successes
		c.whole[1].Trials += tables[i].B.Trials
	}
	test := stats.ChiSquare(c.whole[:])
	if !c.clustered && c.strata > 1 {
		test = stats.MantelHaenszel(tables)
	}
	c.minExpected = test.MinExpected
	if !c.clustered {
		c.statistic, c.P, c.method = test.Statistic, test.P, methodChiSquare
		if c.strata > 1 {
			c.method = methodMH
		}
	}
}

func binomial(m stats.Moments) stats.Binomial {
	return stats.Binomial{Successes: int64(m.Y), Trials: int64(m.N)}
}

// sequential reports whether the metric may be looked at yet.
func (c *comparison) sequential() bool {
	return c.Testable && c.enough && (!c.metric.share() || c.minExpected >= minExpected)
}

// fixed is the p-value of the one test at the end: 1 where there is too little.
func (c *comparison) fixed() float64 {
	switch {
	case c.sequential():
		return c.P
	case c.metric.share() && !c.clustered && c.strata == 1 && c.enough:
		c.method = methodFisher
		return stats.FisherExact(c.whole[0], c.whole[1]).P
	default:
		return 1
	}
}

// ranges are the intervals of the difference and of the relative lift.
type ranges struct{ diff, lift stats.Interval }

// nothing excludes nothing.
func nothing() stats.Interval { return stats.Interval{Low: -math.MaxFloat64, High: math.MaxFloat64} }

// atEnd are the intervals of a single look, at the level compare was asked for.
func (c *comparison) atEnd(conf float64) ranges {
	if !c.enough {
		return ranges{nothing(), nothing()}
	}
	r := ranges{c.Interval, c.Lift.Interval}
	if c.metric.share() && !c.clustered && c.strata == 1 {
		r.diff = stats.CompareProportions(c.whole[0], c.whole[1], conf).Newcombe
	}
	return r
}

// atLook are the intervals that hold at all looks together.
func (c *comparison) atLook(m stats.Mixture, units int64) ranges {
	if !c.enough {
		return ranges{nothing(), nothing()}
	}
	r := ranges{m.Sequence(c.Diff, c.SE, units), nothing()}
	if c.Lift.Known {
		r.lift = m.Sequence(c.Lift.Value, c.Lift.SE, units)
	}
	return r
}

// gain is the interval of by how much the arm is better, in the measure of the
// metric's margin.
func (c *comparison) gain(r ranges) stats.Interval {
	i := r.diff
	if c.metric.relative() {
		i = r.lift
	}
	if !c.metric.HigherIsBetter() {
		i = i.Negated()
	}
	return i
}

// better reports the direction of the difference.
func (c *comparison) better() bool { return c.Diff != 0 && (c.Diff > 0) == c.metric.HigherIsBetter() }

// measured reports whether there is enough to hold an arm to its guardrail. A
// share of requests is always measured; quality is where enough was rated.
func (c *comparison) measured() bool { return c.metric != Quality || c.enough }
