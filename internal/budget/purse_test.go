package budget_test

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/busuhq/busu/internal/budget"
	"github.com/busuhq/busu/internal/pricing"
)

var noon = time.Date(2026, 11, 26, 12, 0, 30, 0, time.UTC)

func key(limit pricing.Nanos) budget.Budget {
	return budget.Budget{Scope: budget.Key, Name: "k", Period: budget.Day, Limit: limit}
}

// grant has a purse told of a slice.
func grant(p *budget.Purse, now time.Time, most pricing.Nanos) {
	r := p.Report(now)
	p.Take(now, now, r, budget.Reply{Granted: most, Free: 1 << 40})
}

func try(t *testing.T, p *budget.Purse, now time.Time, most pricing.Nanos) *budget.Holds {
	t.Helper()
	h, ok := p.Try(now, now, 1<<40, most)
	if !ok {
		t.Fatalf("at %s nothing is there for a request", now)
	}
	return &h
}

func TestPeriods(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 12, 31, 23, 59, 59, 999, time.FixedZone("west", -3600*5)) // 2027 in UTC
	for period, want := range map[budget.Period][2]string{
		budget.Day:   {"2027-01-01T00:00:00Z", "2027-01-02T00:00:00Z"},
		budget.Month: {"2027-01-01T00:00:00Z", "2027-02-01T00:00:00Z"},
	} {
		a := budget.Budget{Period: period}.Account(at)
		if got := [2]string{a.Start().Format(time.RFC3339), a.End().Format(time.RFC3339)}; got != want {
			t.Errorf("the %s of %s is %s, not %s", period, at, got, want)
		}
	}
}

// However many reserve and settle at once, no more is reserved than there is,
// and what is left and what was spent add up.
func TestPursesAreSafe(t *testing.T) {
	t.Parallel()
	p := budget.NewPurse(key(0).Account(noon))
	const slice = 1_000_000
	p.Try(noon, noon, 1<<40, slice) // so that it wants as much
	grant(p, noon, slice)
	var held, spent atomic.Int64
	var all sync.WaitGroup
	for seed := range uint64(8) {
		all.Go(func() {
			r := rand.New(rand.NewPCG(seed, 1))
			for range 2000 {
				most := pricing.Nanos(1 + r.IntN(300_000))
				h, ok := p.Try(noon, noon, 1<<40, most)
				if !ok {
					continue
				}
				if now := held.Add(int64(most)); now+spent.Load() > slice {
					t.Errorf("%d are held of %d", now, slice)
				}
				cost := most / pricing.Nanos(10+r.IntN(1000))
				held.Add(-int64(most))
				spent.Add(int64(cost)) // before it is given back: then it may be another's
				h.Settle(cost)
				h.Settle(cost) // counts once
			}
		})
	}
	all.Wait()
	r := p.Report(noon)
	if len(r.Spent) != 1 || int64(r.Spent[0].Cost) != spent.Load() || int64(r.Holds) != slice-spent.Load() {
		t.Errorf("%d are spent of %d, and the report says %+v", spent.Load(), slice, r)
	}
}

// What was spent and not told when the desk says that its minute is stored is
// told as spent now: it may not be stored.
func TestWhatWasNotToldIsTold(t *testing.T) {
	t.Parallel()
	p := budget.NewPurse(key(0).Account(noon))
	p.Try(noon, noon, 1<<40, 1)
	grant(p, noon, 1000)
	told, untold := try(t, p, noon, 100), try(t, p, noon, 100)
	told.Settle(10)
	said := p.Report(noon)
	untold.Settle(5)
	minute := noon.Unix()/60 + 1
	p.Take(noon, noon.Add(time.Minute), said, budget.Reply{Covered: minute, Free: 1})
	r := p.Report(noon.Add(time.Minute))
	if len(r.Spent) != 1 || r.Spent[0] != (budget.Spent{Minute: minute, Cost: 5}) {
		t.Errorf("5 were not told, and the report says %+v", r.Spent)
	}
	grant(p, noon.Add(time.Minute), 10)
	late := try(t, p, noon, 1)
	late.Settle(1)
	if r := p.Report(noon.Add(time.Minute)); r.Spent[0].Cost != 6 {
		t.Errorf("with 1 more the report says %+v", r.Spent)
	}
}

