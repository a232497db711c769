package flight_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/busuhq/busu/internal/llm"
)

// However many come, dawdle and leave in whatever order: who stays has every
// piece once, in order, and no call outlives those who wait.
func TestWhateverTheOrderWhoStaysHasEverything(t *testing.T) {
	t.Parallel()
	for seed := range uint64(50) {
		synctest.Test(t, func(t *testing.T) {
			var g group
			var calls, ended atomic.Int64
			lead := func(ctx context.Context, emit llm.Emit) (string, error) {
				calls.Add(1)
				defer ended.Add(1)
				for i := range 30 {
					select {
					case <-ctx.Done():
						return "", context.Cause(ctx)
					case <-time.After(time.Millisecond):
					}
					if err := emit(llm.Chunk{Text: fmt.Sprint(i)}); err != nil {
						return "", err
					}
				}
				return "whole", nil
			}
			var want []string
			for i := range 30 {
				want = append(want, fmt.Sprint(i))
			}
			r := rand.New(rand.NewPCG(seed, 0))
			var all sync.WaitGroup
			for range 20 {
				begin, stay, dawdle := time.Duration(r.Int64N(int64(40*time.Millisecond))), time.Duration(1+r.IntN(60))*time.Millisecond, time.Duration(r.IntN(3))*time.Millisecond
				all.Go(func() {
					time.Sleep(begin)
					ctx, cancel := context.WithTimeout(t.Context(), stay)
					defer cancel()
					var got []string
					result, err := g.Do(ctx, "key", func(c llm.Chunk) error {
						time.Sleep(dawdle)
						got = append(got, c.Text)
						return nil
					}, lead)
					if err == nil && (result.Value != "whole" || !slices.Equal(got, want)) ||
						err != nil && (!errors.Is(err, context.DeadlineExceeded) || len(got) > len(want) || !slices.Equal(got, want[:len(got)])) {
						t.Errorf("seed %d: %v, %q, %v", seed, result, got, err)
					}
				})
			}
			all.Wait()
			if calls.Load() != ended.Load() || calls.Load() == 0 {
				t.Errorf("seed %d: %d calls, %d ended", seed, calls.Load(), ended.Load())
			}
		})
	}
}
