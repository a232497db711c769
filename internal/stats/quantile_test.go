package stats_test

import (
	"testing"

	"github.com/busuhq/busu/internal/stats"
	"pgregory.net/rapid"
)

// The ranks of independent values are those of the interval that Quantile gives.
func TestQuantileRanksAreThoseOfQuantile(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		values := make([]float64, rapid.IntRange(1, 3000).Draw(t, "values"))
		for i := range values {
			values[i] = float64(i)
		}
		q := rapid.SampledFrom([]float64{.01, .5, .95, .99}).Draw(t, "q")
		want := stats.Quantile(values, q, .95)
		low, high := stats.QuantileRanks(int64(len(values)), q, .95, 1)
		if low != want.RankLow || high != want.RankHigh {
			t.Fatalf("ranks %d and %d, not %d and %d", low, high, want.RankLow, want.RankHigh)
		}
		// Clusters of k values that are alike say as much as one of them.
		k := int64(rapid.IntRange(2, 9).Draw(t, "cluster"))
		low, high = stats.QuantileRanks(k*int64(len(values)), q, .95, float64(k))
		if low != k*want.RankLow || want.RankHigh <= int64(len(values)) && high != k*want.RankHigh || high > k*int64(len(values))+1 {
			t.Fatalf("clustered by %d, ranks %d and %d, not %d and %d times so many", k, low, high, want.RankLow, want.RankHigh)
		}
	})
}

// Where the normal distribution takes over, nothing changes but a rank or two.
func TestQuantileRanksOfMany(t *testing.T) {
	t.Parallel()
	for _, q := range []float64{.05, .5, .95, .99} {
		low, high := stats.QuantileRanks(100_000, q, .95, 1)
		later, higher := stats.QuantileRanks(100_001, q, .95, 1)
		if d := later - low; d < -2 || d > 2 {
			t.Errorf("q %g: low %d, then %d", q, low, later)
		}
		if d := higher - high; d < -2 || d > 3 {
			t.Errorf("q %g: high %d, then %d", q, high, higher)
		}
	}
	if low, high := stats.QuantileRanks(0, .5, .95, 1); low != 0 || high != 1 {
		t.Errorf("of nothing: %d and %d", low, high)
	}
	if low, high := stats.QuantileRanks(10, 2, .95, 1); low != 0 || high != 11 {
		t.Errorf("of no share: %d and %d", low, high)
	}
}
