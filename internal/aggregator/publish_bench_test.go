package aggregator_test

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/busuhq/busu/internal/aggregator"
	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/eventtest"
	"github.com/busuhq/busu/internal/redisdb"
	"github.com/busuhq/busu/internal/rollup"
	"github.com/busuhq/busu/internal/storetest"
)

// fill has Redis keep what so many projects have asked for, as an aggregator
// does: some of them in the last minute, the others before.
func fill(b *testing.B, db *redisdb.DB, projects, busy int, now time.Time) {
	b.Helper()
	r := rand.New(rand.NewPCG(1, 1))
	books := rollup.Books{}
	for i := range projects {
		ago := time.Duration(r.IntN(50)) * time.Second
		if i >= busy {
			ago += 10 * time.Minute
		}
		var fs []*event.CompletionRecorded
		for range 20 {
			f := eventtest.Completion(r, now.Add(-ago))
			f.Project = fmt.Sprintf("project-%d", i)
			fs = append(fs, f)
		}
		books.Fold(fs)
	}
	for _, book := range books {
		book.Advance(now)
	}
	subtotal := books.Subtotal(now)
	if has, err := db.Lease(b.Context(), 0, "one"); err != nil || !has {
		b.Fatal(has, err)
	}
	if err := db.ResetCheckpoint(b.Context(), 0, "one", rollup.Checkpoint{Subtotal: &subtotal}); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkPublish is a turn of the publisher, which has one every 250 ms, by
// the number of projects that have asked in the last day, and of those that have
// in the last minute: docs/growth.md has it.
func BenchmarkPublish(b *testing.B) {
	for _, c := range []struct{ projects, busy int }{{1, 1}, {10, 10}, {100, 100}, {400, 400}, {400, 0}, {4000, 40}} {
		b.Run(fmt.Sprintf("projects=%d/busy=%d", c.projects, c.busy), func(b *testing.B) {
			db, err := redisdb.Open(storetest.Redis(b))
			if err != nil {
				b.Fatal(err)
			}
			defer db.Close()
			now := time.Now()
			fill(b, db, c.projects, c.busy, now)
			p := &aggregator.Publisher{Partitions: 1, Owner: "one", Chair: db, Board: db, Providers: db, Log: slog.New(slog.DiscardHandler)}
			if err := p.PublishOnce(b.Context(), now); err != nil { // the first turn writes all
				b.Fatal(err)
			}
			for b.Loop() {
				if err := p.PublishOnce(b.Context(), now); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
