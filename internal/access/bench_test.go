package access_test

import (
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/busuhq/busu/internal/access"
)

var discard = slog.New(slog.DiscardHandler)

func ringOf(tb testing.TB, n int) (*access.Keys, string) {
	s := newStore()
	k := newRing(s, "an admin key of enough characters")
	var last access.Secret
	for i := range n {
		var key access.Key
		key, last = makeKey(fmt.Sprint(i), "acme", access.RoleComplete)
		s.change(key)
	}
	if _, err := k.Update(tb.Context(), s, time.Time{}); err != nil {
		tb.Fatal(err)
	}
	return k, last.Reveal()
}

func TestKnownKeysCostNoAllocation(t *testing.T) {
	k, key := ringOf(t, 1000)
	now := time.Now()
	for name, presented := range map[string]string{"key": key, "admin": "an admin key of enough characters"} {
		if n := testing.AllocsPerRun(1000, func() {
			if _, err := k.Caller(t.Context(), presented, now); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("%s: %g allocations", name, n)
		}
	}
}

func BenchmarkCaller(b *testing.B) {
	k, key := ringOf(b, 10_000)
	now := time.Now()
	for name, presented := range map[string]string{"key": key, "admin": "an admin key of enough characters", "nonsense": "nonsense"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = k.Caller(b.Context(), presented, now)
			}
		})
	}
}
