package soak

import "math"

// verdict is what is said of a figure over time.
type verdict string

// The verdicts. A figure is flat when its growth an hour is surely not above
// what may be, grows when it surely is, and open when the samples bear both.
const (
	flat    verdict = "flat"
	grows   verdict = "grows"
	open    verdict = "open"
	unasked verdict = "" // too few samples
)

// mostGrowth is the share of a figure's level by which it may grow in an hour.
const mostGrowth = .05

// course is a figure over the time behind the warm-up.
type course struct {
	first, last float64 // medians of the first quarter, and of the last one
	trend       trend
	allowed     float64 // growth an hour
	verdict     verdict
}

// share is a change an hour as one of the level, in percent.
func (c course) share(change float64) float64 {
	if c.first == 0 {
		return math.NaN()
	}
	return 100 * change / math.Abs(c.first)
}

// courseOf judges samples from a time on. A figure near nothing may grow by
// little: so much an hour is not worth a word of any.
func courseOf(points []point, from, little float64) course {
	var behind []point
	for _, p := range points {
		if p.hours >= from {
			behind = append(behind, p)
		}
	}
	t, ok := trendOf(behind)
	if !ok {
		return course{}
	}
	first, last := quarters(behind)
	c := course{trend: t, first: first, last: last}
	c.allowed = max(mostGrowth*math.Abs(c.first), little)
	switch {
	case t.low > c.allowed:
		c.verdict = grows
	case t.high <= c.allowed:
		c.verdict = flat
	default:
		c.verdict = open
	}
	return c
}

// quarters are the medians of the first quarter of the time, and of the last.
func quarters(points []point) (first, last float64) {
	from, to := points[0].hours, points[len(points)-1].hours
	quarter := (to - from) / 4
	var head, tail []point
	for _, p := range points {
		if p.hours <= from+quarter {
			head = append(head, p)
		}
		if p.hours >= to-quarter {
			tail = append(tail, p)
		}
	}
	return medianOf(head), medianOf(tail)
}
