package tracing

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/busuhq/busu/internal/cache"
	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/llm"
	"github.com/busuhq/busu/internal/routing"
	"github.com/busuhq/busu/internal/worker"
)

// collector is a receiver of OTLP over HTTP. It keeps what it is sent.
type collector struct {
	*httptest.Server
	mu     sync.Mutex
	bodies strings.Builder
	spans  map[string]otlpSpan // by name
	about  map[string]string
	status []int // of the next answers; 200 when there are no more
	asked  int
}

func collect(t *testing.T, status ...int) *collector {
	t.Helper()
	c := &collector{spans: map[string]otlpSpan{}, about: map[string]string{}, status: status}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || r.URL.Path != "/v1/traces" || r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/json" || r.Header.Get("X-Key") != "k" {
			t.Errorf("%s %s %v: %v", r.Method, r.URL, r.Header, err)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.asked++; c.asked <= len(c.status) && c.status[c.asked-1] != http.StatusOK {
			w.WriteHeader(c.status[c.asked-1])
			return
		}
		c.bodies.Write(body)
		c.take(t, body)
	}))
	t.Cleanup(c.Close)
	return c
}

func (c *collector) take(t *testing.T, body []byte) {
	var traces otlpTraces
	decoder := json.NewDecoder(strings.NewReader(string(body)))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&traces); err != nil {
		t.Errorf("%v: %s", err, body)
		return
	}
	for _, r := range traces.ResourceSpans {
		for _, a := range r.Resource.Attributes {
			c.about[a.Key] = *a.Value.String
		}
		for _, s := range r.ScopeSpans {
			for _, span := range s.Spans {
				c.spans[span.Name] = span
			}
		}
	}
}

func (c *collector) tracing(ratio float64) *Tracing {
	return New(Options{Endpoint: c.URL + "/", Headers: map[string]string{"X-Key": "k"}, Ratio: ratio, Role: "api", Version: "v1", Instance: "i", Log: slog.New(slog.DiscardHandler)})
}

// attribute is what a span says, as text.
func (s otlpSpan) attribute(key string) string {
	for _, a := range s.Attributes {
		if a.Key == key {
			text, _ := json.Marshal(a.Value)
			return string(text)
		}
	}
	return ""
}

// secret is in everything that a caller or a vendor wrote.
const secret = "the patient in bed 7"

// model answers in pieces where it is asked to, or fails.
type model struct {
	header http.Header // of the call, as it would be sent
	t      *Tracing
	fails  bool
}

func (m *model) Complete(ctx context.Context, r llm.Request) (llm.Response, error) {
	m.header = http.Header{}
	m.t.Propagate()(ctx, m.header)
	if m.fails {
		return llm.Response{}, &llm.ProviderError{Provider: "acme", Kind: llm.ErrorRejected, Status: 400, Err: errors.New("no: " + secret)}
	}
	for _, text := range []string{secret, " sleeps"} {
		if r.Emit != nil {
			if err := r.Emit(llm.Chunk{Text: text}); err != nil {
				return llm.Response{}, err
			}
		}
	}
	return llm.Response{Text: secret, Model: "big-2", FinishReason: llm.FinishStop, Usage: llm.Usage{In: 3, Out: 2}}, nil
}

type nothing struct{ cache.Redis }

func (nothing) Find(context.Context, cache.Key, []string) ([]byte, error) { return nil, nil }

type book struct{}

func (book) Intend(*event.CompletionRecorded) error { return nil }
func (book) Record(event.Fact) error                { return nil }

// request goes the way of one: in over HTTP, planned, looked for, called for
// and recorded.
func request(t *testing.T, tr *Tracing, m *model, id uuid.UUID, traceparent string, emit llm.Emit) (traced string) {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, "/complete", strings.NewReader(secret)).WithContext(t.Context())
	if traceparent != "" {
		r.Header.Set("traceparent", traceparent)
		r.Header.Set("tracestate", "vendor=1")
	}
	ctx, done := tr.Begin(r, "/complete", id)
	tr.Planned(ctx, time.Now(), routing.Plan{Strategy: "hybrid", Stated: secret, Choices: []routing.Choice{{Candidate: routing.Candidate{Model: llm.Model{ID: "big"}}}}}, nil)
	if _, err := tr.Redis(nothing{}).Find(ctx, cache.Key{}, nil); err != nil {
		t.Error(err)
	}
	ask := llm.Request{Model: "big-1", MaxTokens: 9, Messages: []llm.Message{{Role: llm.RoleUser, Content: secret}}, Emit: emit}
	_, err := tr.Provider(m, "acme", "openai").Complete(ctx, ask)
	f := event.NewCompletion(id)
	f.Project, f.UserID, f.SessionID, f.Model, f.Status, f.CostNanos = "p", secret, secret, "big", event.StatusOK, 2_000_000_000
	f.Metadata, f.Reason = map[string]string{secret: secret}, secret
	if tr.Ledger(book{}).Record(f) != nil {
		t.Error("not recorded")
	}
	traced = tr.TraceOf(id)
	if err != nil {
		done(http.StatusBadGateway)
	} else {
		done(http.StatusOK)
	}
	if tr.TraceOf(id) != "" {
		t.Error("it is still under way")
	}
	return traced
}

