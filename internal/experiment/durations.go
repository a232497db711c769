package experiment

import (
	"math"

	"github.com/busuhq/busu/internal/stats"
)

// Durations count how long requests took, in bins each of which ends 2 % above
// the one before: whatever is read from it is off by 1 % at most. Bin i holds
// what took up to durationBase^i microseconds.
type Durations []int64

const durationBase = 1.01 / 0.99

// Add counts a request.
func (d *Durations) Add(us int64) {
	bin := 0
	if us > 1 {
		bin = int(math.Ceil(math.Log(float64(us)) / math.Log(durationBase)))
	}
	for len(*d) <= bin {
		*d = append(*d, 0)
	}
	(*d)[bin]++
}

// QuantileResult is a quantile of durations in milliseconds with an interval
// that is made of order statistics, and so holds whatever their distribution.
type QuantileResult struct {
	Value float64  `json:"value"`
	Low   *float64 `json:"low"`
	High  *float64 `json:"high"`
}

// Quantile is null of nothing. Design is by how much requests of one unit widen
// the variance of a share of requests: what is alike counts as less.
func (d Durations) Quantile(q, conf, design float64) *QuantileResult {
	n := int64(0)
	for _, requests := range d {
		n += requests
	}
	if n == 0 {
		return nil
	}
	at := func(rank int64) *float64 { // from 1; nothing is beyond the ends
		if rank < 1 || rank > n {
			return nil
		}
		for bin, requests := range d {
			if rank -= requests; rank <= 0 {
				return new(middle(bin))
			}
		}
		return nil
	}
	low, high := stats.QuantileRanks(n, q, conf, design)
	return &QuantileResult{*at(max(1, int64(math.Ceil(q*float64(n))))), at(low), at(high)}
}

// middle is the duration in milliseconds that is off by the same share from both
// ends of a bin.
func middle(bin int) float64 {
	return 2 * math.Pow(durationBase, float64(bin)) / (durationBase + 1) / 1000
}
