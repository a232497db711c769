package telemetry_test

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/telemetry"
)

// TestAllocations: what was counted before is counted again without any.
func TestAllocations(t *testing.T) {
	l, c := telemetry.NewLedger(prometheus.NewPedanticRegistry(), fakeLedger{}), completion(event.StatusOK)
	if n := testing.AllocsPerRun(500, func() {
		if err := l.Record(c); err != nil {
			t.Fatal(err)
		}
	}); n > 0 {
		t.Errorf("%g allocations", n)
	}
}

// BenchmarkRecord is a fact that is counted, and recorded nowhere.
func BenchmarkRecord(b *testing.B) {
	l, c := telemetry.NewLedger(prometheus.NewPedanticRegistry(), fakeLedger{}), completion(event.StatusOK)
	b.ReportAllocs()
	for b.Loop() {
		if err := l.Record(c); err != nil {
			b.Fatal(err)
		}
	}
}
