package limit_test

import (
	"testing"
	"time"

	"github.com/busuhq/busu/internal/limit"
)

// TestAllocations holds what a request pays for both of its limits.
func TestAllocations(t *testing.T) {
	k, _ := keeps(t, newDesk(), "a", false)
	of := limit.Limits{Key: "k", Requests: 1e12, Tokens: 1e12}
	if _, err := k.Admit(t.Context(), of, time.Now(), 1); err != nil {
		t.Fatal(err)
	}
	const most = 0
	if n := testing.AllocsPerRun(500, func() {
		now := time.Now()
		p, err := k.Admit(t.Context(), of, now, 1000)
		if err != nil {
			t.Fatal(err)
		}
		p.Settle(now, 10)
	}); n > most {
		t.Errorf("%g allocations, more than %d", n, most)
	}
}
