package stats_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/busuhq/busu/internal/stats"
	"pgregory.net/rapid"
)

func close(a, b, relative float64) bool {
	return math.Abs(a-b) <= relative*max(math.Abs(a), math.Abs(b))
}

func binomials(t *rapid.T, arms int) []stats.Binomial {
	list := make([]stats.Binomial, arms)
	for i := range list {
		n := rapid.Int64Range(2, 1_000_000).Draw(t, "trials")
		list[i] = stats.Binomial{Trials: n, Successes: rapid.Int64Range(1, n-1).Draw(t, "successes")}
	}
	return list
}

// TestChiSquareIsSymmetric: the order of arms and the names of outcomes do not
// matter, and ten times the counts are ten times the statistic.
func TestChiSquareIsSymmetric(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		arms := binomials(t, rapid.IntRange(2, 6).Draw(t, "arms"))
		test := stats.ChiSquare(arms)
		turned, failed, tenfold := slices.Clone(arms), slices.Clone(arms), slices.Clone(arms)
		slices.Reverse(turned)
		for i, a := range arms {
			failed[i].Successes = a.Failures()
			tenfold[i] = stats.Binomial{Successes: 10 * a.Successes, Trials: 10 * a.Trials}
		}
		for name, got := range map[string]float64{
			"turned": stats.ChiSquare(turned).Statistic, "of failures": stats.ChiSquare(failed).Statistic,
			"tenfold": stats.ChiSquare(tenfold).Statistic / 10,
		} {
			if !close(got, test.Statistic, 1e-12) {
				t.Errorf("%s: X² is %v, was %v", name, got, test.Statistic)
			}
		}
	})
}

// TestChiSquareIsTheSquareOfZ holds it against the pooled z test.
func TestChiSquareIsTheSquareOfZ(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		arms := binomials(t, 2)
		a, b := arms[0], arms[1]
		nA, nB := float64(a.Trials), float64(b.Trials)
		pooled := float64(a.Successes+b.Successes) / (nA + nB)
		z := (b.Share() - a.Share()) / math.Sqrt(pooled*(1-pooled)*(1/nA+1/nB))
		if test := stats.ChiSquare(arms); math.Abs(test.Statistic-z*z) > 1e-7*(1+z*z) {
			t.Errorf("X² is %v, z² is %v", test.Statistic, z*z)
		}
		if yates := stats.ChiSquareYates(a, b); yates.P < stats.ChiSquare(arms).P {
			t.Errorf("the correction makes it more significant: %v", yates)
		}
	})
}

// TestEmptyTablesAreNotTestable lists tables that say nothing.
func TestEmptyTablesAreNotTestable(t *testing.T) {
	t.Parallel()
	for name, arms := range map[string][]stats.Binomial{
		"no arms": nil, "one arm": {{5, 10}}, "no trials": {{0, 0}, {5, 10}}, "no successes": {{0, 10}, {0, 20}},
		"no failures": {{10, 10}, {20, 20}}, "more successes than trials": {{11, 10}, {3, 9}}, "negative": {{-1, 10}, {3, 9}},
	} {
		if test := stats.ChiSquare(arms); test.Testable || test.P != 1 || test.Statistic != 0 {
			t.Errorf("%s: %+v", name, test)
		}
	}
}

// TestIntervalsCoverTheirEstimate and keep to what is possible.
func TestIntervalsCoverTheirEstimate(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.SliceOfN(rapid.Int64Range(1, 10_000), 2, 2).Draw(t, "trials")
		a := stats.Binomial{Trials: n[0], Successes: rapid.Int64Range(0, n[0]).Draw(t, "a")}
		b := stats.Binomial{Trials: n[1], Successes: rapid.Int64Range(0, n[1]).Draw(t, "b")}
		conf := rapid.Float64Range(0.5, 0.999).Draw(t, "conf")
		w := stats.Wilson(a, conf)
		if !w.Contains(a.Share()) || !w.Within(0, 1) {
			t.Errorf("Wilson of %v: %v", a, w)
		}
		mirrored := stats.Wilson(stats.Binomial{Successes: a.Failures(), Trials: a.Trials}, conf)
		if math.Abs(w.Low+mirrored.High-1) > 1e-14 {
			t.Errorf("%v is not the mirror of %v", mirrored, w)
		}
		c, swapped := stats.CompareProportions(a, b, conf), stats.CompareProportions(b, a, conf)
		if !c.Wald.Contains(c.Diff) || !c.Wald.Within(-1, 1) || !c.Newcombe.Contains(c.Diff) || !c.Newcombe.Within(-1, 1) || c.Newcombe != swapped.Newcombe.Negated() {
			t.Errorf("%v, %v: Newcombe %v, swapped %v", a, b, c.Newcombe, swapped.Newcombe)
		}
	})
}

