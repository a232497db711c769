package tail

import (
	"context"
	"encoding/json"
)

// Event is a fact as it is stored, or a gap.
type Event struct {
	Type string
	Data []byte // JSON; of a fact, the stored bytes
	At   string // the position behind it, as ParsePosition reads it
}

// TypeGap is the type of the events that say that entries may be missing.
const TypeGap = "gap"

// gap says that of a partition everything behind From up to To is gone. To is
// before From when the stream was set back: then what follows may have come
// before.
type gap struct {
	Partition int    `json:"partition"`
	From      string `json:"from"`
	To        string `json:"to"`
}

// Listener follows a stream from a position on. It is used by one goroutine.
type Listener struct {
	hub    *Hub
	filter Filter
	at     Position
	turn   int // partition to look at next
}

// Listen begins behind a position; without one, behind all that there is now.
// The error is ErrFull, or that of the source.
func (h *Hub) Listen(ctx context.Context, from Position, f Filter) (*Listener, error) {
	h.mu.Lock()
	if h.listeners == mostListeners {
		h.mu.Unlock()
		return nil, ErrFull
	}
	h.listeners++
	h.wake() // the readers may have waited for somebody
	h.mu.Unlock()
	l := &Listener{hub: h, filter: f, at: from}
	if from == nil {
		if err := l.toEnd(ctx); err != nil {
			l.Close()
			return nil, err
		}
	}
	return l, nil
}

func (l *Listener) toEnd(ctx context.Context) error {
	l.at = make(Position, len(l.hub.lanes))
	for partition, lane := range l.hub.lanes {
		text, err := l.hub.source.End(ctx, lane)
		if err != nil {
			return err
		}
		if l.at[partition], err = ParseID(text); err != nil {
			return err
		}
	}
	return nil
}

// Close gives up the listener's place.
func (l *Listener) Close() {
	l.hub.mu.Lock()
	defer l.hub.mu.Unlock()
	l.hub.listeners--
}

// Position is how far the listener has read, whether it was given what is
// there or not.
func (l *Listener) Position() Position { return l.at }

// Changed is closed when Read may give more than it gives now. It must be
// asked for before Read is, or a change between the two goes unnoticed.
func (l *Listener) Changed() <-chan struct{} {
	l.hub.mu.Lock()
	defer l.hub.mu.Unlock()
	return l.hub.changed
}

// Read gives the next events that pass the filter, in order within their
// partition, at most a page. It reports whether the position has moved: when
// it has not, there is nothing more now. The error is that of any partition
// that cannot be read; others may move all the same.
func (l *Listener) Read(ctx context.Context) (events []Event, moved bool, err error) {
	err = l.hub.failure()
	for range l.at {
		partition := l.turn
		l.turn = (l.turn + 1) % len(l.at)
		items, behind, failure := l.hub.page(ctx, partition, l.at[partition])
		switch {
		case failure != nil:
			err = failure
		case len(items) > 0 || behind != l.at[partition]:
			return l.pass(partition, behind, items), true, err
		}
	}
	return nil, false, err
}

// pass moves behind items and gives those that pass the filter.
func (l *Listener) pass(partition int, behind ID, items []item) []Event {
	var events []Event
	if from := l.at[partition]; behind != from {
		data, _ := json.Marshal(gap{partition, from.String(), behind.String()}) // always marshals
		l.at[partition] = behind
		events = append(events, Event{Type: TypeGap, Data: data, At: l.at.String()})
	}
	for _, i := range items {
		l.at[partition] = i.id
		if l.filter.passes(i.head) {
			events = append(events, Event{Type: i.Type, Data: i.body, At: l.at.String()})
		}
	}
	return events
}
