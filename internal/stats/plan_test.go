package stats_test

import (
	"math"
	"testing"

	"github.com/busuhq/busu/internal/stats"
	"pgregory.net/rapid"
)

// TestSizesHaveTheirPower: what a size and a least effect come out at has the
// power that was asked for.
func TestSizesHaveTheirPower(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		alpha, power := rapid.Float64Range(0.001, 0.2).Draw(t, "alpha"), rapid.Float64Range(0.5, 0.99).Draw(t, "power")
		a, b := rapid.Float64Range(0.01, 0.98).Draw(t, "a"), rapid.Float64Range(0.02, 0.99).Draw(t, "b")
		if math.Abs(a-b) < 1e-4 {
			t.Skip("no difference")
		}
		if n, ok := stats.SampleSizeProportions(a, b, alpha, power); !ok || !close(stats.PowerProportions(a, b, n, alpha), power, 1e-9) {
			t.Errorf("%v per arm (%v) have power %v", n, ok, stats.PowerProportions(a, b, n, alpha))
		}
		n := rapid.Float64Range(10, 1e6).Draw(t, "n")
		if e, ok := stats.MDEProportions(a, n, alpha, power); ok && !close(stats.PowerProportions(a, e.B, n, alpha), power, 1e-6) {
			t.Errorf("%+v is found with power %v", e, stats.PowerProportions(a, e.B, n, alpha))
		}
		n, ok := stats.SampleSizeMeans(b-a, 0.4, alpha, power)
		if got := stats.PowerMeans(b-a, 0.4, n, alpha); !ok || n > 1.06 && !close(got, power, 1e-9) {
			t.Errorf("%v per arm have power %v", n, got)
		}
	})
}

// TestNonInferiorityIsItsBound: it is shown exactly where the bound lies above
// the margin.
func TestNonInferiorityIsItsBound(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		diff, se := rapid.Float64Range(-1, 1).Draw(t, "diff"), rapid.Float64Range(0.01, 1).Draw(t, "se")
		margin, alpha := rapid.Float64Range(0, 1).Draw(t, "margin"), rapid.Float64Range(0.001, 0.5).Draw(t, "alpha")
		test := stats.NonInferiority(diff, se, margin, alpha)
		if math.Abs(test.P-alpha) > 1e-9 && test.NonInferior != (test.LowerBound > -margin) {
			t.Errorf("%+v at the margin %v", test, margin)
		}
	})
}

func TestWhatCannotBeFound(t *testing.T) {
	t.Parallel()
	if n, ok := stats.SampleSizeProportions(0.8, 0.8, 0.05, 0.8); ok {
		t.Errorf("no difference is found with %v", n)
	}
	if n, ok := stats.SampleSizeMeans(0, 1, 0.05, 0.8); ok {
		t.Errorf("no difference is found with %v", n)
	}
	if e, ok := stats.MDEProportions(0.99, 50, 0.05, 0.8); ok {
		t.Errorf("there is no room above 0.99, and %+v is found", e)
	}
}

// TestLeastEffectOfRatios follows the power of a z test, with the design
// effect of units with several requests in the variance.
func TestLeastEffectOfRatios(t *testing.T) {
	t.Parallel()
	var pilot stats.Moments
	for i := range 300 {
		n := float64(1 + i%9)
		pilot.Add(n, n*0.5+float64(i%5)-2)
	}
	perUnit, ok := pilot.UnitVariance()
	se := math.Sqrt(2 * perUnit / 5000)
	e, found := stats.MDEMeans(pilot.Ratio(), se, 0.05, 0.8)
	if !ok || !found || !close(e.Absolute, (1.959963984540054+0.8416212335729143)*se, 1e-12) || !close(e.Relative, e.Absolute/pilot.Ratio(), 1e-12) {
		t.Errorf("%+v, %v at se %v", e, found, se)
	}
	variance, _ := pilot.Variance()
	if !close(perUnit, 300*variance, 1e-12) {
		t.Errorf("%v per unit, %v of all", perUnit, variance)
	}
}

