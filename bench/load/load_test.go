package load

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func serve(t *testing.T, handler http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

// numbered is a request that says its number.
func numbered(into []byte, i int) []byte {
	body := strconv.Itoa(i)
	return fmt.Appendf(into[:0], "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
}

// seen counts how often each request came.
type seen struct {
	mu    sync.Mutex
	count map[string]int
}

func (s *seen) add(r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.count == nil {
		s.count = map[string]int{}
	}
	s.count[string(body)]++
}

func (s *seen) onceEach(t *testing.T, n int) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if n > 0 && len(s.count) != n {
		t.Errorf("%d different requests came, not %d", len(s.count), n)
	}
	for body, times := range s.count {
		if times != 1 {
			t.Errorf("request %s came %d times", body, times)
		}
	}
}

func TestClosedSendsEachOnce(t *testing.T) {
	t.Parallel()
	var o Outcome
	for lasts := 20 * time.Millisecond; o.Answered == 0 && t.Context().Err() == nil; lasts *= 2 { // a busy machine may answer nothing for a while
		var s seen
		addr := serve(t, func(w http.ResponseWriter, r *http.Request) { s.add(r); w.Header().Set("X-From", "here") })
		var told []bool
		var err error
		o, err = Closed(t.Context(), Load{Addr: addr, Request: numbered, Connections: 3, For: lasts, Holds: "X-From: here",
			Counting: func(on bool) { told = append(told, on) }})
		if err != nil || o.Answered != o.Holding || o.Sent() != o.Answered || o.Took.Count() != uint64(o.Answered) {
			t.Fatalf("%+v, %v", o, err)
		}
		if len(told) != 2 || !told[0] || told[1] {
			t.Errorf("told %v", told)
		}
		s.onceEach(t, 0)
	}
	if err := o.Sound(); err != nil {
		t.Error(err)
	}
}

// TestOpenCountsFromWhenDue: with one connection and a server that stops once,
// all that were due meanwhile took that long, too.
func TestOpenCountsFromWhenDue(t *testing.T) {
	t.Parallel()
	const stop = 200 * time.Millisecond
	var s seen
	allDue := make(chan struct{})
	addr := serve(t, func(_ http.ResponseWriter, r *http.Request) { s.add(r); <-allDue })
	o, err := Open(t.Context(), Load{Addr: addr, Request: numbered, Connections: 1, Rate: 500, For: stop, Counting: func(on bool) {
		if !on {
			close(allDue)
		}
	}})
	if err != nil || o.Answered != 100 {
		t.Fatalf("%+v, %v", o, err)
	}
	if median := o.Took.Percentile(.5); median < float64(stop.Microseconds())/3 {
		t.Errorf("half of them took less than %g µs while nobody answered", median)
	}
	s.onceEach(t, 100)
}

func TestOpenWarmsUp(t *testing.T) {
	t.Parallel()
	addr := serve(t, func(http.ResponseWriter, *http.Request) {})
	o, err := Open(t.Context(), Load{Addr: addr, Request: numbered, Connections: 8, Rate: 1000, Warm: 30 * time.Millisecond, For: 50 * time.Millisecond})
	if err != nil || o.Sent() != 50 || o.Answered != 50 {
		t.Errorf("%d sent, %d answered, %v; %v", o.Sent(), o.Answered, o.Err, err)
	}
}

// TestBrokenConnections fail one request each; the next go over new ones.
func TestBrokenConnections(t *testing.T) {
	t.Parallel()
	addr := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		if body, _ := io.ReadAll(r.Body); strings.HasSuffix(string(body), "7") {
			panic(http.ErrAbortHandler)
		}
	})
	o, err := Open(t.Context(), Load{Addr: addr, Request: numbered, Connections: 2, Rate: 1000, For: 100 * time.Millisecond})
	if err != nil || o.Failed != 10 || o.Answered != 90 || o.Err == nil || o.Sound() == nil {
		t.Errorf("%d failed, %d answered, %v; %v", o.Failed, o.Answered, o.Err, err)
	}
}

func TestRefusalsAreNoFailures(t *testing.T) {
	t.Parallel()
	addr := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		switch i, _ := strconv.Atoi(string(body)); i % 4 {
		case 0:
			http.Error(w, "later", http.StatusServiceUnavailable)
		case 1:
			http.Error(w, "no", http.StatusTeapot)
		}
	})
	o, err := Open(t.Context(), Load{Addr: addr, Request: numbered, Connections: 2, Rate: 1000, For: 40 * time.Millisecond})
	if err != nil || o.Refused != 10 || o.Failed != 10 || o.Answered != 20 {
		t.Errorf("%+v, %v", o, err)
	}
	if o.Err == nil || !strings.Contains(o.Err.Error(), "503: later") && !strings.Contains(o.Err.Error(), "418: no") {
		t.Error(o.Err) // either may have come first
	}
}

