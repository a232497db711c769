package endpoint

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/busuhq/busu/internal/llm"
)

// FuzzFailure: whatever a vendor says of a failure becomes one that can be
// shown: on one line, short, and without the key that it was sent.
func FuzzFailure(f *testing.F) {
	const secret = "sk-0123456789"
	for _, seed := range []string{`{"error": {"message": "no"}}`, `[[[["x"]]]]`, `{"message": "` + secret + `"}`, secret[:5] + "\n" + secret[5:], "\xff", ""} {
		f.Add(500, []byte(seed), "3", "")
	}
	f.Add(429, []byte("{}"), "1e400", "-7")
	f.Add(429, []byte("{}"), "Fri, 31 Dec 9999 23:59:59 GMT", "NaN")
	e := New(Options{Name: "acme", Secrets: []string{secret}})
	f.Fuzz(func(t *testing.T, status int, body []byte, after, afterMS string) {
		response := &http.Response{StatusCode: status, Header: http.Header{"Retry-After": {after}, "Retry-After-Ms": {afterMS}}, Body: io.NopCloser(bytes.NewReader(body))}
		failed, ok := errors.AsType[*llm.ProviderError](e.statusError(t.Context(), response, time.Unix(1_700_000_000, 0)))
		if !ok || failed.Kind == "" {
			t.Fatalf("%+v", failed)
		}
		if failed.RetryAfter < 0 || failed.RetryAfter > maxRetryAfter {
			t.Errorf("wait %s after %q, %q", failed.RetryAfter, after, afterMS)
		}
		said := failed.Said
		if strings.Contains(said, secret) || strings.ContainsAny(said, "\r\n") || !utf8.ValidString(said) || len(said) > maxQuoted+len("…") {
			t.Errorf("%q of %q", said, body)
		}
	})
}
