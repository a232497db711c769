package journal

import (
	"testing"
	"time"
)

// TestAllocations holds what a request pays for its intent and its fact.
func TestAllocations(t *testing.T) {
	o := options(t.TempDir())
	o.Sync, o.MaxBytes, o.Partitions, o.SegmentBytes = time.Hour, 1<<40, 1, 64<<20
	j, f := mustOpen(t, o), request()
	const most = 0
	if n := testing.AllocsPerRun(1000, func() {
		if err := j.Intend(f); err != nil {
			t.Fatal(err)
		}
		if err := j.Record(f); err != nil {
			t.Fatal(err)
		}
	}); n > most {
		t.Errorf("%g allocations, more than %d", n, most)
	}
}