// TestTraceOfARequest: a collector gets all of it, in a trace that has the
// request's id, and the provider is told of that trace.
func TestTraceOfARequest(t *testing.T) {
	t.Parallel()
	c := collect(t)
	tr := c.tracing(1)
	id := uuid.Must(uuid.NewV7())
	m := &model{t: tr}
	traced := request(t, tr, m, id, "", func(llm.Chunk) error { return nil })
	lane := event.Lane{Stream: event.Completions}
	if _, err := Batches[*event.CompletionRecorded](tr, rows{}, lane).Persist(t.Context(), []*event.CompletionRecorded{event.NewCompletion(id), event.NewCompletion(uuid.New())}); err != nil {
		t.Error(err)
	}
	if err := tr.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	hex := strings.ReplaceAll(id.String(), "-", "")
	if traced != hex {
		t.Errorf("the trace of the example is %s, want %s", traced, hex)
	}
	root, call := c.spans["POST /complete"], c.spans["chat big-1"]
	for name, parent := range map[string]string{"POST /complete": "", spanPlan: root.SpanID, spanLookup: root.SpanID, "chat big-1": root.SpanID, spanStream: call.SpanID} {
		s, ok := c.spans[name]
		if !ok || s.TraceID != hex || s.ParentSpanID != parent || s.Flags&1 == 0 || s.Start == "" || s.End < s.Start {
			t.Errorf("%s: %+v", name, s)
		}
	}
	for key, want := range map[string]string{genAIOperation: `{"stringValue":"chat"}`, genAIProvider: `{"stringValue":"acme"}`, genAIModel: `{"stringValue":"big-1"}`, genAIAnswered: `{"stringValue":"big-2"}`,
		genAIMaxTokens: `{"intValue":"9"}`, genAIStream: `{"boolValue":true}`, genAITokensIn: `{"intValue":"3"}`, genAIFinished: `{"arrayValue":{"values":[{"stringValue":"stop"}]}}`} {
		if got := call.attribute(key); got != want {
			t.Errorf("the call's %s: %s, want %s", key, got, want)
		}
	}
	if call.Kind != 3 || root.Kind != 2 || call.attribute(genAIFirstChunk) == "" || root.attribute(busuCost) != `{"doubleValue":2}` || root.attribute(httpStatus) != `{"intValue":"200"}` {
		t.Errorf("%+v\n%+v", root, call)
	}
	if want := "00-" + hex + "-" + call.SpanID + "-01"; m.header.Get("traceparent") != want {
		t.Errorf("the vendor got %s, want %s", m.header.Get("traceparent"), want)
	}
	batch := c.spans["persist completions"]
	if len(batch.Links) != 2 || batch.Links[0].TraceID != hex || batch.Links[0].SpanID != root.SpanID || batch.TraceID == hex || batch.Kind != 5 {
		t.Errorf("the batch: %+v", batch)
	}
	if c.about[service] != "busu" || c.about[busuRole] != "api" {
		t.Errorf("about the process: %v", c.about)
	}
	if said := c.bodies.String(); strings.Contains(said, "patient") {
		t.Errorf("what was asked or answered is in %s", said)
	}
}

// TestFailures say their kind, and no word of the vendor's.
func TestFailures(t *testing.T) {
	t.Parallel()
	c := collect(t)
	tr := c.tracing(1)
	request(t, tr, &model{t: tr, fails: true}, uuid.Must(uuid.NewV7()), "", nil)
	if err := tr.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	call, root := c.spans["chat big-1"], c.spans["POST /complete"]
	if call.Status.Code != 2 || root.Status.Code != 2 || call.attribute(errorType) != `{"stringValue":"rejected"}` || strings.Contains(c.bodies.String(), "patient") {
		t.Errorf("%s", c.bodies.String())
	}
}

