package journal

import (
	"slices"
	"testing"
	"time"

	"github.com/busuhq/busu/internal/event"
)

// request is a fact of the size that is usual.
func request() *event.CompletionRecorded {
	c := newFact("user-4711")
	c.SessionID, c.Confidence = "session-17", "high"
	c.Reason = "A short question without code goes to a small model."
	c.Candidates = []event.Candidate{
		{Model: "small", Quality: 0.83, CostNanos: 61500, Probability: 0.9},
		{Model: "medium", Quality: 0.91, CostNanos: 412000, Probability: 0.1},
	}
	c.Provider, c.Model, c.FinishReason = "openai", "small", "stop"
	c.TokensIn, c.TokensOut = 230, 95
	c.CostNanos, c.OriginCostNanos, c.BaselineCostNanos, c.PriceVersion = 61500, 61500, 1525000, "2026-11"
	c.LatencyUS, c.TTFTUS, c.OverheadUS = 812400, 240100, 310
	return c
}

func benchOpen(b *testing.B, every time.Duration) *Journal {
	b.Helper()
	o := options(b.TempDir())
	o.Sync, o.MaxBytes, o.Partitions = every, 1<<40, 1
	o.SegmentBytes = 64 << 20
	b.ReportAllocs()
	return mustOpen(b, o)
}

func BenchmarkRecord(b *testing.B) {
	j, f := benchOpen(b, 20*time.Millisecond), request()
	took := make([]time.Duration, 0, b.N)
	for b.Loop() {
		start := time.Now()
		if err := j.Record(f); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(start))
	}
	reportPercentiles(b, took)
}

func BenchmarkIntendAndRecord(b *testing.B) {
	j, f := benchOpen(b, 20*time.Millisecond), request()
	took := make([]time.Duration, 0, b.N)
	for b.Loop() {
		start := time.Now()
		if err := j.Intend(f); err != nil {
			b.Fatal(err)
		}
		if err := j.Record(f); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(start))
	}
	reportPercentiles(b, took)
}

// What a request pays at 5,000 per second.
func BenchmarkPacedIntendAndRecord(b *testing.B) {
	j, f := benchOpen(b, 20*time.Millisecond), request()
	took := make([]time.Duration, 0, b.N)
	pace := time.NewTicker(time.Millisecond) // what timers can keep
	defer pace.Stop()
	for b.Loop() {
		if len(took)%5 == 0 {
			<-pace.C
		}
		start := time.Now()
		if err := j.Intend(f); err != nil {
			b.Fatal(err)
		}
		if err := j.Record(f); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(start))
	}
	reportPercentiles(b, took)
}

func reportPercentiles(b *testing.B, took []time.Duration) {
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2]), "p50-ns")
	b.ReportMetric(float64(took[len(took)*99/100]), "p99-ns")
	b.ReportMetric(float64(took[len(took)*999/1000]), "p99.9-ns")
}

// With Sync at 0, what counts is how many share one sync.
func BenchmarkRecordSynced(b *testing.B) {
	j := benchOpen(b, 0)
	b.SetParallelism(32)
	b.RunParallel(func(p *testing.PB) {
		f := request()
		for p.Next() {
			if err := j.Record(f); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

func BenchmarkRecordParallel(b *testing.B) {
	j := benchOpen(b, 20*time.Millisecond)
	b.SetParallelism(32)
	b.RunParallel(func(p *testing.PB) {
		f := request()
		for p.Next() {
			if err := j.Record(f); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

// BenchmarkRead reads 20,000 facts.
func BenchmarkRead(b *testing.B) {
	j := benchOpen(b, time.Hour)
	for range 20_000 {
		record(b, j, request())
	}
	for b.Loop() {
		for at := (Position{}); ; {
			facts, next, err := j.Read(at, shipBatch)
			if err != nil {
				b.Fatal(err)
			}
			if len(facts) == 0 {
				break
			}
			at = next
		}
	}
}
