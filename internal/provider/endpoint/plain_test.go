package endpoint

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/busuhq/busu/internal/llm"
)

// raw is a host that reads a request and writes what it is told, on every
// connection again and again; it counts connections.
func raw(t *testing.T, says func(n int) (text string, hangUp bool)) (*url.URL, *atomic.Int64) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	var opened, asked atomic.Int64
	serve := func(conn net.Conn) {
		defer conn.Close()
		in := bufio.NewReader(conn)
		for {
			r, err := http.ReadRequest(in)
			if err != nil {
				return
			}
			if _, err := io.Copy(io.Discard, r.Body); err != nil {
				return
			}
			text, hangUp := says(int(asked.Add(1)))
			if _, err := io.WriteString(conn, text); err != nil || hangUp {
				return
			}
		}
	}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			opened.Add(1)
			go serve(conn)
		}
	}()
	return addressOf(t, "http://"+l.Addr().String()+"/"), &opened
}

const fine = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"

// say asks and reads the whole answer.
func say(t *testing.T, e *Endpoint, to *url.URL) (string, error) {
	t.Helper()
	response, err := e.Post(t.Context(), to, nil, []byte("{}"))
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := e.ReadAnswer(t.Context(), response)
	return string(body), err
}

// TestPlainFraming: where an answer ends, and whether its connection can serve
// the next one, is read as the host says it.
func TestPlainFraming(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text   string
		hangUp bool
		want   string
		kept   bool
		kind   llm.ErrorKind
	}{
		"length":               {text: fine, want: "{}", kept: true},
		"chunks":               {text: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n", want: "{}", kept: true},
		"trailer":              {text: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n2\r\n{}\r\n0\r\nX: 1\r\n\r\n", want: "{}", kept: true},
		"until it closes":      {text: "HTTP/1.1 200 OK\r\n\r\n{}", hangUp: true, want: "{}"},
		"it will close":        {text: "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}", want: "{}"},
		"1.0":                  {text: "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}", want: "{}"},
		"1.0 that goes on":     {text: "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\n{}", want: "{}", kept: true},
		"more than it says":    {text: fine + "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwrong", want: "{}"},
		"hints before":         {text: "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + fine, want: "{}", kept: true},
		"hints without end":    {text: strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", 100) + fine, kind: llm.ErrorUnavailable},
		"less than it says":    {text: "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{}", hangUp: true, kind: llm.ErrorUnavailable},
		"a chunk without end":  {text: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{}", hangUp: true, kind: llm.ErrorUnavailable},
		"two lengths":          {text: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}", kind: llm.ErrorUnavailable},
		"a head without end":   {text: "HTTP/1.1 200 OK\r\n" + strings.Repeat("X: "+strings.Repeat("x", 1000)+"\r\n", 100), hangUp: true, kind: llm.ErrorUnavailable},
		"nothing":              {hangUp: true, kind: llm.ErrorUnavailable},
		"no HTTP":              {text: "SSH-2.0-OpenSSH\r\n\r\n", hangUp: true, kind: llm.ErrorUnavailable},
		"another protocol":     {text: "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n", hangUp: true, kind: llm.ErrorMalformed},
		"nothing to be read":   {text: "HTTP/1.1 204 No Content\r\n\r\n", kind: llm.ErrorMalformed, kept: true},
		"an error, to its end": {text: "HTTP/1.1 500 X\r\nContent-Length: 2\r\n\r\n{}", kind: llm.ErrorUnavailable, kept: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			to, opened := raw(t, func(int) (string, bool) { return c.text, c.hangUp })
			e := New(Options{})
			defer e.Close()
			const times = 3
			for range times {
				got, err := say(t, e, to)
				failed, _ := errors.AsType[*llm.ProviderError](err)
				if (err == nil) != (c.kind == "") || failed != nil && failed.Kind != c.kind || got != c.want {
					t.Fatalf("%q, %v", got, err)
				}
			}
			if n, want := opened.Load(), map[bool]int64{true: 1, false: times}[c.kept]; n != want {
				t.Errorf("%d calls opened %d connections, want %d", times, n, want)
			}
		})
	}
}

// TestPlainLooksFirst: a connection that was closed while nobody needed it costs
// no call.
func TestPlainLooksFirst(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "{}") }))
	t.Cleanup(server.Close)
	e, to := New(Options{}), addressOf(t, server.URL)
	for range 20 {
		if got, err := say(t, e, to); err != nil || got != "{}" {
			t.Fatalf("%q, %v", got, err)
		}
		server.CloseClientConnections() // returns when they are closed
	}
}

