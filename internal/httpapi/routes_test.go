package httpapi_test

import (
	"errors"
	"io"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

func TestWrongMethods(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for route, allowed := range map[string][]string{
		"GET /complete":             {"POST"},
		"DELETE /complete":          {"POST"},
		"PUT /recommendation":       {"GET", "HEAD", "POST"},
		"POST /routing/metrics":     {"GET", "HEAD"},
		"POST /metrics/live":        {"GET", "HEAD"},
		"POST /metrics/history":     {"GET", "HEAD"},
		"POST /metrics/savings":     {"GET", "HEAD"},
		"POST /usage":               {"GET", "HEAD"},
		"PUT /statements/2026-11":   {"GET", "HEAD"},
		"DELETE /requests":          {"GET", "HEAD"},
		"PUT /requests/x":           {"GET", "HEAD"},
		"POST /system":              {"GET", "HEAD"},
		"POST /models":              {"GET", "HEAD"},
		"DELETE /snapshots":         {"GET", "HEAD"},
		"GET /snapshots/1/rollback": {"POST"},
		"POST /reconcile":           {"GET", "HEAD"},
		"POST /dead":                {"GET", "HEAD"},
		"PUT /dead/1-0":             {"DELETE", "GET", "HEAD"},
		"GET /dead/1-0/replay":      {"POST"},
		"POST /healthz":             {"GET", "HEAD"},
		"PATCH /":                   {"GET", "HEAD"},
		"DELETE /static/app.js":     {"GET", "HEAD"},
		"BREW /routing/metrics":     {"GET", "HEAD"},
		"DELETE /openapi.json":      {"GET", "HEAD"},
		"POST /metrics?a=1&b=%z":    {"GET", "HEAD"},
	} {
		method, path, _ := strings.Cut(route, " ")
		got := s.send(t, method, path, "").want(t, 405)
		var allow []string
		for m := range strings.SplitSeq(got.Header.Get("Allow"), ", ") {
			if m != "OPTIONS" {
				allow = append(allow, m)
			}
		}
		slices.Sort(allow)
		if p := got.problem(t); !slices.Equal(allow, allowed) || !strings.HasSuffix(p.Type, ":method-not-allowed") || p.Detail == "" {
			t.Errorf("%s: Allow %v, want %v; %s: %s", route, allow, allowed, p.Type, p.Detail)
		}
	}
}

func TestUnknownPaths(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for _, path := range []string{"/nope", "/complete/", "/complete/x", "/COMPLETE", "/recommendation/",
		"//complete", "/static", "/static/nope.js", "/static/", "/static/../keys", "/static/../../etc/passwd", "/static//app.js", "/static/./app.js", "/index.html", "/metrics/live/", "/%2e%2e/etc", "/healthz/%00"} {
		for _, method := range []string{"GET", "POST"} {
			if strings.HasPrefix(path, "/static/") && method == "POST" {
				continue // 405: the folder is a route
			}
			if p := s.send(t, method, path, "").want(t, 404).problem(t); !strings.HasSuffix(p.Type, ":not-found") || p.Detail == "" {
				t.Errorf("%s: %s, %q", path, p.Type, p.Detail)
			}
		}
	}
}

// TestHead: the headers of a GET, without its body.
func TestHead(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for _, path := range []string{"/", "/docs", "/static/app.js", "/healthz", "/readyz", "/metrics", "/openapi.json",
		"/metrics/live", "/metrics/history", "/metrics/savings", "/usage", "/statements/2026-10", "/requests", "/models", "/snapshots", "/system", "/reconcile", "/dead", "/dead/1-0", "/routing/metrics", "/recommendation?prompt=a"} {
		head := s.send(t, "HEAD", path, "").want(t, 200)
		get := s.send(t, "GET", path, "").want(t, 200)
		if len(head.Body) > 0 || head.Header.Get("Content-Type") != get.Header.Get("Content-Type") || head.Header.Get("X-Request-Id") == "" {
			t.Errorf("HEAD %s: %d bytes of %q, GET has %q", path, len(head.Body), head.Header.Get("Content-Type"), get.Header.Get("Content-Type"))
		}
	}
	if got := s.send(t, "HEAD", "/nope", "").want(t, 404); len(got.Body) > 0 {
		t.Errorf("HEAD of nothing has a body: %s", got.Body)
	}
}

func TestDashboardFiles(t *testing.T) {
	t.Parallel()
	s := serve(t)
	page := s.send(t, "GET", "/", "").want(t, 200)
	if !strings.Contains(string(page.Body), "<title>busu") || !strings.Contains(page.Header.Get("Content-Security-Policy"), "default-src 'none'") {
		t.Errorf("headers %v, body %s", page.Header, page.Body)
	}
	if script := s.send(t, "GET", "/static/app.js", "").want(t, 200); string(script.Body) != "'use strict'" {
		t.Errorf("script %s", script.Body)
	}
}

// TestRequestIDs: every answer has one, a new one each time; a caller's own
// one never takes its place.
func TestRequestIDs(t *testing.T) {
	t.Parallel()
	s := serve(t)
	seen := map[string]bool{}
	for _, path := range []string{"/", "/healthz", "/metrics", "/nope", "/metrics/live", "/healthz"} {
		id := s.send(t, "GET", path, "", "X-Request-Id: theirs").Header.Get("X-Request-Id")
		if len(id) != 36 || id[14] != '7' || seen[id] {
			t.Errorf("%s has the id %q", path, id)
		}
		seen[id] = true
	}
}

// TestCallerIDsThatCannotBeKept are left out, and nothing fails for them.
func TestCallerIDsThatCannotBeKept(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for id, want := range map[string]string{
		strings.Repeat("x", 256): strings.Repeat("x", 256),
		strings.Repeat("x", 257): "",
		"\xff\xfe":               "",
		"über":                   "über",
	} {
		s.post(t, "/complete", `{"prompt": "a"}`, "X-Request-Id: "+id).want(t, 200)
		if f := <-s.Ledger.recorded; f.CallerID != want {
			t.Errorf("the id %.20q is kept as %.20q", id, f.CallerID)
		}
	}
}

// TestBodyEndsEarly: that is the caller's mistake, whoever hears of it.
func TestBodyEndsEarly(t *testing.T) {
	t.Parallel()
	s := build()
	r := httptest.NewRequestWithContext(t.Context(), "POST", "http://localhost/complete", io.MultiReader(strings.NewReader(`{"prompt": "`), brokenReader{}))
	r.ContentLength = 100
	got := s.record(r)
	validate(t, r, got)
	if p := got.want(t, 400).problem(t); !strings.HasSuffix(p.Type, ":malformed-request") {
		t.Errorf("%s: %s", p.Type, p.Detail)
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// TestOtherWebsites cannot make a visitor's browser send requests, under our
// own name neither. Programs can.
func TestOtherWebsites(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for _, headers := range [][]string{
		{"Origin: https://evil.example"},
		{"Sec-Fetch-Site: cross-site"},
		{"Sec-Fetch-Site: same-site"},
		{"Host: evil.example"},
		{"Host: evil.example:8000", "Origin: http://evil.example:8000"},
		{"Host: 127.0.0.1.evil.example"},
	} {
		headers = append(headers, "Content-Type: text/plain")
		if p := s.post(t, "/complete", `{"prompt": "a"}`, headers...).want(t, 403).problem(t); p.Detail == "" {
			t.Errorf("%v is refused without a reason", headers)
		}
	}
	if intents, _ := s.Ledger.counts(); intents > 0 {
		t.Error("a website's request was recorded")
	}
	for _, headers := range [][]string{
		{},
		{"Origin: " + s.URL},
		{"Sec-Fetch-Site: same-origin"},
		{"Sec-Fetch-Site: none"},
		{"Host: localhost:8000"},
		{"Host: LOCALHOST."},
		{"Host: [::1]:8000"},
		{"Host: [::1]"},
		{"Host: 192.168.1.5"},
		{"Host: busu"},
		{"Host: host.docker.internal:8000"},
	} {
		s.post(t, "/complete", `{"prompt": "a"}`, headers...).want(t, 200)
	}
	s.send(t, "GET", "/recommendation?prompt=a", "", "Host: evil.example").want(t, 403)
	s.send(t, "GET", "/healthz", "", "Host: evil.example").want(t, 200)
	withKey := serve(t, func(s *setup) { s.adminKey = "secret" })
	withKey.post(t, "/complete", `{"prompt": "a"}`, "Host: busu.example.com", "x-api-key: secret").want(t, 200)
}

// TestIDsThatNoStoreCanHold are unknown like others: they are no sign of a
// database that is away.
func TestIDsThatNoStoreCanHold(t *testing.T) {
	t.Parallel()
	keys := newFakeKeys()
	keys.err = errors.New(`invalid byte sequence for encoding "UTF8": 0x00`)
	s := serve(t, func(s *setup) { s.keys, s.trials = keys, &fakeExperiments{err: keys.err} })
	for _, id := range []string{"%00", "a%00b", "%FF", "%C0%AF"} {
		for _, path := range []string{"/experiments/" + id, "/experiments/" + id + "/results", "/experiments/" + id + "/deliveries", "/keys/" + id, "/requests/" + id, "/dead/" + id, "/v1/models/" + id} {
			s.send(t, "GET", path, "").want(t, 404)
		}
		s.post(t, "/experiments/"+id+"/stop", "").want(t, 404)
		s.send(t, "DELETE", "/keys/"+id, "").want(t, 404)
	}
}

// TestEveryAnswerHasSecurityHeaders: pages, refusals, and what is no path; what
// is not public is kept by nobody, and no page of another website may read it.
func TestEveryAnswerHasSecurityHeaders(t *testing.T) {
	t.Parallel()
	s := serve(t, func(s *setup) { s.adminKey = "secret" })
	for _, ask := range []struct {
		method, path, key string
		status            int
		public            bool
	}{
		{"GET", "/", "", 200, true}, {"GET", "/docs", "", 200, true}, {"GET", "/static/app.js", "", 200, true}, {"GET", "/static/nope", "", 404, true},
		{"GET", "/healthz", "", 200, true}, {"GET", "/metrics", "", 200, true}, {"GET", "/openapi.json", "", 200, true}, {"POST", "/healthz", "", 405, true},
		{"GET", "/requests", "", 401, false}, {"GET", "/requests", "wrong", 401, false}, {"GET", "/requests", "secret", 200, false}, {"GET", "/nope", "", 401, false},
		{"GET", "/nope", "secret", 404, false}, {"PUT", "/complete", "secret", 405, false}, {"POST", "/complete", "secret", 400, false}, {"OPTIONS", "/complete", "secret", 204, false},
		{"POST", "/v1/messages", "", 401, false}, {"GET", "/requests?project=%00", "secret", 422, false}, {"OPTIONS", "*", "", 401, false},
	} {
		// no client sends OPTIONS * as others do, so the handler is asked
		r := httptest.NewRequest(ask.method, ask.path, nil)
		r.Header.Set("Origin", "http://"+r.Host)
		if ask.key != "" {
			r.Header.Set("x-api-key", ask.key)
		}
		got := s.record(r).want(t, ask.status)
		want := map[string]string{"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY"}
		isPrompt := ask.method == "POST" && (ask.path == "/complete" || ask.path == "/v1/messages") // no browser shows its answer
		if isPrompt {
			want["Referrer-Policy"], want["X-Frame-Options"] = "", ""
		}
		for name, value := range want {
			if got.Header.Get(name) != value {
				t.Errorf("%s %s as %q: %s is %q", ask.method, ask.path, ask.key, name, got.Header.Get(name))
			}
		}
		if policy := got.Header.Get("Content-Security-Policy"); isPrompt != (policy == "") ||
			!isPrompt && (!strings.Contains(policy, "default-src 'none'") || !strings.Contains(policy, "frame-ancestors 'none'")) {
			t.Errorf("%s %s as %q: the policy is %q", ask.method, ask.path, ask.key, policy)
		}
		if kept := got.Header.Get("Cache-Control") != "no-store"; kept != ask.public {
			t.Errorf("%s %s as %q: Cache-Control is %q", ask.method, ask.path, ask.key, got.Header.Get("Cache-Control"))
		}
		for name := range got.Header {
			if strings.HasPrefix(name, "Access-Control-") {
				t.Errorf("%s %s as %q: there is %s", ask.method, ask.path, ask.key, name)
			}
		}
	}
}

// TestPublicPathsKnowNoProject: whoever sends the header with everything is
// served them all the same.
func TestPublicPathsKnowNoProject(t *testing.T) {
	t.Parallel()
	s := serve(t, func(s *setup) { s.adminKey = "secret" })
	for _, path := range []string{"/", "/docs", "/static/app.js", "/healthz", "/metrics", "/openapi.json"} {
		for _, project := range []string{"acme", "*", "../x"} {
			s.send(t, "GET", path, "", "X-Busu-Project: "+project).want(t, 200)
		}
	}
}
