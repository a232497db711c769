package experiment

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/busuhq/busu/internal/document"
)

// Whoever has entered an arm stays there over all later ramps; who comes new is
// split by the shares of the day, and the rest of the world is where it was.
func TestUnitsStayOverRamps(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		arms := rapid.IntRange(2, maxArms).Draw(t, "arms")
		e := evenly(arms)
		for i := range rapid.IntRange(1, 4).Draw(t, "ramps") {
			if err := e.Ramp(start.Add(time.Duration(i+1)*time.Hour), randomShares(t, arms)); err != nil {
				t.Fatal(err)
			}
		}
		plain, a := NewAssigner(e), NewAssigner(e)
		entered := map[string]int{} // arm, at the first request
		for i, p := range e.Phases {
			for u := range 60 {
				unit := fmt.Sprint(i, "-", u)
				if u%3 == 0 {
					continue // never seen
				}
				at := p.From.Add(time.Minute)
				entered[unit], _, _ = plain.Assign(unit, at)
				a.Keep(unit, entered[unit], at)
			}
		}
		a.Settle(start)
		for i, p := range e.Phases {
			at := p.From.Add(2 * time.Minute)
			for j := range i + 1 {
				for u := range 60 {
					unit := fmt.Sprint(j, "-", u)
					arm, phase, _ := a.Assign(unit, at)
					want, known := entered[unit]
					if !known {
						want, _, _ = plain.Assign(unit, at)
					}
					if arm != want || phase != i {
						t.Fatalf("unit %s of phase %d is in arm %d in phase %d, want %d", unit, j, arm, i, want)
					}
				}
			}
		}
		last := len(e.Phases) - 1
		a.Settle(e.Phases[last].From)
		for i := range a.phases[:last] {
			if a.phases[i].kept != nil {
				t.Fatalf("phase %d is over, and keeps %d units", i, len(a.phases[i].kept))
			}
		}
	})
}

func evenly(arms int) *Experiment {
	s := Start{Name: "arms", SampleSize: 2000}
	for i := range arms {
		s.Arms = append(s.Arms, ArmShare{Name: fmt.Sprint("arm-", i), Share: 1 / float64(arms), ArmSpec: ArmSpec{Model: fmt.Sprint("model-", i)}})
	}
	e := s.Experiment(Given{ID: "e1", Project: "default", Salt: "salt", At: start})
	return &e
}

func TestKeptUnitsCostNoMemory(t *testing.T) {
	e := valid(.9, .1)
	if err := e.Ramp(start.Add(time.Hour), []float64{.5, .5}); err != nil {
		t.Fatal(err)
	}
	a := NewAssigner(e)
	for u := range 10_000 {
		a.Keep(fmt.Sprint(u), Control, start)
	}
	a.Settle(start)
	if n := len(a.phases[1].kept); n < 4700 || n > 5300 { // the other half is in the control anyhow
		t.Errorf("%d of 10,000 units are kept by name", n)
	}
	if n := testing.AllocsPerRun(100, func() { a.Assign("user-of-a-usual-length@example.com", start.Add(2*time.Hour)) }); n > 0 {
		t.Errorf("%g allocations", n)
	}
}

// refusedAt is the field that an error is about.
func refusedAt(err error) string {
	var wrong *document.InvalidError
	if !errors.As(err, &wrong) {
		return fmt.Sprint("not refused: ", err)
	}
	return wrong.Faults[0].Field
}

