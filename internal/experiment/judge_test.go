package experiment

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// difference cuts out where two texts begin to differ.
func difference(got, want string) string {
	i := 0
	for i < min(len(got), len(want)) && got[i] == want[i] {
		i++
	}
	from := max(0, i-200)
	return fmt.Sprintf("\n%s\nand not\n%s", got[from:min(len(got), i+80)], want[from:min(len(want), i+80)])
}

func encoded(t *rapid.T, v any) string {
	body, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// Whatever the order of arrival, the batches and the number of workers: the
// looks, the numbers and the decision are the same, and the decision can be
// reached again from what is written down with it.
func TestStateIsAFunctionOfTheUnits(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		seed := rapid.Uint64().Draw(t, "seed")
		r := rand.New(rand.NewPCG(seed, 1))
		e := valid()
		e.SampleSize, e.SlowUS = rapid.SampledFrom([]int{60, 100, 1000}).Draw(t, "sample size"), 2_900_000
		e.Observation, e.FeedbackWindow, e.MinDuration = Duration(time.Hour), Duration(30*time.Minute), 0
		e.MaxDuration = Duration(time.Duration(rapid.IntRange(4, 20).Draw(t, "hours")) * time.Hour)
		if rapid.Bool().Draw(t, "ramp") {
			if err := e.Ramp(start.Add(3*time.Hour), []float64{.3, .7}); err != nil {
				t.Fatal(err)
			}
		}
		facts := traffic(e, r, 150, [2]float64{.9, rapid.SampledFrom([]float64{.9, .6, .97}).Draw(t, "test")})
		var want string
		for i, c := range []struct {
			delay   time.Duration // that facts come late by, at most
			workers int
			batch   int
		}{{0, 1, 1 << 30}, {0, 2, 60}, {20 * time.Minute, 1, 90}, {3 * time.Hour, 3, 200}} {
			arrives := make(map[*fact]time.Time, len(facts))
			order := make([]*fact, len(facts))
			for j := range facts {
				order[j] = &facts[j]
				arrives[order[j]] = facts[j].at.Add(time.Duration(r.Int64N(int64(c.delay) + 1)))
			}
			slices.SortStableFunc(order, func(a, b *fact) int { return arrives[a].Compare(arrives[b]) })
			arrivals := make([]fact, len(order))
			for j, f := range order {
				arrivals[j] = *f
			}
			state := work(t, e, arrivals, func() int { return 1 + r.IntN(c.batch) }, c.workers)
			if state.Decision == nil {
				t.Fatal("no decision")
			}
			if err := Recompute(e, state.Decision); err != nil {
				t.Fatal(err)
			}
			got := encoded(t, state)
			if i == 0 {
				want = got
			} else if got != want {
				t.Fatalf("way %d: %s", i, difference(got, want))
			}
		}
	})
}

// plain is a unit with one request.
func plain(i, arm int, good bool) Unit {
	return Unit{ID: fmt.Sprintf("%08d", i), Arm: arm, MaturesAt: start.Add(26*time.Hour + time.Duration(i)*time.Minute),
		Totals: Totals{Requests: 1, Answered: 1, Good: count(good), CostNanos: int64(1000 + i%100), LatencyUS: int64(500 + i%17)}}
}

// Nothing that comes after a decision, and nothing that comes late, changes it.
func TestADecisionNeverChanges(t *testing.T) {
	t.Parallel()
	e := valid()
	j := NewJudge(e)
	for i := range e.SampleSize {
		u := plain(i, i%2, i%2 == 1 || i%3 > 0)
		if err := j.Add(&u); err != nil {
			t.Fatal(err)
		}
	}
	first := j.Decision()
	if first == nil || first.Outcome != Win || *first.Winner != "test" || first.Final || first.Reason != WinnerEarly {
		t.Fatalf("%+v", first)
	}
	written := fmt.Sprintf("%+v", *first)
	for i := range 1000 {
		u := plain(e.SampleSize+i, i%2, i%2 == 0)
		if err := j.Add(&u); err != nil {
			t.Fatal(err)
		}
	}
	if j.Advance(e.End().Add(time.Hour)) != first || fmt.Sprintf("%+v", *first) != written {
		t.Error("it changed")
	}
	if first.Units >= e.SampleSize || first.Units%20 != 0 {
		t.Errorf("decided at %d units, which is no look of %d", first.Units, e.SampleSize)
	}
}

