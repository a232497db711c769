package flight

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/busuhq/busu/internal/llm"
)

// ErrLagged says that one who followed was so far behind the others that what
// it should have had next is no longer kept.
var ErrLagged = errors.New("too slow: the answer has gone on without this reader")

// ErrUnreturned is the value of a Panic where the call ended its goroutine.
var ErrUnreturned = errors.New("the call ended its goroutine")

// Panic is what a call panicked with, and where.
type Panic struct {
	Value any
	Stack []byte
}

func (p *Panic) Error() string { return fmt.Sprintf("panic: %v\n\n%s", p.Value, p.Stack) }

// Unwrap gives the value, if it is an error.
func (p *Panic) Unwrap() error {
	err, _ := p.Value.(error)
	return err
}

// mostKept bounds the pieces that a flight keeps, in bytes. Answers of ten
// thousand tokens fit. Beyond it nobody else can join, and who is far behind
// the others is left behind. Where even the fastest of those who read is far
// behind the provider, the provider waits for it, as it would without a flight.
const (
	mostKept   = 8 << 20
	mostUnread = mostKept / 2
)

// flight is one call and those who wait for it.
type flight[T any] struct {
	ctx    context.Context // of the call
	cancel context.CancelFunc
	done   chan struct{} // closed when value, err and panicked are set
	room   chan struct{} // holds one when take should look again; nil: there are no pieces
	lagged *atomic.Int64

	value    T
	err      error
	panicked *Panic

	mu      sync.Mutex
	closed  bool // takes nobody any more
	present int  // who wait for it
	readers []*reader[T]
	pieces  []llm.Chunk // number first and on
	first   int
	kept    int // bytes of pieces
	taken   int // bytes of all pieces that there were
}

// newFlight is one for a call that goes on when ctx, of the one who leads, ends.
func newFlight[T any](ctx context.Context, pieces bool, lagged *atomic.Int64) *flight[T] {
	f := &flight[T]{done: make(chan struct{}), lagged: lagged}
	f.ctx, f.cancel = context.WithCancel(context.WithoutCancel(ctx))
	if pieces {
		f.room = make(chan struct{}, 1)
	}
	return f
}

// board lets r wait for the flight, unless it can no longer give everything
// from the start.
func (f *flight[T]) board(r *reader[T]) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return false
	}
	r.flight = f
	f.present++
	if r.emit != nil {
		f.readers = append(f.readers, r)
	}
	return true
}

// detach counts r out, and reports whether it was the last while the call is
// under way.
func (f *flight[T]) detach(r *reader[T]) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.present--
	f.readers = slices.DeleteFunc(f.readers, func(other *reader[T]) bool { return other == r })
	f.signalRoom()
	if f.present > 0 {
		return false
	}
	f.closed = true
	return !f.over()
}

func (f *flight[T]) over() bool {
	select {
	case <-f.done:
		return true
	default:
		return false
	}
}

// fly makes the call and tells its end.
func (f *flight[T]) fly(call Call[T]) {
	var pieces llm.Emit
	if f.room != nil {
		pieces = f.take
	}
	returned := false
	defer func() {
		switch v := recover(); {
		case v != nil:
			f.panicked = &Panic{Value: v, Stack: debug.Stack()}
		case !returned:
			f.panicked = &Panic{Value: ErrUnreturned, Stack: debug.Stack()}
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		f.closed = true
		close(f.done)
	}()
	f.value, f.err = call(f.ctx, pieces)
	returned = true
}

// take is the call's emit.
func (f *flight[T]) take(c llm.Chunk) error {
	c = c.Clone()
	f.mu.Lock()
	defer f.mu.Unlock()
	for size := c.Size(); f.kept+size > mostKept && len(f.pieces) > 0; {
		f.closed = true
		if f.outruns() {
			if err := f.awaitRoom(); err != nil {
				return err
			}
			continue
		}
		f.dropFirst()
	}
	if err := context.Cause(f.ctx); err != nil {
		return err
	}
	f.kept += c.Size()
	f.taken += c.Size()
	f.pieces = append(f.pieces, c)
	for _, r := range f.readers {
		r.signal()
	}
	return nil
}

// outruns reports whether the call is too fast for everybody. Who waits for the
// whole only is never too slow.
func (f *flight[T]) outruns() bool {
	return f.present == len(f.readers) && !slices.ContainsFunc(f.readers, func(r *reader[T]) bool {
		return f.taken-r.had < mostUnread
	})
}

// awaitRoom lets go of the lock until a reader moved or left.
func (f *flight[T]) awaitRoom() error {
	f.mu.Unlock()
	defer f.mu.Lock()
	select {
	case <-f.room:
		return nil
	case <-f.ctx.Done():
		return context.Cause(f.ctx)
	}
}

func (f *flight[T]) signalRoom() {
	select {
	case f.room <- struct{}{}:
	default:
	}
}

// dropFirst forgets the oldest piece, and leaves those behind who have not had
// it. The slice's array keeps it until it grows, which readers may still see.
func (f *flight[T]) dropFirst() {
	for _, r := range f.readers {
		if r.next == f.first && !r.lagged {
			r.lagged = true
			f.lagged.Add(1)
			r.signal()
		}
	}
	f.kept -= f.pieces[0].Size()
	f.pieces = f.pieces[1:]
	f.first++
}

// reader is one who waits for a flight.
type reader[T any] struct {
	flight  *flight[T]
	emit    llm.Emit
	wake    chan struct{} // holds one when there is something new; nil: only the end is waited for
	emitted int

	// Of the flight's mutex.
	next   int // number of the piece to read
	had    int // bytes of the pieces before
	lagged bool
}

func newReader[T any](emit llm.Emit) *reader[T] {
	r := &reader[T]{emit: emit}
	if emit != nil {
		r.wake = make(chan struct{}, 1)
	}
	return r
}

func (r *reader[T]) signal() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// read passes on pieces until the flight is over, or until ctx or emit ends it
// for this reader.
func (r *reader[T]) read(ctx context.Context) error {
	for over := false; ; {
		for {
			c, ok, err := r.piece()
			if err != nil {
				return err
			}
			if !ok {
				break
			}
			r.emitted++
			if err := r.emit(c); err != nil {
				return err
			}
		}
		if over {
			return nil
		}
		select {
		case <-r.wake:
		case <-r.flight.done:
			over = true // and what came last is read before
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (r *reader[T]) piece() (c llm.Chunk, ok bool, err error) {
	f := r.flight
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case r.emit == nil:
		return c, false, nil
	case r.lagged:
		return c, false, ErrLagged
	case r.next == f.first+len(f.pieces):
		return c, false, nil
	}
	c = f.pieces[r.next-f.first]
	r.next++
	r.had += c.Size()
	f.signalRoom()
	return c, true, nil
}
