package selftest

import (
	"context"
	"reflect"
	"testing"
)

// A hundredth of the simulations finds what is badly wrong: plain chi-square at
// every look would name a winner in 40 % of the cases of G1.
func TestGoalsHold(t *testing.T) {
	t.Parallel()
	share := .01
	if testing.Short() {
		share = .002
	}
	measures, err := Run(t.Context(), Options{Share: share})
	if err != nil {
		t.Fatal(err)
	}
	goals := map[string]bool{}
	for _, m := range measures {
		goals[m.Goal] = true
		t.Logf("%s %s, %s: %.4g, limit %.4g, ± %.2g", m.Goal, m.What, m.Case, m.Value, m.Limit, m.StdErr)
		off := m.Value - m.Limit
		if atLeast(m.What) {
			off = -off
		}
		if off > max(4*m.StdErr, .02) {
			t.Errorf("%s %s, %s: %.4g is beyond %.4g, ± %.2g", m.Goal, m.What, m.Case, m.Value, m.Limit, m.StdErr)
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