// TestPlainAsksOnce: a request that may have arrived is not sent again.
func TestPlainAsksOnce(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	to, _ := raw(t, func(n int) (text string, hangUp bool) {
		asked.Store(int64(n))
		if n == 2 {
			return "", true
		}
		return fine, false
	})
	e := New(Options{})
	for i := range 3 {
		if _, err := say(t, e, to); (err != nil) != (i == 1) {
			t.Errorf("call %d: %v", i, err)
		}
	}
	if n := asked.Load(); n != 3 {
		t.Errorf("asked %d times", n)
	}
}

// TestPlainRefusesSigns that would end a header.
func TestPlainRefusesSigns(t *testing.T) {
	t.Parallel()
	to, _ := raw(t, func(int) (string, bool) { return fine, false })
	e := New(Options{})
	for _, header := range []http.Header{{"X": {"a\r\nY: b"}}, {"X": {"a\nb"}}, {"X\r\nY": {"b"}}, {"X Y": {"b"}}, {"X:": {"b"}}} {
		if _, err := e.Post(t.Context(), to, header, nil); err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("%v: %v", header, err)
		}
	}
}

// TestPlainLeavesAlone what is not its own, and that is called as well.
func TestPlainLeavesAlone(t *testing.T) {
	t.Parallel()
	e := New(Options{})
	for raw, want := range map[string]bool{"http://host/v1": true, "http://[::1]:80/": true, "https://host/v1": false, "http://h%25C3/": false,
		"http://[fe80::1%25eth0]/": false, "http://bücher.example/": false} {
		if got := e.plain.serves(addressOf(t, raw), nil); got != want {
			t.Errorf("%s: %v", raw, got)
		}
	}
	var read atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		read.Store(n)
		_, _ = io.WriteString(w, "{}")
	}))
	t.Cleanup(server.Close)
	for _, size := range []int{0, 1, mostPlainBody, mostPlainBody + 1, 1 << 20} {
		response, err := e.Post(t.Context(), addressOf(t, server.URL), nil, make([]byte, size))
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if read.Load() != int64(size) {
			t.Errorf("of %d bytes %d arrived", size, read.Load())
		}
	}
	if New(Options{Client: server.Client()}).plain != nil {
		t.Error("a client that was given is not asked")
	}
}

// TestPlainSweeps what nobody has needed for long.
func TestPlainSweeps(t *testing.T) {
	t.Parallel()
	to, _ := raw(t, func(int) (string, bool) { return fine, false })
	e := New(Options{})
	if _, err := say(t, e, to); err != nil {
		t.Fatal(err)
	}
	e.plain.sweep()
	if w := e.plain.idle[to.Host]; len(w) != 1 {
		t.Fatalf("%d connections are kept", len(w))
	}
	e.plain.idle[to.Host][0].since = e.plain.idle[to.Host][0].since.Add(-idleFor)
	e.plain.sweep()
	if len(e.plain.idle) > 0 || e.plain.sweeps {
		t.Error("it is kept for longer")
	}
	if _, err := say(t, e, to); err != nil {
		t.Fatal(err)
	}
	if e.Close(); len(e.plain.idle) > 0 {
		t.Error("it is kept when all is closed")
	}
	if _, err := say(t, e, to); err != nil || len(e.plain.idle) > 0 {
		t.Errorf("after that: %v, %d kept", err, len(e.plain.idle))
	}
}

// TestPlainEndsWithItsContext, also where nothing could be sent yet.
func TestPlainEndsWithItsContext(t *testing.T) {
	t.Parallel()
	to, _ := raw(t, func(int) (string, bool) { return fine, false })
	e := New(Options{})
	if _, err := say(t, e, to); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 2 { // the one that is kept, and a new one
		_, err := e.Post(ctx, to, nil, nil)
		if failed, ok := errors.AsType[*llm.ProviderError](err); !ok || failed.Kind != llm.ErrorCanceled {
			t.Errorf("%v", err)
		}
	}
	if _, err := say(t, e, to); err != nil {
		t.Error(err)
	}
}

// TestAllocations of a call, answer and all.
func TestAllocations(t *testing.T) {
	to, _ := raw(t, func(int) (string, bool) { return fine, false })
	e := New(Options{})
	const most = 32 // those of the host in this process among them
	if n := testing.AllocsPerRun(100, func() {
		if _, err := say(t, e, to); err != nil {
			t.Fatal(err)
		}
	}); n > most {
		t.Errorf("%g allocations, more than %d", n, most)
	}
}
