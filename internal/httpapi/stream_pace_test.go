package httpapi_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/tail"
)

// memory is a source whose streams are lists; the id of an entry is its number.
type memory struct {
	mu      sync.Mutex
	entries map[event.Lane][]event.Entry
	given   int // entries
	hangs   atomic.Bool
}

// answers reports whether there is an answer before ctx ends, or a client's
// own patience, which does not outlast a hanging store.
func (m *memory) answers(ctx context.Context) error {
	if !m.hangs.Load() {
		return nil
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(2200 * time.Millisecond):
		return errors.New("timeout")
	}
}

func (m *memory) add(lane event.Lane, n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.entries == nil {
		m.entries = map[event.Lane][]event.Entry{}
	}
	for range n {
		id := fmt.Sprintf("%d-0", len(m.entries[lane])+1)
		m.entries[lane] = append(m.entries[lane], event.Entry{Lane: lane, ID: id,
			Body: fmt.Appendf(nil, `{"type":"completion.recorded","project":"default","user_id":%q}`, id)})
	}
}

func (m *memory) After(ctx context.Context, lane event.Lane, position string, count int) ([]event.Entry, string, error) {
	if err := m.answers(ctx); err != nil {
		return nil, position, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var at int
	if _, err := fmt.Sscanf(position, "%d-0", &at); err != nil {
		return nil, position, err
	}
	es := m.entries[lane]
	es = es[at:min(at+count, len(es))]
	m.given += len(es)
	return slices.Clone(es), position, nil
}

func (m *memory) End(ctx context.Context, lane event.Lane) (string, error) {
	if err := m.answers(ctx); err != nil {
		return "", err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return fmt.Sprintf("%d-0", len(m.entries[lane])), nil
}

func (m *memory) Tail(ctx context.Context, lane event.Lane, after string, count int) ([]event.Entry, error) {
	if err := m.answers(ctx); err != nil {
		return nil, err
	}
	select {
	case <-ctx.Done():
	case <-time.After(200 * time.Millisecond):
	}
	return nil, ctx.Err()
}

var firstLane = event.Lane{Stream: event.Completions}

// serveStream is serveLive with running hubs over m.
func serveStream(t *testing.T, m *memory) *liveStack {
	t.Helper()
	s := serveLive(t, func(c *setup) { c.source = m })
	s.URL = "http://localhost"
	s.run(t)
	return s
}

func TestStreamShowsThatItLives(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := new(memory)
		s := serveStream(t, m)
		l := s.listen(t, s.client, "/stream/completions?user_id=nobody", "")
		began := time.Now()
		for i := range 3 {
			if b, err := l.block(); err != nil || b != (message{id: "0:0-0"}) || time.Since(began) != time.Duration(i+1)*10*time.Second {
				t.Fatalf("after %s comes %+v (%v)", time.Since(began), b, err)
			}
		}
		m.add(firstLane, 5000) // that nobody's filter lets pass
		for began = time.Now(); l.last != "0:5000-0"; {
			if b, err := l.block(); err != nil || b.name != "" || time.Since(began) > 2*time.Second {
				t.Fatalf("after %s comes %+v (%v)", time.Since(began), b, err)
			}
		}
		l.cancel()
		synctest.Wait()
		s.ended(t)
	})
}

// While the store hangs, whoever listens hears so, and then that the stream
// lives, as often as otherwise.
func TestStreamShowsThatItLivesWhileTheStoreHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := new(memory)
		m.add(firstLane, 5)
		s := serveStream(t, m)
		l := s.listen(t, s.client, "/stream/completions", "")
		m.hangs.Store(true)
		began := time.Now()
		if b := l.next(); b.name != "degraded" || time.Since(began) > 3*time.Second {
			t.Fatalf("after %s comes %+v", time.Since(began), b)
		}
		for heard := time.Now(); time.Since(began) < 5*time.Minute; heard = time.Now() {
			if b, err := l.block(); err != nil || b != (message{id: "0:5-0"}) || time.Since(heard) > 12*time.Second {
				t.Fatalf("after %s comes %+v (%v)", time.Since(heard), b, err)
			}
		}
		m.hangs.Store(false)
		began = time.Now()
		m.add(firstLane, 300)
		for n, well := 6, false; n <= 305 || !well; {
			b := l.next()
			if b.name == "recovered" {
				well = true
				continue
			}
			if b.id != fmt.Sprintf("0:%d-0", n) || time.Since(began) > 4*time.Second {
				t.Fatalf("after %s comes %+v, not entry %d", time.Since(began), b, n)
			}
			n++
		}
		l.cancel()
		synctest.Wait()
		s.ended(t)
	})
}

