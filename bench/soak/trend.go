package soak

import (
	"math"
	"slices"
)

// trend is how a figure changes with time: the median of the slopes between all
// pairs of samples (Theil 1950, Sen 1968), which single outliers do not move,
// with its interval of 95 %. Per hour; the interval is endless where there are
// too few samples to say.
type trend struct{ slope, low, high float64 }

// point is a sample: hours since the begin, and a value.
type point struct{ hours, value float64 }

const (
	normal975  = 1.959964 // quantile of the normal distribution
	leastPairs = 3        // fewer points than that have no trend
)

// trendOf gives false where there is no trend: too few points, or all at once.
// Points are in the order of time.
func trendOf(points []point) (trend, bool) {
	if len(points) < leastPairs {
		return trend{}, false
	}
	slopes := make([]float64, 0, len(points)*(len(points)-1)/2)
	for i, a := range points {
		for _, b := range points[i+1:] {
			if b.hours > a.hours {
				slopes = append(slopes, (b.value-a.value)/(b.hours-a.hours))
			}
		}
	}
	if len(slopes) == 0 {
		return trend{}, false
	}
	slices.Sort(slopes)
	t := trend{slope: middleOf(slopes), low: math.Inf(-1), high: math.Inf(1)}
	// Sen's interval: the slopes of those ranks that Kendall's S may well differ by.
	n := float64(len(points))
	spread := normal975 * math.Sqrt(n*(n-1)*(2*n+5)/18*clustering(points, t.slope))
	pairs := float64(len(slopes))
	low, high := int(math.Floor((pairs-spread)/2))-1, int(math.Ceil((pairs+spread)/2))
	if low >= 0 && high < len(slopes) {
		t.low, t.high = slopes[low], slopes[high]
	}
	return t, true
}

// clustering is by how much the variance grows because a sample resembles the
// one before it: (1+ρ)/(1−ρ), with the correlation ρ of neighbours about the
// trend (Yue and Wang 2004, of processes with a memory of one step).
func clustering(points []point, slope float64) float64 {
	const most = .99
	rest := make([]float64, len(points))
	for i, p := range points {
		rest[i] = p.value - slope*p.hours
	}
	ranks := ranksOf(rest) // so that an outlier does not hide what the others do
	mean := float64(len(ranks)-1) / 2
	var all, neighbours float64
	for i, r := range ranks {
		all += (r - mean) * (r - mean)
		if i > 0 {
			neighbours += (r - mean) * (ranks[i-1] - mean)
		}
	}
	if all == 0 {
		return 1
	}
	rho := min(max(neighbours/all, 0), most)
	return (1 + rho) / (1 - rho)
}

// ranksOf are places in the order of values, from 0; equal ones share theirs.
func ranksOf(values []float64) []float64 {
	order := make([]int, len(values))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case values[a] < values[b]:
			return -1
		case values[a] > values[b]:
			return 1
		}
		return 0
	})
	ranks := make([]float64, len(values))
	for from := 0; from < len(order); {
		to := from
		for to < len(order) && values[order[to]] == values[order[from]] {
			to++
		}
		for _, i := range order[from:to] {
			ranks[i] = float64(from+to-1) / 2
		}
		from = to
	}
	return ranks
}

// middleOf is the median of sorted values, of which there are some.
func middleOf(sorted []float64) float64 {
	half := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[half]
	}
	return (sorted[half-1] + sorted[half]) / 2
}

func medianOf(points []point) float64 {
	values := make([]float64, len(points))
	for i, p := range points {
		values[i] = p.value
	}
	slices.Sort(values)
	return middleOf(values)
}
