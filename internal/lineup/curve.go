package lineup

import (
	"cmp"
	"math"
	"slices"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/pricing"
	"github.com/busuhq/busu/internal/savings"
)

// Decision is what a strategy that learns predicted of the models that a request
// could have had.
type Decision struct {
	Planned, Baseline string
	Candidates        []event.Candidate
}

// Curve is what could be had: the cost and quality, as they were predicted, of
// the newest decisions at other prices of quality, and of fixed policies. These
// are predictions, not proofs.
type Curve struct {
	Decisions int             `json:"decisions"`
	Strategy  string          `json:"strategy"` // whose price is the live one
	Lambda    float64         `json:"lambda"`   // the live price: the quality that a dollar must buy
	Points    []Point         `json:"points"`   // by cost
	Policies  []savings.Fixed `json:"policies"`
}

// Point is one price of quality.
type Point struct {
	Lambda  float64            `json:"lambda"`
	Live    bool               `json:"live"`
	Cost    pricing.Nanos      `json:"cost_per_request_usd"`
	Quality float64            `json:"quality"` // the mean
	Shares  map[string]float64 `json:"shares"`  // of the models
}

// NewCurve plays decisions at a price of quality, and at others around it. It is
// nil without any that could have gone another way at a known cost.
func NewCurve(decisions []Decision, strategy string, lambda float64) *Curve {
	decisions = slices.DeleteFunc(slices.Clone(decisions), func(d Decision) bool { return !d.priced() })
	if len(decisions) == 0 {
		return nil
	}
	c := &Curve{Decisions: len(decisions), Strategy: strategy, Lambda: lambda}
	for _, price := range prices(lambda) {
		p := play(decisions, func(d *Decision) int { return d.best(price) })
		p.Lambda, p.Live = price, price == lambda
		c.Points = append(c.Points, p)
	}
	slices.SortStableFunc(c.Points, func(a, b Point) int {
		return cmp.Or(cmp.Compare(a.Cost, b.Cost), cmp.Compare(b.Lambda, a.Lambda))
	})
	c.Policies = savings.Policies(expected(decisions))
	return c
}

// prices are powers of four around the live one, and no price at all.
func prices(live float64) []float64 {
	const span = 4
	middle := live
	if !(live > 0) || math.IsInf(live, 0) {
		middle = 64
	}
	all := []float64{0}
	for i := -span; i <= span; i++ {
		all = append(all, middle*math.Pow(4, float64(i)))
	}
	return all
}

func (d *Decision) priced() bool {
	return len(d.Candidates) > 1 && !slices.ContainsFunc(d.Candidates, func(c event.Candidate) bool { return c.Unpriced })
}

// best is the candidate with the largest quality less λ times its cost in
// dollars, the cheaper of equals.
func (d *Decision) best(lambda float64) int {
	return d.first(func(a, b *event.Candidate) int {
		return cmp.Or(cmp.Compare(worth(b, lambda), worth(a, lambda)), cmp.Compare(a.CostNanos, b.CostNanos))
	})
}

func worth(c *event.Candidate, lambda float64) float64 {
	return c.Quality - lambda*float64(c.CostNanos)/nanosPerDollar
}

const nanosPerDollar = 1e9

func (d *Decision) cheapest() int {
	return d.first(func(a, b *event.Candidate) int {
		return cmp.Or(cmp.Compare(a.CostNanos, b.CostNanos), cmp.Compare(b.Quality, a.Quality))
	})
}

func (d *Decision) first(compare func(a, b *event.Candidate) int) int {
	found := 0
	for i := range d.Candidates {
		if compare(&d.Candidates[i], &d.Candidates[found]) < 0 {
			found = i
		}
	}
	return found
}

// named is a candidate by its model, or −1.
func (d *Decision) named(model string) int {
	return slices.IndexFunc(d.Candidates, func(c event.Candidate) bool { return c.Model == model })
}

// play adds up what a choice costs and yields.
func play(decisions []Decision, choose func(*Decision) int) Point {
	p := Point{Shares: map[string]float64{}}
	nanos, n := 0.0, float64(len(decisions))
	for i := range decisions {
		c := &decisions[i].Candidates[choose(&decisions[i])]
		nanos += float64(c.CostNanos)
		p.Quality += c.Quality / n
		p.Shares[c.Model] += 1 / n
	}
	p.Cost = pricing.Nanos(math.Round(nanos / n))
	return p
}

// expected adds up the decisions whose model and baseline are among the
// candidates.
func expected(decisions []Decision) (e savings.Expected) {
	add := func(to *savings.Policy, c event.Candidate) {
		to.Nanos += c.CostNanos
		to.Quality += c.Quality
	}
	for i := range decisions {
		d := &decisions[i]
		planned, baseline := d.named(d.Planned), d.named(d.Baseline)
		if planned < 0 || baseline < 0 {
			continue
		}
		e.Requests++
		add(&e.Planned, d.Candidates[planned])
		add(&e.Cheapest, d.Candidates[d.cheapest()])
		add(&e.Dearest, d.Candidates[baseline])
	}
	return e
}
