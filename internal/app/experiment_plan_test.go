package app

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// While people type, past traffic is read once; later, and for others, again.
func TestPastTrafficIsReadOnceForAMoment(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var w pastWeeks
		reads := 0
		ask := func(project string, observation time.Duration) int64 {
			return w.of(project, observation, func() pastTraffic { reads++; return pastTraffic{slowUS: int64(reads), at: time.Now()} }).slowUS
		}
		var all sync.WaitGroup
		for range 10 {
			all.Go(func() {
				if got := ask("a", time.Hour); got != 1 {
					t.Errorf("read %d times within a moment", got)
				}
			})
		}
		all.Wait()
		if b, longer := ask("b", time.Hour), ask("a", 2*time.Hour); b != 2 || longer != 3 {
			t.Errorf("another project has the %d. reading, another window the %d.", b, longer)
		}
		if time.Sleep(pastFresh); ask("a", time.Hour) != 4 {
			t.Error("what was read is kept for too long")
		}
	})
}
