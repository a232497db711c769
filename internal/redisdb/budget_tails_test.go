package redisdb_test

import (
	"reflect"
	"testing"
	"time"

	"github.com/busuhq/busu/internal/budget"
	"github.com/busuhq/busu/internal/pricing"
)

// What processes have said, and what was read, is found again, of every account
// whose period goes on, whatever its name.
func TestTailsOfBudgets(t *testing.T) {
	t.Parallel()
	db, plain, _ := onServer(t)
	now := time.Now()
	beginDesk(t, plain, now.Add(-48*time.Hour))
	minute := now.Unix() / 60
	want := map[budget.Account]budget.Tail{}
	stored := &budget.Stored{AsOf: now, Until: now, Mark: now.Truncate(time.Minute), Accounts: map[budget.Account]budget.Sums{}}
	var reports []budget.Report
	for i, b := range []budget.Budget{today("k", 0), {Scope: budget.Project, Name: "a.b-c", Period: budget.Month}, today("with:colons", 0)} {
		a, spent := b.Account(now), []budget.Spent{{Minute: minute - 1, Cost: 7}, {Minute: minute, Cost: pricing.Nanos(i)}}
		stored.Accounts[a] = budget.Sums{Before: 30, All: 40}
		reports = append(reports, budget.Report{Account: a, Limit: 100, Seq: 1, Spent: spent})
		want[a] = budget.Tail{Mark: minute, Stored: 30, AtFirst: 40, Said: []budget.Said{{Journal: "j", Spent: spent}}}
	}
	over := reports[0]
	over.Began -= 86_400
	if _, err := db.Sync(t.Context(), "j/1", append(reports, over), stored); err != nil {
		t.Fatal(err)
	}
	got, err := db.Tails(t.Context(), now)
	for a, tail := range got {
		if age := time.Since(tail.Made); age < -2*time.Second || age > time.Minute {
			t.Errorf("%+v was made %s ago", a, age)
		}
		tail.Made = time.Time{}
		got[a] = tail
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("the tails are %+v\nwant %+v\n%v", got, want, err)
	}
}