// TestDesignEffect has the figures of units with geometric numbers of requests,
// five in the mean.
func TestDesignEffect(t *testing.T) {
	t.Parallel()
	m := stats.Moments{Units: 1000, N: 5000, NN: 45000}
	for icc, want := range map[float64]float64{0: 1, 0.1: 1.8, 0.3: 3.4, 1: 9, -1: 1, math.NaN(): 1} {
		if got := stats.DesignEffect(m, icc); !close(got, want, 1e-12) {
			t.Errorf("at ICC %v: %v, want %v", icc, got, want)
		}
	}
}

// TestConditionalPowerIsExpectedToBePower: its mean over where a test may stand
// is the power from the start.
func TestConditionalPowerIsExpectedToBePower(t *testing.T) {
	t.Parallel()
	for _, drift := range []float64{0, 1, 2.8} {
		power := stats.ConditionalPower(0, 0, drift, 0.05)
		for _, fraction := range []float64{0.1, 0.5, 0.9} {
			mean := integral(-12, 12, func(x float64) float64 {
				z := x + drift*math.Sqrt(fraction)
				return math.Exp(-x*x/2) / math.Sqrt(2*math.Pi) * stats.ConditionalPower(z, fraction, drift, 0.05)
			})
			if !close(mean, power, 1e-9) {
				t.Errorf("drift %v, fraction %v: %v in the mean, want %v", drift, fraction, mean, power)
			}
		}
	}
	if lost, won := stats.ConditionalPower(1.95, 1, 9, 0.05), stats.ConditionalPower(-1.97, 1, 9, 0.05); lost != 0 || won != 1 {
		t.Errorf("at the end %v and %v", lost, won)
	}
	if got := stats.ConditionalPower(0, 0, 2.801585, 0.05); math.Abs(got-0.8) > 1e-5 {
		t.Errorf("at the start %v, want 0.8", got)
	}
}

// TestStrataAreNoDifference: the ramp of a better time's weight makes arms look
// different that are not.
func TestStrataAreNoDifference(t *testing.T) {
	t.Parallel()
	strata := []stats.Table{
		{A: stats.Binomial{Successes: 8100, Trials: 9000}, B: stats.Binomial{Successes: 900, Trials: 1000}},
		{A: stats.Binomial{Successes: 4000, Trials: 5000}, B: stats.Binomial{Successes: 4000, Trials: 5000}},
	}
	pooled := stats.ChiSquare([]stats.Binomial{{Successes: 12100, Trials: 14000}, {Successes: 4900, Trials: 6000}})
	if test := stats.MantelHaenszel(strata); !test.Testable || test.Statistic != 0 || test.P != 1 || pooled.P > 1e-9 {
		t.Errorf("within strata %+v, pooled %+v", test, pooled)
	}
	single := stats.MantelHaenszel([]stats.Table{{A: stats.Binomial{Successes: 400, Trials: 500}, B: stats.Binomial{Successes: 430, Trials: 500}}})
	if want := 6.378454996456414 * 999 / 1000; !close(single.Statistic, want, 1e-12) || single.MinExpected != 85 {
		t.Errorf("of one stratum %+v, want %v", single, want)
	}
	if empty := stats.MantelHaenszel(nil); empty.Testable || empty.P != 1 {
		t.Errorf("of none %+v", empty)
	}
}

