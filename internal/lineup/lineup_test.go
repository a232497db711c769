package lineup_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/lineup"
	"github.com/busuhq/busu/internal/rollup"
	"github.com/busuhq/busu/internal/savings"
	"github.com/busuhq/busu/internal/stats"
)

func decisions(r *rand.Rand, n int) []lineup.Decision {
	var all []lineup.Decision
	for range n {
		q := r.Float64() * .9
		d := lineup.Decision{Planned: "small", Baseline: "large", Candidates: []event.Candidate{
			{Model: "small", Quality: q, CostNanos: 1 + r.Int64N(50_000)},
			{Model: "medium", Quality: q + .1*r.Float64(), CostNanos: 50_000 + r.Int64N(500_000)},
			{Model: "large", Quality: q + .2*r.Float64(), CostNanos: 1_000_000 + r.Int64N(5_000_000)}}}
		all = append(all, d)
	}
	return all
}

// TestCurveRises: what costs more is not worse, the ends are the best and the
// cheapest of each decision, and shares add up.
func TestCurveRises(t *testing.T) {
	t.Parallel()
	for seed := range uint64(30) {
		r := rand.New(rand.NewPCG(seed, 1))
		all := decisions(r, 1+r.IntN(200))
		c := lineup.NewCurve(all, "hybrid", 1e-3+r.Float64()*300)
		if c == nil || c.Decisions != len(all) || len(c.Points) != 10 {
			t.Fatalf("seed %d: %+v", seed, c)
		}
		live, before := 0, lineup.Point{Quality: -1}
		for _, p := range c.Points {
			sum := 0.0
			for _, share := range p.Shares {
				sum += share
			}
			if p.Live {
				live++
			}
			if p.Quality < before.Quality-1e-9 || p.Cost < before.Cost || math.Abs(sum-1) > 1e-9 {
				t.Errorf("seed %d: %+v comes after %+v", seed, p, before)
			}
			before = p
		}
		if live != 1 {
			t.Errorf("seed %d: %d points are live", seed, live)
		}
		best := 0.0
		for _, d := range all {
			q := 0.0
			for _, candidate := range d.Candidates {
				q = max(q, candidate.Quality)
			}
			best += q / float64(len(all))
		}
		if before.Lambda != 0 || math.Abs(before.Quality-best) > 1e-9 {
			t.Errorf("seed %d: the dearest has %g, the best is %g", seed, before.Quality, best)
		}
		policies := map[string]savings.Fixed{}
		for _, p := range c.Policies {
			policies[p.Name] = p
		}
		if len(policies) != 4 || policies[savings.PolicyRouted].Cost != policies[savings.PolicyCheapest].Cost {
			t.Errorf("seed %d: policies %+v", seed, c.Policies)
		}
	}
}

func TestNoCurve(t *testing.T) {
	t.Parallel()
	one := lineup.Decision{Candidates: []event.Candidate{{Model: "a"}}}
	unpriced := lineup.Decision{Candidates: []event.Candidate{{Model: "a"}, {Model: "b", Unpriced: true}}}
	if c := lineup.NewCurve([]lineup.Decision{one, unpriced}, "hybrid", 1); c != nil {
		t.Errorf("of what has no choice: %+v", c)
	}
	if c := lineup.NewCurve(decisions(rand.New(rand.NewPCG(1, 1)), 3), "hybrid", 0); c == nil || len(c.Points) != 10 {
		t.Errorf("without a price: %+v", c)
	}
}

// TestIntervalCovers the truth about as often as it says.
func TestIntervalCovers(t *testing.T) {
	t.Parallel()
	const truth, rounds = .8, 400
	covered := 0
	for seed := range uint64(rounds) {
		r := rand.New(rand.NewPCG(seed, 5))
		var users stats.Moments
		for range 200 {
			n, y := 1+r.IntN(4), 0.0
			for range n {
				if r.Float64() < truth {
					y++
				}
			}
			users.Add(float64(n), y)
		}
		q := lineup.QualityOf(users, 3)
		if q.Low == nil || q.Users != 200 || q.Bad != 3 || *q.Low > q.Mean || *q.High < q.Mean {
			t.Fatalf("%+v", q)
		}
		if *q.Low <= truth && truth <= *q.High {
			covered++
		}
	}
	if share := float64(covered) / rounds; share < .92 || share > .98 {
		t.Errorf("%g of the intervals cover the truth", share)
	}
	if q := lineup.QualityOf(stats.Moments{}, 0); q != nil {
		t.Errorf("of nothing: %+v", q)
	}
	var few stats.Moments
	few.Add(2, 1)
	if q := lineup.QualityOf(few, 1); q == nil || q.Low != nil || q.Mean != .5 || q.Verdicts != 2 {
		t.Errorf("of few: %+v", q)
	}
}

func TestFill(t *testing.T) {
	t.Parallel()
	r := lineup.Report{Models: []lineup.Model{{ID: "small"}, {ID: "idle"}}}
	w := rollup.Report{Window: "1h", Sums: rollup.Sums{TotalRequests: 8}, ByModel: map[string]rollup.Share{"small": {Requests: 4, Errors: 1}}}
	r.Fill(w, lineup.Judged{Routed: map[string]*lineup.Quality{"small": {Mean: .5}}})
	small, idle := r.Models[0], r.Models[1]
	if small.RequestShare != .5 || small.ErrorRate != .25 || small.Requests != 4 || small.Quality.Mean != .5 || small.HoldoutQuality != nil {
		t.Errorf("small is %+v", small)
	}
	if idle.RequestShare != 0 || idle.ErrorRate != 0 || idle.Quality != nil || r.Window != "1h" {
		t.Errorf("idle is %+v", idle)
	}
}
