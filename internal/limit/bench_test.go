package limit_test

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/busuhq/busu/internal/limit"
)

// BenchmarkBothLimits is what a request pays for its limits, that of requests
// and that of tokens, while others do the same and the keeper reports; p99 is of
// single requests.
func BenchmarkBothLimits(b *testing.B) {
	k, _ := keeps(b, newDesk(), "a", false)
	of := limit.Limits{Key: "k", Own: limit.Most{Requests: 1e12, Tokens: 1e12}}
	if _, err := k.Admit(b.Context(), of, time.Now(), 1); err != nil {
		b.Fatal(err)
	}
	var mu sync.Mutex
	var all []time.Duration
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		took := make([]time.Duration, 0, 1<<20)
		for pb.Next() {
			began := time.Now()
			p, err := k.Admit(b.Context(), of, began, 1000)
			if err != nil {
				b.Error(err)
				return
			}
			p.Settle(began, 10)
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
