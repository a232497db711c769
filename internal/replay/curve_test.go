package replay

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func duel() *field { return &field{strong: 0, weak: 1, cheapest: 1} }

// rowsOf pairs what a policy expects of the strong model with what it gains.
func rowsOf(pairs ...[2]float64) (rows []scored) {
	for _, p := range pairs {
		rows = append(rows, scored{quality: []float64{p[0], 0}, truth: []Result{{Quality: p[1], Cost: 1}, {Quality: 0, Cost: 0.1}}})
	}
	return rows
}

func TestAPGR(t *testing.T) {
	t.Parallel()
	f := duel()
	for name, tt := range map[string]struct {
		rows []scored
		want float64
	}{
		"best order":   {rowsOf([2]float64{2, 1}, [2]float64{1, 0}), 0.75},
		"worst order":  {rowsOf([2]float64{1, 1}, [2]float64{2, 0}), 0.25},
		"all the same": {rowsOf([2]float64{1, 1}, [2]float64{2, 1}, [2]float64{3, 1}), 0.5},
		"losses first": {rowsOf([2]float64{3, -1}, [2]float64{2, 1}, [2]float64{1, 1}), -1.0 / 6},
	} {
		at := order(tt.rows, f, 1)
		counts := []int32{1, 1, 1}
		if got := newCurve(tt.rows, f, at).area(); math.Abs(got-tt.want) > 1e-12 {
			t.Errorf("%s: APGR %v, want %v", name, got, tt.want)
		}
		if got := weightedArea(uplifts(tt.rows, f), at, counts); math.Abs(got-tt.want) > 1e-12 {
			t.Errorf("%s: by the bootstrap's formula %v, want %v", name, got, tt.want)
		}
	}
	if c := newCurve(rowsOf([2]float64{1, 0}), f, []int{0}); c.area() != 0 || c.at(0.5) != 0 {
		t.Error("without a gap there is something to recover")
	}
}

// TestTiesAreShuffled has a policy that knows nothing score as chance does.
func TestTiesAreShuffled(t *testing.T) {
	t.Parallel()
	var pairs [][2]float64
	for i := range 4000 {
		pairs = append(pairs, [2]float64{0, float64(i / 2000)}) // all that gains stands last
	}
	f := duel()
	rows := rowsOf(pairs...)
	if got := newCurve(rows, f, order(rows, f, 1)).area(); math.Abs(got-0.5) > 0.02 {
		t.Errorf("APGR %.3f of a policy that knows nothing", got)
	}
}

func TestShares(t *testing.T) {
	t.Parallel()
	c := curve{0, 0.5, 0.8, 1, 1}
	for y, want := range map[float64]float64{0: 0, 0.5: 0.25, 0.6: 0.5, 1: 0.75, 1.1: 1} {
		if got := c.reaching(y); got != want {
			t.Errorf("%v is reached at a share of %v, want %v", y, got, want)
		}
	}
	if got := c.at(0.5); got != 0.8 {
		t.Errorf("at half of the calls %v is recovered, want 0.8", got)
	}
}

// TestPairedDifference covers a difference that is there, and one that is not.
func TestPairedDifference(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 1))
	n := 1000
	uplift := make([]float64, n)
	knows, guesses := make([]scored, n), make([]scored, n)
	for i := range uplift {
		uplift[i] = float64(r.IntN(3) - r.IntN(2))
		knows[i].quality = []float64{uplift[i] + r.NormFloat64(), 0}
		guesses[i].quality = []float64{r.NormFloat64(), 0}
	}
	f := duel()
	a, b := order(knows, f, 1), order(guesses, f, 1)
	if d := pairedDifference(uplift, a, b, 1); !(d.Low > 0 && d.Low < d.Estimate && d.Estimate < d.High) {
		t.Errorf("knowing against guessing: %+v", d)
	}
	if d := pairedDifference(uplift, a, a, 1); d != (Interval{}) {
		t.Errorf("a policy differs from itself: %+v", d)
	}
	if d := pairedDifference(uplift, b, order(guesses, f, 2), 1); d.Estimate != 0 {
		t.Errorf("orders without ties depend on the seed: %+v", d)
	}
}

// TestSweep has three models: the one in the middle is as good as the dearest.
func TestSweep(t *testing.T) {
	t.Parallel()
	f := duel()
	rows := make([]scored, 10)
	for i := range rows {
		rows[i] = scored{quality: []float64{0.9, 0.1, 0.89}, cost: []float64{10, 1, 2}, truth: []Result{{Quality: 0.9, Cost: 10}, {Quality: 0.1, Cost: 1}, {Quality: 0.9, Cost: 2}}}
	}
	points := sweep(rows, f)
	cost, ok := least(points, 0.95*0.9)
	if !ok || math.Abs(cost-2) > 1e-9 {
		t.Errorf("95 %% of the quality costs %v (%v), want 2", cost, ok)
	}
	if got, want := aiq(points, 1, 10), (0.5+8*0.9)/9; math.Abs(got-want) > 1e-9 {
		t.Errorf("the area under the hull is %v, want %v", got, want)
	}
	if _, ok := least(points, 0.95); ok {
		t.Error("more than all can do is reached")
	}
}

// TestByWorth has a small gain at a small price go before a large gain at a
// larger one.
func TestByWorth(t *testing.T) {
	t.Parallel()
	rows := []scored{
		{quality: []float64{0.9, 0.5}, cost: []float64{11, 1}}, // 0.04 a dollar
		{quality: []float64{0.7, 0.5}, cost: []float64{3, 1}},  // 0.1 a dollar
		{quality: []float64{0.4, 0.5}, cost: []float64{2, 1}},
	}
	if got := byWorth(rows, duel(), 1); !slices.Equal(got, []int{1, 0, 2}) {
		t.Errorf("the order is %v, want 1, 0, 2", got)
	}
}

func TestCostLine(t *testing.T) {
	t.Parallel()
	items := func(costs ...float64) (list []item) {
		for i, c := range costs {
			list = append(list, item{tokens: float64(100 * (i + 1)), results: []Result{{Cost: c}}})
		}
		return list
	}
	for name, tt := range map[string]struct {
		items []item
		want  costLine
	}{
		"a line":                {items(3, 5, 7), costLine{base: 1, perToken: 0.02}},
		"flat":                  {items(3, 3, 3), costLine{base: 3}},
		"falling":               {items(5, 3, 1), costLine{base: 3}},
		"from below zero":       {items(0, 3, 6), costLine{perToken: 0.015}},
		"prompts of one length": {append(items(2), items(4)...), costLine{base: 3}},
	} {
		got := fitLine(tt.items, 0)
		if math.Abs(got.base-tt.want.base) > 1e-9 || math.Abs(got.perToken-tt.want.perToken) > 1e-9 {
			t.Errorf("%s: %+v, want %+v", name, got, tt.want)
		}
	}
}
