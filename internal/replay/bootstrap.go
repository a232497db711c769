package replay

import (
	"math/rand/v2"
	"slices"
)

// Interval is an estimate with its 95 % interval.
type Interval struct {
	Estimate float64 `json:"estimate"`
	Low      float64 `json:"low"`
	High     float64 `json:"high"`
}

// resamples is how often rows are drawn anew.
const resamples = 1000

// pairedDifference is the APGR of one policy minus that of another on the same
// rows, each in its order. The interval is a percentile bootstrap over rows:
// both are held against the same draws, so that what the rows have in common
// cancels out.
func pairedDifference(uplift []float64, one, other []int, seed uint64) Interval {
	n := len(uplift)
	counts := make([]int32, n)
	for i := range counts {
		counts[i] = 1
	}
	estimate := weightedArea(uplift, one, counts) - weightedArea(uplift, other, counts)
	r := rand.New(rand.NewPCG(seed, 2))
	differences := make([]float64, resamples)
	for b := range differences {
		clear(counts)
		for range n {
			counts[r.IntN(n)]++
		}
		differences[b] = weightedArea(uplift, one, counts) - weightedArea(uplift, other, counts)
	}
	slices.Sort(differences)
	return Interval{Estimate: estimate, Low: differences[resamples*25/1000], High: differences[resamples*975/1000-1]}
}

// weightedArea is the APGR where row i was drawn counts[i] times.
func weightedArea(uplift []float64, order []int, counts []int32) float64 {
	gained, area, n := 0.0, 0.0, 0.0
	for _, i := range order {
		c := float64(counts[i])
		if c == 0 {
			continue
		}
		area += c * (gained + c*uplift[i]/2)
		gained += c * uplift[i]
		n += c
	}
	if gained <= 0 {
		return 0.5
	}
	return area / gained / n
}
