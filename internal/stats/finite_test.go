package stats_test

import (
	"fmt"
	"math"
	"reflect"
	"testing"

	"github.com/busuhq/busu/internal/stats"
)

// sound reports what no answer may contain, however deep: numbers that are
// none, probabilities that are none, intervals inside out, and a verdict on
// what is not testable.
func sound(t *testing.T, what string, answer any) {
	t.Helper()
	for _, fault := range faults(what, reflect.ValueOf(answer)) {
		t.Error(fault)
	}
}

func faults(what string, v reflect.Value) (found []string) {
	switch v.Kind() {
	case reflect.Float64:
		if x := v.Float(); math.IsNaN(x) || math.IsInf(x, 0) {
			found = append(found, fmt.Sprintf("%s is %v", what, x))
		}
	case reflect.Slice:
		for i := range v.Len() {
			found = append(found, faults(fmt.Sprintf("%s[%d]", what, i), v.Index(i))...)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			name := v.Type().Field(i).Name
			found = append(found, faults(what+"."+name, v.Field(i))...)
			switch x := v.Field(i); name {
			case "P", "SmallP", "Less", "Greater", "Coverage", "CramersV":
				if !(x.Float() >= 0 && x.Float() <= 1) {
					found = append(found, fmt.Sprintf("%s.%s is %v, no share", what, name, x))
				}
			case "SE", "MinExpected", "Variance", "VarA", "VarB":
				if x.Float() < 0 {
					found = append(found, fmt.Sprintf("%s.%s is %v", what, name, x))
				}
			case "Testable":
				if p := v.FieldByName("P"); !x.Bool() && p.IsValid() && p.Float() != 1 {
					found = append(found, fmt.Sprintf("%s is not testable and has p = %v", what, p))
				}
			case "Rejects", "NonInferior":
				if x.Bool() && !v.FieldByName("Testable").Bool() {
					found = append(found, what+" is not testable and decides")
				}
			}
		}
		if i, ok := v.Interface().(stats.Interval); ok && !(i.Low <= i.High) {
			found = append(found, fmt.Sprintf("%s is inside out: %v", what, i))
		}
	}
	return found
}

// extremes are numbers that tests like to be broken by.
func extremes() []float64 {
	return []float64{0, 1, -1, 0.5, 0.05, 3, 1 - 1e-16, 1e-300, 5e-324, 1e154, 1e300, -1e300, math.MaxFloat64,
		math.NaN(), math.Inf(1), math.Inf(-1)}
}

func counts() []int64 {
	return []int64{0, 1, 2, -1, 30, 1000, 1e12, 1 << 53, math.MaxInt64, math.MinInt64}
}

// ofCounts asks everything that takes counts.
func ofCounts(t *testing.T, s, n, s2, n2 int64, x, y float64) {
	t.Helper()
	a, b := stats.Binomial{Successes: s, Trials: n}, stats.Binomial{Successes: s2, Trials: n2}
	sound(t, "chi-square", stats.ChiSquare([]stats.Binomial{a, b}))
	sound(t, "chi-square of three", stats.ChiSquare([]stats.Binomial{a, b, a}))
	sound(t, "chi-square of one", stats.ChiSquare([]stats.Binomial{a}))
	sound(t, "Yates", stats.ChiSquareYates(a, b))
	sound(t, "Fisher", stats.FisherExact(a, b))
	sound(t, "Wilson", stats.Wilson(a, x))
	sound(t, "proportions", stats.CompareProportions(a, b, x))
	sound(t, "Mantel-Haenszel", stats.MantelHaenszel([]stats.Table{{A: a, B: b}, {A: b, B: a}}))
	sound(t, "sample ratio", stats.SampleRatio([]int64{s, n, s2}, []float64{x, y, 1}))
	sound(t, "sample ratio in strata", stats.SampleRatioStrata([][]int64{{s, n, s2}, {n2, n}}, [][]float64{{x, y, 1}, {1, x}}))
	sound(t, "sample ratio's factor", stats.SampleRatioBayesFactor([]int64{s, n}, []float64{x, 1}, y))
	sound(t, "beta mixture", stats.BetaMixture(s, n, x, y, 0.5))
	sound(t, "beta mixture", stats.BetaMixture(s, n, 2, y, x))
	m := stats.TuneMixture(x, s)
	sound(t, "mixture", m)
	sound(t, "sequential test", m.Test(y, int(s2), n))
	sound(t, "sequence", m.Sequence(y, x, n))
	sound(t, "one-sided", m.LowerSequence(y, x, n))
	sound(t, "one-sided", m.UpperSequence(x, y, n))
	sound(t, "Welch", stats.Welch(stats.Sample{N: s, Mean: x, Variance: y}, stats.Sample{N: n, Mean: y, Variance: x}, 0.95))
	sound(t, "Welch", stats.Welch(stats.Sample{N: n, Mean: x, Variance: 1}, stats.Sample{N: n2, Mean: y, Variance: x}, y))
}

