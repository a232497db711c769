package httpapi_test

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/busuhq/busu/internal/httpapi"
)

// TestSlowClients: whoever sends a byte now and then does not hold a connection
// for ever, neither with headers nor with a body nor between requests.
func TestSlowClients(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		sends  string
		every  time.Duration // a byte of what follows
		status int           // 0: the connection is closed
		within time.Duration
	}{
		"headers":          {"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: ", time.Second, 0, 11 * time.Second},
		"a body":           {"POST /complete HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n", time.Second, 408, 61 * time.Second},
		"a body in chunks": {"POST /complete HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n ", time.Hour, 408, 61 * time.Second},
		"nothing":          {"", time.Hour, 0, 121 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				conn := dialSlowly(t, build().Handler)
				began := time.Now()
				go trickle(t.Context(), conn, c.sends, c.every)
				response, err := http.ReadResponse(bufio.NewReader(conn), nil)
				if took := time.Since(began); took > c.within {
					t.Errorf("it took %s", took)
				}
				switch {
				case c.status == 0 && err == nil && response.StatusCode != http.StatusRequestTimeout && response.StatusCode != http.StatusBadRequest:
					t.Errorf("it is answered with %d", response.StatusCode)
				case c.status != 0 && (err != nil || response.StatusCode != c.status):
					t.Errorf("it comes to %v, %v", response, err)
				}
			})
		})
	}
}

// dialSlowly connects to a server that is as the program's.
func dialSlowly(t *testing.T, h http.Handler) net.Conn {
	t.Helper()
	network := pipes{make(chan net.Conn), make(chan struct{})}
	server := httpapi.Server(h, slog.New(slog.DiscardHandler))
	go func() { _ = server.Serve(network) }()
	conn, err := network.dial(t.Context(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = conn.Close()
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	return conn
}

// trickle sends a beginning at once, and then a byte at a time, until nobody
// takes it or the test ends.
func trickle(ctx context.Context, conn net.Conn, begins string, every time.Duration) {
	_, err := io.WriteString(conn, begins)
	for err == nil {
		select {
		case <-ctx.Done():
			return
		case <-time.After(every):
			_, err = io.WriteString(conn, "x")
		}
	}
}

// TestNoTimeIsLeftOfTheAnswerBefore: on a connection that answered once, a request
// that takes longer than an answer may is answered, and told to go on before.
func TestNoTimeIsLeftOfTheAnswerBefore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := &waiting{began: make(chan struct{}), end: make(chan struct{})}
		conn := dialSlowly(t, build(func(s *setup) { s.gateway = g }).Handler)
		in := bufio.NewReader(conn)
		const body = `{"prompt": "a"}`
		for range 2 {
			head := "POST /complete HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 15\r\n\r\n"
			if _, err := io.WriteString(conn, head); err != nil {
				t.Fatal(err)
			}
			if r, err := http.ReadResponse(in, nil); err != nil || r.StatusCode != http.StatusContinue {
				t.Fatalf("%v, %v", r, err)
			}
			if _, err := io.WriteString(conn, body); err != nil {
				t.Fatal(err)
			}
			<-g.began
			time.Sleep(time.Hour)
			g.end <- struct{}{}
			r, err := http.ReadResponse(in, nil)
			if err != nil || r.StatusCode != http.StatusUnprocessableEntity {
				t.Fatalf("%v, %v", r, err)
			}
			if _, err := io.Copy(io.Discard, r.Body); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Minute)
		}
	})
}
