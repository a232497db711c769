package main

import (
	"strings"
	"testing"
	"time"

	"github.com/busuhq/busu/internal/experiment"
)

// samplePage are results of an experiment by cost with all that a page shows.
func samplePage() *experiment.Results {
	at := time.Date(2026, 11, 15, 7, 17, 0, 0, time.UTC)
	estimate := func(value, low, high float64) experiment.Estimate {
		return experiment.Estimate{Value: value, Low: &low, High: &high}
	}
	r := &experiment.Results{Name: "hybrid or not", State: experiment.StateDecided, Outcome: new(experiment.Win), Winner: new("test"), Verdict: "Test costs 20 % less: win.",
		Unit: experiment.UnitUser, Primary: experiment.Cost, AlwaysP: .0072, Power: .29, Decided: &experiment.Decided{At: at, Units: 2592, Early: true},
		Sample: experiment.Sample{Users: 6900, Matured: 2592, Target: 9600},
		SRM:    experiment.SRM{PValue: .74, OK: true, Split: []experiment.ArmOfSplit{{Arm: "control", Users: 3436, Share: .498}, {Arm: "test", Users: 3464, Share: .502}}},
		Arms: []experiment.ArmResult{{Arm: "control", Strategy: "complexity", Users: 1317, Requests: 9833, GoodRate: .9267, AvgCostUSD: .00234,
			LatencyP50: &experiment.QuantileResult{Value: 737}}, {Arm: "test", Strategy: "hybrid", Users: 1275}},
		Metrics: []experiment.MetricResult{
			{Name: experiment.Cost, Arm: "test", Control: .0023, Test: .00185, Lift: -.2, Low: new(-.27), High: new(-.12), Better: "lower", Reading: "better", Primary: true, Relative: true, VarianceReduced: new(.45)},
			{Name: experiment.Good, Arm: "test", Control: .9267, Test: .9391, Diff: estimate(.0124, .0011, .0238), Lift: .0134, Low: new(.001), High: new(.0257),
				Better: "higher", Reading: "better", Guardrail: true, Margin: new(.02), OK: new(true), HoldsSince: &at},
			{Name: experiment.Latency, Arm: "test", Control: 877, Test: 890, Lift: .0155, Better: "lower", Reading: "undecided", Relative: true},
		},
		Segments: []experiment.SegmentResult{
			{By: "complexity", Value: "simple", Arm: "test", Effect: true, Users: experiment.PairCounts{Control: 401, Test: 373}, Diff: new(estimate(-1, -2, 0)), Lift: new(-.19), Low: new(-.3), High: new(.01), Reading: "undecided"},
			{By: "cache", Value: "hit", Arm: "test", Reading: "not_compared"},
		}}
	r.Boundary.Early = .05
	return r
}

func TestResultsPage(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	if err := printResults(&text, samplePage()); err != nil {
		t.Fatal(err)
	}
	page := text.String()
	for _, want := range []string{
		"hybrid or not: decided, win for test\nTest costs 20 % less: win.\n",
		"matured   [##########..............................] 2592 of 9600 users, decided early on 15 Nov 07:17\n",
		"entered   6900: control 3436 (49.8 %), test 3464 (50.2 %); split as planned (p 0.74)\n",
		"always-valid p 0.0072, must be below 0.05; power now 29 %",
		"$0.002300  $0.001850  -20.00 %  -27.00 to -12.00   ├────●─────┤        │                      better, decides, 45 % less variance\n",
		"92.67 %    93.91 %  +1.24 pt  +0.11 to +2.38",
		"guardrail holds since 15 Nov",
		"?                   │         ●         ?  undecided\n",
		"complexity   simple  test  774    -19.00 %        -30.00 to +1.00  undecided\n",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q:\n%s", want, page)
		}
	}
	if strings.Contains(page, "hit") || strings.Contains(page, "cannot be read") {
		t.Errorf("the page has too much:\n%s", page)
	}
	r := samplePage()
	r.Primary = experiment.Good
	r.Degraded, r.SRM.OK, r.Decided, r.Projected = []string{"postgres"}, false, nil, new(time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC))
	text.Reset()
	if err := printResults(&text, r); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"NOT SPLIT AS PLANNED", "postgres cannot be read", "over by 1 Dec 00:00",
		"complexity   simple  test  774    -100.00 pt      -200.00 to +0.00  undecided\n"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the page lacks %q:\n%s", want, text.String())
		}
	}
}

// All that a plot shows is in its place, within its width.
func TestPlot(t *testing.T) {
	t.Parallel()
	b := bar{value: 1, low: new(-1.), high: new(2.), margin: new(-2.)}
	if got := plot(&b, 2); got != "!         ├───────────────────●─────────┤" {
		t.Errorf("%q", got)
	}
	for _, b := range []bar{{value: 1e9, low: new(-1e9), high: new(1e12)}, {}} {
		if got := []rune(plot(&b, 2)); len(got) != plotWidth {
			t.Errorf("%q is %d wide", string(got), len(got))
		}
	}
}

// Where nothing is known, a plan says so, and does not promise what it cannot.
func TestPlanOfWhatDoesNotVary(t *testing.T) {
	t.Parallel()
	for variation, want := range map[float64]bool{0: false, 1.3: true} {
		c := experimentsPlanCommand{SampleSize: 2000, Metric: "cost", TestShare: .5, Alpha: .05, Good: .9, Requests: 1, Variation: variation, MarginGood: .02, MaxDuration: 720 * time.Hour}
		e, traffic, err := c.experiment()
		if err != nil {
			t.Fatal(err)
		}
		var text strings.Builder
		if err := printPlan(&text, &e, e.Plan(traffic, 0)); err != nil {
			t.Fatal(err)
		}
		page := text.String()
		if known := !strings.Contains(page, "smallest effect found  not known\npower to win           not known\n"); known != want || strings.Contains(page, "cost does not vary") == want || strings.Contains(page, "suggested sample size") != want {
			t.Errorf("with a variation of %g:\n%s", variation, page)
		}
	}
}
