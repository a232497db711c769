package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/busuhq/busu/internal/provider/simulated"
)

// fakeBusu answers like the contract: every third request is small's.
type fakeBusu struct {
	server *httptest.Server
	count  atomic.Int64
	mu     sync.Mutex
	seen   []map[string]any

	models map[string]string // that answered, by request
	judged []verdict
	deaf   func(n int) bool // to the n-th verdict; nil: to none

	counted func(answered int) (total int, ok bool) // by the live metrics; nil: at once
}

func newFakeBusu(t *testing.T, intercept func(n int64, w http.ResponseWriter, r *http.Request) bool) *fakeBusu {
	t.Helper()
	f := &fakeBusu{models: map[string]string{}}
	f.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet && r.URL.Path == "/metrics/live" {
			f.live(w)
			return
		}
		if r.URL.Path == "/feedback" {
			f.feedback(t, w, r)
			return
		}
		n := f.count.Add(1)
		if intercept != nil && intercept(n, w, r) {
			return
		}
		f.complete(t, n, w, r)
	}))
	t.Cleanup(f.server.Close)
	return f
}

func (f *fakeBusu) complete(t *testing.T, n int64, w http.ResponseWriter, r *http.Request) {
	body := map[string]any{}
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil || r.Method != http.MethodPost || r.URL.Path != "/complete" {
		t.Errorf("%s %s: %v", r.Method, r.URL, err)
	}
	f.mu.Lock()
	f.seen = append(f.seen, body)
	f.mu.Unlock()
	model := simulated.Large
	if n%3 == 0 {
		model = simulated.Small
	}
	f.mu.Lock()
	f.models[fmt.Sprintf("id-%d", n)] = model
	f.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	_, _ = fmt.Fprintf(w, `{"request_id":"id-%d","response":"…","finish_reason":"stop","provider":"simulated","model":%q,
		"strategy":"complexity","confidence":"high","reason":"r","complexity":0.42,"tokens_in":12,"tokens_out":80,
		"cost_usd":0.000000001,"baseline_cost_usd":0.00000001,"savings_usd":0.000000009,"cache":"miss","latency_ms":812.4,
		"fallbacks":[],"degraded":[],"experiment":null,"holdout":false}`, n, model)
}

// liveBefore is what was counted before the drive.
const liveBefore = 1000

func (f *fakeBusu) live(w http.ResponseWriter) {
	f.mu.Lock()
	defer f.mu.Unlock()
	total, ok := len(f.seen), true
	if f.counted != nil {
		total, ok = f.counted(len(f.seen))
	}
	if !ok {
		_, _ = io.WriteString(w, `{"source":"postgres","totals":null}`)
		return
	}
	_, _ = fmt.Fprintf(w, `{"source":"redis","totals":{"total_requests":%d}}`, liveBefore+total)
}

func TestDrive(t *testing.T) {
	t.Parallel()
	f := newFakeBusu(t, func(_ int64, w http.ResponseWriter, r *http.Request) bool {
		if r.Header.Get("Authorization") != "Bearer k" {
			t.Errorf("headers %v", r.Header)
		}
		return false
	})
	var calls []int
	const n = 300
	r, err := Drive(t.Context(), Options{BaseURL: f.server.URL + "/", APIKey: "k", Requests: n, Concurrency: 6, Seed: 4, Users: 20,
		Progress: func(done, total int) { calls = append(calls, done*1000+total) }})
	if err != nil {
		t.Fatal(err)
	}
	if r.Answered != n || r.Failed != 0 || r.Interrupted || r.Statuses["200"] != n || len(r.RequestIDs) != n {
		t.Errorf("%+v", r)
	}
	if r.All.Cost != n || r.All.Baseline != 10*n || r.All.Savings() != 9*n {
		t.Errorf("money %+v", r.All)
	}
	if r.Models["small"].Requests != n/3 || r.Models["large"].Requests != n-n/3 || r.Strategies["complexity"].Requests != n || r.Caches["miss"].Requests != n {
		t.Errorf("groups %+v %+v", r.Models, r.Strategies)
	}
	if len(calls) != n || !slices.IsSorted(calls) || calls[n-1] != n*1000+n {
		t.Errorf("progress %v", calls)
	}
	if r.Latencies.P50 <= 0 || r.Latencies.P50 > r.Latencies.P95 || r.Latencies.P95 > r.Latencies.P99 {
		t.Errorf("latencies %+v", r.Latencies)
	}
	if !r.Live.All || r.Live.Shown != n {
		t.Errorf("live %+v", r.Live)
	}
	f.checkPrompts(t, New(4, 20), n)
	checkQuality(t, r, n)
}

// checkPrompts compares what arrived with what the generator makes.
func (f *fakeBusu) checkPrompts(t *testing.T, g *Generator, n int) {
	t.Helper()
	want, got := map[string]int{}, map[string]int{}
	for _, p := range take(g, n) {
		want[fmt.Sprint(p.Text, p.UserID, p.MaxTokens)]++
	}
	for _, body := range f.seen {
		got[fmt.Sprint(body["prompt"], body["user_id"], body["max_tokens"])]++
		if len(body) != 3 {
			t.Errorf("unknown fields would be refused: %v", body)
		}
	}
	for p, count := range want {
		if got[p] != count {
			t.Errorf("sent %d times instead of %d: %s", got[p], count, p)
		}
	}
}