// TestObserveFollowsUnits: requests counted one by one, as they come in, give
// the moments of the units' totals.
func TestObserveFollowsUnits(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		type unit struct{ n, y float64 }
		units := make([]unit, rapid.IntRange(1, 20).Draw(t, "units"))
		var streamed, whole stats.Moments
		for range rapid.IntRange(1, 200).Draw(t, "requests") {
			u := &units[rapid.IntRange(0, len(units)-1).Draw(t, "unit")]
			value := float64(rapid.IntRange(-5, 1000).Draw(t, "value"))
			if !streamed.Observe(u.n, u.y, value) {
				t.Fatal("a request was left out")
			}
			u.n, u.y = u.n+1, u.y+value
		}
		for _, u := range units {
			if u.n > 0 {
				half := stats.Moments{}
				half.Add(u.n, u.y)
				whole = whole.Plus(half)
			}
		}
		if streamed != whole {
			t.Errorf("streamed %+v, whole %+v", streamed, whole)
		}
	})
}

func TestMomentsLeaveOutWhatIsNoNumber(t *testing.T) {
	t.Parallel()
	m := stats.Moments{Units: 2, N: 2, Y: 1, NN: 2, YY: 1, NY: 1}
	before := m
	for _, v := range [][2]float64{{math.NaN(), 1}, {1, math.NaN()}, {math.Inf(1), 1}, {-1, 1}, {1, 1e200}, {1e160, 1}} {
		if m.Add(v[0], v[1]) || m != before {
			t.Errorf("a unit of %v was taken: %+v", v, m)
		}
	}
	for _, v := range [][3]float64{{math.NaN(), 1, 1}, {1, math.NaN(), 1}, {1, 1, math.Inf(-1)}, {-1, 1, 1}, {1, 1, 1e200}, {1e308, 1, 1}} {
		if m.Observe(v[0], v[1], v[2]) || m != before {
			t.Errorf("a request of %v was taken: %+v", v, m)
		}
	}
}

// TestRatioOfSingleRequestsIsAProportion: with a request a unit, the delta
// method is the unpooled z test but for m/(m−1).
func TestRatioOfSingleRequestsIsAProportion(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		arms := binomials(t, 2)
		var m [2]stats.Moments
		for i, a := range arms {
			n, y := float64(a.Trials), float64(a.Successes)
			m[i] = stats.Moments{Units: a.Trials, N: n, Y: y, NN: n, YY: y, NY: y}
		}
		a, _ := m[0].Variance()
		b, _ := m[1].Variance()
		nA, nB := float64(arms[0].Trials), float64(arms[1].Trials)
		c := stats.CompareProportions(arms[0], arms[1], 0.95)
		if se := math.Sqrt(a*(nA-1)/nA + b*(nB-1)/nB); !close(se, c.SE, 1e-9) {
			t.Errorf("standard error %v, of proportions %v", se, c.SE)
		}
	})
}

// TestLiftNeedsSomethingToBeRelativeTo: a loss of half of what is below zero
// is not named.
func TestLiftNeedsSomethingToBeRelativeTo(t *testing.T) {
	t.Parallel()
	var a, b stats.Moments
	for i := range 10 {
		a.Add(1, float64(-i-1))
		b.Add(1, float64(i*i))
	}
	if c := stats.CompareRatios(a, b, 0.95); !c.Testable || c.Lift.Known || c.Lift.Interval.BoundedBelow() {
		t.Errorf("of a control below zero %+v", c)
	}
	if c := stats.CompareRatios(b, a, 0.95); !c.Lift.Known || c.Lift.Value > -1 {
		t.Errorf("of a control above zero %+v", c)
	}
}

