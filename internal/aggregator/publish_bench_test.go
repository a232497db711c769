package aggregator_test

import (
	"context"
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

// tenants is Redis with what so many projects have asked for.
type tenants struct {
	*redisdb.DB
	subtotal rollup.Subtotal
}

func (t *tenants) Subtotals(context.Context, int) ([]rollup.Subtotal, error) {
	return []rollup.Subtotal{t.subtotal}, nil
}

func tenantsOf(db *redisdb.DB, projects int, now time.Time) *tenants {
	r := rand.New(rand.NewPCG(1, 1))
	books := rollup.Books{}
	for i := range projects {
		var fs []*event.CompletionRecorded
		for range 20 {
			f := eventtest.Completion(r, now.Add(-time.Duration(r.IntN(50))*time.Second))
			f.Project = fmt.Sprintf("project-%d", i)
			fs = append(fs, f)
		}
		books.Fold(fs)
	}
	return &tenants{db, books.Subtotal(now)}
}

// BenchmarkPublish is a turn of the publisher, which has one every 250 ms, by
// the number of projects that have asked in the last day: docs/growth.md has it.
func BenchmarkPublish(b *testing.B) {
	for _, projects := range []int{1, 10, 100, 400} {
		b.Run(fmt.Sprintf("projects=%d", projects), func(b *testing.B) {
			db, err := redisdb.Open(storetest.Redis(b))
			if err != nil {
				b.Fatal(err)
			}
			defer db.Close()
			now := time.Now()
			board := tenantsOf(db, projects, now)
			p := &aggregator.Publisher{Partitions: 1, Owner: "one", Chair: db, Board: board, Providers: db, Log: slog.New(slog.DiscardHandler)}
			for b.Loop() {
				if err := p.PublishOnce(b.Context(), now); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
