package replay

import (
	"cmp"
	"math/rand/v2"
	"slices"
)

// scored is a test row with what a policy thinks of it and what is true.
type scored struct {
	dataset string
	quality []float64 // predicted, by model
	cost    []float64 // predicted, by model, dollars
	truth   []Result  // by model
}

// lead is how much better the policy expects the strong model to be.
func (s *scored) lead(f *field) float64 { return s.quality[f.strong] - s.quality[f.weak] }

// uplift is how much better it was.
func (s *scored) uplift(f *field) float64 { return s.truth[f.strong].Quality - s.truth[f.weak].Quality }

// order lists rows by the policy's lead, largest first: those for the strong
// model come first. Ties are broken by a seeded shuffle.
func order(rows []scored, f *field, seed uint64) []int {
	at := make([]int, len(rows))
	for i := range at {
		at[i] = i
	}
	rand.New(rand.NewPCG(seed, 1)).Shuffle(len(at), func(i, j int) { at[i], at[j] = at[j], at[i] })
	slices.SortStableFunc(at, func(a, b int) int { return cmp.Compare(rows[b].lead(f), rows[a].lead(f)) })
	return at
}

// curve is the recovered gap after each further row goes to the strong model:
// curve[i] at a share of i of len(curve)−1.
type curve []float64

func newCurve(rows []scored, f *field, at []int) curve {
	total := 0.0
	for i := range rows {
		total += rows[i].uplift(f)
	}
	if total <= 0 {
		return nil
	}
	c := make(curve, 1, len(rows)+1)
	gained := 0.0
	for _, i := range at {
		gained += rows[i].uplift(f)
		c = append(c, gained/total)
	}
	return c
}

// area is the APGR, by trapezoids.
func (c curve) area() float64 {
	if len(c) < 2 {
		return 0
	}
	sum := (c[0] + c[len(c)-1]) / 2
	for _, y := range c[1 : len(c)-1] {
		sum += y
	}
	return sum / float64(len(c)-1)
}

// reaching is the least share of strong calls that recovers y.
func (c curve) reaching(y float64) float64 {
	for i := range c {
		if c[i] >= y {
			return float64(i) / float64(len(c)-1)
		}
	}
	return 1
}

// at is the recovered gap at a share of strong calls.
func (c curve) at(share float64) float64 {
	if len(c) == 0 {
		return 0
	}
	return c[int(share*float64(len(c)-1)+0.5)]
}

// byWorth lists rows by the λ at which the strong model gives way to the weak
// one, largest first: those for which it is most worth its price.
func byWorth(rows []scored, f *field, seed uint64) []int {
	worth := make([]float64, len(rows))
	for i := range rows {
		r := &rows[i]
		worth[i] = r.lead(f) / max(1e-12, r.cost[f.strong]-r.cost[f.weak])
	}
	at := order(rows, f, seed)
	slices.SortStableFunc(at, func(a, b int) int { return cmp.Compare(worth[b], worth[a]) })
	return at
}

// point is a policy's mean cost and quality.
type point struct{ cost, quality float64 }

func fixed(rows []scored, model int) (p point) {
	for i := range rows {
		p.cost += rows[i].truth[model].Cost / float64(len(rows))
		p.quality += rows[i].truth[model].Quality / float64(len(rows))
	}
	return p
}

// prices is how many λ a sweep tries.
const prices = 400

// sweep is what the rule q − λ·cost would have cost and scored, for λ from 0,
// where the best predicted model always answers, up to where the cheapest does.
func sweep(rows []scored, f *field) []point {
	turning := turningPrices(rows, f)
	points := make([]point, 0, prices+2)
	for i := range prices + 1 {
		lambda := 0.0
		if i > 0 && len(turning) > 0 {
			lambda = turning[(len(turning)-1)*i/prices]
		}
		points = append(points, play(rows, lambda))
	}
	return append(points, fixed(rows, f.cheapest))
}

// turningPrices are the λ above 0 at which a row's best model gives way to the
// cheapest, ascending.
func turningPrices(rows []scored, f *field) []float64 {
	var turning []float64
	w := f.cheapest
	for i := range rows {
		for m, q := range rows[i].quality {
			if gap := rows[i].cost[m] - rows[i].cost[w]; gap > 0 && q > rows[i].quality[w] {
				turning = append(turning, (q-rows[i].quality[w])/gap)
			}
		}
	}
	slices.Sort(turning)
	return turning
}

// play is what choosing by q − λ·cost would have cost and scored.
func play(rows []scored, lambda float64) (p point) {
	for i := range rows {
		best, most := 0, 0.0
		for m, q := range rows[i].quality {
			if worth := q - lambda*rows[i].cost[m]; m == 0 || worth > most {
				best, most = m, worth
			}
		}
		p.cost += rows[i].truth[best].Cost / float64(len(rows))
		p.quality += rows[i].truth[best].Quality / float64(len(rows))
	}
	return p
}

// least is the least cost among the points with at least that quality; ok
// says that there is one.
func least(points []point, quality float64) (cost float64, ok bool) {
	for _, p := range points {
		if p.quality >= quality && (!ok || p.cost < cost) {
			cost, ok = p.cost, true
		}
	}
	return cost, ok
}

// aiq is the area under the non-decreasing convex hull of cost and quality,
// from the cheapest to the dearest model, as a mean quality.
func aiq(points []point, cheapest, dearest float64) float64 {
	if !(dearest > cheapest) {
		return 0
	}
	hull := upperHull(points)
	area, x, y := 0.0, cheapest, 0.0
	for _, p := range hull {
		if p.cost <= cheapest {
			y = max(y, p.quality)
			continue
		}
		to := min(p.cost, dearest)
		end := p.quality
		if p.cost > dearest && p.cost > x {
			end = y + (p.quality-y)*(to-x)/(p.cost-x)
		}
		area += (to - x) * (y + end) / 2
		x, y = to, end
	}
	area += (dearest - x) * y
	return area / (dearest - cheapest)
}

// upperHull keeps the points that no mix of others beats, by rising cost and
// quality.
func upperHull(points []point) []point {
	sorted := slices.Clone(points)
	slices.SortFunc(sorted, func(a, b point) int {
		return cmp.Or(cmp.Compare(a.cost, b.cost), cmp.Compare(b.quality, a.quality))
	})
	var hull []point
	for _, p := range sorted {
		if len(hull) > 0 && p.quality <= hull[len(hull)-1].quality {
			continue
		}
		for len(hull) > 1 && !turnsDown(hull[len(hull)-2], hull[len(hull)-1], p) {
			hull = hull[:len(hull)-1]
		}
		hull = append(hull, p)
	}
	return hull
}

// turnsDown reports whether the way over b bends downwards.
func turnsDown(a, b, c point) bool {
	return (b.quality-a.quality)*(c.cost-b.cost) > (c.quality-b.quality)*(b.cost-a.cost)
}
