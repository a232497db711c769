package soak

import (
	"math"
	"math/rand/v2"
	"testing"
)

// series is a figure every ten seconds for some hours.
func series(hours float64, of func(hours float64, i int) float64) (all []point) {
	const step = 10. / 3600
	for i := 0; float64(i)*step < hours; i++ {
		at := float64(i) * step
		all = append(all, point{at, of(at, i)})
	}
	return all
}

func TestTrendOfALine(t *testing.T) {
	t.Parallel()
	for _, slope := range []float64{-30, 0, .5, 1000} {
		got, ok := trendOf(series(1, func(h float64, _ int) float64 { return 7 + slope*h }))
		if !ok || math.Abs(got.slope-slope) > 1e-6 || got.low > got.slope || got.high < got.slope || got.high-got.low > 1e-6 {
			t.Errorf("%g: %+v", slope, got)
		}
	}
}

// TestTrendIsNotMovedByOutliers: a fifth of the samples says nonsense.
func TestTrendIsNotMovedByOutliers(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	got, ok := trendOf(series(1, func(h float64, i int) float64 {
		if i%5 == 2 {
			return 1e6 * r.Float64()
		}
		return 100 + 10*h
	}))
	if !ok || math.Abs(got.slope-10) > .5 {
		t.Errorf("%+v", got)
	}
}

// TestIntervalHolds counts over many series of noise, in half of them with a
// memory, how often the interval misses the slope that they were made with.
func TestIntervalHolds(t *testing.T) {
	t.Parallel()
	const runs, slope = 300, 5.
	for name, memory := range map[string]float64{"without a memory": 0, "with one": .7} {
		r := rand.New(rand.NewPCG(3, 4))
		missed := 0
		for range runs {
			last := 0.
			got, ok := trendOf(series(.3, func(h float64, _ int) float64 {
				last = memory*last + r.NormFloat64()
				return slope*h + last
			}))
			if !ok {
				t.Fatal("no trend")
			}
			if got.low > slope || got.high < slope {
				missed++
			}
		}
		if missed > runs/8 || missed == 0 { // 5 % are to; a memory of which little is known costs some
			t.Errorf("%s: %d of %d intervals miss the slope", name, missed, runs)
		}
	}
}

func TestTrendOfFew(t *testing.T) {
	t.Parallel()
	for _, points := range [][]point{nil, {{0, 1}}, {{0, 1}, {1, 2}}, {{1, 1}, {1, 2}, {1, 3}}} {
		if got, ok := trendOf(points); ok {
			t.Errorf("%v has the trend %+v", points, got)
		}
	}
	got, ok := trendOf([]point{{0, 1}, {1, 2}, {2, 3}})
	if !ok || got.slope != 1 || !math.IsInf(got.low, -1) || !math.IsInf(got.high, 1) {
		t.Errorf("three points: %+v", got) // they may be a chance
	}
}

func TestRanks(t *testing.T) {
	t.Parallel()
	got := ranksOf([]float64{5, 1, 5, 9})
	for i, want := range []float64{1.5, 0, 1.5, 3} {
		if got[i] != want {
			t.Errorf("%v", got)
		}
	}
}

func TestVerdicts(t *testing.T) {
	t.Parallel()
	noise := func(seed uint64, sd float64) func() float64 {
		r := rand.New(rand.NewPCG(seed, 1))
		return func() float64 { return sd * r.NormFloat64() }
	}
	small, large := noise(1, 1), noise(2, 40)
	for name, c := range map[string]struct {
		points []point
		from   float64
		little float64
		want   verdict
	}{
		"constant":              {series(1, func(float64, int) float64 { return 100 }), 0, 0, flat},
		"nothing":               {series(1, func(float64, int) float64 { return 0 }), 0, 0, flat},
		"noise about a level":   {series(1, func(float64, int) float64 { return 100 + small() }), 0, 0, flat},
		"falls":                 {series(1, func(h float64, _ int) float64 { return 100 - 50*h + small() }), 0, 0, flat},
		"4 % an hour":           {series(1.5, func(h float64, _ int) float64 { return 100 + 4*h + small()/10 }), 0, 0, flat},
		"6 % an hour":           {series(1.5, func(h float64, _ int) float64 { return 100 + 6*h + small()/10 }), 0, 0, grows},
		"leaks":                 {series(1, func(h float64, _ int) float64 { return 100 + 30*h + small() }), 0, 0, grows},
		"a leak in much noise":  {series(.2, func(h float64, _ int) float64 { return 100 + 7*h + large() }), 0, 0, open},
		"fills, then flat":      {series(1, func(h float64, _ int) float64 { return min(400*h, 100) + small()/10 }), .25, 0, flat},
		"fills, not waited for": {series(.25, func(h float64, _ int) float64 { return 400 * h }), 0, 0, grows},
		"little of nothing":     {series(1, func(h float64, _ int) float64 { return .5 * h }), 0, 1, flat},
		"saws":                  {series(1, func(_ float64, i int) float64 { return 100 + float64(i%7) }), 0, 0, flat},
		"one step, and no more": {series(1, func(h float64, _ int) float64 { return 100 + 30*math.Round(h) + small()/10 }), 0, 0, open}, // there may be another
		"too few":               {series(1, func(float64, int) float64 { return 1 }), 2, 0, unasked},
	} {
		if got := courseOf(c.points, c.from, c.little); got.verdict != c.want {
			t.Errorf("%s: %q, not %q: %+v", name, got.verdict, c.want, got)
		}
	}
}

func TestQuarters(t *testing.T) {
	t.Parallel()
	c := courseOf(series(1, func(h float64, _ int) float64 { return 100 * h }), .2, 0)
	if math.Abs(c.first-30) > 1 || math.Abs(c.last-90) > 1 {
		t.Errorf("the medians of the quarters are %g and %g", c.first, c.last)
	}
}
