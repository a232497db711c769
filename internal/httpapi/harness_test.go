package httpapi_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/gateway"
	"github.com/busuhq/busu/internal/httpapi"
	"github.com/busuhq/busu/internal/idempotency"
	"github.com/busuhq/busu/internal/llm"
	"github.com/busuhq/busu/internal/pricing"
	"github.com/busuhq/busu/internal/provider/simulated"
	"github.com/busuhq/busu/internal/routing"
	"github.com/busuhq/busu/internal/session"
	"github.com/busuhq/busu/internal/tail"
	"github.com/busuhq/busu/schema"
)

// setup is what a test may choose before its server starts.
type setup struct {
	adminKey string
	provider llm.Provider
	ledger   *fakeLedger
	window   int // context window of all models
	metrics  httpapi.Metrics
	requests httpapi.Requests
	savings  httpapi.Savings
	accounts httpapi.Accounts
	gateway  httpapi.Gateway // instead of the real one
	repeats  idempotency.Store
	users    gateway.Forgetter
	trials   *fakeExperiments
	system   *fakeSystem
	keys     *fakeKeys
	budgets  httpapi.Budgets
	limits   httpapi.Limits
	checks   []httpapi.Check
	sessions *sharedSessions // of several processes
	signOn   *httpapi.SignOn
	proxies  httpapi.Proxies

	source     tail.Source // of the streams
	partitions int         // of the completions
}

// stack is a served API with what stands behind it.
type stack struct {
	URL      string
	Health   *httpapi.Health
	Hubs     []*tail.Hub // completions, decisions; not running
	Ledger   *fakeLedger
	Provider *counted
	Handler  http.Handler
	Sessions *session.Sessions
	log      *lockedBuffer
}

