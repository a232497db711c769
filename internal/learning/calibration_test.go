package learning

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// People find the cheap model worse than is predicted of it, and all answers
// less good: the goal is kept by what they say.
func TestQualityIsKeptByWhatPeopleSay(t *testing.T) {
	t.Parallel()
	const goal, decisions = 0.95, 30_000
	for name, tt := range map[string]struct{ cheapOff, baselineOff float64 }{
		"as predicted":         {0, 0},
		"the cheap one worse":  {-0.1, 0},
		"all of them worse":    {-0.2, -0.2},
		"the baseline better":  {0, 0.05},
		"the cheap one better": {0.1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(3, 4))
			var c Controller
			var off calibration
			served, best, n := 0.0, 0.0, 0.0
			for i := range decisions {
				lead := r.NormFloat64()*0.1 + 0.1 // of the baseline, as predicted
				strong := 0.05
				if lead/strongCost > c.Lambda {
					strong = 0.95
				}
				d := Decided{At: time.Unix(int64(i), 0), Turning: lead / strongCost, Strong: strong, Baseline: 0.9, Quality: 0.9 - (1-strong)*lead}
				isBaseline := r.Float64() < strong
				p, predicted, truth := 1-strong, 0.9-lead, 0.9-lead+tt.cheapOff
				if isBaseline {
					p, predicted, truth = strong, 0.9, 0.9+tt.baselineOff
				}
				off.observe(truth+r.NormFloat64()*0.3-predicted, p, isBaseline)
				c.Observe(Goal{Quality: goal}, off.correct(d))
				if i >= decisions/2 {
					served, best, n = served+truth, best+0.9+tt.baselineOff, n+1
				}
			}
			if kept := served / best; kept < goal-0.025 || kept > goal+0.025 && c.Lambda > 0 && c.Lambda < 50 {
				t.Errorf("%.3f of the baseline's quality was kept, %.2f asked for; the price is %.1f", kept, goal, c.Lambda)
			}
		})
	}
}

// A few verdicts move nothing much, and absurd ones nothing at all.
func TestCalibrationDoubts(t *testing.T) {
	t.Parallel()
	var c calibration
	d := Decided{Quality: 0.8, Baseline: 0.9}
	c.observe(math.NaN(), 0.5, true)
	c.observe(1, 0, true)
	if c.correct(d) != d {
		t.Errorf("corrected to %+v", c.correct(d))
	}
	c.observe(-1, 0.5, false)
	if got := c.correct(d); got.Quality > 0.8 || got.Quality < 0.75 || got.Baseline != 0.9 {
		t.Errorf("by one verdict corrected to %+v", got)
	}
}
