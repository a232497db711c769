package budget_test

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/busuhq/busu/internal/budget"
)

// BenchmarkBothBudgets is what a request pays for its budgets, that of its key
// and that of its project, while others do the same and the keeper reports; p99
// is of single requests.
func BenchmarkBothBudgets(b *testing.B) {
	k := budget.NewKeeper(newDesk(), new(nothing), "a/1", false, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(b.Context())
	var running sync.WaitGroup
	running.Go(func() { _ = k.Run(ctx) })
	b.Cleanup(func() { cancel(); running.Wait() })
	both := append(monthly(1<<60), budget.Budget{Scope: budget.Project, Name: "p", Period: budget.Day, Limit: 1 << 60})
	var mu sync.Mutex
	var all []time.Duration
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		took := make([]time.Duration, 0, 1<<20)
		for pb.Next() {
			began := time.Now()
			h, err := k.Reserve(ctx, both, began, 1000)
			if err != nil {
				b.Error(err)
				return
			}
			h.Begin(began)
			h.Settle(10)
			if len(took) < cap(took) {
				took = append(took, time.Since(began))
			}
		}
		mu.Lock()
		defer mu.Unlock()
		all = append(all, took...)
	})
	slices.Sort(all)
	if len(all) > 0 {
		b.ReportMetric(float64(all[len(all)*99/100].Nanoseconds()), "p99-ns")
	}
	b.ReportMetric(float64(k.Stats().Waited()), "waits")
}