// TestStreamOfAListenerThatDoesNotRead: it costs a page, holds up nobody, and
// is given up.
func TestStreamOfAListenerThatDoesNotRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := new(memory)
		m.add(firstLane, 50_000)
		s := serveStream(t, m)
		s.listen(t, s.client, "/stream/completions?from=start", "")
		time.Sleep(10 * time.Second) // in the bubble
		m.mu.Lock()
		if m.given > 200 {
			t.Errorf("%d entries were read for a listener that takes none", m.given)
		}
		m.mu.Unlock()
		other := s.listen(t, s.client, "/stream/completions?from=start", "")
		for range 50_000 {
			other.next()
		}
		other.cancel()
		time.Sleep(10 * time.Second)
		s.ended(t)
		if n := s.Hubs[0].Listeners(); n != 0 {
			t.Errorf("%d listeners are left", n)
		}
	})
}

func TestStreamEndsWhenTheProcessStops(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := new(memory)
		m.add(firstLane, 1000)
		s := serveStream(t, m)
		polite := s.listen(t, s.client, "/stream/completions", "")
		s.listen(t, s.client, "/stream/completions?from=start", "") // deaf
		ended := make(chan error)
		go func() {
			_, err := polite.block()
			ended <- err
		}()
		synctest.Wait()
		began := time.Now()
		s.Health.Drain()
		if took := time.Since(began); took > 250*time.Millisecond {
			t.Errorf("listeners hold the process up for %s", took)
		}
		if err := <-ended; err != io.EOF {
			t.Errorf("the stream ends with %v", err)
		}
		s.ended(t)
		response, err := s.client.Get("http://localhost/stream/completions")
		if err != nil || response.StatusCode != 503 || response.Header.Get("Retry-After") == "" {
			t.Fatalf("a new listener gets %v, %v", response, err)
		}
		if err := response.Body.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestStreamsAreNotWithoutEnd(t *testing.T) {
	t.Parallel()
	s := serve(t)
	var all []*tail.Listener
	for {
		l, err := s.Hubs[0].Listen(t.Context(), nil, tail.Filter{})
		if err != nil {
			break
		}
		all = append(all, l)
	}
	p := s.send(t, "GET", "/stream/completions", "").want(t, 503).problem(t)
	if !strings.HasSuffix(p.Type, ":too-many-listeners") || len(all) != 1000 {
		t.Errorf("listener %d is refused with %s", len(all), p.Type)
	}
	all[0].Close()
	s.listen(t, http.DefaultClient, "/stream/completions", "").cancel()
}

func TestStreamsThatCannotBegin(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for query, field := range map[string]string{
		"?last_event_id=x":                    "last_event_id",
		"?last_event_id=0":                    "last_event_id",
		"?last_event_id=0:1":                  "last_event_id",
		"?last_event_id=0:1-":                 "last_event_id",
		"?last_event_id=0:-1-0":               "last_event_id",
		"?last_event_id=1:1-0":                "last_event_id",
		"?last_event_id=99999999999:1-0":      "last_event_id",
		"?last_event_id=0:1-0,0:2-0":          "last_event_id",
		"?last_event_id=0:1-0,":               "last_event_id",
		"?last_event_id=0:9007199254740993-0": "last_event_id",
		"?last_event_id=0:$":                  "last_event_id",
		"?from=end":                           "from",
		"?from=now&from=now":                  "from",
		"?user=ada":                           "user",
		"?user_id=%ff":                        "user_id",
		"?" + strings.Repeat("model=a&", 101): "model",
	} {
		if p := s.send(t, "GET", "/stream/completions"+query, "").want(t, 422).problem(t); !slices.Equal(p.fields(), []string{field}) {
			t.Errorf("%s: %v", query, p.Errors)
		}
	}
	for _, last := range []string{"x", "0:1-0\t,1:0-0", "１:1-0", strings.Repeat("0:1-0,", 5000)} {
		p := s.send(t, "GET", "/stream/decisions", "", "Last-Event-ID: "+last).want(t, 422).problem(t)
		if !slices.Equal(p.fields(), []string{"Last-Event-ID"}) || len(p.Errors[0].Message) > 200 {
			t.Errorf("%.20q: %v", last, p.Errors)
		}
	}
	if got := s.send(t, "HEAD", "/stream/completions", "").want(t, 200); got.Header.Get("Content-Type") != "text/event-stream" {
		t.Errorf("HEAD: %v", got.Header)
	}
	keyed := serve(t, func(s *setup) { s.adminKey = "secret" })
	keyed.send(t, "GET", "/stream/completions?from=x", "").want(t, 401)
	s.send(t, "GET", "/stream/completions", "", "Host: evil.example").want(t, 403)
}
