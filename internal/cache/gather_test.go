package cache_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/busuhq/busu/internal/cache"
	"github.com/busuhq/busu/internal/cachetest"
)

// The first answer after a pause is stored at once, those that come soon after
// it together, sooner where others may wait for them; and however many there
// are, they do not pile up.
func TestAnswersComeTogether(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		leases bool
		within time.Duration
	}{{"alone", false, 25 * time.Millisecond}, {"with leases", true, 5 * time.Millisecond}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				store := cachetest.NewFake()
				o := cache.Options{Redis: store}
				if c.leases {
					o.Leases = store
				}
				p := start(t, o)
				want := 0
				stored := func(n int) {
					t.Helper()
					synctest.Wait()
					if got := store.Entries(); got != n {
						t.Fatalf("%d are stored, want %d", got, n)
					}
				}
				put := func(n int) {
					for range n {
						want++
						p.put(fmt.Sprint(want), cachetest.Entry("m"))
					}
				}
				put(1)
				stored(want)
				put(10)
				time.Sleep(c.within - time.Millisecond)
				stored(want - 10)
				put(2000) // several batches
				time.Sleep(time.Millisecond)
				stored(want)
			})
		})
	}
}