func checkQuality(t *testing.T, r Report, n int) {
	t.Helper()
	small, large := r.Always[simulated.Small], r.Always[simulated.Large]
	if r.All.Rated != n || small >= large || r.All.Good < small || r.All.Good > large || r.All.Good != r.Models["small"].Good+r.Models["large"].Good {
		t.Errorf("quality %+v, always %v", r.All, r.Always)
	}
	kinds := 0
	for _, g := range r.Kinds {
		kinds += g.Requests
	}
	if kinds != n {
		t.Errorf("kinds add up to %d", kinds)
	}
}

func TestFailuresAreCounted(t *testing.T) {
	t.Parallel()
	f := newFakeBusu(t, func(n int64, w http.ResponseWriter, _ *http.Request) bool {
		switch n {
		case 2, 3:
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = io.WriteString(w, `{"title":"overloaded","detail":"try\n again","status":503}`)
		case 4:
			_, _ = io.WriteString(w, `{"request_id":"x","cost_usd":"many"}`)
		case 5:
			panic(http.ErrAbortHandler)
		}
		return n >= 2 && n <= 5
	})
	r, err := Drive(t.Context(), Options{BaseURL: f.server.URL, Requests: 10, Concurrency: 1})
	if err != nil {
		t.Fatal(err)
	}
	if r.Answered != 6 || r.Failed != 4 || r.Statuses["503"] != 2 || r.Statuses["malformed"] != 1 || r.Statuses["unreachable"] != 1 {
		t.Errorf("%+v", r)
	}
	if r.FirstFault != `"try again"` {
		t.Errorf("first fault %s", r.FirstFault)
	}
}

func TestInterruptedDriveReports(t *testing.T) {
	t.Parallel()
	f := newFakeBusu(t, func(n int64, _ http.ResponseWriter, r *http.Request) bool {
		if n <= 20 {
			return false
		}
		_, _ = io.Copy(io.Discard, r.Body) // so that the server notices the client leaving
		<-r.Context().Done()
		return true
	})
	ctx, interrupt := context.WithCancel(t.Context())
	r, err := Drive(ctx, Options{BaseURL: f.server.URL, Requests: 1000, Concurrency: 4, Progress: func(done, _ int) {
		if done == 20 {
			interrupt()
		}
	}})
	if err != nil || r.Answered != 20 || r.Failed != 0 || !r.Interrupted {
		t.Errorf("%v, %+v", err, r)
	}
	var b bytes.Buffer
	if r.Write(&b); !strings.Contains(b.String(), "20 of 1,000 requests answered") || !strings.Contains(b.String(), "interrupted") {
		t.Errorf("%s", b.String())
	}
}

func TestHopelessDrivesEnd(t *testing.T) {
	t.Parallel()
	status := func(code int) string {
		f := newFakeBusu(t, func(_ int64, w http.ResponseWriter, _ *http.Request) bool {
			w.WriteHeader(code)
			return true
		})
		return f.server.URL
	}
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	for base, want := range map[string]string{
		gone.URL:     "make run",
		status(401):  "wants a key",
		status(403):  "may not complete",
		status(404):  "does not seem to be busu",
		status(200):  "does not seem to be busu",
		"localhost":  "not the address",
		"":           "not the address",
		"ftp://host": "not the address",
	} {
		r, err := Drive(t.Context(), Options{BaseURL: base, Requests: 100_000})
		if err == nil || !strings.Contains(err.Error(), want) || r.Answered != 0 {
			t.Errorf("%s: %v", base, err)
		}
	}
	if _, err := Drive(t.Context(), Options{BaseURL: gone.URL, Requests: -1}); err == nil {
		t.Error("a negative number of requests was taken")
	}
}

func TestReportOnOneScreen(t *testing.T) {
	t.Parallel()
	f := newFakeBusu(t, nil)
	r, err := Drive(t.Context(), Options{BaseURL: f.server.URL, APIKey: "k-secret", Requests: 1500, Concurrency: 4})
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	r.Write(&b)
	text := b.String()
	t.Logf("\n%s", text)
	for _, want := range []string{"1,500 of 1,500 requests", "0.0000015 USD", "0.000015 USD", "90.0 %", "p95", " ms", "always large",
		"small", "complexity", "fact", "/metrics/live", "dashboard   " + f.server.URL + "/", "$BUSU_ADMIN_KEY"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing", want)
		}
	}
	if strings.Contains(text, "k-secret") {
		t.Error("the key is printed")
	}
	lines := strings.Split(text, "\n")
	if len(lines) > 33 {
		t.Errorf("%d lines", len(lines))
	}
	for _, line := range lines {
		if len([]rune(line)) > 110 && !strings.Contains(line, "curl") {
			t.Errorf("too wide: %s", line)
		}
	}
}

func TestEmptyReport(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	Report{Requested: 5, Failed: 5, Statuses: map[string]int{"503": 5}, FirstFault: `"busy"`}.Write(&b)
	if got := b.String(); got != "0 of 5 requests answered in 0.0 s\n5 failed (503 ×5), the first with \"busy\"\n" {
		t.Errorf("%q", got)
	}
}

func TestPercentiles(t *testing.T) {
	t.Parallel()
	var hundred []time.Duration
	for i := range 100 {
		hundred = append(hundred, time.Duration(i+1))
	}
	for p, want := range map[int]time.Duration{50: 50, 95: 95, 99: 99} {
		if got := percentile(hundred, p); got != want {
			t.Errorf("p%d = %d", p, got)
		}
		if percentile(hundred[:1], p) != 1 || percentile(nil, p) != 0 {
			t.Errorf("p%d of one or none", p)
		}
	}
}