// Where a store keeps its times makes no difference.
func TestPlacesOfTimesLeaveNoTrace(t *testing.T) {
	t.Parallel()
	var texts [2]string
	for i, place := range []*time.Location{time.UTC, time.FixedZone("", 7200)} {
		e := valid()
		d := judged(t, e, func(i int) Unit {
			u := plain(i, i%2, i%2 == 1 || i%3 > 0)
			u.MaturesAt = u.MaturesAt.In(place)
			return u
		})
		body, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		texts[i] = string(body)
	}
	if texts[0] != texts[1] {
		t.Error(difference(texts[0], texts[1]))
	}
}

func TestUnitsBehindOthersAreLate(t *testing.T) {
	t.Parallel()
	j := NewJudge(valid())
	for _, c := range []struct {
		i    int
		want error
	}{{5, nil}, {7, nil}, {6, ErrLate}, {7, ErrLate}, {8, nil}} {
		u := plain(c.i, 0, true)
		if err := j.Add(&u); !errors.Is(err, c.want) {
			t.Errorf("unit %d: %v", c.i, err)
		}
	}
	if s := j.State(); s.Units != 3 || s.Late != 2 {
		t.Errorf("%d units, %d late", s.Units, s.Late)
	}
	wrong := plain(9, 2, true)
	if err := j.Add(&wrong); err == nil {
		t.Error("an arm that there is not is counted")
	}
}

// judged holds an experiment on units, in order, until it is decided.
func judged(t *testing.T, e *Experiment, units func(i int) Unit) *Decision {
	t.Helper()
	j := NewJudge(e)
	for i := range e.SampleSize {
		u := units(i)
		if err := j.Add(&u); err != nil {
			t.Fatal(err)
		}
	}
	d := j.Advance(e.End())
	if d == nil {
		t.Fatal("no decision at the end")
	}
	if err := Recompute(e, d); err != nil {
		t.Error(err)
	}
	return d
}

