// Package load sends requests as fast as asked and measures how long answers
// take. It shares its cores with what it measures, so it does little: requests
// are bytes, and of an answer it reads what tells where it ends and whether it
// is one.
package load

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"
)

// Conn is a connection that is used for one request after the other.
type Conn struct {
	net.Conn
	buffer     []byte
	start, end int // of what came and has not been read
}

const (
	mostHead   = 64 << 10 // bytes of an answer's head
	quoteBytes = 300      // of an answer that is none, for words
)

// Dial opens a connection.
func Dial(addr string) (*Conn, error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	return &Conn{Conn: conn, buffer: make([]byte, 8<<10)}, nil
}

// Reply is what is read of an answer.
type Reply struct {
	Status int
	Holds  bool      // its head holds what was looked for
	Closes bool      // the server closes the connection behind it
	Stream bool      // its head says that it is a stream of events
	First  time.Time // when the first of the body came
	Events int       // that ended in an empty line
	Done   bool      // it ends with [DONE]
	Quote  string    // the begin of the body, where the status is not 200
}

// Read reads the answer to a request that was written. An empty text is in
// every head.
func (c *Conn) Read(holds []byte) (Reply, error) {
	head, err := c.readHead()
	if err != nil {
		return Reply{}, err
	}
	r, length, err := parseHead(head)
	if err != nil {
		return r, err
	}
	r.Holds = bytes.Contains(head, holds)
	c.start += len(head)
	b := body{reply: &r}
	if length == chunked {
		err = c.readChunks(&b)
	} else {
		err = c.readBytes(length, &b)
	}
	r.Done = bytes.HasSuffix(bytes.TrimRight(b.tail, "\n"), []byte("[DONE]"))
	return r, err
}

func (c *Conn) readHead() ([]byte, error) {
	for looked := 0; ; {
		if i := bytes.Index(c.buffer[c.start+looked:c.end], []byte("\r\n\r\n")); i >= 0 {
			return c.buffer[c.start : c.start+looked+i+4], nil
		}
		looked = max(c.end-c.start-3, 0)
		if c.end-c.start > mostHead {
			return nil, errors.New("the head of the answer has no end")
		}
		if err := c.fill(); err != nil {
			return nil, err
		}
	}
}

// fill reads what has come behind what is there.
func (c *Conn) fill() error {
	if c.start == c.end {
		c.start, c.end = 0, 0
	}
	if c.end == len(c.buffer) {
		if c.start == 0 {
			c.buffer = append(c.buffer, make([]byte, len(c.buffer))...)
		}
		c.end = copy(c.buffer, c.buffer[c.start:c.end])
		c.start = 0
	}
	n, err := c.Conn.Read(c.buffer[c.end:])
	c.end += n
	if n > 0 {
		return nil
	}
	return err
}

const chunked = -1 // instead of a length

// parseHead reads the status and how the body ends.
func parseHead(head []byte) (r Reply, length int, err error) {
	line, rest, _ := bytes.Cut(head, []byte("\r\n"))
	if len(line) < len("HTTP/1.1 200") || string(line[:len("HTTP/1.")]) != "HTTP/1." {
		return r, 0, fmt.Errorf("it is no answer: %.100q", line)
	}
	if r.Status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return r, 0, fmt.Errorf("it is no answer: %.100q", line)
	}
	known := false
	for len(rest) > 2 {
		line, rest, _ = bytes.Cut(rest, []byte("\r\n"))
		if line[0]|' ' != 'c' && line[0]|' ' != 't' {
			continue
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimSpace(value)
		switch {
		case bytes.EqualFold(name, []byte("content-length")):
			length, err = strconv.Atoi(string(value))
			known = err == nil && length >= 0
		case bytes.EqualFold(name, []byte("transfer-encoding")) && bytes.EqualFold(value, []byte("chunked")):
			length, known = chunked, true
		case bytes.EqualFold(name, []byte("content-type")):
			r.Stream = bytes.HasPrefix(value, []byte("text/event-stream"))
		case bytes.EqualFold(name, []byte("connection")) && bytes.EqualFold(value, []byte("close")):
			r.Closes = true
		}
	}
	if !known {
		return r, 0, errors.New("the answer does not say where it ends")
	}
	return r, length, nil
}

// readBytes hands n bytes to a body.
func (c *Conn) readBytes(n int, b *body) error {
	for n > 0 {
		if c.start == c.end {
			if err := c.fill(); err != nil {
				return ended(err)
			}
		}
		have := min(n, c.end-c.start)
		b.add(c.buffer[c.start : c.start+have])
		c.start, n = c.start+have, n-have
	}
	return nil
}

func (c *Conn) readChunks(b *body) error {
	for {
		line, err := c.readLine()
		if err != nil {
			return ended(err)
		}
		size, err := strconv.ParseUint(string(line), 16, 31)
		if err != nil {
			return fmt.Errorf("chunk of %.20q bytes", line)
		}
		if err := c.readBytes(int(size), b); err != nil {
			return err
		}
		if line, err := c.readLine(); err != nil || len(line) > 0 {
			return errors.Join(errors.New("a chunk does not end where it should"), err)
		}
		if size == 0 {
			return nil
		}
	}
}

// readLine is without its end, and good until more is read.
func (c *Conn) readLine() ([]byte, error) {
	for {
		if i := bytes.IndexByte(c.buffer[c.start:c.end], '\n'); i >= 0 {
			line := c.buffer[c.start : c.start+i]
			c.start += i + 1
			return bytes.TrimSuffix(line, []byte("\r")), nil
		}
		if err := c.fill(); err != nil {
			return nil, err
		}
	}
}

// ended is for an answer that breaks off.
func ended(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// body is looked at as it comes.
type body struct {
	reply *Reply
	tail  []byte // the last bytes
}

const tailBytes = 16

func (b *body) add(piece []byte) {
	r := b.reply
	if r.First.IsZero() {
		r.First = time.Now()
	}
	if len(b.tail) > 0 && b.tail[len(b.tail)-1] == '\n' && piece[0] == '\n' {
		r.Events++
		piece = piece[1:]
	}
	r.Events += bytes.Count(piece, []byte("\n\n"))
	if r.Status != 200 && len(r.Quote) < quoteBytes {
		r.Quote += string(piece[:min(len(piece), quoteBytes)])
	}
	b.tail = append(b.tail, piece[max(0, len(piece)-tailBytes):]...)
	b.tail = b.tail[max(0, len(b.tail)-tailBytes):]
}
