package httpapi_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"
	"github.com/getkin/kin-openapi/openapi3"

	"github.com/busuhq/busu/internal/httpapi"
	"github.com/busuhq/busu/internal/rollup"
)

// pipes is a network within a synctest bubble, where real ones stop the clock.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (p pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p pipes) Close() error {
	close(p.closed)
	return nil
}

func (p pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "pipe"} }

func (p pipes) dial(context.Context, string, string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	p.conns <- theirs
	return ours, nil
}

// liveStack is an API on a network of pipes.
type liveStack struct {
	*stack
	client *http.Client
}

// serveLive must be called in a bubble, which then fails the test when
// anything that the API started outlives it.
func serveLive(t *testing.T, choose ...func(*setup)) *liveStack {
	t.Helper()
	s := &liveStack{stack: build(choose...)}
	network := pipes{make(chan net.Conn), make(chan struct{})}
	server := httpapi.Server(s.Handler, slog.New(slog.DiscardHandler))
	transport := &http.Transport{DialContext: network.dial}
	s.client = &http.Client{Transport: transport}
	go func() { _ = server.Serve(network) }()
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	synctest.Wait()
	return s
}

func (s *liveStack) connect(t *testing.T, query string) *websocket.Conn {
	t.Helper()
	conn, response, err := websocket.Dial(t.Context(), "ws://localhost/metrics/live"+query, &websocket.DialOptions{HTTPClient: s.client})
	if err != nil {
		t.Fatal(err)
	}
	if id := response.Header.Get("X-Request-Id"); len(id) != 36 {
		t.Errorf("request id %q", id)
	}
	t.Cleanup(func() { _ = conn.CloseNow() })
	return conn
}

// next reads a snapshot that is as documented.
func next(t *testing.T, conn *websocket.Conn) {
	t.Helper()
	kind, message, err := conn.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	doc, err := readDocument()
	if err != nil {
		t.Fatal(err)
	}
	var value any
	if err := json.Unmarshal(message, &value); err != nil {
		t.Fatal(err)
	}
	snapshot := doc.Components.Schemas["Snapshot"].Value
	if err := snapshot.VisitJSON(value, openapi3.EnableJSONSchema2020()); err != nil || kind != websocket.MessageText {
		t.Errorf("a message of kind %v: %v", kind, err)
	}
}

// ended proves that no feed is left: waiting for them takes no time.
func (s *liveStack) ended(t *testing.T) {
	t.Helper()
	began := time.Now()
	if s.Health.Drain(); time.Since(began) > 0 {
		t.Error("a feed is still running")
	}
}

func TestFeedSendsAtOnceAndEveryInterval(t *testing.T) {
	t.Parallel()
	for query, interval := range map[string]time.Duration{"": 5 * time.Second, "?interval=1s": time.Second, "?interval=1m30s": 90 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			s := serveLive(t)
			began := time.Now()
			conn := s.connect(t, query)
			for i := range 4 {
				next(t, conn)
				if after := time.Since(began); after != time.Duration(i)*interval {
					t.Errorf("%q: snapshot %d came after %s", query, i, after)
				}
			}
			if err := conn.Close(websocket.StatusNormalClosure, ""); err != nil {
				t.Error(err)
			}
			synctest.Wait()
			s.ended(t)
		})
	}
}

func TestFeedEndsWhenTheProcessStops(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := serveLive(t)
		polite, deaf := s.connect(t, ""), s.connect(t, "")
		next(t, polite)
		next(t, deaf)
		left := make(chan error)
		go func() {
			_, _, err := polite.Read(t.Context())
			left <- err
		}()
		synctest.Wait()
		began := time.Now()
		s.Health.Drain()
		if took := time.Since(began); took > 250*time.Millisecond {
			t.Errorf("a listener that does not answer holds the process up for %s", took)
		}
		if err := <-left; websocket.CloseStatus(err) != websocket.StatusGoingAway {
			t.Errorf("the feed ends with %v", err)
		}
		_, response, err := websocket.Dial(t.Context(), "ws://localhost/metrics/live", &websocket.DialOptions{HTTPClient: s.client})
		if err == nil || response == nil || response.StatusCode != 503 || response.Header.Get("Retry-After") == "" {
			t.Errorf("a new feed gets %v, %v", response, err)
		}
		time.Sleep(time.Second) // in the bubble: for the deaf one's connection to be given up
	})
}

