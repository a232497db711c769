package experiment

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// fed judges units in order, until it is decided.
func fed(t *testing.T, e *Experiment, n int, units func(i int) Unit) State {
	t.Helper()
	j := NewJudge(e)
	for i := range n {
		u := units(i)
		if err := j.Add(&u); err != nil {
			t.Fatal(err)
		}
	}
	return j.State()
}

func TestSeriesOfLooks(t *testing.T) {
	t.Parallel()
	e := valid()
	e.Primary = Cost
	s := fed(t, e, 1000, costly)
	series := e.Results(s, Live{}).Series
	if n := len(series.Difference); n != 50 || len(s.Looks) != 50 {
		t.Fatalf("%d points of %d looks", n, len(s.Looks))
	}
	last := series.Difference[49]
	if last.Units != 1000 || math.Abs(last.Lift+.31) > .005 || !(*last.LiftLow < last.Lift && last.Lift < *last.LiftHigh && *last.LiftHigh < 0) || last.Once > 1e-9 || last.P > 1e-6 {
		t.Errorf("%+v", last)
	}
	if first := series.Difference[0]; first.Low != nil || first.LiftLow != nil || first.Once != 1 || first.P != 1 {
		t.Errorf("%+v", first)
	}
	// Intervals exclude zero where the difference is beyond the boundary, and it
	// goes on as one curve to the planned sample.
	var before *BoundaryPoint
	ahead := 0
	for i := range series.Boundary {
		b := &series.Boundary[i]
		if b.Low != -b.High || b.High <= 0 || b.Arm != "test" {
			t.Fatalf("%+v", *b)
		}
		if b.Ahead {
			ahead++
		} else if k := slices.IndexFunc(series.Difference, func(p DifferencePoint) bool { return p.Units == b.Units }); k < 0 ||
			(*series.Difference[k].High < 0) != (series.Difference[k].Value < b.Low) || math.Abs(*series.Difference[k].High-*series.Difference[k].Low-2*b.High) > 1e-15 {
			t.Errorf("%+v", *b)
		}
		if before != nil && before.Units > 200 && (b.Units <= before.Units || b.High > before.High*1.01 || b.High < before.High*.9 || b.Ahead && b.High >= before.High) {
			t.Errorf("%+v after %+v", *b, *before)
		}
		before = b
	}
	if ahead != pointsAhead || before.Units != e.SampleSize {
		t.Errorf("%d points ahead, to %d", ahead, before.Units)
	}
	if plan := fed(t, e, 20, costly); len(e.Results(plan, Live{}).Series.Boundary) != 0 {
		t.Error("there is a boundary before there are intervals")
	}
}

// The boundary ahead is what the intervals come to be, where units vary as before.
func TestBoundaryAheadIsWhatComes(t *testing.T) {
	t.Parallel()
	e := valid()
	e.Primary = Cost
	same := func(i int) Unit {
		u := plain(i, i%2, true)
		u.CostNanos = int64(1000 + 10*(i/2%41))
		return u
	}
	early, late := e.Results(fed(t, e, 820, same), Live{}).Series.Boundary, e.Results(fed(t, e, 1640, same), Live{}).Series.Boundary
	for _, want := range late {
		for _, b := range early {
			if b.Units == want.Units && b.Ahead && math.Abs(b.High/want.High-1) > .01 {
				t.Errorf("at %d units %g was drawn, %g came", b.Units, b.High, want.High)
			}
		}
	}
}

// Guardrails hold since the look from which on they did at every one.
func TestGuardrailsHoldSince(t *testing.T) {
	t.Parallel()
	e := valid()
	e.Primary, e.MinDuration, e.Margins.Good = Cost, e.MaxDuration, .1
	s := fed(t, e, 1900, costly)
	i := slices.IndexFunc(s.Looks, func(l Look) bool { return slices.Contains(l.Arms[0].Holds, Good) })
	if i < 3 {
		t.Fatalf("it holds from look %d on", i)
	}
	since := func() *time.Time {
		for _, m := range e.Results(s, Live{}).Metrics {
			if m.Name == Good {
				return m.HoldsSince
			}
		}
		return nil
	}
	if got := since(); got == nil || !got.Equal(s.Looks[i].At) {
		t.Errorf("holds since %v, not %s", got, s.Looks[i].At)
	}
	s.Looks[len(s.Looks)-3].Arms[0].Holds = nil
	if got := since(); got == nil || !got.Equal(s.Looks[len(s.Looks)-2].At) {
		t.Errorf("after a look where it did not, it holds since %v", got)
	}
	s.Looks[len(s.Looks)-1].Arms[0].Holds = []Metric{Slow}
	if got := since(); got != nil {
		t.Errorf("it holds since %s, though not at the last look", got)
	}
}

