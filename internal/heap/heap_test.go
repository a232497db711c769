package heap

import (
	"runtime"
	"testing"
)

func TestPercent(t *testing.T) {
	t.Parallel()
	const mb = 1 << 20
	for live, want := range map[uint64]int{0: 400, 2 * mb: 400, 4 * mb: 400, 8 * mb: 200, 10 * mb: 160, 16 * mb: 100, 1024 * mb: 100, 1 << 40: 100} {
		if got := percent(live); got != want {
			t.Errorf("with %d MiB in use: %d %%, want %d", live/mb, got, want)
		}
	}
}

// TestSmallChangesAreNotWorthIt, and large ones are, whichever way they go.
func TestSmallChangesAreNotWorthIt(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		now, next int
		differs   bool
	}{{400, 400, false}, {400, 370, false}, {400, 360, true}, {100, 105, false}, {100, 110, true}, {160, 400, true}} {
		if got := differs(c.now, c.next); got != c.differs {
			t.Errorf("from %d to %d: %t", c.now, c.next, got)
		}
	}
}

// TestInUse is what the runtime says: its name of the figure may change.
func TestInUse(t *testing.T) {
	t.Parallel()
	kept := make([]byte, 8<<20)
	runtime.GC()
	if n := inUse(); n < uint64(len(kept)) || n > 1<<30 {
		t.Errorf("%d bytes are in use", n)
	}
	runtime.KeepAlive(kept)
}

// TestLimit: what the operator says goes, then nine tenths of the container's.
func TestLimit(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		operator    string
		group, want int64
	}{{"", 0, 0}, {"", -1, 0}, {"", 1000, 900}, {"1GiB", 1000, 0}, {"off", 1000, 0}} {
		if got := Limit(c.operator, c.group); got != c.want {
			t.Errorf("GOMEMLIMIT=%q in a group of %d: %d, want %d", c.operator, c.group, got, c.want)
		}
	}
}
