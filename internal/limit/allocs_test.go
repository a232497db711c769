package limit_test

import (
	"testing"
	"time"

	"github.com/busuhq/busu/internal/limit"
)

// TestAllocations holds what a request pays for the limits of its key, and for
// those of its user where the desk is asked: a name to ask by.
func TestAllocations(t *testing.T) {
	most := limit.Most{Requests: 1e12, Tokens: 1e12}
	for _, of := range []struct {
		limits limit.Limits
		most   float64
	}{
		{limit.Limits{Key: "k", Own: most}, 0},
		{limit.Limits{Key: "k", Own: most, User: "ann", PerUser: most}, 1},
	} {
		k, _ := keeps(t, newDesk(), "a", false)
		if _, err := k.Admit(t.Context(), of.limits, time.Now(), 1); err != nil {
			t.Fatal(err)
		}
		if n := testing.AllocsPerRun(500, func() {
			now := time.Now()
			p, err := k.Admit(t.Context(), of.limits, now, 1000)
			if err != nil {
				t.Fatal(err)
			}
			p.Settle(now, 10)
		}); n > of.most {
			t.Errorf("%+v: %g allocations, more than %g", of.limits, n, of.most)
		}
	}
}
