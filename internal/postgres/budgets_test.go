package postgres_test

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/busuhq/busu/internal/budget"
	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/eventtest"
	"github.com/busuhq/busu/internal/pricing"
	"github.com/busuhq/busu/internal/storetest"
)

// accountsOf are all that there can be of facts: of keys, of projects, by day
// and by month.
func accountsOf(at time.Time) (all []budget.Account) {
	for _, period := range []budget.Period{budget.Day, budget.Month} {
		for _, name := range []string{"key a", "key b", "nobody's"} {
			all = append(all, budget.Budget{Scope: budget.Key, Name: name, Period: period}.Account(at))
		}
		for _, name := range []string{event.DefaultProject, "another", "nobody's"} {
			all = append(all, budget.Budget{Scope: budget.Project, Name: name, Period: period}.Account(at))
		}
	}
	return all
}

// spending is what facts add up to.
func spending(accounts []budget.Account, facts []*event.CompletionRecorded, mark time.Time) map[budget.Account]budget.Sums {
	all := map[budget.Account]budget.Sums{}
	for _, a := range accounts {
		var s budget.Sums
		for _, f := range facts {
			if name := map[budget.Scope]string{budget.Key: f.KeyID, budget.Project: f.Project}[a.Scope]; name != a.Name || f.Background() || f.At.Before(a.Start()) || !f.At.Before(a.End()) {
				continue
			}
			s.All += pricing.Nanos(f.CostNanos)
			if f.At.Before(mark) {
				s.Before += pricing.Nanos(f.CostNanos)
			}
		}
		all[a] = s
	}
	return all
}

// What is spent of budgets is what the facts add up to, before and behind
// merging, before the mark and in all, whatever the project of a key, in this
// period and in those that have ended.
func TestSpendingOfBudgets(t *testing.T) {
	t.Parallel()
	db := open(t, storetest.Postgres(t))
	facts := completions(41, 600, 40*24*time.Hour)
	for i, f := range completions(42, 300, 3*time.Hour) {
		facts = append(facts, f)
		f.KeyID = []string{"key a", "key b"}[i%2]
	}
	for i, f := range facts {
		eventtest.Number("journal", int64(i+1), f)
		f.Partition, f.Project = i%3, []string{event.DefaultProject, "another"}[i%2]
		if i%7 == 0 {
			f.Strategy = []string{event.StrategyShadow, event.StrategyJudge}[i%2]
		}
	}
	accounts := slices.Concat(accountsOf(now), accountsOf(now.AddDate(0, 0, -1)), accountsOf(now.AddDate(0, -1, 0)))
	mark := time.Time{} // until a journal is heard of: ten minutes before now, which is years ahead
	check := func(when string, stored []*event.CompletionRecorded) {
		t.Helper()
		got, err := db.Spending(t.Context(), accounts, []string{"journal", "unknown"})
		if err != nil {
			t.Fatal(err)
		}
		if want := spending(accounts, stored, got.Mark); !reflect.DeepEqual(got.Accounts, want) {
			t.Errorf("%s, before %s: spent are %+v\nwant %+v", when, got.Mark, got.Accounts, want)
		}
		mark = got.Mark
	}
	for i, merge := range []bool{true, false, true} {
		some := facts[i*300 : (i+1)*300]
		if _, err := db.Persist(t.Context(), some); err != nil {
			t.Fatal(err)
		}
		check("before merging", facts[:(i+1)*300])
		if merge {
			if _, err := db.MergeRollups(t.Context()); err != nil {
				t.Fatal(err)
			}
			check("merged", facts[:(i+1)*300])
		}
	}
	if s := spending(accounts, facts, mark); s[accounts[0]].All == 0 || s[accounts[6]].All == s[accounts[0]].All || s[accounts[3]].All == 0 {
		t.Errorf("the facts show nothing: %+v", s)
	}
}

// A mark in the middle of facts cuts minutes, hours and days; how much of a
// journal is stored is told with it, and of one that lacks some, nothing.
func TestSpendingBeforeAMark(t *testing.T) {
	t.Parallel()
	db := open(t, storetest.Postgres(t))
	really := time.Now().UTC()
	r := rand.New(rand.NewPCG(43, 43))
	facts := completions(43, 400, 50*time.Hour)
	for i, f := range facts {
		f.ID = eventtest.ID(r, really.Add(f.At.Sub(now)))
		f.At = event.TimeOf(f.ID)
		eventtest.Number("journal", int64(i+1), f)
	}
	if _, err := db.Persist(t.Context(), facts); err != nil {
		t.Fatal(err)
	}
	if _, err := db.MergeRollups(t.Context()); err != nil {
		t.Fatal(err)
	}
	accounts := accountsOf(really)
	for _, ago := range []time.Duration{3 * time.Minute, 61 * time.Second, time.Second} {
		until := really.Add(-ago).Truncate(time.Microsecond)
		hear(t, db, event.Heartbeat{Journal: "journal", At: really.Add(-ago / 2), RecordedUntil: until, Seqs: map[string]int64{"completions/0": 400}},
			event.Heartbeat{Journal: "lacks some", At: really.Add(-20 * time.Minute), RecordedUntil: until, Seqs: map[string]int64{"completions/0": 9}},
			event.Heartbeat{Journal: "closed", At: really.Add(-time.Hour), RecordedUntil: really.Add(-time.Hour)})
		got, err := db.Spending(t.Context(), accounts, []string{"journal", "lacks some", "closed"})
		if err != nil {
			t.Fatal(err)
		}
		if !got.Until.Equal(until) || !got.Mark.Equal(until.Truncate(time.Minute)) {
			t.Errorf("with a journal until %s, all is stored until %s, by the minute %s", until, got.Until, got.Mark)
		}
		if want := spending(accounts, facts, got.Mark); !reflect.DeepEqual(got.Accounts, want) {
			t.Errorf("before %s spent are %+v\nwant %+v", got.Mark, got.Accounts, want)
		}
		byName := map[string]budget.Coverage{}
		for _, c := range got.Journals {
			byName[c.Journal] = c
		}
		if len(byName) != 2 || !byName["journal"].Until.Equal(until) || byName["journal"].Closed || !byName["closed"].Closed {
			t.Errorf("of journals %+v is told", got.Journals)
		}
	}
}
