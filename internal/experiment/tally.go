package experiment

import "github.com/busuhq/busu/internal/stats"

// Tally is what the matured units did that entered one arm in one phase. The
// sums are of floating point, so units are always added in the same order.
type Tally struct {
	Units int64              `json:"units"`
	Most  int64              `json:"most_requests"` // of any unit
	Sums  [len(metrics)]Sums `json:"sums"`          // in the order good, quality, cost, latency, slow, rated
	Totals
}

// Sums are stats.Moments, as they are stored.
type Sums struct {
	Units int64   `json:"units"`
	N     float64 `json:"n"`
	Y     float64 `json:"y"`
	NN    float64 `json:"nn"`
	YY    float64 `json:"yy"`
	NY    float64 `json:"ny"`
}

// add counts a unit.
func (t *Tally) add(u *Unit) {
	t.Units++
	t.Most = max(t.Most, u.Requests)
	t.Totals.Add(u.Totals, 1)
	for i, m := range metrics {
		if n, y := m.of(&u.Totals); n > 0 {
			(*stats.Moments)(&t.Sums[i]).Add(float64(n), y)
		}
	}
}

// of gives the denominator and the numerator of the metric.
func (m Metric) of(t *Totals) (n int64, y float64) {
	switch m {
	case Good:
		return t.Requests, float64(t.Good)
	case Quality:
		return t.Rated, float64(t.QualityMicros) / 1e6
	case Cost:
		return t.Requests, float64(t.CostNanos)
	case Latency:
		return t.Answered, float64(t.LatencyUS)
	case Slow:
		return t.Requests, float64(t.Slow)
	case rated:
		return t.Requests, float64(t.Rated)
	default:
		return 0, 0
	}
}

// Tallies are by phase, then by arm.
type Tallies [][]Tally

// grow makes room for phases that have begun.
func (t *Tallies) grow(phases, arms int) {
	for len(*t) < phases {
		*t = append(*t, make([]Tally, arms))
	}
}

// arm adds up an arm over the phases, for what is no comparison.
func (t Tallies) arm(i int) (sum Tally) {
	for _, phase := range t {
		sum.Units += phase[i].Units
		sum.Most = max(sum.Most, phase[i].Most)
		sum.Totals.Add(phase[i].Totals, 1)
		for j, s := range phase[i].Sums {
			sum.Sums[j] = Sums(stats.Moments(sum.Sums[j]).Plus(stats.Moments(s)))
		}
	}
	return sum
}

// units of an arm.
func (t Tallies) units(arm int) (n int64) {
	for _, phase := range t {
		n += phase[arm].Units
	}
	return n
}

// clustered reports whether any unit had more than one request, so that
// requests are not independent.
func (t Tallies) clustered() bool {
	for _, phase := range t {
		for i := range phase {
			if phase[i].Most > 1 {
				return true
			}
		}
	}
	return false
}
