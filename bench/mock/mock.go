// Package mock is an upstream that speaks OpenAI's chat completions and does
// next to nothing for it: whatever is asked, the answer is the same bytes. It
// reads no more of a request than where it ends and whether a stream is wanted,
// so that its share of the cores is not what a benchmark measures.
package mock

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

const (
	// AnswerBytes is how long an answer is that comes whole.
	AnswerBytes = 600
	// Words are the pieces of a streamed answer.
	Words = 20
	// Events are all of its events: the role, the words, the reason to stop, the
	// usage, and the end.
	Events = Words + 4

	word = "word "
)

// Serve answers until the listener is closed.
func Serve(l net.Listener) error {
	for {
		conn, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return err
		}
		go serve(conn)
	}
}

// request is what is read of one.
type request struct {
	path   string
	stream bool
}

func serve(conn net.Conn) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	answers := newAnswers()
	s := server{conn: conn, answers: answers}
	var body []byte
	for {
		r, err := read(in, &body)
		if err == nil {
			err = s.answer(r)
		}
		if err != nil {
			return // whoever asked sees that the connection ends
		}
	}
}

// server is one connection, which remembers what its last path meant.
type server struct {
	conn      net.Conn
	answers   answers
	path      string
	behaviour Behaviour
}

func (s *server) answer(r request) error {
	if r.path != s.path {
		b, err := parse(r.path)
		if err != nil {
			return err
		}
		s.path, s.behaviour = r.path, b
	}
	if !strings.HasSuffix(r.path, "/chat/completions") {
		_, err := s.conn.Write(s.answers.other)
		return err
	}
	s.behaviour.wait()
	switch {
	case s.behaviour.fails():
		_, err := s.conn.Write(s.answers.failure)
		return err
	case r.stream:
		return s.stream()
	default:
		_, err := s.conn.Write(s.answers.whole)
		return err
	}
}

// stream sends each piece when it is due since the first: one that was late
// delays none of the others.
func (s *server) stream() error {
	first := time.Now()
	for i, piece := range s.answers.pieces {
		if pace := s.behaviour.Pace; pace > 0 {
			time.Sleep(time.Until(first.Add(time.Duration(i) * pace)))
		}
		if _, err := s.conn.Write(piece); err != nil {
			return err
		}
	}
	return nil
}

// read reads a request, its body into a buffer that is used again.
func read(in *bufio.Reader, body *[]byte) (r request, err error) {
	line, err := in.ReadSlice('\n')
	if err != nil {
		return r, err
	}
	parts := bytes.Fields(line)
	if len(parts) != 3 {
		return r, fmt.Errorf("it is no request: %.100q", line)
	}
	r.path = string(parts[1])
	length := 0
	for {
		if line, err = in.ReadSlice('\n'); err != nil {
			return r, err
		}
		if line = bytes.TrimRight(line, "\r\n"); len(line) == 0 {
			break
		}
		if name, value, ok := bytes.Cut(line, []byte(":")); ok && bytes.EqualFold(name, []byte("content-length")) {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return r, err
			}
		} else if ok && bytes.EqualFold(name, []byte("transfer-encoding")) {
			return r, errors.New("a body whose length is not said")
		}
	}
	if length > cap(*body) {
		*body = make([]byte, length)
	}
	*body = (*body)[:length]
	if _, err := io.ReadFull(in, *body); err != nil {
		return r, err
	}
	r.stream = bytes.Contains(*body, []byte(`"stream":true`)) || bytes.Contains(*body, []byte(`"stream": true`))
	return r, nil
}
