// Package tail lets many listeners follow one stream, each at its own pace,
// from any position, without losing or repeating an entry.
//
// Listeners pull. Each has a position of its own and asks for the page behind
// it when it has sent the one before, so a slow one costs a page of memory and
// holds up nobody; there are no buffers to overflow. One reader per partition
// follows the end of the stream for all of them and keeps the newest stretch in
// a window. A listener whose position is in the window reads from there, any
// other reads its page from the store. Both give the same: the window only
// saves reads, and the one thing that the reader tells listeners is that it is
// time to look again. So it does not matter what it misses, and whatever number
// of listeners waits, the store is asked by one reader per partition.
//
// Every page comes with the position that it is behind. Where that is not the
// one asked for, entries are gone, and the listener gets a gap.
package tail

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/busuhq/busu/internal/event"
)

// Source reads a lane's stream.
type Source interface {
	// After returns up to count entries behind a position, in order and at
	// once. behind is the position that they are behind; it is another than
	// the one asked for when entries may be missing in between.
	After(ctx context.Context, lane event.Lane, position string, count int) (entries []event.Entry, behind string, err error)
	// End is the position behind all entries that there are now.
	End(ctx context.Context, lane event.Lane) (string, error)
	// Tail returns up to count entries behind a position, or none after
	// waiting a moment.
	Tail(ctx context.Context, lane event.Lane, after string, count int) ([]event.Entry, error)
}

const (
	pageCount     = 100 // entries
	mostListeners = 1000
	mostReads     = 4 // of listeners at once, so that they leave connections to others
	readWithin    = time.Second
	retryAfter    = 200 * time.Millisecond
)

// ErrFull says that there are too many listeners.
var ErrFull = errors.New("too many listeners")

// Hub follows the partitions of one stream while anybody listens.
type Hub struct {
	source Source
	lanes  []event.Lane // by partition
	log    *slog.Logger
	reads  chan struct{} // holds one for each read of a listener under way

	mu        sync.Mutex
	windows   []window      // by partition
	changed   chan struct{} // closed and replaced when there is something new to look at
	listeners int
}

// NewHub makes a hub for the partitions of a stream, from 0 on.
func NewHub(source Source, log *slog.Logger, lanes ...event.Lane) *Hub {
	return &Hub{source: source, lanes: lanes, log: log, reads: make(chan struct{}, mostReads),
		windows: make([]window, len(lanes)), changed: make(chan struct{})}
}

// Partitions is their number.
func (h *Hub) Partitions() int { return len(h.lanes) }

// Listeners is their number.
func (h *Hub) Listeners() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.listeners
}

// Run follows the stream until ctx ends.
func (h *Hub) Run(ctx context.Context) error {
	var following sync.WaitGroup
	for partition := range h.lanes {
		following.Go(func() { h.follow(ctx, partition) })
	}
	following.Wait()
	return nil
}

func (h *Hub) follow(ctx context.Context, partition int) {
	for h.wanted(ctx, partition) {
		if err := h.advance(ctx, partition); err != nil && ctx.Err() == nil {
			h.fail(partition, err)
			select {
			case <-ctx.Done():
			case <-time.After(retryAfter/2 + rand.N(retryAfter)):
			}
		}
	}
}

// wanted waits until somebody listens, and reports false when ctx has ended
// before. What was known before a wait is not the newest stretch any more.
func (h *Hub) wanted(ctx context.Context, partition int) bool {
	for ctx.Err() == nil {
		h.mu.Lock()
		listeners, changed := h.listeners, h.changed
		if listeners == 0 {
			h.windows[partition] = window{}
		}
		h.mu.Unlock()
		if listeners > 0 {
			return true
		}
		select {
		case <-ctx.Done():
		case <-changed:
		}
	}
	return false
}

// advance moves a window's end on, or waits a moment for something to come.
func (h *Hub) advance(ctx context.Context, partition int) error {
	h.mu.Lock()
	known, end := h.windows[partition].known, h.windows[partition].end()
	h.mu.Unlock()
	if !known {
		text, err := h.source.End(ctx, h.lanes[partition])
		if err != nil {
			return err
		}
		if end, err = ParseID(text); err != nil {
			return err
		}
		h.change(partition, func(w *window) { w.restart(end) })
	}
	items, behind, err := h.read(ctx, partition, end)
	if err != nil {
		return err
	}
	h.mu.Lock()
	well := h.windows[partition].err == nil
	h.mu.Unlock()
	if len(items) > 0 || behind != end || !well {
		h.change(partition, func(w *window) {
			if w.err = nil; behind != end {
				w.restart(behind)
			}
			w.add(items)
		})
		return nil
	}
	_, err = h.source.Tail(ctx, h.lanes[partition], end.String(), 1)
	return err
}

// fail tells listeners that a partition cannot be followed now.
func (h *Hub) fail(partition int, err error) {
	h.mu.Lock()
	first := h.windows[partition].err == nil
	h.mu.Unlock()
	if first {
		h.log.Warn("stream cannot be followed now", "stream", h.lanes[partition].Stream.String(), "partition", partition, "err", err)
		h.change(partition, func(w *window) { w.err = err })
	}
}

// change changes a window and makes all listeners look again.
func (h *Hub) change(partition int, f func(*window)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f(&h.windows[partition])
	h.wake()
}

// wake is called with the lock held.
func (h *Hub) wake() {
	close(h.changed)
	h.changed = make(chan struct{})
}

// read reads a page from the source.
func (h *Hub) read(ctx context.Context, partition int, at ID) (items []item, behind ID, err error) {
	entries, text, err := h.source.After(ctx, h.lanes[partition], at.String(), pageCount)
	if err != nil {
		return nil, at, err
	}
	if behind, err = ParseID(text); err != nil {
		return nil, at, err
	}
	items, err = itemsOf(entries)
	return items, behind, err
}

// failure is why some partition cannot be followed, or nil.
func (h *Hub) failure() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, w := range h.windows {
		if w.err != nil {
			return w.err
		}
	}
	return nil
}

// page gives a listener what is behind its position. While the partition
// cannot be followed, only its reader tries.
func (h *Hub) page(ctx context.Context, partition int, at ID) (items []item, behind ID, err error) {
	h.mu.Lock()
	failure := h.windows[partition].err
	items, ok := h.windows[partition].behind(at)
	h.mu.Unlock()
	if len(items) > 0 {
		return items, at, nil
	}
	if failure != nil || ok {
		return nil, at, failure
	}
	ctx, cancel := context.WithTimeout(ctx, readWithin)
	defer cancel()
	select {
	case h.reads <- struct{}{}:
		defer func() { <-h.reads }()
		return h.read(ctx, partition, at)
	case <-ctx.Done():
		return nil, at, ctx.Err()
	}
}
