package experiment

import (
	"fmt"
	"testing"
	"time"
)

// BenchmarkEvent is the cost of a request with a verdict on it, for a unit that
// is known: at most 5 µs.
func BenchmarkEvent(b *testing.B) {
	e := valid()
	e.SlowUS = 1000
	r, o, n := request("u", 0, 0), opinion(1, true), 0
	u := e.NewUnit(r)
	for b.Loop() {
		if e.TakeRequest(&u, r, start) != Counted || e.TakeOpinion(&u, r, o, start) != Counted {
			b.Fatal("it is not counted")
		}
		if n++; n%100 == 0 {
			u.TookUS = u.TookUS[:0]
		}
	}
}

// BenchmarkCount is the cost of a matured unit: its sums, and what is kept for
// people to look at.
func BenchmarkCount(b *testing.B) {
	e := valid()
	e.SampleSize, e.MaxDuration = maxSampleSize, Duration(maxLasting)
	j, n := NewJudge(e), 0
	for b.Loop() {
		u := many(n)
		if n++; j.Add(&u) != nil {
			b.Fatal("it is not counted")
		}
	}
}

// many is one of very many units that are alike in all arms.
func many(i int) Unit {
	at := start.Add(25*time.Hour + time.Duration(i)*time.Second)
	returning := i%3 == 0
	u := Unit{ID: fmt.Sprintf("user-%09d", i), Arm: i % 2, ExposedAt: at.Add(-25 * time.Hour), MaturesAt: at, TookUS: []int64{int64(900 + i%100_000), int64(800 + i%17)},
		Traits: &Traits{Asked: Asked{float64(i%100) / 100, "key", "high"}, Returning: &returning, Cached: i%9 == 0}}
	u.Totals = Totals{Requests: 2, Answered: 2, Good: 2 - count(i/2%10 == 0), CostNanos: int64(1000 + i/2%997), PaidNanos: 900, LatencyUS: int64(1700 + i/2%100_000)}
	return u
}

// BenchmarkMillionUsers is a decision over a million users with all its looks, and
// the page of it: at most a second.
func BenchmarkMillionUsers(b *testing.B) {
	const users = 1_000_000
	e := valid()
	e.SampleSize, e.MaxDuration = users, Duration(maxLasting)
	units := make([]Unit, users)
	for i := range units {
		units[i] = many(i)
	}
	for b.Loop() {
		j := NewJudge(e)
		if d, err := j.Feed(units, e.End()); err != nil || d == nil || d.Units != users {
			b.Fatalf("it is not decided: %v", err)
		}
		results := e.Results(j.State(), Live{})
		if _, err := results.Page(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkResults is the cost of a page of results, whatever the number of users.
func BenchmarkResults(b *testing.B) {
	e := valid()
	e.SampleSize, e.MaxDuration = 200_000, Duration(maxLasting)
	j := NewJudge(e)
	for i := range 199_000 {
		u := many(i)
		if err := j.Add(&u); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		results := e.Results(j.State(), Live{})
		page, err := results.Page()
		if err != nil {
			b.Fatal(err)
		}
		b.SetBytes(int64(len(page)))
	}
}