// TestCallersTrace: who has begun a trace has decided whether it is told, and
// goes on in ours and the vendor's.
func TestCallersTrace(t *testing.T) {
	t.Parallel()
	const theirs, span = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
	for flags, told := range map[string]bool{"01": true, "00": false} {
		c := collect(t)
		tr := c.tracing(0) // none of our own
		m := &model{t: tr}
		traced := request(t, tr, m, uuid.Must(uuid.NewV7()), "00-"+theirs+"-"+span+"-"+flags, nil)
		if err := tr.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := c.spans["POST /complete"]; told != (got.ParentSpanID == span && got.TraceID == theirs && got.TraceState == "vendor=1") || told != (traced == theirs) {
			t.Errorf("with %s: %+v, example %q", flags, got, traced)
		}
		if got := m.header.Get("traceparent"); !strings.HasPrefix(got, "00-"+theirs+"-") || !strings.HasSuffix(got, "-"+flags) || m.header.Get("tracestate") != "vendor=1" {
			t.Errorf("with %s the vendor got %s, %s", flags, got, m.header.Get("tracestate"))
		}
	}
}

// TestRatio: of ids like those of requests, about as many are told as was
// asked for, and the same ones whoever looks.
func TestRatio(t *testing.T) {
	t.Parallel()
	for _, ratio := range []float64{0, .01, .25, 1} {
		const n = 40_000
		took, s := 0, newSampler(ratio)
		for range n {
			if _, ok := s.linkTo(uuid.Must(uuid.NewV7())); ok {
				took++
			}
		}
		if got := float64(took) / n; got < ratio*.7 || got > ratio*1.3 { // .01: six standard deviations
			t.Errorf("of %g it took %g", ratio, got)
		}
	}
}

// TestNothingLinks: a batch of requests that are not told is not told.
func TestNothingLinks(t *testing.T) {
	t.Parallel()
	c := collect(t)
	tr := c.tracing(0)
	if _, err := Batches[*event.CompletionRecorded](tr, rows{}, event.Lane{}).Persist(t.Context(), []*event.CompletionRecorded{event.NewCompletion(uuid.New())}); err != nil {
		t.Error(err)
	}
	if err := tr.Close(t.Context()); err != nil || len(c.spans) > 0 {
		t.Errorf("%v, %v", err, c.spans)
	}
}

// TestCollectorIsAway for a moment, and spans come late; or says no, and they
// are lost.
func TestCollectorIsAway(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answers          []int
		asked            int
		exported, failed int64
	}{
		"busy":  {[]int{503, 429, 200}, 3, 4, 0},
		"away":  {[]int{503, 502, 504, 200}, 3, 0, 4},
		"wrong": {[]int{404, 200}, 1, 0, 4},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			to := collect(t, c.answers...)
			tr := to.tracing(1)
			request(t, tr, &model{t: tr}, uuid.Must(uuid.NewV7()), "", nil)
			if err := tr.Close(t.Context()); err != nil {
				t.Error(err)
			}
			if s := tr.Stats(); to.asked != c.asked || s.Exported != c.exported || s.Failed != c.failed {
				t.Errorf("asked %d times, %+v", to.asked, s)
			}
		})
	}
}

// TestOff: without a collector everything is what it was.
func TestOff(t *testing.T) {
	t.Parallel()
	var off *Tracing
	m, r := &model{}, nothing{}
	if off.Provider(m, "", "") != llm.Provider(m) || off.Redis(r) != cache.Redis(r) || off.Ledger(book{}) != ledger(book{}) || off.Propagate() != nil ||
		Batches[*event.CompletionRecorded](off, rows{}, event.Lane{}) != worker.Store[*event.CompletionRecorded](rows{}) || off.Close(t.Context()) != nil ||
		off.Postgres(nil) != nil || off.Leases(nil) != nil {
		t.Error("something is around it")
	}
}

// TestBackgroundHasNoTrace: what nobody asked for is called as ever.
func TestBackgroundHasNoTrace(t *testing.T) {
	t.Parallel()
	c := collect(t)
	tr := c.tracing(1)
	m := &model{t: tr}
	if a, err := tr.Provider(m, "acme", "openai").Complete(t.Context(), llm.Request{}); err != nil || a.Text != secret || len(m.header) > 0 {
		t.Errorf("%v, %v, %v", a, err, m.header)
	}
	if err := tr.Close(t.Context()); err != nil || len(c.spans) > 0 {
		t.Errorf("%v, %v", err, c.spans)
	}
}

type rows struct {
	worker.Store[*event.CompletionRecorded]
}

func (rows) Persist(_ context.Context, facts []*event.CompletionRecorded) ([]uuid.UUID, error) {
	return make([]uuid.UUID, len(facts)), nil
}
