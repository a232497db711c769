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
//
// Who leads and wants no pieces makes the call in its own goroutine, as if
// there were no flight, and stays until it has ended: to hand it to another
// goroutine and the answer back took a seventh of a routed request's CPU.
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
//     call's value for who makes it and for the last who leaves, and without
//     one for others;
//   - ErrLagged to one who is too far behind the others;
//   - a *Panic to those who followed a call that panicked; it goes on as a
//     panic in the one that led.
func (g *Group[K, T]) Do(ctx context.Context, key K, emit llm.Emit, call Call[T]) (Result[T], error) {
	for {
		if err := context.Cause(ctx); err != nil {
			return Result[T]{}, err
		}
		r := newReader[T](emit)
		leads := g.join(ctx, key, r)
		var err error
		switch {
		case !leads:
			err = g.wait(ctx, key, r)
		case emit == nil:
			err = g.lead(ctx, key, r, call)
		default:
			go g.fly(key, r.flight, call)
			err = g.wait(ctx, key, r)
		}
		result, again, err := g.settle(r, leads, err)
		if !again {
			return result, err
		}
	}
}

// join puts r on the flight for key, or on a new one, which r leads.
func (g *Group[K, T]) join(ctx context.Context, key K, r *reader[T]) (leads bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if f := g.flights[key]; f != nil && f.board(r) {
		g.stats.followed.Add(1)
		return false
	}
	f := newFlight[T](ctx, r.emit != nil, &g.stats.lagged)
	f.board(r)
	if g.flights == nil {
		g.flights = map[K]*flight[T]{}
	}
	g.flights[key] = f // in place of one that takes nobody any more
	g.stats.led.Add(1)
	return true
}

// fly has f's call made, after which nobody finds it any more.
func (g *Group[K, T]) fly(key K, f *flight[T], call Call[T]) {
	defer f.cancel()
	defer g.remove(key, f)
	f.fly(call)
}

// lead makes the call of r's flight. Where ctx ends before, r has left it, and
// the error is the cause.
func (g *Group[K, T]) lead(ctx context.Context, key K, r *reader[T], call Call[T]) error {
	stays := context.AfterFunc(ctx, func() { g.leave(key, r) })
	defer stays() // also where the call ends this goroutine
	g.fly(key, r.flight, call)
	if !stays() {
		return context.Cause(ctx)
	}
	return nil
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
