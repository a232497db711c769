package experiment

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"
)

// Judged again when it is over, an experiment that was extended or ramped on the
// way comes to the same, and every unit that was judged otherwise is named.
func TestRecountOfALife(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		e := valid()
		e.SampleSize, e.MinDuration, e.MaxDuration = 200, 0, Duration(5*time.Hour)
		e.Observation, e.FeedbackWindow = Duration(time.Hour), Duration(30*time.Minute)
		j := NewJudge(e)
		var units []Unit
		var known []Evidence
		extended := rapid.IntRange(0, 180).Draw(t, "extended after")
		if rapid.Bool().Draw(t, "ramp") {
			if err := e.Ramp(start.Add(time.Hour), []float64{.4, .6}); err != nil {
				t.Fatal(err)
			}
		}
		for i := range 400 {
			at := start.Add(time.Duration(i) * 30 * time.Second)
			arm := r.IntN(2)
			ev := Evidence{Results: []Result{{Completion: uuid.New(), Unit: plain(i, 0, true).ID, Arm: arm, At: at, Asked: Asked{r.Float64(), "key", "high"},
				Served: Served{OK: r.Float64() < .7+.15*float64(arm), Answered: true, LatencyUS: int64(r.IntN(1e6)), CostNanos: int64(r.IntN(1e6))}}}, Returning: new(r.IntN(2) == 0)}
			u := ev.Unit(e)
			if j.Decision() == nil && i == extended {
				if err := e.Extend(Extension{SampleSize: 390, MaxDuration: new(Duration(20 * 24 * time.Hour))}, at, j.State().Units); err != nil {
					t.Fatal(err)
				}
				j = Resume(e, passedOn(t, j.State()))
			}
			if err := j.Add(&u); err != nil {
				t.Fatal(err)
			}
			if u.Counted {
				units, known = append(units, u), append(known, ev)
			}
		}
		j.Advance(e.End())
		count := func(change func(i int, u *Unit)) Recounted {
			recount := NewRecount(e)
			for i := range units {
				u := units[i]
				change(i, &u)
				if err := recount.Take(u, false, &known[i]); err != nil {
					t.Fatal(err)
				}
			}
			return recount.Finish(e.End(), passedOn(t, j.State()), j.Decision())
		}
		if found := count(func(int, *Unit) {}); len(found.Differences) != 0 || found.Units != j.State().Units {
			t.Fatalf("%+v", found)
		}
		found := count(func(i int, u *Unit) {
			if i < 25 {
				u.CostNanos++
			}
		})
		if len(found.Differences) != mostDifferences || found.More != 5 || found.Differences[0].Of != units[0].ID || found.Differences[0].What != "totals" {
			t.Fatalf("%+v", found)
		}
	})
}

// What facts that came late would change is not held against a verdict.
func TestRecountTakesLateUnitsAsTheyWereJudged(t *testing.T) {
	t.Parallel()
	e := valid()
	j, recount := NewJudge(e), NewRecount(e)
	for i := range 100 {
		u := costly(i)
		if err := j.Add(&u); err != nil {
			t.Fatal(err)
		}
		u.TookUS = []int64{5}
		if err := recount.Take(u, i%2 == 0, nil); err != nil {
			t.Fatal(err)
		}
	}
	if found := recount.Finish(time.Time{}, j.State(), nil); found.Late != 50 || found.Units != 100 || len(found.Differences) != 0 {
		t.Errorf("%+v", found)
	}
	recount = NewRecount(e)
	u := costly(0)
	if err := recount.Take(u, false, new(Evidence)); err != nil {
		t.Fatal(err)
	}
	if found := recount.Finish(time.Time{}, State{}, new(Decision)); len(found.Differences) < 3 || found.Differences[0] != (Difference{u.ID, "requests", "1", "0"}) {
		t.Errorf("%+v", found)
	}
}

// A unit that comes to mature otherwise is named, whatever place that would be.
func TestRecountNamesUnitsThatMatureOtherwise(t *testing.T) {
	t.Parallel()
	e := valid()
	j, recount := NewJudge(e), NewRecount(e)
	for i := range 10 {
		at := start.Add(time.Duration(i) * time.Minute)
		known := Evidence{Results: []Result{{Completion: uuid.New(), Unit: plain(i, 0, true).ID, At: at, Served: Served{OK: true, Answered: true}}}}
		u := known.Unit(e)
		if err := j.Add(&u); err != nil {
			t.Fatal(err)
		}
		if i == 5 {
			known.Results[0].At = at.Add(-time.Hour)
		}
		if err := recount.Take(u, false, &known); err != nil {
			t.Fatal(err)
		}
	}
	found := recount.Finish(time.Time{}, j.State(), nil)
	if len(found.Differences) < 3 || found.Units != 10 || found.Differences[0].What != "exposed_at" || found.Differences[1].What != "matured_at" || found.Differences[2].What != "units" {
		t.Errorf("%+v", found)
	}
}
