package replay

import (
	"cmp"
	"context"
	"math"
	"slices"
)

// Tradeoff is what a strategy scores at what it costs, as the share of calls
// to the strong model goes from none to all, by q − λ·cost. All lines begin at
// the weak model and end at the strong one; the straight way between is the
// random mix.
type Tradeoff struct {
	Strategy []Point
	Oracle   []Point // whoever knew every outcome
	Weak     string
	Strong   string
}

// shares is how many steps a tradeoff takes from none to all.
const shares = 100

// EvaluateTradeoff is that at the end of the training, mean over so many
// seeds, from Options.Seed on. The rest is as of Evaluate.
func EvaluateTradeoff(ctx context.Context, data, train []Row, o Options, seeds int) (Tradeoff, error) {
	t := Tradeoff{Strategy: make([]Point, shares+1), Oracle: make([]Point, shares+1)}
	o.Checkpoints = nil
	progress := o.Progress
	for i := range seeds {
		if progress != nil {
			o.Progress = func(done, total int) { progress(i*total+done, seeds*total) }
		}
		e, err := ran(ctx, data, train, o)
		if err != nil {
			return Tradeoff{}, err
		}
		t.Weak, t.Strong = e.field.names[e.field.weak], e.field.names[e.field.strong]
		rows := e.moments[len(e.moments)-1].scored
		addMeans(t.Strategy, rows, e.field, byWorth(rows, e.field, o.Seed), seeds)
		if i == 0 {
			addMeans(t.Oracle, rows, e.field, byTrueWorth(rows, e.field), 1)
		}
		o.Seed++
	}
	return t, nil
}

// addMeans adds to each point its part of what sending the first rows at to
// the strong model gets.
func addMeans(points []Point, rows []scored, f *field, at []int, seeds int) {
	p := fixed(rows, f.weak)
	n := float64(len(at))
	sent := 0
	for i := range points {
		for ; sent < int(math.Round(n*float64(i)/shares)); sent++ {
			truth := rows[at[sent]].truth
			p.cost += (truth[f.strong].Cost - truth[f.weak].Cost) / n
			p.quality += (truth[f.strong].Quality - truth[f.weak].Quality) / n
		}
		points[i].Cost += p.cost / float64(seeds)
		points[i].Quality += p.quality / float64(seeds)
	}
}

// byTrueWorth lists rows by the quality that a dollar really buys, those first
// where it buys most. Of those that gain nothing the cheapest go first, and of
// those that lose, the ones that lose least for their price.
func byTrueWorth(rows []scored, f *field) []int {
	at := make([]int, len(rows))
	for i := range at {
		at[i] = i
	}
	worth := func(i int) float64 {
		gap := max(1e-12, rows[i].truth[f.strong].Cost-rows[i].truth[f.weak].Cost)
		return rows[i].uplift(f) / gap
	}
	slices.SortStableFunc(at, func(a, b int) int { return cmp.Compare(worth(b), worth(a)) })
	return at
}
