package routing

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestExplorationFallsWithTheGap checks the rule on numbers.
func TestExplorationFallsWithTheGap(t *testing.T) {
	t.Parallel()
	e := Exploration{Width: 0.1, FloorStart: 0.02, FloorEnd: 0.02}
	choices := make([]Choice, 3)
	e.propensities(choices, []float64{0.9, 0.8, 0.4}, 0)
	for i, want := range []float64{1, 0.94/4 + 0.02, 0.94/28 + 0.02} {
		if got := choices[i].Probability; i > 0 && math.Abs(got-want) > 1e-6 {
			t.Errorf("choice %d has %v, want %v", i, got, want)
		}
	}
	for _, only := range []Exploration{{}, {FloorStart: 0.02, FloorEnd: 0.02}} {
		only.propensities(choices, []float64{0.9, 0.9, 0.9}, 0)
		if got, want := choices[0].Probability, 1-2*only.FloorEnd; math.Abs(got-want) > 1e-12 {
			t.Errorf("%+v plans the best with %v, want %v", only, got, want)
		}
	}
	early, least := Exploration{Width: 1, Narrowing: 1, FloorStart: 0.2, FloorEnd: 0.01}, 1.0
	for _, n := range []uint64{0, 10, 1000, 100_000, math.MaxUint64} {
		width, floor := early.at(n)
		if width > least || width <= 0 || floor < 0.01 || floor > 0.2 {
			t.Errorf("after %d verdicts: width %v, floor %v", n, width, floor)
		}
		least = width
	}
}

// TestExplorationIsBounded: however many models there are, whatever they are
// worth and however much they cost, probabilities add up, none is without a
// floor, the best is planned most often, and what is spread evenly stays within
// its share.
func TestExplorationIsBounded(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(5, 5))
	for range 2000 {
		choices := make([]Choice, 2+r.IntN(63))
		worth := make([]float64, len(choices))
		for i := range worth {
			worth[i] = -math.Pow(10, 12*r.Float64()-10)
		}
		slices.SortFunc(worth, func(a, b float64) int { return cmp.Compare(b, a) })
		e := DefaultExploration()
		verdicts := r.Uint64N(1 << 20)
		e.propensities(choices, worth, verdicts)
		_, floor := e.at(verdicts)
		k, total := float64(len(choices)), 0.0
		for i, c := range choices {
			total += c.Probability
			if c.Probability < min(floor, mostSpread/k)-1e-6 || c.Probability > choices[0].Probability+1e-12 {
				t.Fatalf("%d of %d, worth %v, has %v, the best has %v", i, len(choices), worth[i], c.Probability, choices[0].Probability)
			}
		}
		if math.Abs(total-1) > 1e-9 {
			t.Fatalf("probabilities add up to %v", total)
		}
		far := make([]float64, len(choices)) // one that is far better than all others
		far[0] = 1e6
		e.propensities(choices, far, verdicts)
		if p := choices[0].Probability; p < 1-mostSpread {
			t.Fatalf("of %d models, one that is far better is planned with %v", len(choices), p)
		}
	}
}
