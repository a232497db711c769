// Package sse reads and writes server-sent events, as the HTML standard
// defines them (https://html.spec.whatwg.org/multipage/server-sent-events.html).
//
// Vendors stream their answers as such events, and so does busu. Reading is
// lenient where they differ: any line end, comments, fields it does not know,
// an end without a blank line.
package sse

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
)

// MaxEvent bounds one event, in bytes: what a vendor sends without end must
// not fill the memory.
const MaxEvent = 16 << 20

// ErrTooLong says that an event is longer than MaxEvent.
var ErrTooLong = fmt.Errorf("an event is longer than %d bytes", MaxEvent)

// Event is one event. Data has no trailing line end; that of several lines is
// joined by "\n".
type Event struct {
	Name string // of the field event; "" is an ordinary message
	ID   string
	Data []byte
}

// Reader reads events.
type Reader struct {
	in   *bufio.Reader
	line []byte
	data []byte
	cr   bool // the last line ended with a carriage return: a line feed belongs to it
}

// NewReader reads from r.
func NewReader(r io.Reader) *Reader { return &Reader{in: bufio.NewReaderSize(r, 16<<10)} }

// Next returns the next event that has data. Its Data is valid until the next
// call. io.EOF is the end of the stream; data before it that no blank line
// closes is still an event, since some vendors end so.
func (r *Reader) Next() (Event, error) {
	var e Event
	r.data = r.data[:0]
	hasData := false
	for {
		line, err := r.readLine()
		if err != nil && (len(line) == 0 || !errors.Is(err, io.EOF)) {
			if hasData && errors.Is(err, io.EOF) {
				e.Data = r.data
				return e, nil
			}
			return Event{}, err
		}
		if len(line) == 0 {
			if hasData {
				e.Data = r.data
				return e, nil
			}
			e = Event{} // an event without data is none
			continue
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimPrefix(value, []byte(" "))
		switch string(name) {
		case "data":
			if hasData {
				r.data = append(r.data, '\n')
			}
			hasData = true
			if len(r.data)+len(value) > MaxEvent {
				return Event{}, ErrTooLong
			}
			r.data = append(r.data, value...)
		case "event":
			e.Name = string(value)
		case "id":
			e.ID = string(value)
		}
	}
}

// readLine returns a line without its end: "\n", "\r\n" or "\r".
func (r *Reader) readLine() ([]byte, error) {
	r.line = r.line[:0]
	for {
		b, err := r.in.ReadByte()
		if err != nil {
			return r.line, err
		}
		if r.cr {
			r.cr = false
			if b == '\n' {
				continue
			}
		}
		switch b {
		case '\n':
			return r.line, nil
		case '\r':
			r.cr = true
			return r.line, nil
		}
		if len(r.line) >= MaxEvent {
			return nil, ErrTooLong
		}
		r.line = append(r.line, b)
		r.line = r.takeRun(r.line)
	}
}

// takeRun appends what is buffered up to the next line end, which is faster
// than byte by byte.
func (r *Reader) takeRun(line []byte) []byte {
	buffered, _ := r.in.Peek(r.in.Buffered())
	run := bytes.IndexAny(buffered, "\r\n")
	if run < 0 {
		run = len(buffered)
	}
	run = min(run, MaxEvent-len(line))
	line = append(line, buffered[:run]...)
	_, _ = r.in.Discard(run) // they are buffered
	return line
}

// Append adds an event in its wire form. The name must be one line; data of
// several lines becomes several fields.
func Append(to []byte, name string, data []byte) []byte {
	if name != "" {
		to = append(append(append(to, "event: "...), name...), '\n')
	}
	for {
		line, rest, more := bytes.Cut(data, []byte("\n"))
		to = append(append(append(to, "data: "...), bytes.TrimSuffix(line, []byte("\r"))...), '\n')
		if !more {
			return append(to, '\n')
		}
		data = rest
	}
}