func TestRampTo(t *testing.T) {
	t.Parallel()
	now := start.Add(time.Hour)
	at := func(d time.Duration) *time.Time { return new(now.Add(d)) }
	share := func(x float64) *float64 { return &x }
	for name, c := range map[string]struct {
		shares  []float64 // before; 90 to 10 by default
		ramp    Ramp
		matured int
		refused string // field; "": it is not
		says    string
	}{
		"by test share":              {ramp: Ramp{TestShare: share(.5)}},
		"by shares":                  {ramp: Ramp{Shares: []float64{.4, .6}}},
		"at a time":                  {ramp: Ramp{TestShare: share(.5), At: at(5 * time.Minute)}},
		"down, nothing seen":         {ramp: Ramp{TestShare: share(.01)}},
		"up, little seen":            {ramp: Ramp{TestShare: share(.5)}, matured: 100},
		"beyond the middle":          {ramp: Ramp{TestShare: share(.9)}, matured: 100},
		"three arms, up":             {shares: []float64{.8, .1, .1}, ramp: Ramp{Shares: []float64{.4, .3, .3}}, matured: 1},
		"down, something seen":       {ramp: Ramp{TestShare: share(.09)}, matured: 1, refused: "test_share", says: "differ more in size"},
		"one of three down":          {shares: []float64{.4, .3, .3}, ramp: Ramp{Shares: []float64{.4, .1, .5}}, matured: 1, refused: "shares", says: "differ more in size"},
		"much seen":                  {ramp: Ramp{TestShare: share(.5)}, matured: 101, refused: "test_share", says: "101 units have matured"},
		"both forms":                 {ramp: Ramp{TestShare: share(.5), Shares: []float64{.5, .5}}, refused: "test_share"},
		"nothing":                    {refused: "shares"},
		"test share of three":        {shares: []float64{.4, .3, .3}, ramp: Ramp{TestShare: share(.5)}, refused: "test_share"},
		"too few shares":             {ramp: Ramp{Shares: []float64{1}}, refused: "shares"},
		"a sum of more":              {ramp: Ramp{Shares: []float64{.6, .6}}, refused: "shares", says: "sum to 1.2"},
		"nobody in the test":         {ramp: Ramp{TestShare: share(0)}, refused: "test_share"},
		"no number":                  {ramp: Ramp{TestShare: share(math.NaN())}, refused: "test_share"},
		"in the past":                {ramp: Ramp{TestShare: share(.5), At: at(-time.Second)}, refused: "at"},
		"before all have heard":      {ramp: Ramp{TestShare: share(.5), At: at(time.Second)}, refused: "at"},
		"tomorrow":                   {ramp: Ramp{TestShare: share(.5), At: at(24 * time.Hour)}, refused: "at"},
		"empty shares beside a time": {ramp: Ramp{Shares: []float64{}, At: at(time.Minute)}, refused: "shares"},
	} {
		e := valid(orElse(c.shares, []float64{.9, .1})...)
		phases := len(e.Phases)
		err := e.RampTo(c.ramp, now, c.matured)
		if c.refused != "" {
			if refusedAt(err) != c.refused || !strings.Contains(fmt.Sprint(err), c.says) || len(e.Phases) != phases {
				t.Errorf("%s: %v, %d phases; want a fault of %s", name, err, len(e.Phases), c.refused)
			}
			continue
		}
		if err != nil || len(e.Phases) != phases+1 {
			t.Errorf("%s: %v", name, err)
			continue
		}
		from := e.Phases[phases].From
		if want := now.Add(rampLead); c.ramp.At == nil && !from.Equal(want) || c.ramp.At != nil && !from.Equal(*c.ramp.At) {
			t.Errorf("%s: from %s, want %s", name, from, want)
		}
		if err := e.Validate(Known{}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func orElse(s, otherwise []float64) []float64 {
	if s == nil {
		return otherwise
	}
	return s
}

func TestRampsHaveAnEnd(t *testing.T) {
	t.Parallel()
	e := valid(.9, .1)
	now := start
	for range maxPhases - 1 {
		now = now.Add(time.Hour)
		if err := e.RampTo(Ramp{Shares: []float64{.5, .5}}, now, 0); err != nil {
			t.Fatal(err)
		}
	}
	if err := e.RampTo(Ramp{Shares: []float64{.5, .5}}, now.Add(time.Hour), 0); refusedAt(err) != "shares" {
		t.Errorf("one more than %d phases: %v", maxPhases, err)
	}
	e = valid(.9, .1)
	if err := e.RampTo(Ramp{Shares: []float64{.5, .5}}, e.End(), 0); refusedAt(err) != "at" {
		t.Errorf("behind the end: %v", err)
	}
	if err := e.RampTo(Ramp{Shares: []float64{.5, .5}, At: new(start.Add(time.Minute))}, start, 0); err != nil {
		t.Fatal(err)
	}
	if err := e.RampTo(Ramp{Shares: []float64{.4, .6}}, start, 0); refusedAt(err) != "at" {
		t.Errorf("before one that is to come: %v", err)
	}
}

// What an arm is tuned to is fixed at the start, whatever becomes of the shares.
func TestRampsLeaveTheTestsAlone(t *testing.T) {
	t.Parallel()
	e := valid(.6, .2, .2)
	before := e.mixture(1)
	if err := e.Ramp(start.Add(time.Hour), []float64{.2, .4, .4}); err != nil {
		t.Fatal(err)
	}
	if after := e.mixture(1); after != before {
		t.Errorf("the test goes from %+v to %+v", before, after)
	}
	if !slices.Equal(e.Shares(), []float64{.2, .4, .4}) {
		t.Errorf("shares are %v", e.Shares())
	}
}
