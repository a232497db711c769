package rollup

import (
	"math"
	"slices"
	"sort"
)

// Sketch counts durations in logarithmic bins, so that any quantile is known
// within 1 % and sketches add and subtract exactly. Bins are those of DDSketch
// (Masson, Rim, Lee: DDSketch, VLDB 2019): bin i holds (γ^(i-1), γ^i]
// microseconds, γ = (1+α)/(1−α), α = 0.01; bin 0 holds 0 and 1.
type Sketch map[int16]int64

const gamma = (1 + 0.01) / (1 - 0.01)

// binBounds[i] is the largest value of bin i. It is made by repeated
// multiplication, which rounds alike on every machine; a logarithm may not.
var binBounds = func() []float64 {
	bounds := []float64{1}
	for bounds[len(bounds)-1] < 1<<53 {
		bounds = append(bounds, float64(bounds[len(bounds)-1]*gamma))
	}
	return bounds
}()

// Bin is the bin of a duration in microseconds.
func Bin(us int64) int16 {
	i := sort.SearchFloat64s(binBounds, float64(us))
	return int16(min(i, len(binBounds)-1))
}

func (s Sketch) add(other Sketch, times int64) {
	for bin, n := range other {
		if s[bin] += n * times; s[bin] == 0 {
			delete(s, bin)
		}
	}
}

// Quantiles gives the qs-quantiles in milliseconds, or nil when the sketch is
// empty. qs are in (0, 1].
func (s Sketch) Quantiles(qs ...float64) []float64 {
	bins := make([]int16, 0, len(s))
	var total int64
	for bin, n := range s {
		bins = append(bins, bin)
		total += n
	}
	if total == 0 {
		return nil
	}
	slices.Sort(bins)
	values := make([]float64, len(qs))
	for i, q := range qs {
		rank := max(int64(math.Ceil(q*float64(total))), 1)
		values[i] = s.value(bins, rank)
	}
	return values
}

// value is the middle of the bin that holds the rank-th smallest value, in
// milliseconds: 2γ^i/(γ+1), which is within α of all in it.
func (s Sketch) value(bins []int16, rank int64) float64 {
	for _, bin := range bins {
		if rank -= s[bin]; rank <= 0 {
			return binBounds[bin] * 2 / (gamma + 1) / 1000
		}
	}
	return 0
}
