package httpapi_test

import (
	"errors"
	"strings"
	"testing"
)

func TestRoutingMetrics(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for query, window := range map[string]string{"": "24h", "?window=1m": "1m", "?window=1h": "1h", "?window=24h": "24h", "?window=7d": "7d"} {
		var r struct {
			Window        string
			TotalRequests int `json:"total_requests"`
			ByModel       map[string]struct{ Requests int }
		}
		s.send(t, "GET", "/routing/metrics"+query, "").want(t, 200).decode(t, &r)
		if r.Window != window || r.TotalRequests != 2 {
			t.Errorf("%q answers %+v", query, r)
		}
	}
}

func TestBadMetricsQueries(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for path, fields := range map[string]string{
		"/routing/metrics?window=2h":                              "window",
		"/routing/metrics?window=24H":                             "window",
		"/routing/metrics?window=" + strings.Repeat("x", 50_000):  "window",
		"/routing/metrics?window=1h&window=24h":                   "window",
		"/routing/metrics?windows=1h&interval=5s":                 "interval,windows",
		"/metrics/live?interval=5":                                "interval",
		"/metrics/live?interval=999ms":                            "interval",
		"/metrics/live?interval=-5s":                              "interval",
		"/metrics/live?interval=1h1ns":                            "interval",
		"/metrics/live?interval=99999999999h":                     "interval",
		"/metrics/live?interval=0." + strings.Repeat("1", 50_000): "interval",
		"/metrics/live?interval=soon&window=1h":                   "window",
	} {
		got := s.send(t, "GET", path, "").want(t, 422)
		if p := got.problem(t); strings.Join(p.fields(), ",") != fields || len(got.Body) > 1000 {
			t.Errorf("%.60s names %v in %d bytes, want %s", path, p.fields(), len(got.Body), fields)
		}
	}
	for _, path := range []string{"/routing/metrics?window=1h;x", "/metrics/live?interval=%zz"} {
		s.send(t, "GET", path, "").want(t, 400)
	}
}

func TestMetricsThatCannotBeRead(t *testing.T) {
	t.Parallel()
	s := serve(t, func(s *setup) { s.metrics = fakeMetrics{err: errors.New("dial tcp 10.0.0.7:6379: connection refused")} })
	for _, path := range []string{"/routing/metrics", "/metrics/live"} {
		got := s.send(t, "GET", path, "").want(t, 503)
		if got.Header.Get("Retry-After") == "" || strings.Contains(string(got.Body), "10.0.0.7") ||
			!strings.HasSuffix(got.problem(t).Type, ":stores-unavailable") {
			t.Errorf("%s: Retry-After %q, %s", path, got.Header.Get("Retry-After"), got.Body)
		}
	}
}
