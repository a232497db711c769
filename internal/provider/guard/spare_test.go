package guard_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/busuhq/busu/internal/llm"
	"github.com/busuhq/busu/internal/provider/guard"
)

// Calls that nobody waits for have room while more than half of the places are
// free.
func TestSpare(t *testing.T) {
	t.Parallel()
	for places, most := range map[int]int{1: 1, 2: 1, 4: 2, 5: 3} {
		synctest.Test(t, func(t *testing.T) {
			v := vendor(func(ctx context.Context, _ llm.Request) (llm.Response, error) { return paris, wait(ctx, time.Second) })
			p := guard.New(v, guard.Options{Name: "vendor", MaxConcurrency: places, Queue: 10})
			var all sync.WaitGroup
			for busy := range places + 1 {
				if got, want := p.Spare(), busy < most; got != want {
					t.Errorf("with %d of %d places taken there is room: %t", busy, places, got)
				}
				all.Go(func() { _, _ = p.Complete(t.Context(), of("ada")) })
				synctest.Wait()
			}
			all.Wait()
			if !p.Spare() {
				t.Error("afterwards there is no room")
			}
		})
	}
}
