package redisdb_test

import (
	"bytes"
	"testing"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/redisdb"
	"github.com/busuhq/busu/internal/storetest"
)

// shippedAtOnce is how many facts a run of these measurements has.
const shippedAtOnce = 100

// BenchmarkShip appends a hundred facts to their stream.
func BenchmarkShip(b *testing.B) {
	ship := newShipping(b)
	b.ReportAllocs()
	for b.Loop() {
		ship()
	}
}

// TestAllocationsOfShipping holds what each fact of a run takes: its command, the
// command's words, the body among them, and the id that Redis gave it.
func TestAllocationsOfShipping(t *testing.T) {
	const most = 6 // of each fact
	ship := newShipping(t)
	if n := testing.AllocsPerRun(20, ship) / shippedAtOnce; n > most {
		t.Errorf("%g allocations for each fact, more than %d", n, most)
	}
}

// newShipping gives what ships a run.
func newShipping(tb testing.TB) (ship func()) {
	db, err := redisdb.Open(storetest.Redis(tb))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = db.Close() })
	run := event.Run{Journal: "j", Lane: event.Lane{Stream: event.Completions}}
	for range shippedAtOnce {
		run.Bodies = append(run.Bodies, bytes.Repeat([]byte("."), 1000))
	}
	return func() {
		run.Last += shippedAtOnce
		if _, err := db.Ship(tb.Context(), []event.Run{run}); err != nil {
			tb.Error(err)
		}
	}
}