func TestOutcomes(t *testing.T) {
	t.Parallel()
	// every makes something so in every n-th unit of the arm.
	every := func(i, n int) bool { return i/2%n == 0 }
	costs := func(u *Unit, control, test int64, i int) {
		u.CostNanos = []int64{control, test}[u.Arm] * int64(80+i/2%41) / 100
	}
	rates := func(u *Unit, rated bool) { u.Rated, u.QualityMicros = count(rated), 800_000*count(rated) }
	for _, c := range []struct {
		name    string
		outcome Outcome
		reason  Reason
		winner  string
		says    string
		change  func(*Experiment)
		unit    func(*Unit, int)
	}{
		{"much better", Win, WinnerEarly, "test", "Test has 20 points more good answers", nil,
			func(u *Unit, i int) { u.Good = count(u.Arm == 1 || !every(i, 5)) }},
		{"a little better", Win, WinnerFinal, "test", "points more good answers", nil,
			func(u *Unit, i int) { u.Good = count(!every(i, 7+3*u.Arm)) }},
		{"much worse", Lose, LoserEarly, "control", "fewer good answers (", nil,
			func(u *Unit, i int) { u.Good = count(u.Arm == 0 || !every(i, 5)) }},
		{"cheaper and as good", Win, WinnerEarly, "test", "Test costs 31 % less (", func(e *Experiment) { e.Primary = Cost },
			func(u *Unit, i int) { costs(u, 1000, 690, i) }},
		{"cheaper and a disaster", StoppedHarm, Harm, "control", "Stopped for harm: good answers 20 points lower", func(e *Experiment) { e.Primary = Cost },
			func(u *Unit, i int) { costs(u, 1000, 690, i); u.Good = count(u.Arm == 0 || !every(i, 5)) }},
		{"cheaper and somewhat worse", TradeOff, GuardrailWorse, "", "not shown to be inside the margin of 2; quality not measured: a trade-off", func(e *Experiment) { e.Primary = Cost },
			func(u *Unit, i int) { costs(u, 1000, 690, i); u.Good = count(u.Arm == 0 || !every(i, 40)) }},
		{"cheaper, and who knows", Inconclusive, GuardrailUnproven, "", "a larger sample would tell", func(e *Experiment) { e.Primary = Cost },
			func(u *Unit, i int) { costs(u, 1000, 690, i); u.Good = count(!every(i, 10)) }},
		{"cheaper and often slow", StoppedHarm, Harm, "control", "slow requests 20 points higher", func(e *Experiment) { e.Primary, e.SlowUS = Cost, 1000 },
			func(u *Unit, i int) { costs(u, 1000, 690, i); u.Slow = count(u.Arm == 1 && every(i, 5)) }},
		{"cheaper and seldom slow", Win, WinnerEarly, "test", "slow requests 20 points lower", func(e *Experiment) { e.Primary, e.SlowUS = Cost, 1000 },
			func(u *Unit, i int) { costs(u, 1000, 690, i); u.Slow = count(u.Arm == 0 && every(i, 5)) }},
		{"dearer", Lose, LoserEarly, "control", "Test costs 40 % more (", func(e *Experiment) { e.Primary = Cost },
			func(u *Unit, i int) { costs(u, 1000, 1400, i) }},
		{"the same", Equivalent, WithinMargins, "", ": equivalent.", func(e *Experiment) { e.SampleSize = 9000 },
			func(u *Unit, i int) { u.Good = count(!every(i, 10)) }},
		{"too few to tell", Inconclusive, NoDifference, "", "is ruled out", nil,
			func(u *Unit, i int) { u.Good = count(!every(i, 10)) }},
		{"the time is over", Inconclusive, TooFewUnits, "", "Fewer than 30 units of an arm had matured", func(e *Experiment) { e.MaxDuration = Duration(26*time.Hour + 30*time.Minute) },
			func(u *Unit, i int) {}},
		{"hardly rated", Inconclusive, TooFewUnits, "", "Fewer than 30 units of an arm were rated, of 2,000", func(e *Experiment) { e.Primary = Quality },
			func(u *Unit, i int) { rates(u, every(i, 40)) }},
		{"badly split", InvalidSRM, SplitMismatch, "", "were not split as planned", nil,
			func(u *Unit, i int) {
				if i%5 == 0 {
					u.Arm = 1
				}
			}},
		{"feedback on one side", InvalidFeedback, FeedbackMismatch, "", "the arm with less of it looks better", nil,
			func(u *Unit, i int) {
				rates(u, every(i, 2+4*u.Arm))
				u.Good = count(u.Arm == 1 || !every(i, 5))
			}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			e := valid()
			if c.change != nil {
				c.change(e)
			}
			d := judged(t, e, func(i int) Unit {
				u := plain(i, i%2, true)
				c.unit(&u, i)
				return u
			})
			winner := ""
			if d.Winner != nil {
				winner = *d.Winner
			}
			if d.Outcome != c.outcome || d.Reason != c.reason || winner != c.winner || !strings.Contains(d.Verdict, c.says) {
				t.Errorf("%s by %s, winner %q: %s\np %g, always %g, %d units", d.Outcome, d.Reason, winner, d.Verdict, d.PValue, d.AlwaysValidP, d.Units)
			}
			if strings.Contains(d.Verdict, "%!") || strings.Contains(d.Verdict, "NaN") || strings.Count(d.Verdict, ". ") > 0 {
				t.Errorf("no sentence: %s", d.Verdict)
			}
		})
	}
}

// A winner has to wait for the shortest duration, harm has not.
func TestMinDurationDelaysWinnersOnly(t *testing.T) {
	t.Parallel()
	for _, better := range []bool{true, false} {
		e := valid()
		e.Primary, e.MinDuration = Cost, Duration(40*time.Hour)
		d := judged(t, e, func(i int) Unit {
			u := plain(i, i%2, true)
			u.CostNanos = int64(1000-300*(i%2)) * int64(80+i/2%41) / 100
			if !better {
				u.Good = count(u.Arm == 0 || i/2%3 > 0)
			}
			return u
		})
		if waited := !d.At.Before(start.Add(40 * time.Hour)); waited != better {
			t.Errorf("better %t: %s at %s", better, d.Outcome, d.At.Sub(start))
		}
	}
}

