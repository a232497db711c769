package experiment

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// described gives a unit traits.
func described(u Unit, complexity float64, returning bool, key, confidence string, cached bool) Unit {
	u.Traits = &Traits{Asked: Asked{complexity, key, confidence}, Returning: &returning, Cached: cached}
	return u
}

func segmentOf(t *testing.T, list []SegmentResult, by, value string) SegmentResult {
	t.Helper()
	for _, s := range list {
		if s.By == by && s.Value == value {
			return s
		}
	}
	t.Errorf("there is no segment %s %s", by, value)
	return SegmentResult{}
}

// A part's figures are those of its units alone, and no part says what the arms
// themselves have made of it.
func TestSegments(t *testing.T) {
	t.Parallel()
	e := valid()
	e.Primary, e.MinDuration = Cost, e.MaxDuration
	cheaper := func(i int) bool { return i/2%3 == 0 }
	s := fed(t, e, 1800, func(i int) Unit {
		u := costly(i)
		if !cheaper(i) {
			u.CostNanos = int64(1000) * int64(80+i/2%41) / 100
		}
		complexity := []float64{.1, .5, .9}[i/2%3]
		return described(u, complexity, i%4 > 1, fmt.Sprint("key-", i/2%12), []string{"high", "low"}[i%2], i%2 == 0)
	})
	list := e.Results(s, Live{}).Segments
	simple, moderate := segmentOf(t, list, "complexity", "simple"), segmentOf(t, list, "complexity", "moderate")
	if simple.Users != (PairCounts{300, 300}) || math.Abs(*simple.Lift+.31) > .01 || simple.Reading != "better" || !simple.Effect || !simple.Exploratory || simple.Arm != "test" {
		t.Errorf("%+v", simple)
	}
	if math.Abs(simple.Control-1e-6) > 2e-8 || math.Abs(simple.Diff.Value+.31e-6) > 1e-8 || *simple.Diff.High >= 0 {
		t.Errorf("control %g, difference %+v", simple.Control, *simple.Diff)
	}
	if math.Abs(*moderate.Lift) > .01 || moderate.Reading != "undecided" {
		t.Errorf("%+v, lift %g", moderate, *moderate.Lift)
	}
	for by, values := range map[string][]string{"users": {"new", "returning"}, "complexity": {"complex"}, "key": {"key-0", "key-7", otherKeys}} {
		for _, value := range values {
			if p := segmentOf(t, list, by, value); !p.Effect || p.Diff == nil {
				t.Errorf("%+v", p)
			}
		}
	}
	for _, p := range []SegmentResult{segmentOf(t, list, "confidence", "high"), segmentOf(t, list, "cache", "hit")} {
		if p.Effect || p.Diff != nil || p.Lift != nil || p.Low != nil || p.Reading != "not_compared" || p.Users.Control != 900 || !(p.Control > 0) {
			t.Errorf("%+v", p)
		}
	}
	var users int64
	for _, p := range list {
		if p.By == byKey {
			users += p.Users.Control + p.Users.Test
		}
	}
	if other := segmentOf(t, list, "key", otherKeys); users != 1800 || other.Users.Control != 300 {
		t.Errorf("%d users have keys, %+v further ones", users, other.Users)
	}
	order := ""
	for _, p := range list {
		if len(order) == 0 || p.By != list[len(order)-1].By {
			order += p.By[:1]
		} else {
			order += "."
		}
	}
	if order != "c..u.k........c.c." {
		t.Errorf("in the order %s", order)
	}
}

// However often one looks, at however many parts: where arms are alike, few of
// all experiments show any part that is not.
func TestSegmentsOfLikeArms(t *testing.T) {
	t.Parallel()
	const experiments = 300
	found := 0
	for seed := range uint64(experiments) {
		r := rand.New(rand.NewPCG(seed, 9))
		e := valid()
		e.MinDuration = e.MaxDuration
		j := NewJudge(e)
		shown := false
		for i := range 1200 {
			u := described(plain(i, r.IntN(2), r.IntN(5) > 0), r.Float64(), r.IntN(2) > 0, fmt.Sprint("key-", r.IntN(9)), "", false)
			if err := j.Add(&u); err != nil {
				t.Fatal(err)
			}
			if i%60 != 59 {
				continue
			}
			s := j.State()
			for _, p := range e.segments(&s) {
				shown = shown || p.Effect && p.Reading != "undecided"
			}
		}
		found += int(count(shown))
	}
	if share := float64(found) / experiments; share > .05+2*math.Sqrt(.05*.95/experiments) {
		t.Errorf("of like arms %.3f show a difference", share)
	}
}

