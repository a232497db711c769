package endpoint

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/busuhq/busu/internal/llm"
)

const key = "sk-test-0123456789abcdef"

func TestVendorsWords(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("é\n", 5000)
	e := New(Options{Secrets: []string{"", key}})
	for body, want := range map[string]string{
		`{"error":{"message":"no"}}`:               "no",
		`{"error":"no"}`:                           "no",
		`{"message":"no"}`:                         "no",
		`{"detail":[{"loc":["body"],"msg":"no"}]}`: `{"loc":["body"],"msg":"no"}`,
		`[{"error":{"code":400,"message":"no"}}]`:  "no",
		"<html>\x00\n  <b>no</b>\x1b[31m":          "<html> <b>no</b>[31m",
		``:                                         "the vendor gave no reason",
		`{}`:                                       "{}",
		long:                                       strings.Repeat("é ", 100) + "…",
		`{"error":{"message":"key ` + key + ` bad"}}`: "key [key] bad",
		strings.Repeat("x", maxQuoted-10) + key:       strings.Repeat("x", maxQuoted-10) + "[key]",
		`"` + strings.Repeat(" ", 70_000) + key:       `" [key]`,
	} {
		if got := e.Quote([]byte(body)); got != want {
			t.Errorf("%.60q: got %q, want %q", body, got, want)
		}
	}
}

// TestErrorsMayBeLogged: on one line, short, without secrets, and still known
// by their cause.
func TestErrorsMayBeLogged(t *testing.T) {
	t.Parallel()
	e := New(Options{Name: "acme", Secrets: []string{key}})
	for _, text := range []string{"plain", "with " + key, "two\nlines", strings.Repeat("x", 10_000), strings.Repeat("x", maxQuoted-5) + key} {
		cause := errors.New(text)
		err := e.Fail(llm.ErrorRejected, 400, cause)
		if said := err.Error(); strings.Contains(said, key[:10]) || strings.Contains(said, "\n") || len(said) > 2000 || !errors.Is(err, cause) {
			t.Errorf("%.40q became %.400q", text, said)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"": 0, "7": 7 * time.Second, "0": 0, "1.5": 1500 * time.Millisecond, "-3": 0, "NaN": 0, "soon": 0,
		"99999999999999999999":          maxRetryAfter,
		"Sun, 01 Mar 2026 12:01:30 GMT": 90 * time.Second,
		"Sun, 01 Mar 2026 11:00:00 GMT": 0,
		"Sun, 01 Mar 2099 11:00:00 GMT": maxRetryAfter,
	} {
		if got := retryAfter(http.Header{"Retry-After": {value}}, now); got != want {
			t.Errorf("%q: %v, want %v", value, got, want)
		}
	}
	if got := retryAfter(http.Header{"Retry-After": {"2"}, "Retry-After-Ms": {"1234"}}, now); got != 1234*time.Millisecond {
		t.Errorf("milliseconds: %v", got)
	}
}

func TestBaseURLs(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"https://host": "", "http://host:1/a/": "", "https://host/v1": "must end before", "https://host/v1/": "must end before",
		"": "must begin with", "host": "must begin with", "ftp://host": "must begin with", "https://": "must begin with",
		"https://u:p@host": "credentials", "https://host?k=" + key: "query", "https://host#" + key: "query", "http://h\x7f": "https://example",
	} {
		_, err := ParseBase(raw, "https://example", "/v1")
		if (err == nil) != (want == "") || err != nil && (!strings.Contains(err.Error(), want) || strings.Contains(err.Error(), key)) {
			t.Errorf("%q: %v, want %q", raw, err, want)
		}
	}
}

// TestHeadersOfACall: those of one call are not those of the next.
func TestHeadersOfACall(t *testing.T) {
	t.Parallel()
	var seen []string
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		seen = append(seen, r.Header.Get("X-Own")+","+r.Header.Get("Accept")+","+r.Header.Get("User-Agent"))
	}))
	t.Cleanup(server.Close)
	e := New(Options{Headers: map[string]string{"x-own": "a"}, Client: server.Client()})
	for _, header := range []http.Header{{"X-Own": {"b"}, "Accept": {"x"}}, nil} {
		response, err := e.Post(t.Context(), addressOf(t, server.URL), header, nil)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
	}
	if got := strings.Join(seen, " "); got != "b,x,busu a,,busu" {
		t.Errorf("seen %s", got)
	}
}

// TestStreamsLeaveTheirConnection to the next call, though their end comes
// after their last event.
func TestStreamsLeaveTheirConnection(t *testing.T) {
	t.Parallel()
	clients, heard := map[string]bool{}, make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		clients[r.RemoteAddr] = true // one request at a time
		_, _ = io.WriteString(w, "data: 1\n\ndata: last\n\n")
		_ = http.NewResponseController(w).Flush()
		<-heard
		_, _ = io.WriteString(w, ": and a comment\n\n")
	}))
	t.Cleanup(server.Close)
	e := New(Options{})
	t.Cleanup(e.Close)
	for range 5 {
		s, _, err := e.PostStream(t.Context(), addressOf(t, server.URL), nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		for said := ""; said != "last"; {
			event, err := s.Next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			said = string(event.Data)
		}
		heard <- struct{}{}
		s.HearOut()
		s.Close()
	}
	if len(clients) > 2 { // on a busy machine the end may come too late, once
		t.Errorf("five calls opened %d connections", len(clients))
	}
}

// TestConnectionsAreKept, however many calls were under way at once.
func TestConnectionsAreKept(t *testing.T) {
	t.Parallel()
	const atOnce = 200
	var closed atomic.Int64
	var together sync.WaitGroup
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		together.Done()
		together.Wait()
		_, _ = io.WriteString(w, "{}")
	}))
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateClosed {
			closed.Add(1)
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	e := New(Options{})
	for range 3 {
		together.Add(atOnce)
		var calls sync.WaitGroup
		for range atOnce {
			calls.Go(func() {
				response, err := e.Post(t.Context(), addressOf(t, server.URL), nil, []byte("{}"))
				if err != nil {
					t.Error(err)
					return
				}
				defer response.Body.Close()
				if _, err := e.ReadAnswer(t.Context(), response); err != nil {
					t.Error(err)
				}
			})
		}
		calls.Wait()
	}
	if n := closed.Load(); n > 0 {
		t.Errorf("%d connections were closed", n)
	}
}

// TestEndlessNothing: comments say nothing, and not for ever.
func TestEndlessNothing(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		comments := strings.Repeat(":"+strings.Repeat(" still", 1000)+"\n\n", 10)
		for sent := 0; sent < 2*maxStream; sent += len(comments) {
			if _, err := io.WriteString(w, comments); err != nil {
				return
			}
		}
		t.Error("all of it was read")
	}))
	t.Cleanup(server.Close)
	s, _, err := New(Options{}).PostStream(t.Context(), addressOf(t, server.URL), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	event, err := s.Next(t.Context())
	if failed, ok := errors.AsType[*llm.ProviderError](err); !ok || failed.Kind != llm.ErrorMalformed {
		t.Errorf("%+v, %v", event, err)
	}
	s.Close()
}

func addressOf(t *testing.T, raw string) *url.URL {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return u
}
