package pricing

import (
	"testing"

	"github.com/busuhq/busu/internal/llm"
)

// TestCostAllocatesNothing: it is reckoned for every model of every plan.
func TestCostAllocatesNothing(t *testing.T) {
	p := Price{Input: 150_000_000, CachedInput: 75_000_000, CacheWriteInput: 187_500_000, Output: 600_000_000}
	u := llm.Usage{In: 1200, CachedIn: 300, Out: 800}
	if n := testing.AllocsPerRun(100, func() { p.Cost(u) }); n > 0 {
		t.Errorf("%g allocations", n)
	}
}