// TestRatioOfIdenticalUnitsHasNoVariance: rounding is not taken for one.
func TestRatioOfIdenticalUnitsHasNoVariance(t *testing.T) {
	t.Parallel()
	for _, share := range []float64{0.1, 0.3, 1.0 / 3, 0.7, 0.9, 1e-9, 12345.678} {
		var a, b stats.Moments
		for i := range 1000 {
			n := float64(i%7 + 1)
			a.Add(n, n*share)
			b.Add(n, n*share*1.0001)
		}
		if c := stats.CompareRatios(a, b, 0.95); c.Testable || c.P != 1 || c.VarA != 0 || c.VarB != 0 {
			t.Errorf("%v: %+v", share, c)
		}
	}
}

// TestMixtureAgreesWithItself: the test rejects exactly where its p is at most
// alpha and its confidence sequence excludes zero.
func TestMixtureAgreesWithItself(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := stats.TuneMixture(rapid.Float64Range(0.001, 0.2).Draw(t, "alpha"), rapid.Int64Range(10, 1e7).Draw(t, "planned"))
		units := rapid.Int64Range(1, 1e7).Draw(t, "units")
		diff, se := rapid.Float64Range(-10, 10).Draw(t, "diff"), rapid.Float64Range(0.01, 5).Draw(t, "se")
		test := m.Test(diff/se*diff/se, 1, units)
		sequence := m.Sequence(diff, se, units)
		if math.Abs(test.P-m.Alpha) < 1e-9 {
			t.Skip("on the boundary, up to rounding")
		}
		if rejects := test.P <= m.Alpha; test.Rejects != rejects || sequence.Contains(0) == rejects {
			t.Errorf("%+v with %v at level %v", test, sequence, m.Alpha)
		}
		// A side of its own is tighter than that of two at the same level.
		if low := m.LowerSequence(diff, se, units); low <= sequence.Low {
			t.Errorf("one-sided %v, two-sided %v", low, sequence)
		}
		if low, high := m.LowerSequence(diff, se, units), m.UpperSequence(-diff, se, units); low != -high {
			t.Errorf("the sides are not mirrors: %v, %v", low, high)
		}
	})
}

// integral is the trapezoidal rule with many steps.
func integral(low, high float64, f func(float64) float64) float64 {
	const steps = 20_000
	total, width := 0.0, (high-low)/steps
	for i := range steps + 1 {
		total += f(low + float64(i)*width)
	}
	return (total - f(low)/2 - f(high)/2) * width
}

// TestEvidenceIsExpectedToBeOne: under the null hypothesis, which makes 1/e a
// p-value.
func TestEvidenceIsExpectedToBeOne(t *testing.T) {
	t.Parallel()
	m := stats.TuneMixture(0.05, 1000)
	for _, units := range []int64{30, 400, 1000} {
		for df := 1; df <= 4; df++ {
			halved, _ := math.Lgamma(float64(df) / 2)
			mean := integral(0, 60, func(root float64) float64 { // x = root²
				x := root * root
				return 2 * math.Exp(m.Test(x, df, units).LogE-x/2-float64(df)/2*math.Ln2-halved) * math.Pow(root, float64(df-1))
			})
			if !close(mean, 1, 1e-6) {
				t.Errorf("%d units, %d degrees of freedom: e is %v in the mean", units, df, mean)
			}
		}
	}
}