// A slice that could not be renewed for long is not spent, but for requests
// under way.
func TestSlicesEnd(t *testing.T) {
	t.Parallel()
	p := budget.NewPurse(key(0).Account(noon))
	p.Try(noon, noon, 1<<40, 1)
	grant(p, noon, 1000)
	under := try(t, p, noon, 100)
	nearly := noon.Add(budget.Hold - time.Second)
	p.Fail(nearly)
	try(t, p, nearly, 100).Settle(1)
	if _, ok := p.Try(noon.Add(budget.Hold), noon, 1<<40, 100); ok {
		t.Error("a slice is spent that is another's by now")
	}
	if r := p.Report(noon.Add(budget.Hold)); r.Holds != 100 {
		t.Errorf("with 100 reserved, %s are held", r.Holds)
	}
	under.Settle(30)
}

// What costs more than was reserved is taken all the same, and does not take
// what is reserved for others.
func TestCostBeyondWhatWasReserved(t *testing.T) {
	t.Parallel()
	p := budget.NewPurse(key(0).Account(noon))
	p.Try(noon, noon, 1<<40, 1)
	grant(p, noon, 100)
	dear, other := try(t, p, noon, 50), try(t, p, noon, 50)
	dear.Settle(80)
	r := p.Report(noon)
	if r.Holds != 50 || r.Spent[0].Cost != 80 {
		t.Errorf("80 of 50 reserved, and the report says %+v", r)
	}
	other.Settle(50)
	if r := p.Report(noon); r.Holds != 0 || r.Spent[0].Cost != 130 {
		t.Errorf("and 50 of 50, and the report says %+v", r)
	}
}

// Who is idle gives back what it holds, but not while the desk is away.
func TestIdleSlicesGoBack(t *testing.T) {
	t.Parallel()
	p := budget.NewPurse(key(0).Account(noon))
	p.Try(noon, noon, 1<<40, 10)
	grant(p, noon, 1000)
	later := noon.Add(time.Minute)
	p.Fail(later)
	if r := p.Report(later); r.Holds != 1000 {
		t.Errorf("while the desk is away, %s of 1000 are held", r.Holds)
	}
	grant(p, later, 0)
	if r := p.Report(later); r.Holds != 0 || r.Wants != 0 {
		t.Errorf("an idle purse holds %s and wants %s", r.Holds, r.Wants)
	}
}

// Of many minutes, the oldest are told as later, never as earlier.
func TestManyMinutes(t *testing.T) {
	t.Parallel()
	p := budget.NewPurse(key(0).Account(noon))
	p.Try(noon, noon, 1<<40, 1)
	grant(p, noon, 1000)
	for minute := range 60 {
		now := noon.Add(time.Duration(minute) * time.Minute)
		grant(p, now, 0)
		h, ok := p.Try(now, now, 1<<40, 1)
		if !ok {
			grant(p, now, 1)
			h, _ = p.Try(now, now, 1<<40, 1)
		}
		h.Settle(1)
	}
	r := p.Report(noon.Add(time.Hour))
	var sum pricing.Nanos
	for _, s := range r.Spent {
		sum += s.Cost
	}
	if first := noon.Unix()/60 + 44; sum != 60 || len(r.Spent) != 16 || r.Spent[0] != (budget.Spent{Minute: first, Cost: 45}) {
		t.Errorf("of 60 minutes is told: %+v", r.Spent)
	}
}

func BenchmarkReserveAndSettle(b *testing.B) {
	p := budget.NewPurse(key(0).Account(noon))
	p.Try(noon, noon, 1<<40, 1)
	grant(p, noon, 1<<50)
	b.ReportAllocs()
	for b.Loop() {
		h, _ := p.Try(noon, noon, 1<<60, 1000)
		h.Settle(10)
	}
}
