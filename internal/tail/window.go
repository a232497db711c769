package tail

import "slices"

const (
	windowCount = 1000    // entries
	windowBytes = 1 << 20 // of their bodies
)

// window holds the newest stretch of a partition, without holes.
type window struct {
	known bool // start has been found
	start ID   // what is behind it, up to the end, is in items
	items []item
	bytes int
	err   error // why the partition cannot be followed now
}

func (w *window) end() ID {
	if len(w.items) == 0 {
		return w.start
	}
	return w.items[len(w.items)-1].id
}

// restart begins at another position.
func (w *window) restart(at ID) { *w = window{known: true, start: at} }

// add appends what follows the end, and drops the oldest beyond the limits.
func (w *window) add(items []item) {
	w.items = append(w.items, items...)
	for _, i := range items {
		w.bytes += len(i.body)
	}
	drop := 0
	for len(w.items)-drop > windowCount || w.bytes > windowBytes {
		w.bytes -= len(w.items[drop].body)
		w.start = w.items[drop].id
		drop++
	}
	w.items = slices.Delete(w.items, 0, drop)
}

// behind gives up to a page of what is behind a position; ok is false when the
// window cannot tell, because it does not know that position. The items are
// copied: a listener that is slow to send them must not hold the window.
func (w *window) behind(p ID) (items []item, ok bool) {
	if !w.known {
		return nil, false
	}
	from := 0
	switch p {
	case w.end():
		from = len(w.items)
	case w.start:
	default:
		at, found := slices.BinarySearchFunc(w.items, p, func(i item, p ID) int { return i.id.Compare(p) })
		if !found {
			return nil, false
		}
		from = at + 1
	}
	return slices.Clone(w.items[from:min(from+pageCount, len(w.items))]), true
}