// ofReals asks everything that takes real numbers.
func ofReals(t *testing.T, x, y, z, u float64) {
	t.Helper()
	sound(t, "non-inferiority", stats.NonInferiority(x, y, z, u))
	sound(t, "power of proportions", stats.PowerProportions(x, y, z, u))
	sound(t, "power of means", stats.PowerMeans(x, y, z, u))
	sound(t, "conditional power", stats.ConditionalPower(x, y, z, u))
	sound(t, "adjusted", [][]float64{stats.Holm([]float64{x, y, z, u}), stats.BenjaminiHochberg([]float64{x, y, z}), stats.Bonferroni([]float64{x, y})})
	sound(t, "combined", stats.Combine([]stats.Stratum{{Diff: x, SE: y}, {Diff: z, SE: u}}, 0.95))
	sound(t, "combined", stats.Combine([]stats.Stratum{{Diff: x, SE: y}, {Diff: 1, SE: z}}, u))
	values := []float64{x, y, z}
	sound(t, "sample", stats.Describe(values))
	quantile := stats.Quantile(values, u, 0.9)
	sound(t, "quantile", quantile)
	sound(t, "quantile", stats.Quantile(values, 0.5, u))
	median := stats.Quantile([]float64{x, x, x, y, y, z, z, z, z}, 0.5, 0.8)
	sound(t, "quantiles", stats.CompareQuantiles(quantile, median, x, y, 0.9))
	sound(t, "quantiles", stats.CompareQuantiles(median, median, z, u, 0.9))
	sound(t, "CUPED", stats.CUPED(stats.Covaried{Y: values, Pre: []float64{u, y, x}}, stats.Covaried{Y: []float64{1, u}, Pre: []float64{z, 2}}, 0.95))
	var a, b stats.Moments
	for _, v := range [][2]float64{{x, y}, {z, u}, {1, x}, {y, 1}} {
		a.Add(v[0], v[1])
		b.Observe(v[0], v[1], x)
		sound(t, "moments", a)
	}
	sound(t, "ratios", stats.CompareRatios(a, b, 0.95))
	sound(t, "ratios", stats.CompareRatios(b, a.Plus(b), u))
	raw := stats.Moments{Units: 7, N: x, Y: y, NN: z, YY: u, NY: 1}
	sound(t, "ratios of any sums", stats.CompareRatios(raw, a, 0.95))
	sound(t, "ratios in strata", stats.CompareStrata([]stats.Moments{raw, a}, []stats.Moments{b, raw}, 0.95))
	sound(t, "shares in strata", stats.CompareShareStrata([]stats.Moments{raw, a}, []stats.Moments{b, raw}, u))
	sound(t, "ratio", raw.Ratio())
	for _, m := range []stats.Moments{a, b, raw} {
		variance, _ := m.UnitVariance()
		sound(t, "unit variance", variance)
		sound(t, "design effect", stats.DesignEffect(m, u))
	}
	n, _ := stats.SampleSizeProportions(x, y, z, u)
	sound(t, "size for proportions", n)
	e, _ := stats.MDEProportions(x, y, z, u)
	sound(t, "least effect", e)
	e, _ = stats.MDEMeans(x, y, z, u)
	sound(t, "least effect", e)
	i, _ := stats.Interval{Low: min(x, y), High: max(x, y)}.Intersect(stats.Interval{Low: -1, High: 1})
	if x == x && y == y {
		sound(t, "intersection", i)
	}
}

// TestNothingLeavesThatIsNoNumber puts all extremes into everything.
func TestNothingLeavesThatIsNoNumber(t *testing.T) {
	t.Parallel()
	all := extremes()
	for i, x := range all {
		for j, y := range all {
			for k, z := range all {
				ofReals(t, x, y, z, all[(i+3*j+7*k)%len(all)])
			}
			sound(t, "size for means", first(stats.SampleSizeMeans(x, y, 0.05, 0.8)))
			sound(t, "size for means", first(stats.SampleSizeMeans(1, 2, x, y)))
			for k, s := range counts() {
				for l, n := range counts() {
					ofCounts(t, s, n, counts()[(k+3*l)%10], counts()[(i+j+l)%10], x, y)
				}
			}
		}
		if t.Failed() {
			t.Fatalf("with %v", x)
		}
	}
}

func first(x float64, _ bool) float64 { return x }

func FuzzCounts(f *testing.F) {
	f.Add(int64(400), int64(500), int64(430), int64(500), 0.95, 1.0)
	f.Add(int64(0), int64(10), int64(0), int64(20), 0.5, 500.0)
	f.Add(int64(-1), int64(math.MaxInt64), int64(1e12), int64(1e12), math.NaN(), 1e300)
	f.Fuzz(func(t *testing.T, s, n, s2, n2 int64, x, y float64) { ofCounts(t, s, n, s2, n2, x, y) })
}

func FuzzReals(f *testing.F) {
	f.Add(0.8, 0.84, 1000.0, 0.05)
	f.Add(math.NaN(), math.Inf(1), -1e300, 1e300)
	f.Add(1.0, 2.0, 5e-324, 0.999)
	f.Fuzz(func(t *testing.T, x, y, z, u float64) {
		ofReals(t, x, y, z, u)
		sound(t, "size for means", first(stats.SampleSizeMeans(x, y, z, u)))
	})
}
