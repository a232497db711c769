package rollup_test

import (
	"math/rand/v2"
	"testing"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/eventtest"
	"github.com/busuhq/busu/internal/rollup"
)

// TestAllocations holds what a fact takes to be counted, among many of a minute
// that is known.
func TestAllocations(t *testing.T) {
	const batch, most = 1000, 500 // one for two facts: most are of a cell that is there
	r := rand.New(rand.NewPCG(6, 0))
	var facts []*event.CompletionRecorded
	for range batch {
		facts = append(facts, eventtest.Completion(r, now))
	}
	books := rollup.Books{}
	books.Fold(facts)
	if n := testing.AllocsPerRun(5, func() { books.Fold(facts) }); n > most {
		t.Errorf("%g allocations for %d facts, more than %d", n, batch, most)
	}
}
