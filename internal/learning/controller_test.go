package learning

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// market is a stream of decisions between a strong model and one that costs
// nothing: the strong one is chosen where its lead is worth its price.
type market struct {
	random *rand.Rand
	at     time.Time
}

const strongCost = 0.01 // dollars

func (m *market) decide(lambda float64) Decided {
	lead := m.random.NormFloat64()*0.15 + 0.2
	d := Decided{At: m.at, Turning: lead / strongCost, Quality: 0.9 - lead, Baseline: 0.9}
	if d.Turning > lambda {
		d.Strong, d.CostUSD, d.Quality = 1, strongCost, 0.9
	}
	m.at = m.at.Add(time.Second)
	return d
}

// TestControllerReachesItsGoal looks at the second half of many decisions.
func TestControllerReachesItsGoal(t *testing.T) {
	t.Parallel()
	const decisions = 20_000
	for name, tt := range map[string]struct {
		goal Goal
		of   func(Decided) float64
		want float64
	}{
		"share 0.1":   {Goal{StrongShare: 0.1}, func(d Decided) float64 { return d.Strong }, 0.1},
		"share 0.35":  {Goal{StrongShare: 0.35}, func(d Decided) float64 { return d.Strong }, 0.35},
		"share 0.8":   {Goal{StrongShare: 0.8}, func(d Decided) float64 { return d.Strong }, 0.8},
		"quality 0.9": {Goal{Quality: 0.9}, func(d Decided) float64 { return d.Quality / d.Baseline }, 0.9},
		"budget":      {Goal{BudgetNanos: 300 * 1e9}, func(d Decided) float64 { return d.CostUSD * 86400 / 1000 }, 0.3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var c Controller
			m := market{random: rand.New(rand.NewPCG(1, 2)), at: time.Unix(1e9, 0)}
			mean := 0.0
			for i := range decisions {
				d := m.decide(c.Lambda)
				if i >= decisions/2 {
					mean += tt.of(d) / (decisions / 2)
				}
				c.Observe(tt.goal, d)
			}
			if math.Abs(mean-tt.want) > 0.03 {
				t.Errorf("reached %.3f, want %.3f", mean, tt.want)
			}
		})
	}
}

// TestControllerBearsAnything feeds it what no decision should say.
func TestControllerBearsAnything(t *testing.T) {
	t.Parallel()
	bad := []float64{math.NaN(), math.Inf(1), math.Inf(-1), math.MaxFloat64, -math.MaxFloat64, 0}
	for _, goal := range []Goal{{}, {Quality: 0.9}, {StrongShare: 0.3}, {BudgetNanos: 1}} {
		var c Controller
		for _, x := range bad {
			for field := range 5 {
				d := Decided{At: time.Unix(100, 0), Turning: 1, Strong: 0.5, CostUSD: 1, Quality: 0.5, Baseline: 0.5}
				*[]*float64{&d.Turning, &d.Strong, &d.CostUSD, &d.Quality, &d.Baseline}[field] = x
				c.Observe(goal, d)
				if !(c.Lambda >= 0) || math.IsInf(c.Lambda, 0) || !finite(c.scale) || !finite(c.spent) {
					t.Fatalf("%+v: after %+v the controller is %+v", goal, d, c)
				}
			}
		}
	}
}

func TestControllerWithoutGoalKeepsItsPrice(t *testing.T) {
	t.Parallel()
	c := Controller{Lambda: 3}
	c.Observe(Goal{}, Decided{Turning: 1, Strong: 1, Quality: 0.1, Baseline: 1})
	if c.Lambda != 3 {
		t.Errorf("λ moved to %v", c.Lambda)
	}
}
