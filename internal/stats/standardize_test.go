package stats_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"github.com/busuhq/busu/internal/stats"
)

// shares makes the moments of units with one request each.
func shares(good, units int64) (m stats.Moments) {
	for i := range units {
		y := 0.0
		if i < good {
			y = 1
		}
		m.Add(1, y)
	}
	return m
}

func TestOneStratumIsARatio(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	var a, b stats.Moments
	for range 200 {
		n := float64(1 + r.IntN(5))
		a.Add(n, n*r.Float64())
		b.Add(n, n*r.Float64()*1.1)
	}
	got, want := stats.CompareStrata([]stats.Moments{a}, []stats.Moments{b}, .95), stats.CompareRatios(a, b, .95)
	for i, pair := range [][2]float64{{got.Diff, want.Diff}, {got.SE, want.SE}, {got.P, want.P}, {got.SmallP, want.SmallP}, {got.Lift.Value, want.Lift.Value},
		{got.Lift.SE, want.Lift.SE}, {got.Interval.Low, want.Interval.Low}, {got.RatioA, want.RatioA}, {got.VarB, want.VarB}} {
		if math.Abs(pair[0]-pair[1]) > 1e-12*math.Abs(pair[1]) {
			t.Errorf("%d: %g, not %g", i, pair[0], pair[1])
		}
	}
}

// A ramp from 1:9 to 1:1 while both arms fall from 0.9 to 0.8: put together they
// differ, within strata they do not.
func TestStrataSeeThroughDrift(t *testing.T) {
	t.Parallel()
	a := []stats.Moments{shares(810, 900), shares(400, 500)}
	b := []stats.Moments{shares(90, 100), shares(400, 500)}
	pooled := stats.CompareRatios(a[0].Plus(a[1]), b[0].Plus(b[1]), .95)
	if pooled.P > .05 {
		t.Errorf("pooled p = %g: this example shows nothing", pooled.P)
	}
	c := stats.CompareStrata(a, b, .95)
	if !c.Testable || math.Abs(c.Diff) > 1e-15 || c.P < .99 || c.Lift.Value > 1e-15 {
		t.Errorf("%+v", c)
	}
	// The weights are 900·100/1000 and 500·500/1000.
	if want := (90*.9 + 250*.8) / 340; math.Abs(c.RatioA-want) > 1e-12 {
		t.Errorf("ratio %g, want %g", c.RatioA, want)
	}
}

// A perfect arm is known to some margin, about that of four in its size.
func TestPerfectArmsHaveAMargin(t *testing.T) {
	t.Parallel()
	perfect := []stats.Moments{shares(300, 300)}
	c := stats.CompareShareStrata(perfect, perfect, .95)
	if !c.Testable || c.Diff != 0 || c.P != 1 || c.Interval.High < .009 || c.Interval.High > .02 {
		t.Errorf("%+v", c)
	}
	if stats.CompareStrata(perfect, perfect, .95).Testable {
		t.Error("without variance it is testable")
	}
	usual := []stats.Moments{shares(270, 300)}
	if one, other := stats.CompareShareStrata(usual, usual, .95), stats.CompareStrata(usual, usual, .95); one != other {
		t.Errorf("where the data vary, it is another test: %+v and %+v", one, other)
	}
}

// A small arm of skewed clusters against a large one: by the arms' own variances
// too many are found to differ, and nearly all on one side.
func TestSmallArmsAreNotMisled(t *testing.T) {
	t.Parallel()
	const runs = 4000
	r := rand.New(rand.NewPCG(9, 10))
	arm := func(units int) (m stats.Moments) {
		for range units {
			n, bad := float64(1+r.IntN(9)), 0.0
			if r.Float64() < .06 { // a user who finds everything bad
				bad = n
			}
			m.Add(n, n-bad)
		}
		return m
	}
	var own, standardized float64
	for range runs {
		a, b := arm(450), arm(50)
		if stats.CompareRatios(a, b, .95).P < .05 {
			own++
		}
		if stats.CompareStrata([]stats.Moments{a}, []stats.Moments{b}, .95).P < .05 {
			standardized++
		}
	}
	if own/runs < .08 {
		t.Errorf("by their own variances %g differ: this example shows nothing", own/runs)
	}
	if standardized/runs > .06 {
		t.Errorf("%g differ where nothing does", standardized/runs)
	}
}

func TestStrataAreFinite(t *testing.T) {
	t.Parallel()
	number := rapid.OneOf(rapid.Float64(), rapid.Float64Range(0, 10), rapid.SampledFrom([]float64{0, 1, math.MaxFloat64, math.Inf(1), math.NaN()}))
	moments := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) stats.Moments {
		return stats.Moments{Units: rapid.Int64Range(-1, 100).Draw(t, "units"), N: number.Draw(t, "n"), Y: number.Draw(t, "y"),
			NN: number.Draw(t, "nn"), YY: number.Draw(t, "yy"), NY: number.Draw(t, "ny")}
	}), 0, 3)
	rapid.Check(t, func(t *rapid.T) {
		a, b := moments.Draw(t, "a"), moments.Draw(t, "b")
		for _, c := range []stats.RatioComparison{stats.CompareStrata(a, b, .95), stats.CompareShareStrata(a, b, .95)} {
			for _, x := range []float64{c.Diff, c.SE, c.P, c.SmallP, c.Interval.Low, c.Interval.High, c.RatioA, c.RatioB, c.VarA, c.VarB,
				c.Lift.Value, c.Lift.SE, c.Lift.Interval.Low, c.Lift.Interval.High} {
				if math.IsNaN(x) || math.IsInf(x, 0) {
					t.Fatalf("%+v", c)
				}
			}
		}
		for _, m := range a {
			if d := stats.RealizedDesignEffect(m); math.IsNaN(d) || math.IsInf(d, 0) || d <= 0 {
				t.Fatalf("design effect %g of %+v", d, m)
			}
		}
		if p := stats.PowerShift(number.Draw(t, "shift"), number.Draw(t, "se"), number.Draw(t, "alpha")); !(p >= 0 && p <= 1) {
			t.Fatalf("power %g", p)
		}
	})
}

func TestSampleRatioStrata(t *testing.T) {
	t.Parallel()
	one := stats.SampleRatio([]int64{520, 480}, []float64{1, 1})
	if got := stats.SampleRatioStrata([][]int64{{520, 480}, {0, 0}}, [][]float64{{1, 1}, {.9, .1}}); got.P != one.P || got.DF != 1 {
		t.Errorf("%+v", got)
	}
	both := stats.SampleRatioStrata([][]int64{{520, 480}, {880, 120}}, [][]float64{{1, 1}, {.9, .1}})
	if both.DF != 2 || math.Abs(both.Statistic-(1.6+400.0/900+4)) > 1e-12 || math.Abs(both.P-math.Exp(-both.Statistic/2)) > 1e-12 {
		t.Errorf("%+v", both)
	}
	if got := stats.SampleRatioStrata(nil, nil); got.P != 1 || got.Testable {
		t.Errorf("%+v", got)
	}
}

func TestPowerShift(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ shift, se, alpha, want float64 }{
		{0, 1, .05, .025}, {2.8015852, 1, .05, .8}, {-1, 1, .05, .00153}, {2, 0, .05, 0}, {2, 1, 0, 0},
	} {
		if got := stats.PowerShift(c.shift, c.se, c.alpha); math.Abs(got-c.want) > 1e-5 {
			t.Errorf("%+v: %g", c, got)
		}
	}
}
