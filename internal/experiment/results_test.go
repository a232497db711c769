package experiment

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// costly is a unit of an experiment by cost, in which the test costs 31 % less.
func costly(i int) Unit {
	u := plain(i, i%2, i/2%10 > 0)
	u.CostNanos = int64(1000-310*(i%2)) * int64(80+i/2%41) / 100
	u.PaidNanos = u.CostNanos / 2
	return u
}

// entered are units by arm that have entered at once.
func entered(byArm ...int64) []Entry { return []Entry{{At: start, ByArm: byArm}} }

func TestResultsOfARunningExperiment(t *testing.T) {
	t.Parallel()
	e := valid()
	e.Primary = Cost
	j := NewJudge(e)
	for i := range 700 {
		u := costly(i)
		if err := j.Add(&u); err != nil {
			t.Fatal(err)
		}
	}
	r := e.Results(j.State(), Live{Entered: entered(510, 490), Strays: 3})
	if r.State != StateRunning || r.Outcome != nil || r.Winner != nil || r.Verdict != "700 of 2,000 users have matured; test is better, and it is not shown yet that its guardrails hold." {
		t.Errorf("%s, %v, %v: %s", r.State, r.Outcome, r.Winner, r.Verdict)
	}
	if r.Sample.Users != 1000 || r.Sample.Matured != 700 || r.Sample.Target != 2000 || r.Sample.ByArm["test"] != 490 || r.Sample.Strays != 3 {
		t.Errorf("%+v", r.Sample)
	}
	if math.Abs(r.SRM.PValue-.527) > .001 || !r.SRM.OK {
		t.Errorf("%+v", r.SRM)
	}
	c := r.Arms[Control]
	if c.Users != 350 || math.Abs(c.AvgCostUSD-1e-6) > 1e-8 || math.Abs(c.AvgPaidUSD-.5e-6) > 1e-8 || c.Quality != nil || c.GoodRate != .9 || c.DesignEffect > 1.02 {
		t.Errorf("%+v", c)
	}
	var cost, good MetricResult
	for _, m := range r.Metrics {
		switch m.Name {
		case Cost:
			cost = m
		case Good:
			good = m
		}
	}
	if math.Abs(cost.Lift+.31) > .005 || cost.Better != "lower" || cost.Reading != "better" || !cost.Primary || cost.Guardrail || cost.OK != nil {
		t.Errorf("%+v", cost)
	}
	if *r.Interval.Low != *cost.Diff.Low || *r.Interval.High >= 0 || *cost.High >= 0 {
		t.Errorf("%v, %+v", r.Interval, cost)
	}
	if !good.Guardrail || *good.Margin != .02 || *good.OK || good.Reading != "undecided" || good.Lift != 0 {
		t.Errorf("%+v", good)
	}
	// 35 looks, from 60 units on; each has its point.
	if n := len(r.Series.Difference); n != 35 || r.Series.Difference[0].Low != nil || r.Series.Difference[34].P > 1e-6 {
		t.Errorf("%d points, %+v", n, r.Series.Difference[n-1])
	}
	if want := start.Add(25*time.Hour + 60*time.Minute + 1999*time.Minute); r.Projected == nil || r.Projected.Sub(want).Abs() > 2*time.Hour {
		t.Errorf("projected %s, want about %s", r.Projected, want)
	}
	if math.Abs(r.Power-.37) > .02 || r.MDE == nil || *r.MDE <= 0 || r.PValue > 1e-9 || !strings.HasPrefix(r.Method, "always-valid ") {
		t.Errorf("power %g, mde %v, p %g, %s", r.Power, r.MDE, r.PValue, r.Method)
	}
}

