package admin

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

const key = "an-admin-key-of-32-characters-xx"

func ask(t *testing.T, h http.Handler, method, target, body string, change func(*http.Request)) (int, string) {
	t.Helper()
	r := httptest.NewRequest(method, "http://127.0.0.1:8009"+target, strings.NewReader(body))
	if change != nil {
		change(r)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

func TestWhatItServes(t *testing.T) {
	t.Parallel()
	h := Handler("", NewLevel(slog.LevelInfo))
	for target, want := range map[string]string{
		"/debug/pprof/":                  "goroutine",
		"/debug/pprof/goroutine?debug=1": "goroutine profile:",
		"/debug/pprof/heap?debug=1":      "heap profile:",
		"/debug/pprof/mutex?debug=1":     "cycles/second",
		"/debug/pprof/block?debug=1":     "cycles/second",
		"/debug/pprof/cmdline":           "admin.test",
		"/metrics/runtime":               "go_sched_latencies_seconds_bucket",
		"/log/level":                     `{"level":"info","configured":"info"}`,
	} {
		if code, body := ask(t, h, http.MethodGet, target, "", nil); code != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("%s: %d without %q", target, code, want)
		}
	}
	if code, _ := ask(t, h, http.MethodGet, "/", "", nil); code != http.StatusNotFound {
		t.Errorf("/: %d", code)
	}
}

// TestWaitsAreSampled only while somebody collects them, however many do.
func TestWaitsAreSampled(t *testing.T) {
	t.Parallel()
	var now bool
	h := sampled(func(on bool) { now = on })
	inside := httptest.NewRecorder()
	outer := writer{ResponseRecorder: httptest.NewRecorder(), wrote: func() {
		h.ServeHTTP(inside, httptest.NewRequest(http.MethodGet, "/debug/pprof/mutex?debug=1", nil))
		if !now {
			t.Error("it ended with the first of two")
		}
	}}
	h.ServeHTTP(outer, httptest.NewRequest(http.MethodGet, "/debug/pprof/mutex?debug=1", nil))
	if now || inside.Code != http.StatusOK || inside.Body.Len() == 0 {
		t.Errorf("on: %t; %d, %d bytes", now, inside.Code, inside.Body.Len())
	}
}

// writer says when something is written.
type writer struct {
	*httptest.ResponseRecorder
	wrote func()
}

func (w writer) Write(p []byte) (int, error) {
	w.wrote()
	return w.ResponseRecorder.Write(p)
}

// TestWhoMayAsk, by key, and without one by where from.
func TestWhoMayAsk(t *testing.T) {
	t.Parallel()
	header := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	host := func(host string) func(*http.Request) { return func(r *http.Request) { r.Host = host } }
	password := func(p string) func(*http.Request) { return func(r *http.Request) { r.SetBasicAuth("admin", p) } }
	for name, c := range map[string]struct {
		key    string
		change func(*http.Request)
		want   int
	}{
		"open, by address":         {"", nil, 200},
		"open, by name":            {"", host("LOCALHOST:8009"), 200},
		"open, IPv6":               {"", host("[::1]:8009"), 200},
		"open, without port":       {"", host("127.0.0.1"), 200},
		"rebound name":             {"", host("evil.example:8009"), 403},
		"other address":            {"", host("192.168.1.7:8009"), 403},
		"another website":          {"", func(r *http.Request) { r.Method = "PUT"; r.Header.Set("Sec-Fetch-Site", "cross-site") }, 403},
		"no key":                   {key, nil, 401},
		"wrong key":                {key, header("Authorization", "Bearer "+key[1:]), 401},
		"key of another scheme":    {key, header("Authorization", "Digest "+key), 401},
		"bearer":                   {key, header("Authorization", "bearer "+key), 200},
		"password":                 {key, password(key), 200},
		"wrong password":           {key, password(key + "x"), 401},
		"key from another machine": {key, func(r *http.Request) { r.Host = "busu.example"; r.SetBasicAuth("x", key) }, 200},
	} {
		if code, body := ask(t, Handler(c.key, NewLevel(0)), http.MethodGet, "/log/level", "", c.change); code != c.want {
			t.Errorf("%s: %d, want %d: %s", name, code, c.want, body)
		}
	}
}

// TestLevelAtRunTime: what is set counts for the next line, and what is wrong
// changes nothing.
func TestLevelAtRunTime(t *testing.T) {
	t.Parallel()
	level := NewLevel(slog.LevelWarn)
	h := Handler("", level)
	var out bytes.Buffer
	log := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: level}))
	log.Debug("before")
	if code, body := ask(t, h, http.MethodPut, "/log/level", `{"level": "DEBUG"}`, nil); code != 200 || strings.TrimSpace(body) != `{"level":"debug","configured":"warn"}` {
		t.Errorf("%d %s", code, body)
	}
	log.Debug("during")
	for _, wrong := range []string{``, `{}`, `{"level": "loud"}`, `{"level": 3}`, `"debug"`, strings.Repeat(" ", mostBody) + `{"level": "error"}`} {
		if code, body := ask(t, h, http.MethodPut, "/log/level", wrong, nil); code != http.StatusUnprocessableEntity || !strings.Contains(body, "debug, info, warn or error") {
			t.Errorf("%.40q: %d %s", wrong, code, body)
		}
	}
	log.Debug("still")
	level.Reset()
	log.Info("after")
	text, _ := io.ReadAll(&out)
	if s := string(text); strings.Contains(s, "before") || !strings.Contains(s, "during") || !strings.Contains(s, "still") || strings.Contains(s, "after") {
		t.Errorf("logged %s", s)
	}
}
