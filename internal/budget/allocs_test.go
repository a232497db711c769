package budget_test

import (
	"testing"

	"github.com/busuhq/busu/internal/budget"
)

// TestAllocations holds what a request pays for a budget that has room.
func TestAllocations(t *testing.T) {
	p := budget.NewPurse(key(0).Account(noon))
	p.Try(noon, noon, 1<<40, 1)
	grant(p, noon, 1<<50)
	const most = 0
	if n := testing.AllocsPerRun(200, func() {
		h, _ := p.Try(noon, noon, 1<<60, 1000)
		h.Settle(10)
	}); n > most {
		t.Errorf("%g allocations, more than %d", n, most)
	}
}
