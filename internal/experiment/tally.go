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

// Sums are stats.Moments, or stats.Paired, as they are stored.
type Sums struct {
	Moments
	Past *Past `json:"past,omitempty"` // of units of which something is known before
}

// Moments are stats.Moments with names for JSON.
type Moments struct {
	Units int64   `json:"units"`
	N     float64 `json:"n"`
	Y     float64 `json:"y"`
	NN    float64 `json:"nn"`
	YY    float64 `json:"yy"`
	NY    float64 `json:"ny"`
}

// Past are the further sums of stats.Paired.
type Past struct {
	Before Moments `json:"before"`
	NN     float64 `json:"nn"` // Σnn', where primed is before
	NY     float64 `json:"ny"` // Σny'
	YN     float64 `json:"yn"` // Σyn'
	YY     float64 `json:"yy"` // Σyy'
}

func (s *Sums) moments() stats.Moments { return stats.Moments(s.Moments) }

// paired has zeros before for units without a past.
func (s *Sums) paired() stats.Paired {
	p := stats.Paired{Now: s.moments()}
	if past := s.Past; past != nil {
		p.Before, p.NN, p.NY, p.YN, p.YY = stats.Moments(past.Before), past.NN, past.NY, past.YN, past.YY
	}
	p.Before.Units = s.Units
	return p
}

// add counts a unit, and what it did before if m is one that is adjusted.
func (s *Sums) add(m Metric, now, before *Totals) {
	n, y := m.of(now)
	if n == 0 {
		return
	}
	nBefore, yBefore := int64(0), 0.0
	if before != nil && !m.share() {
		nBefore, yBefore = m.of(before)
	}
	if nBefore == 0 {
		(*stats.Moments)(&s.Moments).Add(float64(n), y)
		return
	}
	p := s.paired()
	p.Add(float64(n), y, float64(nBefore), yBefore)
	s.Moments, s.Past = Moments(p.Now), &Past{Moments(p.Before), p.NN, p.NY, p.YN, p.YY}
}

// add counts a unit, with its past if that is to be used.
func (t *Tally) add(u *Unit, adjust bool) {
	before := u.History
	if !adjust {
		before = nil
	}
	t.Units++
	t.Most = max(t.Most, u.Requests)
	t.Totals.Add(u.Totals, 1)
	for i, m := range metrics {
		t.Sums[i].add(m, &u.Totals, before)
	}
}

// TallyOf adds up what units did, such as those of the week before.
func TallyOf(units []Totals) (t Tally) {
	for i := range units {
		t.add(&Unit{Totals: units[i]}, false)
	}
	return t
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
			sum.Sums[j].Moments = Moments(sum.Sums[j].moments().Plus(s.moments()))
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
