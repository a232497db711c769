package flight_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/busuhq/busu/internal/flight"
	"github.com/busuhq/busu/internal/llm"
)

type group = flight.Group[string, string]

var errBusy = errors.New("busy")

// call is one that a test lets go on step by step.
type call struct {
	calls  atomic.Int64
	ended  atomic.Int64 // calls that returned
	pieces chan string  // to emit; closed: return
	answer string
	err    error
}

func newCall() *call { return &call{pieces: make(chan string), answer: "answer"} }

func (c *call) make(ctx context.Context, emit llm.Emit) (string, error) {
	c.calls.Add(1)
	defer c.ended.Add(1)
	buffer := make([]byte, 0, 16)
	for {
		select {
		case <-ctx.Done():
			return "partial", context.Cause(ctx)
		case p, ok := <-c.pieces:
			if !ok {
				return c.answer, c.err
			}
			buffer = append(buffer[:0], p...) // used again, as providers do
			if err := emit(llm.Chunk{Text: p, Data: buffer}); err != nil {
				return "partial", err
			}
		}
	}
}

// one is somebody who asks.
type one struct {
	mu     sync.Mutex
	got    []string
	result flight.Result[string]
	err    error
	done   chan struct{}
	leave  context.CancelFunc
}

func (o *one) emit(c llm.Chunk) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if c.Text != string(c.Data) {
		return fmt.Errorf("piece %q has the data %q", c.Text, c.Data)
	}
	o.got = append(o.got, c.Text)
	return nil
}

func (o *one) has() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return strings.Join(o.got, " ")
}

// ask starts to ask, and returns when it waits.
func ask(t *testing.T, g *group, c *call, stream bool) *one {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	o := &one{done: make(chan struct{}), leave: cancel}
	var emit llm.Emit
	if stream {
		emit = o.emit
	}
	go func() {
		defer close(o.done)
		defer cancel()
		o.result, o.err = g.Do(ctx, "key", emit, c.make)
	}()
	synctest.Wait()
	return o
}

func TestAThousandAtOnceMakeOneCall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var g group
		c := newCall()
		var all []*one
		for i := range 1000 {
			all = append(all, ask(t, &g, c, i%2 == 0))
		}
		if n := g.Stats().Flying; n != 1 {
			t.Errorf("%d calls are under way", n)
		}
		c.pieces <- "a"
		c.pieces <- "b"
		close(c.pieces)
		followed := 0
		for i, o := range all {
			<-o.done
			if o.err != nil || o.result.Value != "answer" {
				t.Fatalf("%d got %q, %v", i, o.result.Value, o.err)
			}
			if want := 2 - 2*(i%2); len(o.got) != want || o.result.Emitted != want {
				t.Fatalf("%d got the pieces %q, told %d", i, o.got, o.result.Emitted)
			}
			if o.result.Followed {
				followed++
			}
		}
		if n := c.calls.Load(); n != 1 || followed != 999 {
			t.Errorf("%d calls, %d followed", n, followed)
		}
		synctest.Wait()
		if s := g.Stats(); s != (flight.Stats{Led: 1, Followed: 999}) { // none is kept
			t.Errorf("%+v", s)
		}
	})
}

func TestKeysThatDifferAreCalledApart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var g flight.Group[int, int]
		var all sync.WaitGroup
		for i := range 10 {
			all.Go(func() {
				r, err := g.Do(t.Context(), i, nil, func(context.Context, llm.Emit) (int, error) { return i, nil })
				if err != nil || r.Value != i || r.Followed {
					t.Errorf("%d: %+v, %v", i, r, err)
				}
			})
		}
		all.Wait()
	})
}

func TestTheNextOneAfterTheEndCallsAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var g group
		c := newCall()
		close(c.pieces)
		for range 2 {
			if o := ask(t, &g, c, false); o.err != nil || o.result.Followed {
				t.Errorf("%+v, %v", o.result, o.err)
			}
		}
		if n := c.calls.Load(); n != 2 {
			t.Errorf("%d calls", n)
		}
	})
}

func TestWhoComesLateGetsEverything(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var g group
		c := newCall()
		first := ask(t, &g, c, true)
		c.pieces <- "a"
		c.pieces <- "b"
		late := ask(t, &g, c, true)
		if late.has() != "a b" {
			t.Errorf("the late one has %q of what was so far", late.has())
		}
		c.pieces <- "c"
		synctest.Wait()
		if late.has() != "a b c" || first.has() != "a b c" {
			t.Errorf("%q, %q", first.has(), late.has())
		}
		close(c.pieces)
		<-late.done
		<-first.done
	})
}

// A follower that does not read holds up neither the leader nor the call, and
// is left behind once what it has not read is too much to keep.
func TestASlowFollowerHoldsUpNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var g group
		c := newCall()
		leader := ask(t, &g, c, true)
		stuck := make(chan struct{})
		slow := make(chan error, 1)
		go func() {
			_, err := g.Do(t.Context(), "key", func(llm.Chunk) error { <-stuck; return nil }, c.make)
			slow <- err
		}()
		synctest.Wait()
		large := strings.Repeat("x", 1<<18)
		for range 40 { // of twice their size: text and data
			c.pieces <- large
		}
		late := ask(t, &g, c, true) // cannot have everything any more
		close(c.pieces)
		<-leader.done
		if leader.err != nil || len(leader.got) != 40 {
			t.Errorf("the leader got %d pieces: %v", len(leader.got), leader.err)
		}
		<-late.done
		if late.result.Followed || c.calls.Load() != 2 {
			t.Errorf("%+v, %d calls", late.result, c.calls.Load())
		}
		close(stuck)
		if err := <-slow; !errors.Is(err, flight.ErrLagged) {
			t.Errorf("the slow one got %v", err)
		}
		if g.Stats().Lagged != 1 {
			t.Errorf("%+v", g.Stats())
		}
	})
}

// One who is alone and slow slows the provider, as without a flight. Who comes
// then does not wait for it.
func TestOneWhoIsAloneIsWaitedFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var g group
		c := newCall()
		read := make(chan struct{})
		n := 0
		done := make(chan error, 1)
		go func() {
			_, err := g.Do(t.Context(), "key", func(llm.Chunk) error { n++; <-read; return nil }, c.make)
			done <- err
		}()
		large := strings.Repeat("x", 1<<20)
		sent := 0
		for full := false; !full; {
			synctest.Wait()
			select {
			case c.pieces <- large:
				sent++
			default:
				full = true
			}
		}
		if sent > 9 {
			t.Errorf("%d MiB were taken from the provider", 2*sent)
		}
		other := newCall()
		close(other.pieces)
		if o := ask(t, &g, other, false); o.err != nil || o.result.Followed {
			t.Errorf("%+v, %v", o.result, o.err)
		}
		close(read)
		c.pieces <- large
		close(c.pieces)
		if err := <-done; err != nil || n != sent+1 {
			t.Errorf("%d of %d pieces: %v", n, sent+1, err)
		}
	})
}
