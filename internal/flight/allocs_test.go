package flight_test

import (
	"context"
	"testing"

	"github.com/busuhq/busu/internal/llm"
)

// TestAllocations holds what a flight adds to a call that nobody follows.
func TestAllocations(t *testing.T) {
	var g group
	call := func(context.Context, llm.Emit) (string, error) { return "", nil }
	const most = 9
	if n := testing.AllocsPerRun(500, func() {
		if _, err := g.Do(t.Context(), "key", nil, call); err != nil {
			t.Fatal(err)
		}
	}); n > most {
		t.Errorf("%g allocations, more than %d", n, most)
	}
}