// build makes the API as the program does, on fakes.
func build(choose ...func(*setup)) *stack {
	s := setup{provider: simulated.New(simulated.Options{}), ledger: newLedger(), metrics: fakeMetrics{}, requests: new(fakeRequests), savings: fakeSavings{}, accounts: new(fakeAccounts),
		source: new(memory), partitions: 1}
	for _, f := range choose {
		f(&s)
	}
	st := &stack{Ledger: s.ledger, Provider: &counted{Provider: s.provider}, log: new(lockedBuffer)}
	log := slog.New(slog.NewTextHandler(st.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	if s.gateway == nil {
		s.gateway = newGateway(st.Ledger, st.Provider, s.window)
	}
	if s.keys == nil {
		s.keys = newFakeKeys()
	}
	if s.trials == nil {
		s.trials = newFakeExperiments()
	}
	if s.system == nil {
		s.system = new(fakeSystem)
	}
	st.Health = httpapi.NewHealth(prometheus.NewRegistry(), log, s.checks...)
	openAPI, err := yaml.YAMLToJSON(schema.OpenAPI)
	if err != nil {
		panic(err)
	}
	var lanes []event.Lane
	for p := range s.partitions {
		lanes = append(lanes, event.Lane{Stream: event.Completions, Partition: p})
	}
	st.Hubs = []*tail.Hub{tail.NewHub(s.source, log, lanes...), tail.NewHub(s.source, log, event.Lane{Stream: event.Decisions})}
	if s.sessions == nil {
		s.sessions = new(sharedSessions)
	}
	keys := s.keys.ring(s.adminKey)
	st.Sessions = s.sessions.of(keys)
	api := &httpapi.API{
		Sessions: st.Sessions, SessionEnds: s.sessions, SignOn: s.signOn, Proxies: s.proxies,
		Completions: st.Hubs[0], Decisions: st.Hubs[1],
		Gateway: s.gateway, Names: httpapi.Names{Strategies: []string{"complexity"}, Models: simulated.Models(), Embedders: []string{simulated.Embedding}},
		Metrics: s.metrics, Ledger: st.Ledger, Requests: s.requests, Savings: s.savings, Accounts: s.accounts, Repeats: s.repeats, Users: s.users, OnDisk: onDisk, Starter: s.trials, Steward: s.trials, Experiments: s.trials, Deliveries: s.trials,
		Lineup: s.system, Snapshots: s.system, System: s.system, Letters: s.system, Books: s.system, Keys: keys, KeyMaker: s.keys, KeyList: s.keys, Audit: s.keys, Budgets: s.budgets, Limits: s.limits, Health: st.Health,
		Dashboard: http.FileServerFS(fstest.MapFS{
			"index.html":    {Data: []byte("<!doctype html><title>busu</title>")},
			"docs":          {Data: []byte("<!doctype html><title>HTTP reference</title>")},
			"static/app.js": {Data: []byte("'use strict'")},
		}),
		OpenAPI: func() []byte { return openAPI }, Log: log,
	}
	st.Handler = api.Handler()
	return st
}

func newGateway(l gateway.Ledger, p llm.Provider, window int) *gateway.Gateway {
	g := &gateway.Gateway{
		Strategies: gateway.NewPublished(nil, nil), Default: "complexity", Trials: knownTrials(),
		Providers: map[string]llm.Provider{"simulated": p}, PriceVersion: "test", Ledger: l,
	}
	for i, tier := range llm.Tiers() {
		name := simulated.Models()[i]
		g.Candidates = append(g.Candidates, routing.Candidate{
			Model: llm.Model{ID: name, Provider: "simulated", Upstream: name, Tier: tier, ContextTokens: window},
			Price: []pricing.Price{
				{Input: 150_000_000, CachedInput: 75_000_000, Output: 600_000_000},
				{Input: 800_000_000, CachedInput: 80_000_000, Output: 4_000_000_000},
				{Input: 3_000_000_000, CachedInput: 300_000_000, Output: 15_000_000_000},
			}[i]})
	}
	g.Baseline = g.Candidates[2]
	for i := range g.Candidates {
		g.Candidates[i].Formats = []llm.Format{llm.FormatChat, llm.FormatMessages, llm.FormatEmbeddings}
	}
	g.Candidates = append(g.Candidates, routing.Candidate{Formats: []llm.Format{llm.FormatEmbeddings}, Price: pricing.Price{Input: 20_000_000},
		Model: llm.Model{ID: simulated.Embedding, Provider: "simulated", Upstream: simulated.Embedding, Purpose: llm.PurposeEmbedding}})
	return g
}

// serve builds the API and serves it on a port of its own.
func serve(t testing.TB, choose ...func(*setup)) *stack {
	t.Helper()
	s := build(choose...)
	server := httptest.NewUnstartedServer(s.Handler)
	server.Config = httpapi.Server(s.Handler, slog.New(slog.DiscardHandler))
	server.Start()
	t.Cleanup(server.Close)
	s.URL = server.URL
	return s
}

// reply is an answer that was read and found to be as documented.
type reply struct {
	Status int
	Header http.Header
	Body   []byte
}

type problem struct {
	Type, Title, Detail string
	Status              int
	RequestID           string `json:"request_id"`
	Errors              []struct{ Field, Message string }
}

// send sends a request, headers as "Name: value", and validates the answer
// against the document.
func (s *stack) send(t testing.TB, method, path, body string, headers ...string) reply {
	t.Helper()
	return s.sendFrom(t, method, path, strings.NewReader(body), headers...)
}

func (s *stack) sendFrom(t testing.TB, method, path string, body io.Reader, headers ...string) reply {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, body)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		if r.Header.Add(name, value); name == "Host" {
			r.Host = value
		}
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	got := reply{Status: response.StatusCode, Header: response.Header}
	if got.Body, err = io.ReadAll(response.Body); err != nil {
		t.Fatal(err)
	}
	validate(t, r, got)
	return got
}

func (s *stack) post(t testing.TB, path, body string, headers ...string) reply {
	t.Helper()
	return s.send(t, http.MethodPost, path, body, headers...)
}

// want stops the test at another status.
func (r reply) want(t testing.TB, status int) reply {
	t.Helper()
	if r.Status != status {
		t.Fatalf("status %d, want %d: %.400s", r.Status, status, r.Body)
	}
	return r
}

func (r reply) problem(t testing.TB) problem {
	t.Helper()
	var p problem
	r.decode(t, &p)
	if p.Status != r.Status || p.RequestID != r.Header.Get("X-Request-Id") || r.Header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("status %d and request id %s in the body, %d and %s outside, as %s",
			p.Status, p.RequestID, r.Status, r.Header.Get("X-Request-Id"), r.Header.Get("Content-Type"))
	}
	return p
}

func (r reply) decode(t testing.TB, into any) {
	t.Helper()
	if err := json.Unmarshal(r.Body, into); err != nil {
		t.Fatalf("%v in %.400s", err, r.Body)
	}
}

// fields are the names of the fields that are wrong, each once, sorted.
func (p problem) fields() []string {
	var names []string
	for _, e := range p.Errors {
		names = append(names, e.Field)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// lockedBuffer is a log that can be read while it is written.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

var errDisk = errors.New("no space left on device")

// record serves one request without a network.
func (s *stack) record(r *http.Request) reply {
	w := httptest.NewRecorder()
	s.Handler.ServeHTTP(w, r)
	return reply{w.Code, w.Header(), w.Body.Bytes()}
}

// within polls until a condition holds, or fails the test after a while.
func within(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("in 30 s it did not come to pass that %s", what)
		}
	}
}
