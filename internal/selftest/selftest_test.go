package selftest

import (
	"context"
	"math"
	"reflect"
	"testing"
)

// A few of the simulations find what is badly wrong: plain chi-square at every
// look would name a winner in 40 % of the cases of G1. The seed is always the same.
func TestGoalsHold(t *testing.T) {
	t.Parallel()
	const share = .004
	measures, err := Run(t.Context(), Options{Share: share})
	if err != nil {
		t.Fatal(err)
	}
	runs := map[string]float64{}
	for _, s := range scenarios() {
		runs[s.name] = max(batch, float64(s.runs)*share)
	}
	goals := map[string]bool{}
	for _, m := range measures {
		goals[m.Goal] = true
		off, room := m.Value-m.Limit, 4*m.StdErr
		if atLeast(m.What) {
			off = -off
		}
		if m.Limit < 1 && m.What != meanN {
			room = 4 * math.Sqrt(m.Limit*(1-m.Limit)/runs[m.Case])
		}
		if off > room {
			t.Errorf("%s %s, %s: %.4g is beyond %.4g by more than %.2g", m.Goal, m.What, m.Case, m.Value, m.Limit, room)
		}
	}
	if want := map[string]bool{"G1": true, "G2": true, "G3": true, "G6": true, "G7": true, "G9": true}; !reflect.DeepEqual(goals, want) {
		t.Errorf("goals %v", goals)
	}
}

func TestWorkersChangeNothing(t *testing.T) {
	t.Parallel()
	var measures [2][]Measure
	for i, workers := range []int{1, 3} {
		calls, last := 0, 0
		var err error
		measures[i], err = Run(t.Context(), Options{Share: 1e-9, Seed: 5, Workers: workers, Progress: func(done, total int) {
			calls++
			if last = done; done > total {
				t.Errorf("%d of %d", done, total)
			}
		}})
		if err != nil || calls == 0 || last == 0 {
			t.Fatal(err, calls, last)
		}
	}
	if !reflect.DeepEqual(measures[0], measures[1]) {
		t.Errorf("one worker: %+v\nthree: %+v", measures[0], measures[1])
	}
}

func TestRunStops(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	_, err := Run(ctx, Options{Progress: func(int, int) { cancel() }})
	if err != context.Canceled {
		t.Error(err)
	}
}
