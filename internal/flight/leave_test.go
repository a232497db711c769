package flight_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/busuhq/busu/internal/llm"
)

func TestALeaderWhoLeavesDoesNotEndTheCall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var g group
		c := newCall()
		leader, follower := ask(t, &g, c, true), ask(t, &g, c, true)
		c.pieces <- "a"
		leader.leave()
		<-leader.done
		if !errors.Is(leader.err, context.Canceled) || leader.result.Value != "" {
			t.Errorf("the leader got %q, %v", leader.result.Value, leader.err)
		}
		c.pieces <- "b"
		later := ask(t, &g, c, false)
		close(c.pieces)
		<-follower.done
		<-later.done
		if follower.has() != "a b" || follower.err != nil || later.result.Value != "answer" || c.calls.Load() != 1 {
			t.Errorf("%q, %v, %q, %d calls", follower.has(), follower.err, later.result.Value, c.calls.Load())
		}
	})
}

// Who makes the call in its own goroutine cannot go before it has ended.
func TestALeaderWithoutPiecesWhoLeavesStaysForTheOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var g group
		c := newCall()
		leader, follower := ask(t, &g, c, false), ask(t, &g, c, false)
		leader.leave()
		synctest.Wait()
		later := ask(t, &g, c, false)
		close(c.pieces)
		<-leader.done
		if !errors.Is(leader.err, context.Canceled) || leader.result.Value != "answer" {
			t.Errorf("the leader got %q, %v", leader.result.Value, leader.err)
		}
		for _, o := range []*one{follower, later} {
			if <-o.done; o.err != nil || o.result.Value != "answer" || !o.result.Followed {
				t.Errorf("%+v, %v", o.result, o.err)
			}
		}
		if n := c.calls.Load(); n != 1 {
			t.Errorf("%d calls", n)
		}
	})
}

func TestALeaderWithoutPiecesWhoIsAloneEndsTheCall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var g group
		c := newCall()
		leader := ask(t, &g, c, false)
		leader.leave()
		<-leader.done
		if c.ended.Load() != 1 || leader.result.Value != "partial" || !errors.Is(leader.err, context.Canceled) {
			t.Errorf("%d ended, %q, %v", c.ended.Load(), leader.result.Value, leader.err)
		}
	})
}

func TestTheLastWhoLeavesEndsTheCallAndSeesItEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var g group
		c := newCall()
		leader, follower := ask(t, &g, c, true), ask(t, &g, c, false)
		leader.leave()
		<-leader.done
		if c.ended.Load() != 0 {
			t.Fatal("the call ended while somebody waited")
		}
		follower.leave()
		<-follower.done
		if c.ended.Load() != 1 || follower.result.Value != "partial" || !errors.Is(follower.err, context.Canceled) {
			t.Errorf("%d ended, %q, %v", c.ended.Load(), follower.result.Value, follower.err)
		}
		again := ask(t, &g, c, false)
		close(c.pieces)
		<-again.done
		if again.err != nil || again.result.Followed {
			t.Errorf("%+v, %v", again.result, again.err)
		}
	})
}

func TestAnErrorOfEmitIsLeaving(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var g group
		c := newCall()
		gone := errors.New("connection lost")
		o := &one{done: make(chan struct{})}
		go func() {
			defer close(o.done)
			o.result, o.err = g.Do(t.Context(), "key", func(llm.Chunk) error { return gone }, c.make)
		}()
		c.pieces <- "a"
		<-o.done
		if !errors.Is(o.err, gone) || c.ended.Load() != 1 {
			t.Errorf("%v, %d ended", o.err, c.ended.Load())
		}
	})
}

func TestOneWhoIsAloneAndBlockedCanLeave(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var g group
		ctx, cancel := context.WithCancel(t.Context())
		emit := func(llm.Chunk) error { <-ctx.Done(); return context.Cause(ctx) }
		done := make(chan error, 1)
		go func() {
			_, err := g.Do(ctx, "key", emit, func(_ context.Context, emit llm.Emit) (string, error) {
				for {
					if err := emit(llm.Chunk{Text: strings.Repeat("x", 1<<20)}); err != nil {
						return "", err
					}
				}
			})
			done <- err
		}()
		synctest.Wait()
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}

func TestOneWhoHasLeftBeforeCallsNothing(t *testing.T) {
	t.Parallel()
	var g group
	c := newCall()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := g.Do(ctx, "key", nil, c.make); !errors.Is(err, context.Canceled) || c.calls.Load() != 0 {
		t.Errorf("%v, %d calls", err, c.calls.Load())
	}
}