// Among several arms the best of those that win is the winner, and more arms need
// more evidence.
func TestSeveralArms(t *testing.T) {
	t.Parallel()
	e := valid(.25, .25, .25, .25)
	e.SampleSize = 4000
	d := judged(t, e, func(i int) Unit {
		u := plain(i, i%4, true)
		bad := []int{5, 5, 8, 20}[i%4]
		u.Good = count(i/4%bad > 0)
		return u
	})
	if d.Outcome != Win || *d.Winner != "fourth" {
		t.Errorf("%s: %s", d.Outcome, d.Verdict)
	}
	arms := map[string]bool{}
	for _, r := range d.Readings {
		arms[r.Arm] = true
	}
	if got := slices.Sorted(maps.Keys(arms)); !slices.Equal(got, []string{"fourth", "test", "third"}) {
		t.Errorf("readings of %v", got)
	}
}

// What is enough for one arm is not for the best of three: the p is adjusted.
func TestSeveralArmsNeedMore(t *testing.T) {
	t.Parallel()
	fixed := map[int]float64{}
	for _, arms := range []int{2, 4} {
		e := valid()
		if arms == 4 {
			e = valid(.25, .25, .25, .25)
		}
		e.SampleSize = 1000 * arms
		d := judged(t, e, func(i int) Unit {
			u := plain(i, i%arms, true)
			bad := 10
			if u.Arm == arms-1 {
				bad = 14
			}
			u.Good = count(i/arms%bad > 0)
			return u
		})
		fixed[arms] = d.PValue
		if d.Arm != e.Arms[arms-1].Name {
			t.Errorf("%d arms: about %s", arms, d.Arm)
		}
	}
	if fixed[2] > .04 || math.Abs(fixed[4]-3*fixed[2]) > 1e-9 {
		t.Errorf("p = %g among two arms, %g among four", fixed[2], fixed[4])
	}
}

func TestCanonicalOrder(t *testing.T) {
	t.Parallel()
	a, b, c := plain(1, 0, true), plain(1, 0, true), plain(2, 0, true)
	b.ID += "x"
	for _, pair := range [][2]*Unit{{&a, &b}, {&b, &c}, {&a, &c}} {
		if !pair[0].Before(pair[1]) || pair[1].Before(pair[0]) || pair[0].Before(pair[0]) {
			t.Errorf("%s and %s are not in order", pair[0].ID, pair[1].ID)
		}
	}
}

// What users cost before is taken out of what they cost now, if that was asked for.
func TestHistoryIsTakenOut(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 1))
	units := make([]Unit, 2000)
	for i := range units {
		u := plain(i, i%2, true)
		own := math.Exp(r.NormFloat64())
		u.CostNanos = int64(1e5 * own * (1 - .08*float64(u.Arm)) * (.9 + r.Float64()/5))
		u.History = &Totals{Requests: 1, CostNanos: int64(1e5 * own * (.9 + r.Float64()/5))}
		if i%10 == 0 {
			u.History = nil
		}
		units[i] = u
	}
	var widths [2]float64
	for i, cuped := range []bool{false, true} {
		e := valid()
		e.Primary, e.CUPED = Cost, cuped
		d := judged(t, e, func(i int) Unit { return units[i] })
		if strings.Contains(d.Method, "CUPED") != cuped {
			t.Errorf("cuped %t: %s", cuped, d.Method)
		}
		for _, r := range d.Readings {
			if r.Metric == Cost {
				widths[i] = (*r.Diff.High - *r.Diff.Low) * math.Sqrt(float64(d.Units))
			}
		}
	}
	if widths[1] > widths[0]/2 {
		t.Errorf("the interval is %g wide with, and %g without what is known of before", widths[1], widths[0])
	}
}

func TestRequestsAsUnitsAreCalledNaive(t *testing.T) {
	t.Parallel()
	e := valid()
	e.Unit = UnitRequest
	d := judged(t, e, func(i int) Unit { return plain(i, i%2, i/2%10 > 0) })
	if !strings.HasSuffix(d.Method, "(naive)") {
		t.Error(d.Method)
	}
}
