package httpapi_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/storetest"
)

// A client behind the trimmed end is told so; one that has seen all that was
// trimmed is not.
func TestStreamGap(t *testing.T) {
	t.Parallel()
	s := serveStreams(t, storetest.Redis(t), 1)
	var facts []event.Entry
	for range 10 {
		facts = append(facts, s.fact(t, 0))
	}
	s.append(t, facts...)
	reading := s.listen(t, http.DefaultClient, "/stream/completions?from=start", "")
	var ids []string
	for i := range facts {
		reading.want(facts[i])
		ids = append(ids, strings.TrimPrefix(reading.last, "0:"))
	}
	c := s.db.NewConsumer(facts[0].Lane, "me")
	given, err := c.Read(t.Context(), time.Now())
	if err != nil || len(given) != 10 {
		t.Fatal(len(given), err)
	}
	if err := c.Ack(t.Context(), given[:6]); err != nil {
		t.Fatal(err)
	}
	if n, err := s.db.Trim(t.Context(), facts[0].Lane, time.Now().Add(time.Hour), nil); err != nil || n != 6 {
		t.Fatalf("%d were removed: %v", n, err)
	}
	for from, gap := range map[string]bool{"0-0": true, ids[0]: true, ids[4]: true, ids[5]: false} {
		l := s.listen(t, http.DefaultClient, "/stream/completions", "0:"+from)
		if gap {
			want := message{"gap", "0:" + ids[5], fmt.Sprintf(`{"partition":0,"from":%q,"to":%q}`, from, ids[5])}
			if m := l.next(); m != want {
				t.Errorf("behind %s comes %+v, want %+v", from, m, want)
			}
		}
		l.want(facts[6:]...)
	}

	// Redis loses everything: those who are there and those who come back hear
	// of it, and what comes then reaches both.
	if err := s.plain.FlushDB(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	fresh := s.fact(t, 0)
	s.append(t, fresh)
	for _, l := range []*listener{reading, s.listen(t, http.DefaultClient, "/stream/completions", "0:"+ids[7])} {
		if m := l.next(); m.name != "gap" {
			t.Errorf("after Redis has lost everything comes %+v", m)
		}
		l.want(fresh)
	}
}

// Redis dies, or hangs, under an open stream: who listens is told, and gets
// what comes afterwards once, as does who comes back meanwhile.
func TestStreamOutlivesRedis(t *testing.T) {
	t.Parallel()
	for name, outage := range map[string]struct {
		begin, end func(*storetest.Server, testing.TB)
	}{
		"down":  {(*storetest.Server).Kill, (*storetest.Server).Restart},
		"hangs": {(*storetest.Server).Stop, (*storetest.Server).Cont},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := storetest.RedisServer(t)
			s := serveStreams(t, server.URL, 2)
			first := []event.Entry{s.fact(t, 0), s.fact(t, 0)}
			s.append(t, first...)
			l := s.listen(t, http.DefaultClient, "/stream/completions?from=start", "")
			l.want(first...)
			for round := range 3 {
				outage.begin(server, t)
				if m := l.next(); m.name != "degraded" || m.id != "" {
					t.Fatalf("round %d: when Redis is gone comes %+v", round, m)
				}
				s.send(t, "GET", "/stream/completions", "").want(t, 503).problem(t)
				back := s.listen(t, http.DefaultClient, "/stream/completions", l.last)
				if m := back.next(); m.name != "degraded" {
					t.Fatalf("round %d: a client that comes back gets %+v", round, m)
				}
				outage.end(server, t)
				fresh := []event.Entry{s.fact(t, 1), s.fact(t, 1), s.fact(t, 1), s.fact(t, 0)}
				s.append(t, fresh...)
				for _, l := range []*listener{l, back} {
					l.recovers(fresh)
				}
				back.cancel()
			}
			// Nothing comes again behind all of that.
			last := s.fact(t, 0)
			s.append(t, last)
			l.want(last)
		})
	}
}

// recovers reads these facts, those of a partition in order, and that all is
// well again, which may come in between them.
func (l *listener) recovers(facts []event.Entry) {
	l.t.Helper()
	facts = slices.Clone(facts)
	for well := false; len(facts) > 0 || !well; {
		m := l.next()
		if m.name == "recovered" && !well || m.name == "degraded" && well { // again, on a machine that is busy
			well = !well
			continue
		}
		at := slices.IndexFunc(facts, func(e event.Entry) bool { return string(e.Body) == m.data })
		if at < 0 || slices.ContainsFunc(facts[:at], func(e event.Entry) bool { return e.Lane == facts[at].Lane }) {
			l.t.Fatalf("got %+v, %d facts to come", m, len(facts))
		}
		facts = slices.Delete(facts, at, at+1)
	}
}
