package stats

import (
	"math"
	"testing"
)

func near(t *testing.T, what string, got, want, relative float64) {
	t.Helper()
	if !(math.Abs(got-want) <= relative*math.Abs(want)) {
		t.Errorf("%s is %.17g, want %.17g within %g", what, got, want, relative)
	}
}

// TestTails holds distributions, far out too, against values that were computed
// with 60 digits.
func TestTails(t *testing.T) {
	t.Parallel()
	for _, v := range []struct {
		df      int
		x, tail float64
	}{
		{1, 1380, 4.661158455673913e-302}, {2, 1400, 9.859676543759771e-305}, {3, 50, 7.989179244951471e-11},
		{5, 700, 4.911986103573201e-149}, {7, 1390, 5.62708725721634e-296}, {15, 1e-8, 1}, {99, 1000, 7.229607902491263e-149},
		{1, 0, 1}, {4, -1, 1}, {4, math.MaxFloat64, 0},
	} {
		near(t, "chi-square tail", chiSquareTail(v.x, v.df), v.tail, 2e-13)
	}
	for _, v := range []struct{ t, df, tail float64 }{
		{1e-8, 5, 0.4999999962039331}, {1e-8, 9999, 0.4999999960106769}, {0.001, 3, 0.4996324474847305}, {1, 1, 0.25},
		{1e50, 2, 5e-101}, {1e200, 1, 3.183098861837907e-201}, {12, 1.5, 0.009021014637013932}, {30, 8.7, 2.17858544553561e-10},
		{8, 49, 9.552719776477727e-11}, {50, 300, 7.601646109850284e-148}, {37, 9999, 2.822446309482035e-281},
		{37, 10001, 2.80023085448026e-281}, {8, 1e6, 6.22753171660126e-16}, {20, 3.3e6, 2.787370466253802e-89},
		{37, 2e12, 5.725572565783643e-300}, {math.MaxFloat64, 1e9, 0}, {math.MaxFloat64, 30, 0}, {0, 12, 0.5},
	} {
		near(t, "Student's tail", studentTail(v.t, v.df), v.tail, 1e-11)
	}
	for _, v := range []struct{ z, tail float64 }{
		{-10, 1}, {1e-10, 0.4999999999601058}, {10, 7.619853024160526e-24}, {37, 5.725571222524577e-300},
	} {
		near(t, "normal tail", normalTail(v.z), v.tail, 2e-13)
	}
}

func TestQuantilesOfDistributions(t *testing.T) {
	t.Parallel()
	for _, v := range []struct{ p, df, t float64 }{
		{.4999, 1, 0.0003141592756943707}, {.025, 1.5, 6.016663104427932}, {.025, 49, 2.00957523712924}, {1e-10, 300, 6.5878115764844},
		{1e-50, 1000, 15.81022117514983}, {1e-200, 9999, 30.90871806294051}, {1e-200, 10001, 30.90857475083656},
		{0.0005, 1e9, 3.290526741221625}, {1e-6, 2.5, 220.1734291782368},
	} {
		near(t, "Student's quantile", studentUpper(v.p, v.df), v.t, 3e-12)
	}
	for _, df := range []float64{1e-3, 0.1, 1, 1.7, 30, 1e4, 1e4 + 1, 1e15, 1e300} {
		for _, p := range []float64{0.49999, 0.3, 0.05, 1e-9, 1e-100, 1e-300} {
			x := studentUpper(p, df)
			if tail := studentTail(x, df); x < math.MaxFloat64 && !(math.Abs(tail/p-1) < 1e-9) {
				t.Errorf("%v degrees of freedom: above %v are %v, want %v", df, x, tail, p)
			}
			if df >= 1 && x < math.MaxFloat64 {
				near(t, "normal quantile's tail", normalTail(normalUpper(p)), p, 1e-12)
			}
		}
	}
}

// TestNoncentralTail holds the average over S against the values of the density
// integrated with 50 digits.
func TestNoncentralTail(t *testing.T) {
	t.Parallel()
	for _, v := range []struct{ t, df, shift, tail float64 }{
		{1.96, 2, 2.8, 0.78800277469149278}, {1.96, 2.5, 2.8, 0.78736966902736842},
		{4.3, 2, 5, 0.71957832434264067}, {1.96, 1e13, 2.8, 0.79954580673954}, {1.96, 1e6, 2.8, 0.79954571794481866},
	} {
		near(t, "noncentral tail", noncentralTail(v.t, v.df, v.shift), v.tail, 1e-12)
	}
	near(t, "central tail", noncentralTail(2.5, 20, 0), studentTail(2.5, 20), 1e-12)
}

func TestDifferenceOfProductsKeepsDigits(t *testing.T) {
	t.Parallel()
	// (10⁹+1)(10⁹+3) and (10⁹+2)² differ by one, and have no digit for it.
	if got := differenceOfProducts(1e9+1, 1e9+3, 1e9+2, 1e9+2); got != -1 {
		t.Errorf("got %v, want -1", got)
	}
}

// TestDiscreteDistributions compares with sums that can be written down.
func TestDiscreteDistributions(t *testing.T) {
	t.Parallel()
	d := binomial(4, 0.5)
	for x, want := range []float64{1, 4, 6, 4, 1} {
		near(t, "binomial", d.at(int64(x)), want/16, 1e-15)
	}
	h := hypergeometric(3, 4, 2)
	for x, want := range []float64{6, 12, 3} {
		near(t, "hypergeometric", h.at(int64(x)), want/21, 1e-15)
	}
	if d.at(-1) != 0 || d.at(5) != 0 || h.at(3) != 0 {
		t.Error("counts that cannot be are probable")
	}
	for _, n := range []int64{1, 7, 1000, 1_000_000} {
		for _, q := range []float64{1e-9, 0.01, 0.5, 0.95, 1 - 1e-9} {
			total, mean := 0.0, 0.0
			d := binomial(n, q)
			for i, p := range d.p {
				total += p
				mean += p * float64(d.first+int64(i))
			}
			near(t, "total", total, 1, 1e-12)
			near(t, "mean", mean, float64(n)*q, 1e-11)
		}
	}
}

func BenchmarkStudentUpper(b *testing.B) {
	for b.Loop() {
		studentUpper(0.025, 57.3)
	}
}
