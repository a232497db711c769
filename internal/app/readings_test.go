package app

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestReadings take turns whatever is asked for, and those who wait too long are
// told so.
func TestReadings(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newReadings[string](time.Second, 10, 2500*time.Millisecond)
		var reading, reads, busy atomic.Int64
		var asking sync.WaitGroup
		began := time.Now()
		for _, key := range []string{"a", "b", "c", "a", "b", "c"} {
			asking.Go(func() {
				got, err := r.get(key, func(context.Context) (string, error) {
					if reading.Add(1) > 1 {
						t.Error("two read at once")
					}
					defer reading.Add(-1)
					reads.Add(1)
					time.Sleep(2 * time.Second)
					return key, nil
				})
				switch {
				case errors.Is(err, errBusy):
					busy.Add(1)
				case err != nil || got != key:
					t.Errorf("%s is %q, %v", key, got, err)
				}
			})
		}
		asking.Wait()
		if took := time.Since(began); took != 4*time.Second || busy.Load() != 2 || reads.Load() != 2 {
			t.Errorf("%d of 6 had no turn, %d read, in %s", busy.Load(), reads.Load(), took)
		}
	})
}
