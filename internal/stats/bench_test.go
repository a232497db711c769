package stats_test

import (
	"testing"

	"github.com/busuhq/busu/internal/stats"
)

// BenchmarkObserve is the cost of a request: one addition to an arm's sums.
func BenchmarkObserve(b *testing.B) {
	var m stats.Moments
	n := 0.0
	for b.Loop() {
		m.Observe(n, n/2, 0.5)
		n++
		if n == 20 {
			n = 0
		}
	}
}

// BenchmarkLook is the cost of a look at two arms, whatever their size.
func BenchmarkLook(b *testing.B) {
	a := stats.Moments{Units: 1000, N: 5000, Y: 4000, NN: 45000, YY: 29500, NY: 36100}
	other := stats.Moments{Units: 1010, N: 5100, Y: 4250, NN: 46000, YY: 32500, NY: 38500}
	m := stats.TuneMixture(0.05, 4000)
	for b.Loop() {
		c := stats.CompareRatios(a, other, 0.95)
		if !c.Testable || m.Test(c.Statistic*c.Statistic, 1, 2010).LogE < 0 {
			b.Fatal("a look without an answer")
		}
		m.Sequence(c.Diff, c.SE, 2010)
	}
}

// BenchmarkChiSquare is the cost of the test of two arms.
func BenchmarkChiSquare(b *testing.B) {
	arms := []stats.Binomial{{Successes: 400, Trials: 500}, {Successes: 430, Trials: 500}}
	for b.Loop() {
		stats.ChiSquare(arms)
	}
}

// BenchmarkSampleRatioBayesFactor is the cost of a look at the assignment.
func BenchmarkSampleRatioBayesFactor(b *testing.B) {
	observed, weights := []int64{5200, 4800, 1010}, []float64{5, 5, 1}
	for b.Loop() {
		stats.SampleRatioBayesFactor(observed, weights, 500)
	}
}

// BenchmarkQuantile is a 95th percentile of a million sorted values.
func BenchmarkQuantile(b *testing.B) {
	values := make([]float64, 1_000_000)
	for i := range values {
		values[i] = float64(i)
	}
	for b.Loop() {
		stats.Quantile(values, 0.95, 0.95)
	}
}
