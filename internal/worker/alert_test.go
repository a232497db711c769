package worker

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/busuhq/busu/internal/budget"
	"github.com/busuhq/busu/internal/pricing"
)

// bookkeeping is budgets, what is spent of them, and what was recorded.
type bookkeeping struct {
	keys     []budget.Watched
	spent    map[budget.Account]pricing.Nanos
	refused  map[budget.Refused]bool
	fails    error
	recorded []budget.Reached
	before   bool // what is recorded was recorded before
	holder   string
}

func (b *bookkeeping) KeyBudgets(context.Context) ([]budget.Watched, error) { return b.keys, nil }

func (b *bookkeeping) Spending(_ context.Context, accounts []budget.Account, _ []string) (budget.Stored, error) {
	s := budget.Stored{Accounts: map[budget.Account]budget.Sums{}}
	for _, a := range accounts {
		s.Accounts[a] = budget.Sums{All: b.spent[a]}
	}
	return s, nil
}

func (b *bookkeeping) Refusals(context.Context, time.Time) (map[budget.Refused]bool, error) {
	return b.refused, nil
}

func (b *bookkeeping) RecordAlert(_ context.Context, r budget.Reached, url string) (bool, error) {
	if url != "https://example.com/hook" || b.fails != nil {
		return false, errors.Join(b.fails, errors.New("not recorded"))
	}
	b.recorded = append(b.recorded, r)
	return !b.before, nil
}

func (b *bookkeeping) Hold(_ context.Context, name, owner string, _ time.Duration) (bool, error) {
	return name == alerterLease && (b.holder == "" || b.holder == owner), nil
}

// took gives what was recorded since the last time, as period and threshold.
func (b *bookkeeping) took() (all []string) {
	for _, r := range b.recorded {
		all = append(all, r.Name+" "+r.Began.Format("01-02")+" "+pricing.Nanos(int64(r.Highest())*1e9).String())
	}
	b.recorded = nil
	return all
}

func TestAlerterTellsWhatIsReached(t *testing.T) {
	t.Parallel()
	late := time.Date(2026, 11, 30, 23, 30, 0, 0, time.UTC)
	day := budget.Watched{Budget: budget.Budget{Scope: budget.Key, Name: "day", Period: budget.Day, Limit: 100}, Since: late}
	month := budget.Watched{Budget: budget.Budget{Scope: budget.Project, Name: "month", Period: budget.Month, Limit: 1000}}
	b := &bookkeeping{keys: []budget.Watched{day}, spent: map[budget.Account]pricing.Nanos{}, refused: map[budget.Refused]bool{}}
	a := &Alerter{Budgets: b, Alerts: b, Projects: []budget.Watched{month}, URL: "https://example.com/hook", Lease: b, Owner: "me", Log: slog.New(slog.DiscardHandler)}
	look := func(what string, now time.Time, want ...string) {
		t.Helper()
		if err := a.step(t.Context(), now); (err != nil) != (b.fails != nil) {
			t.Fatalf("%s: %v", what, err)
		}
		if got := b.took(); !slices.Equal(got, want) {
			t.Errorf("%s: recorded are %q, want %q", what, got, want)
		}
	}
	today, november := day.Account(late), month.Account(late)
	b.spent[today], b.spent[november] = 49, 499
	look("below all", late)
	b.spent[today], b.spent[november] = 50, 810
	look("one, and two at once", late, "month 11-01 80", "day 11-30 50")
	look("told", late)
	b.spent[today], b.fails = 81, errors.New("away")
	look("cannot be recorded", late)
	b.fails = nil
	look("later", late, "day 11-30 80")
	b.refused[budget.Refused{Account: today, Limit: 100}], b.refused[budget.Refused{Account: november, Limit: 999}] = true, true
	look("the rest is of no use", late, "day 11-30 100")
	b.spent[november] = 1000
	look("stored after the turn", late.Add(45*time.Minute), "month 11-01 100")
	next := late.Add(50 * time.Minute)
	b.spent[day.Account(next)], b.spent[november] = 55, 0
	look("begun anew", next, "day 12-01 50")
	a.Projects[0].Limit, b.spent[month.Account(next)] = 10, 9
	look("another limit", next, "month 12-01 80")
	a.Projects[0].Since, b.spent[november] = next, 900
	look("was not there then", next)
	b.spent[day.Account(next)], b.holder = 100, "another"
	look("another looks", next)
	b.holder, b.before = "", true
	look("once more, as nothing is known", next, "month 12-01 80", "day 12-01 100", "day 11-30 100")
	if s := a.Stats(); s.Told[0].Load() != 2 || s.Told[1].Load() != 3 || s.Told[2].Load() != 2 {
		t.Errorf("told are %d, %d and %d", s.Told[0].Load(), s.Told[1].Load(), s.Told[2].Load())
	}
}
