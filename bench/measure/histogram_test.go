package measure

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// TestBuckets: each duration is told to a thousandth of itself.
func TestBuckets(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	for range 100_000 {
		d := time.Duration(random.Uint64() >> (64 - random.UintN(longest+1)))
		got := middle(bucketOf(d))
		if diff := (got - d).Abs(); diff > d/1000 && diff > 1 {
			t.Fatalf("%d is %d", d, got)
		}
	}
	for _, d := range []time.Duration{-1, 0, 1, 2047, 2048, time.Hour} {
		if b := bucketOf(d); b < 0 || b >= buckets {
			t.Errorf("%s is in bucket %d of %d", d, b, buckets)
		}
	}
	if bucketOf(2047)+1 != bucketOf(2048) {
		t.Error("there is a gap between the buckets")
	}
}

// TestHistogramAsSorted: percentiles are those of the sorted durations.
func TestHistogramAsSorted(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(3, 4))
	var h Histogram
	var all []time.Duration
	for range 20_000 {
		d := time.Duration(random.ExpFloat64() * float64(time.Millisecond))
		h.Add(d)
		all = append(all, d)
	}
	slices.Sort(all)
	for _, share := range []float64{.001, .5, .9, .99, .999, 1} {
		want := float64(all[max(int(share*float64(len(all)))-1, 0)]) / float64(time.Microsecond)
		if got := h.Percentile(share); got < want*.998-.001 || got > want*1.002+.001 {
			t.Errorf("p%g is %g, not %g", 100*share, got, want)
		}
	}
	if h.Count() != 20_000 || new(Histogram).Percentile(.5) != 0 {
		t.Errorf("%d are counted", h.Count())
	}
}