// TestStrataOfRatios: a drift between strata is no difference, one stratum is no
// strata, and in each a perfect arm keeps some doubt.
func TestStrataOfRatios(t *testing.T) {
	t.Parallel()
	units := func(m int, share float64) (sums stats.Moments) {
		for i := range m {
			n := float64(1 + i%3)
			sums.Add(n, n*share+float64(i%2)/10)
		}
		return sums
	}
	a, b := []stats.Moments{units(900, 0.8), units(100, 0.6)}, []stats.Moments{units(300, 0.8), units(300, 0.6)}
	within, pooled := stats.CompareStrata(a, b, 0.95), stats.CompareRatios(a[0].Plus(a[1]), b[0].Plus(b[1]), 0.95)
	if !within.Testable || math.Abs(within.Diff) > 2e-3 || within.P < 0.5 || pooled.P > 1e-9 {
		t.Errorf("within strata %+v, pooled %+v", within, pooled)
	}
	single, plain := stats.CompareStrata(a[:1], b[1:], 0.95), stats.CompareRatios(a[0], b[1], 0.95)
	if !close(single.Diff, plain.Diff, 1e-14) || !close(single.SE, plain.SE, 1e-14) || !close(single.SmallP, plain.SmallP, 1e-12) {
		t.Errorf("of one stratum %+v, want %+v", single, plain)
	}
	perfect := []stats.Moments{{Units: 50, N: 50, Y: 50, NN: 50, YY: 50, NY: 50}}
	if c := stats.CompareShareStrata(perfect, perfect, 0.95); !c.Testable || !close(c.VarA, 2.0/54*52/54/54, 1e-12) {
		t.Errorf("of perfect arms %+v", c)
	}
	if c := stats.CompareStrata(perfect, perfect, 0.95); c.Testable {
		t.Errorf("of perfect arms without doubt %+v", c)
	}
}

// TestSampleRatioInStrata adds up what independent strata say.
func TestSampleRatioInStrata(t *testing.T) {
	t.Parallel()
	test := stats.SampleRatioStrata([][]int64{{5100, 4900}, {0, 0}, {200, 800}}, [][]float64{{1, 1}, {1, 1}, {1, 4}})
	if !close(test.Statistic, 4, 1e-12) || test.DF != 2 || !close(test.P, math.Exp(-2), 1e-12) || test.MinExpected != 200 {
		t.Errorf("got %+v", test)
	}
	if test := stats.SampleRatioStrata(nil, nil); test.Testable || test.P != 1 {
		t.Errorf("of none %+v", test)
	}
}

func TestCombine(t *testing.T) {
	t.Parallel()
	c := stats.Combine([]stats.Stratum{{Diff: 1, SE: 1}, {Diff: 4, SE: 2}, {Diff: 100, SE: 0}, {Diff: math.NaN(), SE: 1}}, 0.95)
	if !close(c.Diff, (1+4*0.25)/1.25, 1e-14) || !close(c.SE, math.Sqrt(1/1.25), 1e-14) || !c.Testable {
		t.Errorf("got %+v", c)
	}
	if c := stats.Combine(nil, 0.95); c.Testable || c.P != 1 {
		t.Errorf("of none %+v", c)
	}
}

// TestQuantileCovers: the interval's ranks hold at least what was asked for, for
// any size, and the ends that do not exist are unbounded.
func TestQuantileCovers(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		values := make([]float64, rapid.IntRange(1, 300).Draw(t, "n"))
		for i := range values {
			values[i] = float64((i*7919)%len(values) + 1)
		}
		q, conf := rapid.Float64Range(0.01, 0.99).Draw(t, "q"), rapid.Float64Range(0.5, 0.99).Draw(t, "conf")
		e := stats.Quantile(values, q, conf)
		if e.Coverage < conf-1e-12 || e.Interval.BoundedBelow() != (e.RankLow > 0) || e.Interval.BoundedAbove() != (e.RankHigh <= int64(len(values))) {
			t.Errorf("%+v does not cover %v", e, conf)
		}
	})
}

func TestCompareQuantiles(t *testing.T) {
	t.Parallel()
	slow, fast := make([]float64, 2000), make([]float64, 2000)
	for i := range slow {
		fast[i] = float64(i%1999) + 0.5
		slow[i] = fast[i] + 300
	}
	a, b := stats.Quantile(fast, 0.95, 0.95), stats.Quantile(slow, 0.95, 0.95)
	plain := stats.CompareQuantiles(a, b, 1, 1, 0.95)
	se := math.Sqrt2 * (a.Interval.High - a.Interval.Low) / (2 * 1.959963984540054)
	if plain.Diff != 300 || !close(plain.SE, se, 1e-12) || plain.P > 1e-20 {
		t.Errorf("%+v, want a standard error of %v", plain, se)
	}
	if clustered := stats.CompareQuantiles(a, b, 4, 4, 0.95); !close(clustered.SE, 2*se, 1e-12) {
		t.Errorf("clustered %+v", clustered)
	}
	few := stats.Quantile(slow[:10], 0.99, 0.95)
	if c := stats.CompareQuantiles(a, few, 1, 1, 0.95); c.Testable || few.Interval.BoundedAbove() {
		t.Errorf("of ten values %+v: %+v", few, c)
	}
}

