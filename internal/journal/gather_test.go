package journal

import (
	"testing"
	"testing/synctest"
	"time"
)

// What was recorded just before the process is told to stop is shipped, too.
func TestFactsOfTheLastMomentAreShipped(t *testing.T) {
	t.Parallel()
	o := options(t.TempDir())
	inBubble(t, func(t *testing.T) {
		j := mustOpen(t, o)
		s := startShipping(t, j, &store{})
		recordSome(t, j, 1)
		synctest.Wait()
		recordSome(t, j, 2*shipBatch)
		s.stop(t)
		checkShipped(t, j, s.store.received(), 0)
	})
}

// A fact that comes alone is shipped at once; what comes soon after it goes
// together, a moment later.
func TestFactsThatComeOneByOneAreShippedTogether(t *testing.T) {
	t.Parallel()
	o := options(t.TempDir())
	o.Partitions = 1
	inBubble(t, func(t *testing.T) {
		j := mustOpen(t, o)
		s := startShipping(t, j, &store{})
		recordSome(t, j, 1)
		synctest.Wait()
		checkShipped(t, j, s.store.received(), 0)
		const moments = 10
		for range moments {
			for range 4 {
				recordSome(t, j, 1)
				time.Sleep(gatherFor / 4)
			}
		}
		settle()
		checkShipped(t, j, s.store.received(), 0)
		if n := s.store.appends; n > moments+2 {
			t.Errorf("%d facts in %s were shipped in %d batches", 4*moments, moments*gatherFor, n)
		}
	})
}
