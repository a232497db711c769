package endpoint

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

const key = "sk-test-0123456789abcdef"

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
		e := New(Options{Name: "acme", Secrets: []string{"", key}})
		if got := e.Quote([]byte(body)); got != want {
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
