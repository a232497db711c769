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
//
// Its bins ascend, and none has the count 0, so that it is added up, written and
// read in one pass: as a map, adding and sorting took half of what an aggregator
// does. Nil is empty. Like a slice's, a copy's bins are the same.
type Sketch []bin

type bin struct {
	at int16
	n  int64
}

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

// usualBins have room in a new sketch.
const usualBins = 8

// Count adds n to the count of a bin.
func (s *Sketch) Count(at int16, n int64) { s.count(0, at, n) }

// count does so where at is not below the from-th bin. It returns where the bin
// is, or would be.
func (s *Sketch) count(from int, at int16, n int64) int {
	bins := *s
	i, above := from, len(bins)
	for i < above { // slices.BinarySearchFunc calls a function for each step
		if half := int(uint(i+above) / 2); bins[half].at < at {
			i = half + 1
		} else {
			above = half
		}
	}
	found := i < len(bins) && bins[i].at == at
	switch {
	case !found && n != 0:
		if bins == nil {
			bins = make(Sketch, 0, usualBins)
		}
		*s = slices.Insert(bins, i, bin{at, n})
	case found && bins[i].n+n != 0:
		bins[i].n += n
	case found:
		*s = slices.Delete(bins, i, i+1)
	}
	return i
}

// add adds another one, times -1 to take it away.
func (s *Sketch) add(other Sketch, times int64) {
	const searched = 4 // and more bins of ours for each of theirs: they are looked for one by one
	if len(other)*searched < len(*s) {
		from := 0
		for _, b := range other {
			from = s.count(from, b.at, b.n*times)
		}
	} else {
		s.merge(other, times)
	}
	if len(*s) == 0 {
		*s = nil
	}
}

// merge makes room for the bins that are new, and fills it from the end.
func (s *Sketch) merge(other Sketch, times int64) {
	ours, more := *s, newBins(*s, other)
	i, k := len(ours)-1, len(ours)+more-1
	ours = slices.Grow(ours, more)[:k+1]
	isZero := false
	for j := len(other) - 1; j >= 0; k-- {
		theirs := other[j]
		switch {
		case i >= 0 && ours[i].at > theirs.at:
			ours[k] = ours[i]
			i--
		case i >= 0 && ours[i].at == theirs.at:
			ours[k] = bin{theirs.at, ours[i].n + theirs.n*times}
			isZero = isZero || ours[k].n == 0
			i, j = i-1, j-1
		default:
			ours[k] = bin{theirs.at, theirs.n * times}
			j--
		}
	}
	if isZero {
		ours = slices.DeleteFunc(ours, func(b bin) bool { return b.n == 0 })
	}
	*s = ours
}

// newBins counts the bins of other that s does not have.
func newBins(s, other Sketch) (n int) {
	i := 0
	for _, b := range other {
		for i < len(s) && s[i].at < b.at {
			i++
		}
		if i == len(s) || s[i].at != b.at {
			n++
		}
	}
	return n
}

// Quantiles gives the qs-quantiles in milliseconds, or nil when the sketch is
// empty. qs are in (0, 1].
func (s Sketch) Quantiles(qs ...float64) []float64 {
	var total int64
	for _, b := range s {
		total += b.n
	}
	if total == 0 {
		return nil
	}
	values := make([]float64, len(qs))
	for i, q := range qs {
		values[i] = s.value(max(int64(math.Ceil(q*float64(total))), 1))
	}
	return values
}

// value is the middle of the bin that holds the rank-th smallest value, in
// milliseconds: 2γ^i/(γ+1), which is within α of all in it.
func (s Sketch) value(rank int64) float64 {
	for _, b := range s {
		if rank -= b.n; rank <= 0 {
			return binBounds[b.at] * 2 / (gamma + 1) / 1000
		}
	}
	return 0
}
