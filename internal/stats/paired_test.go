package stats_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"github.com/busuhq/busu/internal/stats"
)

// users draws an arm of users whose cost now is like their cost before; every
// fifth has no past.
func users(r *rand.Rand, n int, factor float64) (p stats.Paired) {
	for i := range n {
		own := math.Exp(r.NormFloat64())
		cost := func(requests float64) float64 { return own * requests * math.Exp(r.NormFloat64()/3) }
		now, before := float64(1+r.IntN(5)), float64(1+r.IntN(9))
		if i%5 == 0 {
			before = 0
		}
		p.Add(now, factor*cost(now), before, cost(before))
	}
	return p
}

// Over many experiments the adjusted difference is the same in the mean, its own
// idea of its variance is right, and that is much smaller.
func TestAdjustmentTakesOutThePast(t *testing.T) {
	t.Parallel()
	const runs = 2000
	r := rand.New(rand.NewPCG(3, 4))
	var plain, adjusted, squares, claimed, unadjusted float64
	for range runs {
		a, b := users(r, 200, 1), users(r, 300, .9)
		one := stats.CompareStrata([]stats.Moments{a.Now}, []stats.Moments{b.Now}, .95)
		other := stats.CompareAdjustedStrata([]stats.Paired{a}, []stats.Paired{b}, .95)
		plain += one.Diff / runs
		adjusted += other.Diff / runs
		squares += other.Diff * other.Diff / runs
		claimed += other.SE * other.SE / runs
		unadjusted += one.SE * one.SE / runs
	}
	variance := squares - adjusted*adjusted
	if off := math.Abs(adjusted - plain); off > 4*math.Sqrt(unadjusted/runs) {
		t.Errorf("the difference is %g, without adjustment %g", adjusted, plain)
	}
	if math.Abs(claimed/variance-1) > .15 {
		t.Errorf("claims the variance %g, has %g", claimed, variance)
	}
	if claimed > .6*unadjusted {
		t.Errorf("variance %g, without adjustment %g", claimed, unadjusted)
	}
}

// With one value each, now and before, it is CUPED of means.
func TestAdjustedRatiosOfSinglesAreCUPED(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(5, 6))
	var arms [2]stats.Paired
	var covaried [2]stats.Covaried
	for i := range arms {
		for range 400 {
			x := r.NormFloat64() + 5
			y := x + r.NormFloat64() + float64(i)/10
			arms[i].Add(1, y, 1, x)
			covaried[i].Y, covaried[i].Pre = append(covaried[i].Y, y), append(covaried[i].Pre, x)
		}
	}
	got := stats.CompareAdjustedStrata(arms[:1], arms[1:], .95)
	want := stats.CUPED(covaried[0], covaried[1], .95)
	if math.Abs(got.Diff-want.Diff) > .02*want.SE || math.Abs(got.SE/want.SE-1) > .01 {
		t.Errorf("%g ± %g, CUPED %g ± %g", got.Diff, got.SE, want.Diff, want.SE)
	}
}

func TestWithoutAPastNothingIsAdjusted(t *testing.T) {
	t.Parallel()
	var a, b stats.Paired
	r := rand.New(rand.NewPCG(7, 8))
	for range 50 {
		a.Add(2, r.Float64(), 0, 0)
		b.Add(3, r.Float64(), 0, 0)
	}
	got := stats.CompareAdjustedStrata([]stats.Paired{a}, []stats.Paired{b}, .95)
	if want := stats.CompareStrata([]stats.Moments{a.Now}, []stats.Moments{b.Now}, .95); got != want {
		t.Errorf("%+v, not %+v", got, want)
	}
}

func TestAdjustmentIsFinite(t *testing.T) {
	t.Parallel()
	number := rapid.OneOf(rapid.Float64(), rapid.SampledFrom([]float64{0, 1, 3, math.MaxFloat64, math.Inf(1), math.NaN()}))
	rapid.Check(t, func(t *rapid.T) {
		arms := make([]stats.Paired, 2)
		for i := range arms {
			for range rapid.IntRange(0, 5).Draw(t, "units") {
				arms[i].Add(number.Draw(t, "n"), number.Draw(t, "y"), number.Draw(t, "n before"), number.Draw(t, "y before"))
			}
		}
		c := stats.CompareAdjustedStrata(arms[:1], arms[1:], .95)
		for _, x := range []float64{c.Diff, c.SE, c.P, c.Interval.Low, c.Interval.High, c.RatioA, c.RatioB, c.VarA, c.VarB, c.Lift.Value, c.Lift.SE} {
			if math.IsNaN(x) || math.IsInf(x, 0) {
				t.Fatalf("%+v of %+v", c, arms)
			}
		}
	})
}