// Whatever the order in which units are counted, by whom, and in which phase:
// exposures add up, and end with all who entered.
func TestExposuresAddUp(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		e := valid()
		e.MaxDuration = Duration(rapid.SampledFrom([]time.Duration{time.Hour, 10 * day, 30 * day}).Draw(t, "longest"))
		ramp := start.Add(time.Duration(e.MaxDuration) / 3)
		if err := e.Ramp(ramp, []float64{.2, .8}); err != nil {
			t.Fatal(err)
		}
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		s, l := State{}, Live{AsOf: e.End()}
		type entrance struct {
			at  time.Time
			arm int
		}
		var all []entrance
		for i := range rapid.IntRange(0, 300).Draw(t, "units") {
			at := start.Add(time.Duration(r.Int64N(int64(e.MaxDuration) / 2)))
			all = append(all, entrance{at, i % 2})
			if i%3 > 0 {
				s.describe(e, &Unit{Arm: i % 2, Phase: e.PhaseAt(at), ExposedAt: at})
			}
		}
		kept := encoded(t, s)
		l.Begin(&s)
		defer func() {
			if encoded(t, s) != kept {
				t.Fatal("what the judge has counted was changed")
			}
		}()
		for i := range all {
			if i%3 == 0 {
				l.Enter(e, all[i].at, e.PhaseAt(all[i].at), all[i].arm, 1)
			}
		}
		results := e.Results(State{}, l)
		if results.Sample.Users != int64(len(all)) {
			t.Fatalf("%d of %d users entered", results.Sample.Users, len(all))
		}
		before := start
		for _, p := range results.Series.Exposures {
			want := map[string]int64{}
			for _, n := range all {
				if n.at.Before(p.At) {
					want[e.Arms[n.arm].Name]++
				}
			}
			if !p.At.After(before) || p.ByArm["control"] != want["control"] || p.ByArm["test"] != want["test"] {
				t.Fatalf("by %s %v had entered, not %v", p.At, p.ByArm, want)
			}
			before = p.At
		}
		counts := l.exposed(e)
		for phase := range counts {
			for arm, units := range counts[phase] {
				for _, n := range all {
					if e.PhaseAt(n.at) == phase && n.arm == arm {
						units--
					}
				}
				if units != 0 {
					t.Fatalf("phase %d, arm %d: %d too many", phase, arm, units)
				}
			}
		}
		if n := len(results.Series.Exposures); n > 400 || len(all) > 0 && n == 0 {
			t.Fatalf("%d points", n)
		}
	})
}

func TestTheLastStepEndsNow(t *testing.T) {
	t.Parallel()
	e := valid()
	var l Live
	l.Enter(e, start.Add(time.Minute), 0, 0, 5)
	l.AsOf = start.Add(time.Hour)
	if p := e.Results(State{}, l).Series.Exposures; len(p) != 1 || !p[0].At.Equal(l.AsOf) {
		t.Errorf("%+v", p)
	}
}

// A split by arms says what was due, over phases, and what is ordinary.
func TestSplitByArm(t *testing.T) {
	t.Parallel()
	e := valid()
	if err := e.Ramp(start.Add(time.Hour), []float64{.2, .8}); err != nil {
		t.Fatal(err)
	}
	split := e.splitByArm([][]int64{{500, 500}, {200, 800}})
	// Due are .35 and .65; the variance of a sum is 1000·.25 + 1000·.16.
	wide := ordinary * math.Sqrt(410) / 2000
	for i, want := range []float64{.35, .65} {
		s := split[i]
		if math.Abs(s.Expected-want) > 1e-12 || math.Abs(s.Share-want) > 1e-12 || math.Abs(s.Low-(want-wide)) > 1e-12 || math.Abs(s.High-(want+wide)) > 1e-12 || s.Users != []int64{700, 1300}[i] {
			t.Errorf("%+v", s)
		}
	}
	if split := e.splitByArm([][]int64{{0, 0}, {0, 0}}); split[0].Share != 0 || split[0].Expected != 0 {
		t.Errorf("%+v", split)
	}
}

func TestPagesAreResults(t *testing.T) {
	t.Parallel()
	e := valid()
	r := e.Results(fed(t, e, 700, costly), Live{Entered: entered(510, 490)})
	page, err := r.Page()
	if err != nil {
		t.Fatal(err)
	}
	again, err := page.Results()
	if body, _ := json.Marshal(again); err != nil || string(body) != string(page) {
		t.Errorf("read again it is another: %v", err)
	}
	for range 2 {
		if page, err = page.Degraded("postgres"); err != nil {
			t.Fatal(err)
		}
	}
	if again, err = page.Results(); err != nil || !slices.Equal(again.Degraded, []string{"postgres"}) {
		t.Errorf("%v, %v", again.Degraded, err)
	}
	if _, err := Page("{").Degraded("postgres"); err == nil {
		t.Error("half a page is taken")
	}
}
