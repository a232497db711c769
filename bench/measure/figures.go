// Package measure is what the benchmarks share: figures over rounds, goals,
// and the machine that they come from.
package measure

import (
	"slices"
	"time"
)

// Figures are what was measured of a scenario in one round, by name.
type Figures map[string]float64

// Names of latencies, in µs.
const (
	P50  = "p50_us"
	P99  = "p99_us"
	P999 = "p99.9_us"
)

// AddPercentiles sorts latencies and notes three of them.
func (f Figures) AddPercentiles(latencies []time.Duration) {
	f[P50], f[P99], f[P999] = Percentile(latencies, .5), Percentile(latencies, .99), Percentile(latencies, .999)
}

// Percentile sorts latencies and gives one of them in µs; 0 when there are none.
func Percentile(latencies []time.Duration, share float64) float64 {
	if len(latencies) == 0 {
		return 0
	}
	slices.Sort(latencies)
	at := min(int(share*float64(len(latencies))), len(latencies)-1)
	return float64(latencies[at]) / float64(time.Microsecond)
}

// Summary is a figure over all rounds.
type Summary struct{ Median, Least, Most float64 }

// Summarize gives false when there is nothing.
func Summarize(values []float64) (Summary, bool) {
	if len(values) == 0 {
		return Summary{}, false
	}
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	median := sorted[middle]
	if len(sorted)%2 == 0 {
		median = (sorted[middle-1] + median) / 2
	}
	return Summary{median, sorted[0], sorted[len(sorted)-1]}, true
}

// AddHistogram notes the same three of a histogram.
func (f Figures) AddHistogram(h *Histogram) {
	f[P50], f[P99], f[P999] = h.Percentile(.5), h.Percentile(.99), h.Percentile(.999)
}
