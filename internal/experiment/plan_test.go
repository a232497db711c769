package experiment

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestPlan(t *testing.T) {
	t.Parallel()
	g := UsualGuess()
	g.Good, g.UnitsPerDay = .8, 100
	e := valid()
	e.SampleSize = 2894
	p := e.Plan(g.Traffic(), .04)
	if math.Abs(p.PowerToWin-.77) > .01 { // 0.78 were simulated, with what is found early
		t.Errorf("power to win %g", p.PowerToWin)
	}
	if math.Abs(p.MDE-.0415) > .001 || math.Abs(p.MDERelative-p.MDE/.8) > 1e-9 {
		t.Errorf("smallest effect %g, relative %g", p.MDE, p.MDERelative)
	}
	if p.Suggested == nil || *p.Suggested < 3000 || *p.Suggested > 3300 {
		t.Errorf("suggests %v", p.Suggested)
	}
	if p.Days == nil || math.Abs(*p.Days-(28.94+25.0/24)) > 1e-9 {
		t.Errorf("days %v", p.Days)
	}
}

// The 54 % of the design, at the level of the final test: 50 %.
func TestGuardrailsTakePower(t *testing.T) {
	t.Parallel()
	g := UsualGuess()
	g.Good = .95
	e := valid()
	e.Primary = Cost
	if p := e.Plan(g.Traffic(), .5); math.Abs(p.PowerToWin-.50) > .01 {
		t.Errorf("with the guardrail %g", p.PowerToWin)
	}
	e.Margins.Good = 1
	if p := e.Plan(g.Traffic(), .5); p.PowerToWin < .999 {
		t.Errorf("without %g", p.PowerToWin)
	}
}

func TestPlanWarns(t *testing.T) {
	t.Parallel()
	e := valid()
	e.SampleSize, e.Unit, e.MaxDuration = 100, UnitRequest, Duration(5*24*time.Hour)
	g := UsualGuess()
	g.UnitsPerDay = 1
	if p := e.Plan(g.Traffic(), 0); len(p.Warnings) != 3 || *p.Days != 5 {
		t.Errorf("%+v", p)
	}
	e.Primary, g.Variation = Cost, 0
	if p := e.Plan(g.Traffic(), 0); len(p.Warnings) != 3 || !strings.Contains(strings.Join(p.Warnings, ""), "cost does not vary") || p.MDE != 0 || p.Suggested != nil {
		t.Errorf("%+v", p)
	}
	e.Primary = Quality
	if p := e.Plan(g.Traffic(), 0); len(p.Warnings) != 3 || p.PowerToWin != 0 || p.Suggested != nil {
		t.Errorf("%+v", p)
	}
}

// More units never make a plan worse, and a plan has no NaN.
func TestPlanIsMonotone(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		e := valid(randomShares(t, rapid.IntRange(2, 4).Draw(t, "arms"))...)
		e.Primary = rapid.SampledFrom(primaryMetrics()).Draw(t, "metric")
		g := Guess{UnitsPerDay: rapid.Float64Range(0, 1e6).Draw(t, "per day"), Good: rapid.Float64Range(0.01, 0.5).Draw(t, "good"),
			Requests: rapid.Float64Range(0, 50).Draw(t, "requests"), ICC: rapid.Float64Range(0, 1).Draw(t, "icc"),
			Variation: float64(rapid.IntRange(0, 500).Draw(t, "variation")) / 100, Rated: rapid.Float64Range(0, 1).Draw(t, "rated"), CostNanos: 1, LatencyUS: 1}
		effect, before := float64(rapid.IntRange(0, 1000).Draw(t, "effect"))/1000, Plan{}
		for i := range 5 {
			e.SampleSize = int(math.Ceil(minPerArm/slices.Min(e.Shares()))) << (3 * i)
			p := e.Plan(g.Traffic(), effect)
			if math.IsNaN(p.MDE+p.PowerToWin) || i > 0 && (p.PowerToWin < before.PowerToWin-1e-9 || p.MDE > before.MDE+1e-9) {
				t.Fatalf("%d: %+v after %+v", e.SampleSize, p, before)
			}
			before = p
		}
	})
}

func TestTrafficOfThePast(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 1))
	var past Tally
	for range 20_000 {
		n := int64(1 + r.IntN(3))
		u := Unit{Totals: Totals{Requests: n, Answered: n, CostNanos: n * 1000}}
		for range n {
			u.Good += count(r.Float64() < .9)
		}
		past.add(&u, false)
	}
	got := TrafficOf(past, 50)
	if math.Abs(got.Requests-2) > .02 || math.Abs(got.Metrics[Good].Mean-.9) > .01 || math.Abs(got.Metrics[Good].Variance-.09/2) > .002 {
		t.Errorf("%+v", got)
	}
	if _, known := got.Metrics[Quality]; known {
		t.Error("nobody rated, and quality is known")
	}
	if empty := TrafficOf(Tally{}, 0); empty.Requests != 1 || len(empty.Metrics) > 0 {
		t.Errorf("%+v", empty)
	}
}
