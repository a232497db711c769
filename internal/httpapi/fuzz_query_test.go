package httpapi_test

import (
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// FuzzQuery: whatever stands behind the question mark of a route that reads, it
// is answered or refused as documented, and is never our mistake.
func FuzzQuery(f *testing.F) {
	for _, seed := range []string{"", "limit=50&cursor=AAAA", "limit=-1", "since=2026-01-01T00:00:00Z&until=x", "user_id=a&user_id=b", "%zz", "a=%ff", "window=5m&metric=cost", "by=day,model",
		"cost_min=1e400", "q=" + strings.Repeat("x", 300), "last_event_id=0-0", ";", "a=b;c=d", "limit=1&limit=2", "project=%00"} {
		f.Add(seed)
	}
	routes := []string{"/requests", "/metrics/history", "/metrics/savings", "/usage", "/keys", "/audit", "/experiments", "/experiments/results", "/dead", "/statements/2026-01"}
	s := build()
	f.Fuzz(func(t *testing.T, query string) {
		for _, route := range routes {
			r := httptest.NewRequestWithContext(t.Context(), "GET", "http://localhost"+route, nil)
			r.URL = &url.URL{Scheme: "http", Host: "localhost", Path: route, RawQuery: query}
			got := s.record(r)
			if got.Status >= 500 && got.Status != 503 {
				t.Errorf("%s?%s: %d %s", route, query, got.Status, got.Body)
			}
			if got.Status >= 400 {
				got.problem(t)
			}
		}
	})
}

// FuzzHeaders: whatever the headers of ours and of proxies say, a prompt is
// answered or refused as documented.
func FuzzHeaders(f *testing.F) {
	names := []string{"X-Busu-User", "X-Busu-Session", "X-Busu-Strategy", "X-Busu-Cache", "X-Busu-Experiment", "X-Busu-Project", "X-Request-Id", "Idempotency-Key",
		"X-Forwarded-For", "X-Forwarded-Proto", "Origin", "Accept", "Content-Type", "Cookie", "Last-Event-ID", "Traceparent", "Authorization", "X-Api-Key"}
	for i, seed := range []string{"ada", "auto", "no-store", "\x00", "\xff", strings.Repeat("x", 300), "10.0.0.1, 1.2.3.4, ::1%eth0", "https://evil.example", "application/json; q=x", "busu_session=%; busu_session=AAAA", "Bearer "} {
		f.Add(i, seed)
	}
	s := build()
	f.Fuzz(func(t *testing.T, which int, value string) {
		name := names[int(uint(which)%uint(len(names)))]
		r := httptest.NewRequestWithContext(t.Context(), "POST", "http://localhost/complete", strings.NewReader(`{"prompt": "a"}`))
		r.Header.Set("Content-Type", "application/json")
		r.Header[name] = []string{value}
		got := s.record(r)
		if got.Status >= 500 {
			t.Errorf("%s: %q: %d %s", name, value, got.Status, got.Body)
		}
		if got.Status >= 400 {
			got.problem(t)
		}
	})
}
