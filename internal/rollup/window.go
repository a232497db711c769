package rollup

import (
	"fmt"
	"strings"
	"time"

	"github.com/busuhq/busu/internal/event"
)

// Window is a stretch of time up to now that metrics are kept for, in slots of
// its resolution. The slot that now falls into counts as the newest.
type Window struct {
	Name       string
	Length     time.Duration
	Resolution time.Duration
}

// Windows lists the windows, shortest first.
func Windows() []Window {
	return []Window{
		{"1m", time.Minute, time.Second},
		{"5m", 5 * time.Minute, 5 * time.Second},
		{"1h", time.Hour, time.Minute},
		{"24h", 24 * time.Hour, 5 * time.Minute},
		{"7d", 7 * 24 * time.Hour, time.Hour},
	}
}

// ParseWindow finds a window by name.
func ParseWindow(name string) (Window, error) {
	var names []string
	for _, w := range Windows() {
		if w.Name == name {
			return w, nil
		}
		names = append(names, w.Name)
	}
	return Window{}, fmt.Errorf("window %q is not kept: use one of %s", name, strings.Join(names, ", "))
}

// From is the beginning of the window at now: what arrived since then counts.
func (w Window) From(now time.Time) time.Time {
	return now.UTC().Truncate(w.Resolution).Add(w.Resolution - w.Length)
}

// Slot is the slot that a Unix second falls into, in resolutions since 1970.
func (w Window) Slot(second int64) int64 { return second / int64(w.Resolution/time.Second) }

// oldest is the oldest slot in the window at now.
func (w Window) oldest(now time.Time) int64 { return w.Slot(w.From(now).Unix()) }

// Key names a cell of a project: in a window's slot, or in the totals since
// the beginning, whose window is empty.
type Key struct {
	Window string
	Slot   int64
	Dim    Dim
}

// Checkpoint is what has been folded of one partition, and up to where. It is
// saved and loaded as a whole, so that state and position never disagree.
type Checkpoint struct {
	Position string                  // in the stream; "" is the beginning
	After    string                  // when saving, the position that was saved or loaded before
	Seqs     map[string]event.Ranges // what was folded, by journal; when saving, only what changed
	Cells    []ProjectCell           // when saving, only those that changed
	Subtotal *Subtotal               // of all cells; when saving, nil leaves the one before, and it is never loaded
}

// ProjectCell is a cell under its project and key; without a cell, it is gone.
type ProjectCell struct {
	Project string
	Key     Key
	Cell    *Cell
}

// sliding is a window with its cells and their running sum.
type sliding struct {
	Window
	slots map[int64]*slot
	sum   Cells
	first int64 // the oldest slot that sum includes
}

func newSliding(w Window) *sliding {
	return &sliding{Window: w, slots: map[int64]*slot{}, sum: Cells{}}
}

// add counts c, unless its slot has left the window already.
func (s *sliding) add(at int64, d Dim, c Cell) bool {
	if at < s.first {
		return false
	}
	in := s.slots[at]
	if in == nil {
		in = new(slot)
		s.slots[at] = in
	}
	in.open().Add(d, c)
	s.sum.Add(d, c)
	return true
}

// advance lets slots leave that are older than the window at now, and names
// their cells. A clock that goes back brings nothing back, but what arrives then
// counts.
func (s *sliding) advance(now time.Time) (gone []Key) {
	s.first = s.oldest(now)
	changing := s.Slot(now.Add(-packedAfter).Unix())
	for at, in := range s.slots {
		if at >= s.first {
			if at < changing {
				in.pack()
			}
			continue
		}
		for d, c := range in.open() {
			s.sum.add(d, *c, -1)
			gone = append(gone, Key{Window: s.Name, Slot: at, Dim: d})
		}
		delete(s.slots, at)
	}
	return gone
}