// TestFeedOfAListenerThatVanishes: no close frame, the connection just goes.
func TestFeedOfAListenerThatVanishes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := serveLive(t)
		conn := s.connect(t, "")
		next(t, conn)
		if err := conn.CloseNow(); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		s.ended(t)
	})
}

// TestFeedOfAListenerThatDoesNotRead is given up, not kept with all it was
// not sent.
func TestFeedOfAListenerThatDoesNotRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := serveLive(t)
		s.connect(t, "?interval=1s")
		time.Sleep(6 * time.Second) // in the bubble: more than a message may take
		synctest.Wait()
		s.ended(t)
	})
}

// TestFeedIgnoresMessages: some clients send their own pings.
func TestFeedIgnoresMessages(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := serveLive(t)
		conn := s.connect(t, "")
		next(t, conn)
		for range 3 {
			if err := conn.Write(t.Context(), websocket.MessageText, []byte("ping")); err != nil {
				t.Fatal(err)
			}
		}
		next(t, conn)
		if err := conn.Close(websocket.StatusNormalClosure, ""); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		s.ended(t)
	})
}

// flickering cannot be read the first time.
type flickering struct {
	fakeMetrics
	asked atomic.Int64
}

func (m *flickering) Live(ctx context.Context, project string) (rollup.Snapshot, error) {
	if m.asked.Add(1) == 1 {
		return rollup.Snapshot{}, errors.New("redis is away")
	}
	return m.fakeMetrics.Live(ctx, project)
}

func TestFeedLeavesOutWhatCannotBeRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := serveLive(t, func(s *setup) { s.metrics = new(flickering) })
		began := time.Now()
		conn := s.connect(t, "?interval=2s")
		if next(t, conn); time.Since(began) != 2*time.Second {
			t.Errorf("the first snapshot came after %s", time.Since(began))
		}
		if err := conn.CloseNow(); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		s.ended(t)
	})
}

func TestFeedThatPanics(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := serveLive(t, func(s *setup) { s.metrics = fakeMetrics{panic: "no luck"} })
		conn := s.connect(t, "")
		if _, _, err := conn.Read(t.Context()); !errors.Is(err, io.EOF) && err == nil {
			t.Error("a snapshot came")
		}
		synctest.Wait()
		s.ended(t)
	})
}

// TestRefusedHandshakes are problems like all other errors.
func TestRefusedHandshakes(t *testing.T) {
	t.Parallel()
	s := serve(t)
	whole := []string{"Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="}
	for _, bad := range []struct {
		query   string
		headers []string
		status  int
	}{
		{"?interval=10ms", whole, 422},
		{"?x=1", whole, 422},
		{"", append([]string{"Origin: https://evil.example"}, whole...), 403},
		{"", []string{"Upgrade: websocket"}, 426},
		{"", append([]string{"Host: evil.example"}, whole...), 403},
		{"", append(whole[:3:3], "Sec-WebSocket-Key: short"), 400},
		{"", append(whole[:2:2], "Sec-WebSocket-Version: 8", whole[3]), 400},
	} {
		got := s.send(t, "GET", "/metrics/live"+bad.query, "", bad.headers...).want(t, bad.status)
		got.problem(t)
	}
	keyed := serve(t, func(s *setup) { s.adminKey = "secret" })
	keyed.send(t, "GET", "/metrics/live", "", whole...).want(t, 401)
}
