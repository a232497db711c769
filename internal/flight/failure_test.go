package flight_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/busuhq/busu/internal/flight"
	"github.com/busuhq/busu/internal/llm"
)

func TestAFinalFailureIsEverybodys(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for _, final := range []func(error) bool{nil, func(err error) bool { return errors.Is(err, errBusy) }} {
			g := group{Final: final}
			c := newCall()
			c.err = errBusy
			leader, follower := ask(t, &g, c, true), ask(t, &g, c, true)
			close(c.pieces)
			<-leader.done
			<-follower.done
			if !errors.Is(leader.err, errBusy) || !errors.Is(follower.err, errBusy) || follower.result.Value != "answer" || c.calls.Load() != 1 {
				t.Errorf("%v, %v, %d calls", leader.err, follower.err, c.calls.Load())
			}
		}
	})
}

// After a failure that was the leader's own, one of the others leads, and the
// rest follow that one. Who has had a piece cannot begin again.
func TestAfterALeadersOwnFailureAnotherLeads(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := group{Final: func(error) bool { return false }}
		var calls atomic.Int64
		proceed := make(chan struct{})
		lead := func(_ context.Context, emit llm.Emit) (string, error) {
			if calls.Add(1) == 1 {
				if err := emit(llm.Chunk{Text: "a"}); err != nil {
					return "", err
				}
				<-proceed
				return "", errBusy
			}
			<-proceed
			return "second", nil
		}
		var streaming, whole [5]error
		var all sync.WaitGroup
		all.Go(func() { _, streaming[0] = g.Do(t.Context(), "key", func(llm.Chunk) error { return nil }, lead) })
		synctest.Wait()
		for i := 1; i < 5; i++ {
			all.Go(func() { _, streaming[i] = g.Do(t.Context(), "key", func(llm.Chunk) error { return nil }, lead) })
			all.Go(func() {
				r, err := g.Do(t.Context(), "key", nil, lead)
				if whole[i] = err; r.Value != "second" {
					t.Errorf("got %q", r.Value)
				}
			})
		}
		synctest.Wait()
		proceed <- struct{}{}
		synctest.Wait()
		close(proceed)
		all.Wait()
		for i := range 5 {
			if !errors.Is(streaming[i], errBusy) || whole[i] != nil {
				t.Errorf("%d: %v, %v", i, streaming[i], whole[i])
			}
		}
		if calls.Load() != 2 {
			t.Errorf("%d calls", calls.Load())
		}
	})
}

func TestAPanicReachesTheLeaderAndHangsNobody(t *testing.T) {
	t.Parallel()
	stream := func(llm.Chunk) error { return nil }
	for name, c := range map[string]struct {
		fail   func()
		emit   llm.Emit
		leader bool // catches it
		cause  error
	}{
		"panic":            {fail: func() { panic(errBusy) }, leader: true, cause: errBusy},
		"panic, in pieces": {fail: func() { panic(errBusy) }, emit: stream, leader: true, cause: errBusy},
		"exit":             {fail: runtime.Goexit, cause: flight.ErrUnreturned}, // of the leader's own goroutine
		"exit, in pieces":  {fail: runtime.Goexit, emit: stream, leader: true, cause: flight.ErrUnreturned},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var g group
				proceed := make(chan struct{})
				lead := func(context.Context, llm.Emit) (string, error) { <-proceed; c.fail(); return "", nil }
				caught := make(chan any, 1)
				go func() {
					defer func() { caught <- recover() }()
					_, err := g.Do(t.Context(), "key", c.emit, lead)
					t.Errorf("the leader returned: %v", err)
				}()
				synctest.Wait()
				followed := make(chan error, 1)
				go func() { _, err := g.Do(t.Context(), "key", nil, lead); followed <- err }()
				synctest.Wait()
				close(proceed)
				p, ok := (<-caught).(*flight.Panic)
				if ok != c.leader || ok && !strings.Contains(string(p.Stack), "flight_test") {
					t.Errorf("the leader caught %v", p)
				}
				err := <-followed
				if !errors.As(err, &p) || !errors.Is(err, c.cause) {
					t.Errorf("the follower got %v", err)
				}
				synctest.Wait()
				if n := g.Stats().Flying; n != 0 {
					t.Errorf("%d calls are under way", n)
				}
			})
		})
	}
}

// A panic of a reader's own is its own: it leaves, and the others go on.
func TestAPanicInEmitIsLeaving(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var g group
		c := newCall()
		follower := make(chan *one, 1)
		func() {
			defer func() { recover() }()
			go func() { c.pieces <- "a" }()
			_, err := g.Do(t.Context(), "key", func(llm.Chunk) error {
				go func() { follower <- ask(t, &g, c, false) }()
				panic("mine")
			}, c.make)
			t.Errorf("no panic: %v", err)
		}()
		o := <-follower
		o.leave()
		<-o.done
		if c.ended.Load() != c.calls.Load() {
			t.Errorf("%d of %d calls ended", c.ended.Load(), c.calls.Load())
		}
	})
}
