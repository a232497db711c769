package telemetry_test

import (
	"errors"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/telemetry"
)

type fakeLedger struct{ err error }

func (l fakeLedger) Intend(*event.CompletionRecorded) error { return l.err }
func (l fakeLedger) Record(event.Fact) error                { return l.err }

func completion(status string) *event.CompletionRecorded {
	c := event.NewCompletion(uuid.Must(uuid.NewV7()))
	c.Strategy, c.Model, c.Provider, c.Status, c.Cache = "complexity", "small", "openai", status, event.CacheMiss
	c.TokensIn, c.TokensOut, c.CostNanos, c.BaselineCostNanos = 10, 5, 1_500_000_000, 2_000_000_000
	c.LatencyUS, c.OverheadUS = 250_000, 80
	return c
}

// TestLedgerCounts what was recorded: failures without a latency.
func TestLedgerCounts(t *testing.T) {
	t.Parallel()
	r := prometheus.NewPedanticRegistry()
	l := telemetry.NewLedger(r, fakeLedger{})
	for _, status := range []string{event.StatusOK, event.StatusOK, event.StatusError} {
		c := completion(status)
		c.Unpriced = status == event.StatusError
		if err := errors.Join(l.Intend(c), l.Record(c)); err != nil {
			t.Fatal(err)
		}
	}
	unheard := completion(event.StatusOK) // nobody waited for it
	unheard.Strategy, unheard.Model, unheard.BaselineCostNanos = event.StrategyShadow, "second", 0
	if err := l.Record(unheard); err != nil {
		t.Fatal(err)
	}
	wantLines(t, r,
		`busu_completions_total{cache="miss",model="small",provider="openai",status="error",strategy="complexity"} 1`,
		`busu_completions_total{cache="miss",model="small",provider="openai",status="ok",strategy="complexity"} 2`,
		`busu_completions_total{cache="miss",model="second",provider="openai",status="ok",strategy="shadow"} 1`,
		`busu_cost_usd_total{model="second"} 1.5`,
		`busu_tokens_total{direction="in",model="small"} 30`,
		`busu_tokens_total{direction="out",model="small"} 15`,
		`busu_cost_usd_total{model="small"} 4.5`,
		`busu_baseline_cost_usd_total 6`,
		`busu_unpriced_requests_total{model="small"} 1`,
		`busu_completion_seconds_count{model="small"} 2`, `busu_completion_seconds_sum{model="small"} 0.5`,
		`busu_overhead_seconds_count 2`, `busu_overhead_seconds_sum 0.00016`)
}

// TestLedgerPassesErrorsOn, counts them, and counts nothing as recorded.
func TestLedgerPassesErrorsOn(t *testing.T) {
	t.Parallel()
	r := prometheus.NewPedanticRegistry()
	full := errors.New("full")
	l := telemetry.NewLedger(r, fakeLedger{full})
	c := completion(event.StatusOK)
	if err := l.Intend(c); !errors.Is(err, full) {
		t.Errorf("Intend gives %v", err)
	}
	if err := l.Record(c); !errors.Is(err, full) {
		t.Errorf("Record gives %v", err)
	}
	text := wantLines(t, r, `busu_journal_refused_total{what="intent"} 1`, `busu_journal_refused_total{what="fact"} 1`)
	if strings.Contains(text, "busu_completions_total{") {
		t.Errorf("what was refused is counted as recorded: %s", text)
	}
}

// TestRefusalsAreThereBeforeTheFirst, so that an alert on their rate sees it.
func TestRefusalsAreThereBeforeTheFirst(t *testing.T) {
	t.Parallel()
	r := prometheus.NewPedanticRegistry()
	telemetry.NewLedger(r, fakeLedger{})
	wantLines(t, r, `busu_journal_refused_total{what="intent"} 0`, `busu_journal_refused_total{what="fact"} 0`)
}

func TestRegistry(t *testing.T) {
	t.Parallel()
	r := telemetry.NewRegistry("worker")
	telemetry.Gauge(r, "busu_test_bytes", "Test.", func() float64 { return 7 })
	telemetry.Counter(r, "busu_test_total", "Test.", func() float64 { return 8 })
	text := wantLines(t, r, "busu_test_bytes 7", "busu_test_total 8")
	for _, part := range []string{`busu_build_info{process="worker",version="`, "\ngo_goroutines ", "\nprocess_cpu_seconds_total "} {
		if !strings.Contains(text, part) {
			t.Errorf("%q is not exposed", part)
		}
	}
	telemetry.NewRegistry("api") // a second one in the same process does not clash
}

// TestLabelled: things of a kind share their metrics' names.
func TestLabelled(t *testing.T) {
	t.Parallel()
	r := prometheus.NewPedanticRegistry()
	for name, value := range map[string]float64{"one": 1, "two": 2} {
		telemetry.Gauge(telemetry.Labelled(r, "thing", name), "busu_test_bytes", "Test.", func() float64 { return value })
		telemetry.Counter(telemetry.Labelled(r, "thing", name), "busu_test_total", "Test.", func() float64 { return value })
	}
	wantLines(t, r, `busu_test_bytes{thing="one"} 1`, `busu_test_bytes{thing="two"} 2`, `busu_test_total{thing="two"} 2`)
}

// wantLines checks what Prometheus reads.
func wantLines(t *testing.T, r *prometheus.Registry, lines ...string) string {
	t.Helper()
	w := httptest.NewRecorder()
	promhttp.HandlerFor(r, promhttp.HandlerOpts{}).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "/metrics", nil))
	text := w.Body.String()
	for _, line := range lines {
		if !strings.Contains(text, "\n"+line+"\n") {
			t.Errorf("%s is not exposed", line)
		}
	}
	return text
}
