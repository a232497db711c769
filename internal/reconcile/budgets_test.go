package reconcile_test

import (
	"testing"
	"time"

	"github.com/busuhq/busu/internal/budget"
	"github.com/busuhq/busu/internal/pricing"
	"github.com/busuhq/busu/internal/reconcile"
)

// What is stored and unknown to Redis is a difference; what Redis counts beyond
// it is one, unless it cannot know better yet.
func TestCompareBudgets(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	a := budget.Budget{Scope: budget.Key, Name: "k", Period: budget.Day}.Account(noon)
	for _, c := range []struct {
		said    pricing.Nanos // in a minute, where 30 are stored
		minute  int64         // after noon
		made    time.Time
		problem string
	}{
		{30, 1, noon.Add(-time.Hour), ""},
		{29, 1, noon.Add(-time.Hour), "0.000000001 USD are stored that Redis does not know of"},
		{31, 1, noon.Add(-time.Hour), "Redis counts 0.000000001 USD that are not stored"},
		{31, 1, noon, ""},
		{31, 0, noon.Add(-time.Hour), ""}, // asked before noon, and recorded then
		{29, 0, noon.Add(-time.Hour), "0.000000001 USD are stored that Redis does not know of"},
		{29, 1, noon, "0.000000001 USD are stored that Redis does not know of"},
	} {
		tails := map[budget.Account]budget.Tail{a: {Made: c.made, Mark: noon.Unix() / 60, Stored: 70, AtFirst: 70,
			Said: []budget.Said{{Journal: "j", Spent: []budget.Spent{{Minute: noon.Unix()/60 + c.minute, Cost: c.said}}}}}}
		stored := budget.Stored{Mark: noon, Accounts: map[budget.Account]budget.Sums{a: {Before: 70, All: 100}}}
		r := reconcile.Report{Budgets: reconcile.CompareBudgets(tails, stored, map[budget.Account]pricing.Nanos{a: 70})}
		if len(r.Budgets) != 1 || r.Budgets[0].Problem != c.problem || r.Settled() != (c.problem == "") {
			t.Errorf("with %d said, of an account made at %s: %+v, want %q", c.said, c.made, r.Budgets, c.problem)
		}
	}
}
