package guard

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestLimitStaysWithinBounds whatever is told to it.
func TestLimitStaysWithinBounds(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		most := rapid.IntRange(1, 200).Draw(t, "most")
		l := newLimit(most)
		now := time.Unix(1, 0)
		for _, grow := range rapid.SliceOf(rapid.Bool()).Draw(t, "grow") {
			now = now.Add(time.Second)
			before := l.calls()
			if grow {
				l.grow()
			} else {
				l.shrink(now.Add(-time.Millisecond), now)
			}
			if n := l.calls(); n < 1 || n > most || grow && n < before || !grow && n > before {
				t.Fatalf("of %d, the limit went from %d to %d (growing %t)", most, before, n, grow)
			}
		}
	})
}

func TestLimitMoves(t *testing.T) {
	t.Parallel()
	l := newLimit(64)
	now := time.Unix(1, 0)
	for range 10 {
		l.shrink(now.Add(-time.Second), now) // ten of one lot
	}
	if l.calls() != 44 {
		t.Errorf("after one lot of refusals it is %d, not 0.7 of 64", l.calls())
	}
	for range 44 {
		l.grow()
	}
	if l.now < 45.7 || l.now > 45.8 {
		t.Errorf("after a limit's worth of calls it is %g, not one more than 44.8", l.now)
	}
	for range 20 {
		now = now.Add(time.Minute)
		l.shrink(now.Add(-time.Second), now)
	}
	if l.calls() != 1 {
		t.Errorf("it ends at %d", l.calls())
	}
	l.grow()
	if l.calls() != 2 {
		t.Errorf("from one it grows to %d", l.calls())
	}
	if none := newLimit(0); none.calls() != 1 {
		t.Errorf("at most none is %d", none.calls())
	}
}
