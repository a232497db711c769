package postgres_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/eventtest"
	"github.com/busuhq/busu/internal/postgres"
	"github.com/busuhq/busu/internal/storetest"
)

// BenchmarkPersist stores batches of 500 facts and merges what they add up to,
// without keys and of so many.
func BenchmarkPersist(b *testing.B) {
	for _, keys := range []int{0, 10, 1000} {
		b.Run(fmt.Sprintf("keys=%d", keys), func(b *testing.B) {
			db, err := postgres.Open(b.Context(), postgres.Options{URL: storetest.Postgres(b), Name: "bench"})
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(db.Close)
			r := rand.New(rand.NewPCG(1, 1))
			seq := int64(1)
			for b.Loop() {
				b.StopTimer()
				facts := make([]*event.CompletionRecorded, 500)
				for i := range facts {
					facts[i] = eventtest.Completion(r, now.Add(-rand.N(5*time.Second)))
					if facts[i].KeyID = ""; keys > 0 {
						facts[i].KeyID = fmt.Sprintf("019b0a11-7c3e-7c3e-9d53-%012d", r.IntN(keys))
					}
				}
				eventtest.Number("journal", seq, facts...)
				seq += 500
				b.StartTimer()
				if _, err := db.Persist(b.Context(), facts); err != nil {
					b.Fatal(err)
				}
				if _, err := db.MergeRollups(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/500, "µs/fact")
		})
	}
}
