package rollup

import (
	"time"

	"github.com/busuhq/busu/internal/event"
)

// Book keeps all windows and the totals of one project. It is not safe for
// concurrent use.
type Book struct {
	windows []*sliding
	totals  Cells
	changed map[Key]struct{}
}

// Books are the books of all projects.
type Books map[string]*Book

// Of gives a project's book, which is begun when it is missing.
func (bs Books) Of(project string) *Book {
	b := bs[project]
	if b == nil {
		b = NewBook()
		bs[project] = b
	}
	return b
}

// Fold counts facts.
func (bs Books) Fold(facts []*event.CompletionRecorded) {
	for slot, c := range Sum(facts, time.Second) {
		bs.Of(slot.Project).Add(slot.Start, slot.Dim, *c)
	}
}

// NewBook gives an empty book.
func NewBook() *Book {
	b := &Book{totals: Cells{}, changed: map[Key]struct{}{}}
	for _, w := range Windows() {
		b.windows = append(b.windows, newSliding(w))
	}
	return b
}

// Add counts what Sum gave, in seconds, in the slots that it belongs to, however
// late it comes.
func (b *Book) Add(start int64, d Dim, c Cell) {
	for _, w := range b.windows {
		slot := w.Slot(start)
		if w.add(slot, d, c) {
			b.changed[Key{w.Name, slot, d}] = struct{}{}
		}
	}
	c.Latency, c.TTFT, c.Overhead = nil, nil, nil // nobody asks for quantiles since the beginning
	b.totals.Add(d, c)
	b.changed[Key{Dim: d}] = struct{}{}
}

// Advance lets go of what has left the windows at now.
func (b *Book) Advance(now time.Time) {
	for _, w := range b.windows {
		for _, key := range w.advance(now) {
			b.changed[key] = struct{}{}
		}
	}
}

// Restore puts back a cell that was stored under its key.
func (b *Book) Restore(key Key, c Cell) {
	if key.Window == "" {
		b.totals.Add(key.Dim, c)
		return
	}
	for _, w := range b.windows {
		if w.Name == key.Window {
			w.add(key.Slot, key.Dim, c)
		}
	}
}

// Changed gives the cells that changed since the last call; a nil cell is
// gone. The cells are the book's own: read them before the next Fold.
func (b *Book) Changed() map[Key]*Cell {
	cells := make(map[Key]*Cell, len(b.changed))
	for key := range b.changed {
		cells[key] = b.cell(key)
	}
	clear(b.changed)
	return cells
}

func (b *Book) cell(key Key) *Cell {
	if key.Window == "" {
		return b.totals[key.Dim]
	}
	for _, w := range b.windows {
		if in := w.slots[key.Slot]; w.Name == key.Window && in != nil {
			return in.open()[key.Dim]
		}
	}
	return nil
}

// AddWindow adds the sums of a window to cells.
func (b *Book) AddWindow(name string, to Cells) {
	for _, w := range b.windows {
		if w.Name == name {
			to.addAll(w.sum)
		}
	}
}

// AddTotals adds the sums since the beginning to cells.
func (b *Book) AddTotals(to Cells) { to.addAll(b.totals) }

func (cs Cells) addAll(other Cells) {
	for d, c := range other {
		cs.Add(d, *c)
	}
}