// TestCUPEDTakesOutWhatWasKnown: Y is what was before, an effect, and a little
// noise; only that is left.
func TestCUPEDTakesOutWhatWasKnown(t *testing.T) {
	t.Parallel()
	var a, b stats.Covaried
	for i := range 400 {
		pre := float64((i * 7919) % 401)
		noise := float64(i%4) - 1.5
		a.Pre, a.Y = append(a.Pre, pre), append(a.Y, 2*pre+noise)
		b.Pre, b.Y = append(b.Pre, pre), append(b.Y, 2*pre+noise+1)
	}
	c, plain := stats.CUPED(a, b, 0.95), stats.Welch(stats.Describe(a.Y), stats.Describe(b.Y), 0.95)
	if !close(c.Diff, 1, 1e-9) || math.Abs(c.Theta-2) > 0.01 || c.P > 1e-20 || plain.P < 0.5 {
		t.Errorf("adjusted %+v, plain %+v", c, plain)
	}
	b.Pre = make([]float64, len(b.Y))
	a.Pre = b.Pre
	if c := stats.CUPED(a, b, 0.95); c.Theta != 0 || c.Comparison != plain {
		t.Errorf("nothing known before: %+v, want %+v", c, plain)
	}
	if c := stats.CUPED(stats.Covaried{Y: []float64{1, 2}, Pre: []float64{1}}, b, 0.95); c.Testable {
		t.Errorf("not as many known as there are: %+v", c)
	}
}

// TestWelchOfConstants: there is nothing but rounding to compare.
func TestWelchOfConstants(t *testing.T) {
	t.Parallel()
	a := stats.Describe([]float64{math.Nextafter(0.3, 1), 0.3, 0.3})
	b := stats.Describe([]float64{0.1, 0.1, 0.1})
	if c := stats.Welch(a, b, 0.95); a.Variance == 0 || c.Testable || c.P != 1 || c.Interval.BoundedAbove() {
		t.Errorf("got %+v", c)
	}
}

// TestSampleRatioOfStoppedArms: an arm of weight 0 is nothing while it is
// empty.
func TestSampleRatioOfStoppedArms(t *testing.T) {
	t.Parallel()
	two, three := stats.SampleRatio([]int64{510, 490}, []float64{1, 1}), stats.SampleRatio([]int64{510, 0, 490}, []float64{2, 0, 2})
	if two != three || !two.Testable {
		t.Errorf("with the empty arm %+v, without %+v", three, two)
	}
	if test := stats.SampleRatio([]int64{510, 1, 490}, []float64{2, 0, 2}); test.P != 0 || !test.Testable {
		t.Errorf("a unit where none may be: %+v", test)
	}
	if factor := stats.SampleRatioBayesFactor([]int64{510, 1, 490}, []float64{2, 0, 2}, 500); factor != math.MaxFloat64 {
		t.Errorf("a unit where none may be: %v", factor)
	}
	for name, test := range map[string]stats.ChiSquareTest{
		"no units": stats.SampleRatio([]int64{0, 0}, []float64{1, 1}), "no weights": stats.SampleRatio([]int64{5, 5}, []float64{0, 0}),
		"one arm": stats.SampleRatio([]int64{5}, []float64{1}), "unequal lists": stats.SampleRatio([]int64{5, 6}, []float64{1}),
	} {
		if test.Testable || test.P != 1 {
			t.Errorf("%s: %+v", name, test)
		}
	}
}
