package httpapi_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/busuhq/busu/internal/httpapi"
)

type readiness struct {
	Status string            `json:"status"`
	Checks map[string]string `json:"checks"`
}

func check(name string, run func(context.Context) error) httpapi.Check {
	return httpapi.Check{Name: name, Run: run}
}

func well(context.Context) error { return nil }

func TestReadyNamesWhatFails(t *testing.T) {
	t.Parallel()
	var broken atomic.Bool
	s := serve(t, func(s *setup) {
		s.checks = []httpapi.Check{check("postgres", well), check("redis", func(context.Context) error {
			if broken.Load() {
				return errors.New("dial tcp 10.0.0.7:6379: connection refused")
			}
			return nil
		})}
	})
	var r readiness
	s.send(t, "GET", "/readyz", "").want(t, 200).decode(t, &r)
	if r.Status != "ready" || r.Checks["postgres"] != "ok" || r.Checks["redis"] != "ok" {
		t.Errorf("answered %+v", r)
	}
	broken.Store(true)
	got := s.send(t, "GET", "/readyz", "").want(t, 503)
	got.decode(t, &r)
	if r.Status != "not_ready" || r.Checks["postgres"] != "ok" || r.Checks["redis"] != "failing" {
		t.Errorf("answered %+v", r)
	}
	if strings.Contains(string(got.Body), "10.0.0.7") || !strings.Contains(s.log.String(), "10.0.0.7") {
		t.Errorf("the reason belongs into the log only: %s", got.Body)
	}
	s.send(t, "GET", "/healthz", "").want(t, 200) // the process itself is well
}

// A balancer that asks so keeps a process which answers without a store, and no
// other.
func TestReadyThoughDegraded(t *testing.T) {
	t.Parallel()
	away := func(context.Context) error { return errors.New("away") }
	for _, c := range []struct {
		name            string
		store, schema   func(context.Context) error
		strict, lenient int
	}{
		{"all is well", well, well, 200, 200},
		{"a store is away", away, well, 503, 200},
		{"what it cannot do without is missing", well, away, 503, 503},
		{"both", away, away, 503, 503},
	} {
		s := serve(t, func(s *setup) {
			s.checks = []httpapi.Check{{Name: "redis", Run: c.store, Store: true}, check("schema", c.schema)}
		})
		s.send(t, "GET", "/readyz", "").want(t, c.strict)
		var r readiness
		s.send(t, "GET", "/readyz?degraded=allowed", "").want(t, c.lenient).decode(t, &r)
		if (r.Status == "ready") != (c.lenient == 200) || (r.Checks["redis"] == "ok") != (c.store(t.Context()) == nil) {
			t.Errorf("%s: answered %+v", c.name, r)
		}
		s.Health.Drain()
		s.send(t, "GET", "/readyz?degraded=allowed", "").want(t, 503)
	}
}

func TestDrainingIsNotReady(t *testing.T) {
	t.Parallel()
	s := serve(t)
	s.Health.Drain()
	s.Health.Drain() // twice is fine
	var r readiness
	s.send(t, "GET", "/readyz", "").want(t, 503).decode(t, &r)
	if r.Status != "draining" {
		t.Errorf("status %q", r.Status)
	}
	s.send(t, "GET", "/healthz", "").want(t, 200)
	s.post(t, "/complete", `{"prompt": "a"}`).want(t, 200) // until the server is shut down
}

// TestHangingCheckIsBounded, even when it does not look at its context, and is
// not started anew by every probe.
func TestHangingCheckIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		defer close(release)
		var started atomic.Int64
		h := httpapi.NewHealth(prometheus.NewRegistry(), slog.New(slog.DiscardHandler),
			check("stuck", func(context.Context) error { started.Add(1); <-release; return nil }), check("well", well))
		handler := h.Handler()
		for range 3 {
			began := time.Now()
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "/readyz", nil))
			if took := time.Since(began); took != time.Second || w.Code != 503 {
				t.Errorf("%d after %s, want 503 after a second", w.Code, took)
			}
			if want := `{"status":"not_ready","checks":{"stuck":"failing","well":"ok"}}`; strings.TrimSpace(w.Body.String()) != want {
				t.Errorf("answered %s, want %s", w.Body, want)
			}
		}
		if started.Load() != 1 {
			t.Errorf("the check was started %d times", started.Load())
		}
	})
}

// TestProbeThatLeaves does not fail the check for the next one.
func TestProbeThatLeaves(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := httpapi.NewHealth(prometheus.NewRegistry(), slog.New(slog.DiscardHandler), check("slow", func(ctx context.Context) error {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(500 * time.Millisecond):
				return nil
			}
		}))
		handler := h.Handler()
		impatient, leave := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer leave()
		handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(impatient, "GET", "/readyz", nil))
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "/readyz", nil))
		if w.Code != 200 {
			t.Errorf("the patient probe gets %d: %s", w.Code, w.Body)
		}
	})
}

// TestHealthAlone: processes without an API answer in the same way.
func TestHealthAlone(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	registry.MustRegister(prometheus.NewCounter(prometheus.CounterOpts{Name: "busu_test_total", Help: "Test."}))
	s := &stack{Handler: httpapi.NewHealth(registry, slog.New(slog.DiscardHandler)).Handler()}
	for path, status := range map[string]int{"/healthz": 200, "/readyz": 200, "/metrics": 200, "/nope": 404} {
		r := httptest.NewRequestWithContext(t.Context(), "GET", "http://localhost"+path, nil)
		got := s.record(r).want(t, status)
		validate(t, r, got)
		if path == "/metrics" && !strings.Contains(string(got.Body), "busu_test_total 0") {
			t.Errorf("metrics: %s", got.Body)
		}
	}
}
