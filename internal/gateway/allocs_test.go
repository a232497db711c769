package gateway_test

import (
	"testing"
)

// TestAllocations holds what a request takes that is planned, called for and
// recorded. Nobody is told of plans unless they want to be: then it is what it
// was.
func TestAllocations(t *testing.T) {
	g := newBench()
	r := question()
	const most = 21 + raced
	if n := testing.AllocsPerRun(200, func() {
		if _, err := g.Complete(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		g.trace.steps = g.trace.steps[:0]
	}); n > most {
		t.Errorf("%g allocations, more than %d", n, most)
	}
}
