package openai

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/busuhq/busu/internal/llm"
)

func TestStatuses(t *testing.T) {
	t.Parallel()
	tests := map[int]llm.ErrorKind{
		204: llm.ErrorMalformed,
		400: llm.ErrorRejected, 404: llm.ErrorRejected, 413: llm.ErrorRejected, 422: llm.ErrorRejected,
		401: llm.ErrorAuth, 402: llm.ErrorAuth, 403: llm.ErrorAuth,
		408: llm.ErrorTimeout, 409: llm.ErrorUnavailable, 429: llm.ErrorRateLimited,
		500: llm.ErrorUnavailable, 502: llm.ErrorUnavailable, 503: llm.ErrorUnavailable, 504: llm.ErrorUnavailable, 529: llm.ErrorUnavailable,
	}
	for status, want := range tests {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			t.Parallel()
			p := vendor(t, func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(status)
				if status != http.StatusNoContent {
					_, _ = io.WriteString(w, `{"error":{"message":"because of reasons","type":"x","code":null}}`)
				}
			})
			_, err := p.Complete(t.Context(), question())
			failed := mustFail(t, err, want)
			if failed.Status != status {
				t.Errorf("status %d, want %d", failed.Status, status)
			}
			if status >= 400 && !strings.HasSuffix(err.Error(), ": because of reasons") {
				t.Errorf("the vendor's words are missing: %v", err)
			}
		})
	}
}

func TestVendorsWords(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("é\n", 5000)
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
		p := &Provider{secrets: []string{key}}
		if got := p.quote([]byte(body)); got != want {
			t.Errorf("%.60q: got %q, want %q", body, got, want)
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

func TestRateLimitCarriesTheWait(t *testing.T) {
	t.Parallel()
	p := vendor(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "20")
		w.WriteHeader(http.StatusTooManyRequests)
	})
	_, err := p.Complete(t.Context(), question())
	if failed := mustFail(t, err, llm.ErrorRateLimited); failed.RetryAfter != 20*time.Second {
		t.Errorf("%v", failed.RetryAfter)
	}
}

func TestBrokenAnswers(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		answer func(w http.ResponseWriter)
		want   llm.ErrorKind
		says   string
	}{
		"cut body": {func(w http.ResponseWriter) {
			w.Header().Set("Content-Length", "5000")
			_, _ = io.WriteString(w, recorded[:100])
		}, llm.ErrorUnavailable, "cut off"},
		"cut chunks": {func(w http.ResponseWriter) {
			_, _ = io.WriteString(w, recorded[:100])
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}, llm.ErrorUnavailable, "cut off"},
		"connection dropped": {func(http.ResponseWriter) { panic(http.ErrAbortHandler) }, llm.ErrorUnavailable, "EOF"},
		"oversized": {func(w http.ResponseWriter) {
			_, _ = io.WriteString(w, `{"padding":"`+strings.Repeat("x", maxAnswer)+`"}`)
		}, llm.ErrorMalformed, "larger than 8 MiB"},
		"malformed": {func(w http.ResponseWriter) { _, _ = io.WriteString(w, `{"choices":[}`) }, llm.ErrorMalformed, `{"choices":[}`},
		"html": {func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "text/html")
			_, _ = io.WriteString(w, "<h1>Welcome</h1>")
		}, llm.ErrorMalformed, "text/html"},
		"a stream that nobody asked for": {func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "text/event-stream")
			_, _ = io.WriteString(w, "data: {}\n\n")
		}, llm.ErrorMalformed, "text/event-stream"},
		"no choices":     {func(w http.ResponseWriter) { _, _ = io.WriteString(w, `{"choices":[]}`) }, llm.ErrorMalformed, "no choice"},
		"error in a 200": {func(w http.ResponseWriter) { _, _ = io.WriteString(w, `{"error":{"code":429,"message":"later"}}`) }, llm.ErrorRateLimited, "later"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := vendor(t, func(w http.ResponseWriter, _ *http.Request) { test.answer(w) })
			_, err := p.Complete(t.Context(), question())
			mustFail(t, err, test.want)
			if !strings.Contains(err.Error(), test.says) {
				t.Errorf("%q is not in %v", test.says, err)
			}
		})
	}
}

// TestTheKeyNeverLeaks has a vendor that echoes the request wherever it can.
func TestTheKeyNeverLeaks(t *testing.T) {
	t.Parallel()
	echoes := map[string]func(w http.ResponseWriter, authorization string){
		"error body": func(w http.ResponseWriter, a string) { http.Error(w, a, http.StatusUnauthorized) },
		"error message": func(w http.ResponseWriter, a string) {
			http.Error(w, `{"error":{"message":"`+strings.Repeat("x", maxQuoted-20)+a+`"}}`, http.StatusForbidden)
		},
		"error in a 200": func(w http.ResponseWriter, a string) {
			_, _ = io.WriteString(w, `{"error":{"message":"`+strings.Repeat("x", maxQuoted-20)+a+`"}}`)
		},
		"not JSON": func(w http.ResponseWriter, a string) { _, _ = io.WriteString(w, a) },
		"content type": func(w http.ResponseWriter, a string) {
			w.Header().Set("Content-Type", a)
			_, _ = io.WriteString(w, "{")
		},
		"broken header": func(w http.ResponseWriter, a string) {
			connection, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			_, _ = io.WriteString(connection, "HTTP/1.1 200 OK\r\n"+a+"\r\n\r\n")
			_ = connection.Close()
		},
		"broken status": func(w http.ResponseWriter, a string) {
			connection, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			_, _ = io.WriteString(connection, a+"\r\n\r\n")
			_ = connection.Close()
		},
	}
	for name, echo := range echoes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := vendor(t, func(w http.ResponseWriter, r *http.Request) { echo(w, r.Header.Get("Authorization")) })
			_, err := p.Complete(t.Context(), question())
			if err == nil || strings.Contains(err.Error(), key[:12]) {
				t.Errorf("%v", err)
			}
		})
	}
}
