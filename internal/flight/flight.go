// Package flight lets one call serve all who ask the same while it is under
// way.
//
// The first to ask leads: its call is made. Who asks the same before that call
// has ended follows: it gets the pieces that came so far, then each further one
// as it comes, and the result. Everybody reads at a pace of its own from one
// record of the pieces, so a slow one holds up nobody.
//
// The call belongs to all of them. It goes on when the one who led leaves, and
// it is canceled when the last one has left. That one waits for its end, so no
// call outlives those who asked for it.
package flight

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/busuhq/busu/internal/llm"
)

// Call makes what everybody waits for. Its ctx ends when nobody waits any
// more. emit takes the pieces, from one goroutine at a time; it is nil when the
// one who leads wants none.
type Call[T any] func(ctx context.Context, emit llm.Emit) (T, error)

// Group merges calls with the same key. Its fields are set once and never
// changed; the zero value is ready.
type Group[K comparable, T any] struct {
	// Final reports whether an error of a call is the answer to all who wait
	// for it. When it is not, one of them makes the call again. nil: it is.
	Final func(error) bool

	mu      sync.Mutex
	flights map[K]*flight[T]
	stats   stats
}

// Result is what a call brought for one of those who waited.
type Result[T any] struct {
	Value    T
	Followed bool // the call was another's
	Emitted  int  // pieces that went to emit: none, when the call came without
}

// Do waits for the call that is under way for key, and makes it when there is
// none. It returns:
//
//   - what the call returned;
//   - the cause of ctx's end or emit's error, when that comes first: with the
//     call's value for the last who leaves, and without one for others;
//   - ErrLagged to one who is too far behind the others;
//   - a *Panic to those who followed a call that panicked; it goes on as a
//     panic in the one that led.
func (g *Group[K, T]) Do(ctx context.Context, key K, emit llm.Emit, call Call[T]) (Result[T], error) {
	for {
		if err := context.Cause(ctx); err != nil {
			return Result[T]{}, err
		}
		r := &reader[T]{emit: emit, wake: make(chan struct{}, 1)}
		leads := g.join(ctx, key, r, call)
		result, again, err := g.settle(r, leads, g.wait(ctx, key, r))
		if !again {
			return result, err
		}
	}
}

// join puts r on the flight for key, or starts one.
func (g *Group[K, T]) join(ctx context.Context, key K, r *reader[T], call Call[T]) (leads bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if f := g.flights[key]; f != nil && f.board(r) {
		g.stats.followed.Add(1)
		return false
	}
	detached, cancel := context.WithCancel(context.WithoutCancel(ctx))
	f := &flight[T]{cancel: cancel, done: make(chan struct{}), room: make(chan struct{}, 1), lagged: &g.stats.lagged}
	f.board(r)
	if g.flights == nil {
		g.flights = map[K]*flight[T]{}
	}
	g.flights[key] = f // in place of one that takes nobody any more
	g.stats.led.Add(1)
	var pieces llm.Emit
	if r.emit != nil {
		pieces = func(c llm.Chunk) error { return f.take(detached, c) }
	}
	go func() {
		defer cancel()
		defer g.remove(key, f)
		_ = deepened(f.first)
		f.fly(detached, pieces, call)
	}()
	return true
}

// deepened has the stack of a new goroutine grow while it is empty, to what the
// way down to a provider takes. To grow on that way would copy it four times, the
// last time with thirty frames: 7.4 µs of CPU, and this is 1.4.
//
//go:noinline
func deepened(at int) byte {
	var room [20 << 10]byte
	return room[at%len(room)] // or else there would be none
}

// wait reads r's flight to its end. With an error, or when emit panics, r has
// left it.
func (g *Group[K, T]) wait(ctx context.Context, key K, r *reader[T]) (err error) {
	stayed := false
	defer func() {
		if !stayed {
			g.leave(key, r)
		}
	}()
	err = r.read(ctx)
	stayed = err == nil
	return err
}

func (g *Group[K, T]) remove(key K, f *flight[T]) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.flights[key] == f {
		delete(g.flights, key)
	}
}

// leave counts one out who does not wait for the end. The last one ends the
// call, and sees it end.
func (g *Group[K, T]) leave(key K, r *reader[T]) {
	f := r.flight
	if !f.detach(r) {
		return
	}
	g.remove(key, f)
	f.cancel()
	<-f.done
}

// settle says what comes of a flight for one who read it up to err, which is
// nil at its end, and whether to ask again.
func (g *Group[K, T]) settle(r *reader[T], leads bool, err error) (result Result[T], again bool, _ error) {
	f := r.flight
	result = Result[T]{Followed: !leads, Emitted: r.emitted}
	if !f.over() {
		return result, false, err
	}
	if f.panicked != nil && leads {
		panic(f.panicked)
	}
	result.Value = f.value
	switch {
	case err != nil:
		return result, false, err
	case f.panicked != nil:
		return result, false, f.panicked
	case f.err == nil || leads || r.emitted > 0 || g.Final == nil || g.Final(f.err):
		return result, false, f.err
	default:
		return result, true, nil
	}
}

// Stats counts what was asked of a Group.
type Stats struct {
	Led      int64 // calls made
	Followed int64 // asked for while a call was under way
	Lagged   int64 // that fell too far behind
	Flying   int64 // calls under way that others may join
}

type stats struct{ led, followed, lagged atomic.Int64 }

// Stats gives the counters.
func (g *Group[K, T]) Stats() Stats {
	g.mu.Lock()
	defer g.mu.Unlock()
	return Stats{Led: g.stats.led.Load(), Followed: g.stats.followed.Load(), Lagged: g.stats.lagged.Load(), Flying: int64(len(g.flights))}
}