func TestStreams(t *testing.T) {
	t.Parallel()
	addr := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		for range 3 {
			fmt.Fprint(w, "data: {}\n\n")
			_ = http.NewResponseController(w).Flush()
		}
		if !strings.HasSuffix(string(body), "9") {
			fmt.Fprint(w, "data: [DONE]\n\n")
		}
	})
	o, err := Open(t.Context(), Load{Addr: addr, Request: numbered, Connections: 4, Rate: 1000, For: 20 * time.Millisecond, Streams: true})
	if err != nil || o.Answered != 18 || o.Failed != 2 || o.Events != 4*18 || !errors.Is(o.Err, errUnended) {
		t.Errorf("%+v, %v", o, err)
	}
}

// TestEachIsTold of every request that is counted, and that a stream among
// other answers has to say that it ended.
func TestEachIsTold(t *testing.T) {
	t.Parallel()
	addr := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		switch i, _ := strconv.Atoi(string(body)); i % 4 {
		case 0:
			w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
			fmt.Fprint(w, "data: {}\n\n")
		case 1:
			w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
			fmt.Fprint(w, "data: {}\n\ndata: [DONE]\n\n")
		case 2:
			http.Error(w, "later", http.StatusServiceUnavailable)
		}
	})
	var told, took, failed atomic.Int64
	o, err := Open(t.Context(), Load{Addr: addr, Request: numbered, Connections: 4, Rate: 1000, Warm: 20 * time.Millisecond, For: 40 * time.Millisecond,
		Each: func(f Fate) {
			told.Add(1)
			if f.Took > 0 {
				took.Add(1)
			}
			if f.Err != nil {
				failed.Add(1)
			}
		}})
	if err != nil || o.Failed != 10 || o.Refused != 10 || o.Answered != 20 {
		t.Errorf("%+v, %v", o, err)
	}
	if told.Load() != 40 || took.Load() != 40 || failed.Load() != 20 {
		t.Errorf("told of %d, %d of which took time and %d of which failed", told.Load(), took.Load(), failed.Load())
	}
}

func TestNobodyAnswers(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	load := Load{Addr: l.Addr().String(), Request: numbered, Connections: 2, Rate: 100, For: 50 * time.Millisecond}
	if _, err := Closed(t.Context(), load); err == nil {
		t.Error("a closed loop without a server")
	}
	if o, err := Open(t.Context(), load); err != nil || o.Failed != 5 {
		t.Errorf("%+v, %v", o, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Open(ctx, load); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestRead(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 50_000)
	for name, c := range map[string]struct {
		text  string
		want  Reply
		fails bool
	}{
		"length":           {text: "HTTP/1.1 200 OK\r\ncontent-length: 5\r\nX-A: b\r\n\r\nhello", want: Reply{Status: 200, Holds: true}},
		"without the rest": {text: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel", fails: true},
		"closes":           {text: "HTTP/1.1 404 Not\r\nConnection: Close\r\nContent-Length: 2\r\n\r\nno", want: Reply{Status: 404, Closes: true, Quote: "no"}},
		"long":             {text: "HTTP/1.1 200 OK\r\nX-L: " + long + "\r\nContent-Length: 50000\r\n\r\n" + long, want: Reply{Status: 200}},
		"chunks": {text: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\na: b\n\r\n1\r\n\n\r\nE\r\ndata: [DONE]\n\n\r\n0\r\n\r\n",
			want: Reply{Status: 200, Events: 2, Done: true}},
		"chunk too long": {text: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n0\r\n\r\n", fails: true},
		"without an end": {text: "HTTP/1.1 200 OK\r\n\r\n", fails: true},
		"no answer":      {text: "hello\r\n\r\n", fails: true},
	} {
		ours, theirs := net.Pipe()
		go func() { _, _ = io.WriteString(theirs, c.text); _ = theirs.Close() }()
		conn := &Conn{Conn: ours, buffer: make([]byte, 16)}
		r, err := conn.Read([]byte("X-A: b"))
		r.First = time.Time{}
		if (err != nil) != c.fails || err == nil && r != c.want {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
}
