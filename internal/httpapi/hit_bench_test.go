package httpapi_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/busuhq/busu/internal/access"
	"github.com/busuhq/busu/internal/budget"
	"github.com/busuhq/busu/internal/cache"
	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/gateway"
	"github.com/busuhq/busu/internal/httpapi"
	"github.com/busuhq/busu/internal/limit"
	"github.com/busuhq/busu/internal/limittest"
	"github.com/busuhq/busu/internal/provider/simulated"
)

// BenchmarkMemoryHit is a question that was answered before, from its headers
// read to its answer written: a key with limits and a budget, the plan, the
// look-up; without what net/http does around it, and the journal.
func BenchmarkMemoryHit(b *testing.B) {
	h := newHits(b)
	b.ReportAllocs()
	for b.Loop() {
		h.ask()
	}
}

// TestAllocationsOfAMemoryHit holds what that takes; five of them are the test's
// own, for what a server makes anew for each request.
func TestAllocationsOfAMemoryHit(t *testing.T) {
	const most = 24 + raced
	h := newHits(t)
	if n := testing.AllocsPerRun(200, func() { h.ask() }); n > most {
		t.Errorf("%g allocations, more than %d", n, most)
	}
}

// hits asks a handler the same question again and again.
type hits struct {
	handler http.Handler
	head    http.Header
	url     *url.URL
	body    []byte
	out     discard
}

func newHits(tb testing.TB) *hits {
	quiet := slog.New(slog.DiscardHandler)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	tb.Cleanup(func() { cancel(); running.Wait() })
	limits := limit.NewKeeper(limittest.NewDesk(time.Now), "a", false, quiet)
	running.Go(func() { _ = limits.Run(ctx) })

	keys := newFakeKeys()
	made, err := keys.CreateKey(ctx, access.Key{Name: "hits", Role: access.RoleComplete, Project: "default", Models: simulated.Models(), Limits: access.Limits{
		RequestsPerMinute: new(int64(1e12)), TokensPerMinute: new(int64(1e12))}}, "test")
	if err != nil {
		tb.Fatal(err)
	}
	g := newGateway(nil, simulated.New(simulated.Options{}), 0)
	g.Ledger = forgetful{}
	g.Reuse = &gateway.Reuse{Keys: cache.Keys{Scope: cache.ScopeProject}, Cache: cache.New(cache.Options{MemoryBytes: 1 << 20, TTL: time.Hour, Log: quiet})}
	s := build(func(s *setup) {
		s.adminKey, s.keys, s.limits, s.budgets, s.gateway = "the admin key", keys, limits, ofOneKey{}, g
	})
	h := &hits{handler: s.Handler, url: &url.URL{Path: "/v1/chat/completions"}, body: []byte(`{"model":"auto","messages":[{"role":"user","content":"What is the capital of France? Ticket 0000000017."}],"user":"user-0017"}`),
		head: http.Header{"Content-Type": {"application/json"}, "Authorization": {"Bearer " + made.Secret}, "X-Busu-Cache": {"default"}}}
	for asked := 0; h.out.header.Get("X-Busu-Cache") != event.CacheMemory; asked++ { // at first the limits wait for their desk
		if h.ask(); asked == 1000 {
			tb.Fatalf("status %d, %v", h.out.status, h.out.header)
		}
	}
	return h
}

func (h *hits) ask() {
	r := &http.Request{Method: http.MethodPost, URL: h.url, Host: "localhost"}
	r.Header, r.ContentLength, r.Body = h.head, int64(len(h.body)), io.NopCloser(bytes.NewReader(h.body))
	h.out = discard{header: http.Header{}}
	h.handler.ServeHTTP(&h.out, r)
}

// discard is an answer of which the head is kept.
type discard struct {
	header http.Header
	status int
}

func (d *discard) Header() http.Header              { return d.header }
func (d *discard) WriteHeader(status int)           { d.status = status }
func (d *discard) Write(b []byte) (int, error)      { return len(b), nil }
func (d *discard) SetWriteDeadline(time.Time) error { return nil }

// forgetful is a ledger that keeps nothing.
type forgetful struct{}

func (forgetful) Intend(*event.CompletionRecorded) error { return nil }
func (forgetful) Record(event.Fact) error                { return nil }

// ofOneKey are budgets as one key of a project with a budget has them.
type ofOneKey struct{ httpapi.Budgets }

func (ofOneKey) Of(c access.Caller) []budget.Budget {
	return []budget.Budget{{Scope: budget.Key, Name: c.KeyID, Period: budget.Month, Limit: 1 << 60}, {Scope: budget.Project, Name: c.Project, Period: budget.Month, Limit: 1 << 60}}
}
