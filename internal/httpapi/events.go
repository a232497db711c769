package httpapi

import (
	"bytes"
	"errors"
	"net/http"
	"sync"
	"time"
)

const (
	eventStreamType = "text/event-stream"
	// takeWithin is how long a client may take for a chunk, before it is given
	// up. It comes back to where it was.
	takeWithin = 15 * time.Second
	// renewAfter is how old that limit may be: it is a timer of the connection,
	// too dear to be set for each word of an answer.
	renewAfter = time.Second
	chunk      = 16 << 10
	// reconnectAfter is what browsers wait before they come back.
	reconnectAfter = "2000" // ms
)

// eventWriter writes server-sent events.
type eventWriter struct {
	w       http.ResponseWriter
	control *http.ResponseController
	text    bytes.Buffer

	mu      sync.Mutex
	limited time.Time // when limit last set one
	hurried bool
}

// newEventWriter begins the answer.
func newEventWriter(w http.ResponseWriter) *eventWriter {
	h := w.Header()
	h.Set("Content-Type", eventStreamType)
	h.Set("X-Accel-Buffering", "no") // or nginx would collect events before it passes them on
	w.WriteHeader(http.StatusOK)
	return &eventWriter{w: w, control: http.NewResponseController(w)}
}

// newFeed begins events that clients come back for. The connection is not used
// again: a client that was given up leaves it in the middle of a line. By HTTP/2
// it is other requests' too, and only the stream ends.
func newFeed(w http.ResponseWriter, r *http.Request) *eventWriter {
	if r.ProtoMajor == 1 {
		w.Header().Set("Connection", "close")
	}
	e := newEventWriter(w)
	e.text.WriteString("retry: " + reconnectAfter + "\n")
	return e
}

// event writes an event; one without a name is a plain message. Without an id
// the client's stays what it is. Data arrives as it is here, but that all its
// line ends are \n; busu's own events have none.
func (e *eventWriter) event(name, id string, data []byte) error {
	if name != "" {
		e.text.WriteString("event: " + name + "\n")
	}
	if id != "" {
		e.text.WriteString("id: " + id + "\n")
	}
	for more := true; more; {
		end := bytes.IndexAny(data, "\r\n")
		line, rest := data, []byte(nil)
		if more = end >= 0; more {
			line, rest = data[:end], data[end+1:]
			if data[end] == '\r' {
				rest = bytes.TrimPrefix(rest, []byte("\n"))
			}
		}
		e.text.WriteString("data: ")
		e.text.Write(line)
		e.text.WriteByte('\n')
		data = rest
	}
	return e.end()
}

// mark sets the client's id without an event, and shows proxies that the
// connection lives.
func (e *eventWriter) mark(id string) error {
	e.text.WriteString(":\nid: " + id + "\n")
	return e.end()
}

// end ends a block and writes it.
func (e *eventWriter) end() error {
	e.text.WriteByte('\n')
	for e.text.Len() > 0 {
		if err := e.limit(); err != nil {
			return err
		}
		if _, err := e.w.Write(e.text.Next(chunk)); err != nil {
			return err
		}
	}
	if e.text.Cap() > 4*chunk { // do not keep what one large event took
		e.text = bytes.Buffer{}
	}
	return nil
}

func (e *eventWriter) flush() error {
	if err := e.limit(); err != nil {
		return err
	}
	return ignoreUnsupported(e.control.Flush())
}

// limit gives the next write its time.
func (e *eventWriter) limit() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	now, within := time.Now(), takeWithin
	switch {
	case e.hurried:
		within = closeWithin
	case now.Sub(e.limited) < renewAfter:
		return nil
	}
	e.limited = now
	return ignoreUnsupported(e.control.SetWriteDeadline(now.Add(within)))
}

// hurry cuts the time of this write and all that follow, for a process that
// stops. It may be called at any time.
func (e *eventWriter) hurry() {
	e.mu.Lock()
	e.hurried = true
	e.mu.Unlock()
	_ = e.limit() // the write itself fails when the connection is gone
}

// ignoreUnsupported is for writers that are no connections.
func ignoreUnsupported(err error) error {
	if errors.Is(err, errors.ErrUnsupported) {
		return nil
	}
	return err
}