// TestCountsEvidenceIsExpectedToBeOne sums over all outcomes.
func TestCountsEvidenceIsExpectedToBeOne(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Int64Range(1, 60).Draw(t, "n")
		weight := rapid.Float64Range(0.01, 0.99).Draw(t, "weight")
		a, b := rapid.Float64Range(0.01, 1e4).Draw(t, "a"), rapid.Float64Range(0.01, 1e4).Draw(t, "b")
		mixture, ratio := 0.0, 0.0
		for x := int64(0); x <= n; x++ {
			choose, _ := math.Lgamma(float64(n + 1))
			up, _ := math.Lgamma(float64(x + 1))
			down, _ := math.Lgamma(float64(n - x + 1))
			log := choose - up - down + float64(x)*math.Log(weight) + float64(n-x)*math.Log1p(-weight)
			mixture += math.Exp(log + stats.BetaMixture(n-x, x, a, b, weight))
			ratio += math.Exp(log + stats.SampleRatioBayesFactor([]int64{x, n - x}, []float64{weight, 1 - weight}, a))
		}
		if !close(mixture, 1, 1e-9) || !close(ratio, 1, 1e-9) {
			t.Errorf("in the mean %v and %v", mixture, ratio)
		}
	})
}

// TestSequencesHoldAtAllLooks counts how often a walk without drift is found to
// have one, looked at after every step.
func TestSequencesHoldAtAllLooks(t *testing.T) {
	t.Parallel()
	const alpha, walks, steps = 0.05, 2000, 400
	m := stats.TuneMixture(alpha, steps)
	random := rand.New(rand.NewPCG(6, 1))
	two, lower := 0, 0
	for range walks {
		sum, least := 0.0, 1.0
		outside, below := false, false
		for n := int64(1); n <= steps; n++ {
			sum += random.NormFloat64()
			mean, se := sum/float64(n), 1/math.Sqrt(float64(n))
			least = min(least, m.Test(mean/se*mean/se, 1, n).P)
			outside = outside || !m.Sequence(mean, se, n).Contains(0)
			below = below || m.LowerSequence(mean, se, n) > 0
		}
		if outside != (least <= alpha) {
			t.Fatal("the sequence and the running p disagree")
		}
		two, lower = two+count(outside), lower+count(below)
	}
	limit := alpha * walks // the true rates are about .02 and .02
	if float64(two) > limit || float64(lower) > limit || two == 0 || lower == 0 {
		t.Errorf("of %d walks %d left the sequence and %d its lower bound, want up to %v, and some", walks, two, lower, limit)
	}
}

func count(b bool) int {
	if b {
		return 1
	}
	return 0
}

func TestIntersect(t *testing.T) {
	t.Parallel()
	early, late := stats.Interval{Low: -2, High: 5}, stats.Interval{Low: -1, High: 7}
	if got, ok := early.Intersect(late); !ok || got != (stats.Interval{Low: -1, High: 5}) {
		t.Errorf("got %v, %v", got, ok)
	}
	if got, ok := early.Intersect(stats.Interval{Low: 6, High: 7}); ok || got.Low != 6 {
		t.Errorf("of what has nothing in common: %v, %v", got, ok)
	}
}

// TestAdjustedValuesKeepTheirOrder: Bonferroni is the strictest, then Holm,
// then Benjamini and Hochberg, and none goes below the p-value.
func TestAdjustedValuesKeepTheirOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p := rapid.SliceOfN(rapid.Float64Range(0, 1), 0, 12).Draw(t, "p")
		holm, bh, bonferroni := stats.Holm(p), stats.BenjaminiHochberg(p), stats.Bonferroni(p)
		const rounding = 1e-15
		for i := range p {
			if p[i] > bh[i]+rounding || bh[i] > holm[i]+rounding || holm[i] > bonferroni[i]+rounding {
				t.Errorf("%v: %v, %v, %v", p[i], bh[i], holm[i], bonferroni[i])
			}
			for j := range p {
				if p[i] <= p[j] && (holm[i] > holm[j] || bh[i] > bh[j]) {
					t.Errorf("%v and %v have changed places", p[i], p[j])
				}
			}
		}
	})
	if got := stats.Holm([]float64{math.NaN(), -1, 0.01}); got[0] != 1 || got[1] != 1 || got[2] != 0.03 {
		t.Errorf("what is no probability: %v", got)
	}
}
