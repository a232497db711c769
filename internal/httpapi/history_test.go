package httpapi_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestHistory(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for query, want := range map[string]string{
		"":                                   "1d/5m 288 0",
		"?window=90m":                        "90m/1m 90 0",
		"?window=7d&by=model":                "7d/1h 168 2",
		"?window=90d&step=1d&by=model&top=1": "90d/1d 90 2",
		"?window=90d&step=1h":                "90d/1h 2160 0",
		"?window=1h&by=error&top=50":         "1h/1m 60 2",
	} {
		var h struct {
			Window, Step  string
			TotalRequests int `json:"total_requests"`
			Points        []struct{ Requests int }
			Series        []struct {
				Other  bool
				Points []struct{ Requests int }
			}
		}
		s.send(t, "GET", "/metrics/history"+query, "").want(t, 200).decode(t, &h)
		if got := fmt.Sprintf("%s/%s %d %d", h.Window, h.Step, len(h.Points), len(h.Series)); got != want || h.TotalRequests != 2 {
			t.Errorf("%q answers %s with %d requests, want %s", query, got, h.TotalRequests, want)
		}
		for i, series := range h.Series {
			if len(series.Points) != len(h.Points) || series.Other != (i == 1 && strings.Contains(query, "top=1")) {
				t.Errorf("%q: series %d has %d points, other %t", query, i, len(series.Points), series.Other)
			}
		}
	}
}

func TestBadHistoryQueries(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for query, fields := range map[string]string{
		"window=91d":                          "window",
		"window=0m":                           "window",
		"window=1h30m":                        "window",
		"window=x&step=y&hours=3":             "hours,step,window",
		"window=24h&window=1h":                "window",
		"step=2m":                             "step",
		"window=1h&step=1d":                   "step",
		"window=90d&step=1m":                  "step",
		"window=7d&step=5m&by=model":          "step",
		"by=colour":                           "by",
		"by=unpriced":                         "by",
		"by=model&top=0":                      "top",
		"by=model&top=51":                     "top",
		"by=model&top=many":                   "top",
		"window=" + strings.Repeat("9", 9999): "window",
		"from=2026-11-23T12:00:00Z":           "from",
	} {
		got := s.send(t, "GET", "/metrics/history?"+query, "").want(t, 422)
		if p := got.problem(t); strings.Join(p.fields(), ",") != fields || len(got.Body) > 1200 {
			t.Errorf("%.60s names %v in %d bytes, want %s", query, p.fields(), len(got.Body), fields)
		}
	}
	s.send(t, "GET", "/metrics/history?window=1h;x", "").want(t, 400)
}

func TestHistoryWithoutADatabase(t *testing.T) {
	t.Parallel()
	s := serve(t, func(s *setup) { s.metrics = fakeMetrics{err: errors.New("dial tcp 10.0.0.7:5432: connection refused")} })
	got := s.send(t, "GET", "/metrics/history", "").want(t, 503)
	if p := got.problem(t); got.Header.Get("Retry-After") == "" || strings.Contains(string(got.Body), "10.0.0.7") ||
		!strings.HasSuffix(p.Type, ":stores-unavailable") || !strings.Contains(p.Detail, "PostgreSQL") {
		t.Errorf("Retry-After %q, %s", got.Header.Get("Retry-After"), got.Body)
	}
}
