package savings

import (
	"math"

	"github.com/busuhq/busu/internal/stats"
)

const (
	// Confidence is that of everything that is shown of a metric together: of
	// every window, on every morning.
	Confidence = 0.95
	// LeastUsers in either group are needed before anything is said.
	LeastUsers = 30
	// plannedUsers is where the sequence is tightest: so many users in the
	// hold-out, where that is small.
	plannedUsers = 200
	// Margin is by how much good answers, or quality, may be lower.
	Margin = 0.02
)

// Spend is the part of an error of alpha that the sequence gets which begins on
// the day start after the first one, from 0. All together they spend alpha:
//
//	Σ 1/((s+1)(s+2)) = 1
//
// so a window may slide, and be looked at every morning for ever, and another
// beside it.
func Spend(alpha float64, start int) float64 {
	s := float64(max(start, 0))
	return alpha / ((s + 1) * (s + 2))
}

// clock is the time of a sequence: how many users the comparison is worth,
// 1/(1/a + 1/b). Where one group is small that is nearly its size; where the
// share changes it still goes on evenly.
func clock(a, b int64) int64 {
	if a < 1 || b < 1 {
		return 0
	}
	return int64(1 / (1/float64(a) + 1/float64(b)))
}

// sequence is what a group shows against another at one look.
type sequence struct {
	mixture stats.Mixture
	units   int64
	diff    float64 // second group − first
	// The standard error of diff. A group's variance counts as at least that of
	// all users together: a few users who all do alike would else prove much.
	// Without this, a guard tripped without cause in 7 % of simulations.
	se float64
	stats.Interval
	known bool // enough users, and some variation
}

// compare looks at a difference of ratios, b − a.
func compare(a, b stats.Moments, alpha float64) sequence {
	s := begin(a, b, alpha)
	varA, varB, ok := variances(a, b)
	return s.look(b.Ratio()-a.Ratio(), math.Sqrt(varA+varB), ok)
}

// compareLogs looks at ln(b/a), of which all that is said of money follows: it
// is nearer to normal than b/a, and one interval gives dollars and per cent that
// agree. Its variance by the delta method is Var(a)/a² + Var(b)/b²; what counts
// at least is relative to the means, too.
func compareLogs(a, b stats.Moments, alpha float64) sequence {
	s := begin(a, b, alpha)
	varA, okA := a.UnitVariance()
	varB, okB := b.UnitVariance()
	rA, rB := a.Ratio(), b.Ratio()
	if !okA || !okB || !(rA > 0) || !(rB > 0) || !enough(a, b) {
		return s
	}
	m, n := float64(a.Units), float64(b.Units)
	varA, varB = varA/(rA*rA), varB/(rB*rB)
	pooled := (m*varA + n*varB) / (m + n)
	return s.look(math.Log(rB/rA), math.Sqrt(max(varA, pooled)/m+max(varB, pooled)/n), true)
}

func begin(a, b stats.Moments, alpha float64) sequence {
	return sequence{mixture: stats.TuneMixture(alpha, plannedUsers), units: clock(a.Units, b.Units)}
}

func (s sequence) look(diff, se float64, known bool) sequence {
	s.diff, s.se, s.known = diff, se, known && se > 0
	s.Interval = s.mixture.Sequence(diff, se, s.units)
	return s
}

// variances are those of both ratios, and whether there are users enough.
func variances(a, b stats.Moments) (varA, varB float64, ok bool) {
	varA, okA := a.Variance()
	varB, okB := b.Variance()
	pooled, ok := a.Plus(b).UnitVariance()
	if !okA || !okB || !ok || !enough(a, b) {
		return 0, 0, false
	}
	return max(varA, pooled/float64(a.Units)), max(varB, pooled/float64(b.Units)), true
}

func enough(a, b stats.Moments) bool { return min(a.Units, b.Units) >= LeastUsers }

// farthest is how far ahead is looked: users beyond that never come.
const farthest = 1 << 40

// until is how many units, in all, would show a distance from what is denied,
// if it is what it is and the error shrinks as it does. False: no number will.
func (s *sequence) until(distance float64) (units float64, ok bool) {
	shows := func(units int64) bool {
		se := s.se * math.Sqrt(float64(s.units)/float64(units))
		return s.mixture.Sequence(distance, se, units).Low > 0
	}
	if !s.known || !(distance > 0) || !shows(farthest) {
		return 0, false
	}
	low, high := s.units, int64(farthest)
	if shows(low) {
		return float64(low), true
	}
	for high-low > 1 {
		if middle := low + (high-low)/2; shows(middle) {
			high = middle
		} else {
			low = middle
		}
	}
	return float64(high), true
}