func TestResultsOfADecision(t *testing.T) {
	t.Parallel()
	e := valid()
	j := NewJudge(e)
	for i := range e.SampleSize {
		u := plain(i, i%2, i/2%(7+3*(i%2)) > 0)
		if err := j.Add(&u); err != nil {
			t.Fatal(err)
		}
	}
	d := j.Decision()
	r := e.Results(j.State(), Live{Entered: entered(1000, 1000)})
	if r.State != StateDecided || *r.Outcome != Win || *r.Winner != "test" || r.Verdict != d.Verdict || r.PValue != d.PValue || r.Projected != nil || r.Method != methodChiSquare {
		t.Errorf("%+v", r)
	}
	if width := *r.Interval.High - *r.Interval.Low; !(width < *d.Readings[0].Diff.High-*d.Readings[0].Diff.Low) {
		t.Errorf("the interval at 95 %% is %g wide, and not narrower than the deciding one at 96 %%", width)
	}
	stopped := e.Results(State{}, Live{Stopped: true, Degraded: []string{"exposures"}})
	if stopped.State != StateStopped || !strings.HasPrefix(stopped.Verdict, "Stopped by hand") || stopped.Projected != nil || stopped.Degraded[0] != "exposures" {
		t.Errorf("%+v", stopped)
	}
}

// Whatever units do, results go into JSON, and have every field of the contract.
func TestResultsAreJSON(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		e := valid(randomShares(t, rapid.IntRange(2, 3).Draw(t, "arms"))...)
		e.Primary, e.SlowUS = rapid.SampledFrom(primaryMetrics()).Draw(t, "metric"), 100
		if rapid.Bool().Draw(t, "ramp") {
			if err := e.Ramp(start.Add(time.Hour), randomShares(t, len(e.Arms))); err != nil {
				t.Fatal(err)
			}
		}
		j := NewJudge(e)
		exposed := make([]int64, len(e.Arms))
		number := rapid.OneOf(rapid.Int64Range(0, 3), rapid.Int64Range(0, 1<<53))
		some := make([]Totals, 3)
		for i := range some {
			n := rapid.Int64Range(1, 5).Draw(t, "requests")
			some[i] = Totals{Requests: n, Good: rapid.Int64Range(0, n).Draw(t, "good"), Answered: rapid.Int64Range(0, n).Draw(t, "answered"),
				Rated: rapid.Int64Range(0, n).Draw(t, "rated"), Slow: rapid.Int64Range(0, n).Draw(t, "slow"), CostNanos: number.Draw(t, "cost"), LatencyUS: number.Draw(t, "latency")}
			some[i].QualityMicros = some[i].Rated * rapid.Int64Range(0, 1_000_000).Draw(t, "quality")
		}
		for i := range rapid.IntRange(0, 2000).Draw(t, "units") {
			u := plain(i, i%len(e.Arms), true)
			u.Phase, u.Totals = i%len(e.Phases), some[i*7%11%3]
			if err := j.Add(&u); err != nil {
				t.Fatal(err)
			}
			exposed[u.Arm]++
		}
		if rapid.Bool().Draw(t, "over") {
			j.Advance(e.End())
		}
		body, err := json.Marshal(e.Results(j.State(), Live{Entered: entered(exposed...)}))
		if err != nil {
			t.Fatal(err)
		}
		for _, field := range []string{"id", "name", "state", "outcome", "winner", "verdict", "p_value", "p_value_always_valid", "confidence_interval",
			"method", "decision", "as_of", "sample", "srm", "arms", "metrics", "power", "projected_end", "series", "segments", "degraded"} {
			if !strings.Contains(string(body), fmt.Sprintf("%q:", field)) {
				t.Fatalf("%s is not in %s", field, body)
			}
		}
		if strings.Contains(string(body), "e+308") || strings.Contains(string(body), "%!") {
			t.Fatal(string(body))
		}
		if d := j.Decision(); d != nil {
			if err := Recompute(e, d); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// What is said to be shown is what the interval beside it shows.
func TestReadingAgreesWithItsInterval(t *testing.T) {
	t.Parallel()
	above, around := [2]float64{0.1, 3}, [2]float64{-0.1, 3}
	for _, c := range []struct {
		diff, lift [2]float64
		relative   bool
		want       string
	}{
		{above, around, false, "worse"},
		{above, around, true, "undecided"},
		{above, above, true, "worse"},
		{around, around, false, "undecided"},
	} {
		m := MetricResult{Better: "lower", Relative: c.relative, Diff: Estimate{1, &c.diff[0], &c.diff[1]}, Low: &c.lift[0], High: &c.lift[1]}
		if got := m.read(); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}
