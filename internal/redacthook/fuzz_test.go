package redacthook

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

type service func() *http.Response

func (s service) RoundTrip(*http.Request) (*http.Response, error) { return s(), nil }

// FuzzAnswer: whatever a service answers is read or refused, and no error
// quotes it.
func FuzzAnswer(f *testing.F) {
	const secret = "secret-4711"
	for _, seed := range []string{`{"texts": ["a"], "values": {"[X_1]": "b"}}`, `{"texts": null}`, `{"texts": "secret-4711"}`, `[]`, "", `{"texts": [1]}`, "\xff"} {
		f.Add(200, []byte(seed))
	}
	f.Add(503, []byte("secret-4711"))
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		h := New("http://hook.example/redact", time.Minute)
		h.client.Transport = service(func() *http.Response {
			return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(body))}
		})
		texts, values, err := h.Redact(t.Context(), "p", []string{"a"})
		switch {
		case err == nil && status != http.StatusOK:
			t.Errorf("status %d is no answer", status)
		case err != nil && (texts != nil || values != nil):
			t.Errorf("refused, and read as %q, %v", texts, values)
		case err != nil && bytes.Contains(body, []byte(secret)) && strings.Contains(err.Error(), secret):
			t.Errorf("%v quotes the answer", err)
		}
	})
}