// Small parts are shown without an interval, and phases are compared within.
func TestSegmentsOfPhases(t *testing.T) {
	t.Parallel()
	e := valid()
	if err := e.Ramp(start.Add(1), []float64{.2, .8}); err != nil {
		t.Fatal(err)
	}
	e.MinDuration = e.MaxDuration
	s := fed(t, e, 1000, func(i int) Unit {
		phase := i / 500
		u := plain(i, int(count(i%10 >= []int{5, 2}[phase])), i*7919%100 < 90-40*phase) // all get worse, alike
		u.Phase = phase
		return described(u, .5, i >= 20, "", "", false)
	})
	list := e.Results(s, Live{}).Segments
	p := segmentOf(t, list, "complexity", "moderate")
	if math.Abs(p.Test-p.Control) < .08 || math.Abs(p.Diff.Value) > .06 {
		t.Errorf("pooled %g and %g, compared within phases %g", p.Control, p.Test, p.Diff.Value)
	}
	if few := segmentOf(t, list, "users", "new"); few.Users.Control+few.Users.Test != 20 || few.Low != nil || few.Reading != "undecided" {
		t.Errorf("%+v", few)
	}
}

// Intervals of parts hold in all parts together, and take the past out like those
// of the whole.
func TestSegmentsAreAsWideAsTheyMustBe(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(7, 7))
	units := make([]Unit, 1000)
	for i := range units {
		u := described(plain(i, i%2, true), .5, true, "", "", false)
		own := math.Exp(r.NormFloat64())
		u.CostNanos, u.Stray = int64(1e5*own*(.9+r.Float64()/5)), 2*count(i < 5)
		u.History = &Totals{Requests: 1, CostNanos: int64(1e5 * own * (.9 + r.Float64()/5))}
		units[i] = u
	}
	var widths [2]float64
	for i, cuped := range []bool{false, true} {
		e := valid()
		e.Primary, e.CUPED, e.MinDuration = Cost, cuped, e.MaxDuration
		s := fed(t, e, len(units), func(i int) Unit { return units[i] })
		results := e.Results(s, Live{})
		p := segmentOf(t, results.Segments, "complexity", "moderate") // all of them
		widths[i] = *p.Diff.High - *p.Diff.Low
		whole, alpha := e.mixture(1), e.mixture(1)
		alpha.Alpha = .05 / 14
		c := s.Tallies.compare(Cost, 1, .95)
		if want := 2e-9 * c.SE * math.Sqrt(alpha.Test(0, 1, 1000).Critical); math.Abs(widths[i]/want-1) > .05 || want < 1.1*2e-9*c.SE*math.Sqrt(whole.Test(0, 1, 1000).Critical) {
			t.Errorf("cuped %t: the interval is %g wide, not about %g", cuped, widths[i], want)
		}
		for _, m := range results.Metrics {
			if m.Name == Cost && (m.VarianceReduced != nil) != cuped {
				t.Errorf("cuped %t: variance is reduced by %v", cuped, m.VarianceReduced)
			} else if m.Name == Cost && cuped {
				if want := 1 - widths[1]*widths[1]/widths[0]/widths[0]; math.Abs(*m.VarianceReduced-want) > .01 {
					t.Errorf("variance is reduced by %g, not %g", *m.VarianceReduced, want)
				}
			}
		}
		if s.Strays != 5 {
			t.Errorf("%d of 5 units were seen in two arms", s.Strays)
		}
	}
	if widths[1] > widths[0]/2 {
		t.Errorf("the interval is %g wide with, and %g without what is known of before", widths[1], widths[0])
	}
}
