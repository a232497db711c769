package providertest

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/busuhq/busu/internal/llm"
)

// failure is answers that are none, to whole and to streamed calls alike.
func (s suite) failure() cases {
	c := cases{
		"nobody there":      s.nobodyThere,
		"no such provider":  s.hungUpAtOnce,
		"not HTTP":          s.notHTTP,
		"wait for seconds":  func(t *testing.T) { s.retryAfter(t, "20", 20*time.Second, 20*time.Second) },
		"wait until a date": s.retryAfterDate,
		"wait for nonsense": func(t *testing.T) { s.retryAfter(t, "soon", 0, 0) },
		"wait a long time":  func(t *testing.T) { s.retryAfter(t, "99999999999999999999", time.Hour, 24*time.Hour) },
	}
	for status, kind := range map[int]llm.ErrorKind{
		400: llm.ErrorRejected, 404: llm.ErrorRejected, 413: llm.ErrorRejected, 422: llm.ErrorRejected,
		401: llm.ErrorAuth, 403: llm.ErrorAuth,
		408: llm.ErrorTimeout, 429: llm.ErrorRateLimited,
		500: llm.ErrorUnavailable, 502: llm.ErrorUnavailable, 503: llm.ErrorUnavailable, 504: llm.ErrorUnavailable, 529: llm.ErrorUnavailable,
	} {
		c[fmt.Sprint("status ", status)] = func(t *testing.T) { s.status(t, status, kind) }
	}
	for _, status := range []int{301, 302, 303, 307, 308} {
		c[fmt.Sprint("redirect ", status)] = func(t *testing.T) { s.redirect(t, status) }
	}
	for status, kind := range map[int]llm.ErrorKind{429: llm.ErrorRateLimited, 503: llm.ErrorUnavailable} {
		c[fmt.Sprintf("%d in a 200", status)] = func(t *testing.T) {
			for _, failed := range s.bothFail(t, say(http.StatusOK, s.Wire.Error(status, "because of reasons")), kind) {
				mustQuote(t, failed, "because of reasons")
			}
		}
	}
	for name, body := range map[string]string{
		"empty": "", "null": "null", "an object of nothing": "{}", "a list": "[]", "half": `{"id":"`, "two": `{} {}`, "a page": "<h1>Welcome</h1>",
	} {
		c["a 200 with "+name] = func(t *testing.T) {
			f := s.fake(t, say(http.StatusOK, body))
			_, err := f.provider.Complete(within(t), s.question())
			s.mustFail(t, err, llm.ErrorMalformed)
		}
	}
	c["a 200 cut short"] = s.cutShort
	c["a 204"] = func(t *testing.T) {
		s.bothFail(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }, llm.ErrorMalformed)
	}
	return c
}

// bothFail makes a whole call and a streamed one.
func (s suite) bothFail(t *testing.T, answer script, kinds ...llm.ErrorKind) []*llm.ProviderError {
	t.Helper()
	f := s.fake(t, answer)
	_, err := f.provider.Complete(within(t), s.question())
	whole := s.mustFail(t, err, kinds...)
	got, heard, err := s.call(within(t), t, f.provider, s.question(), nil)
	streamed := s.mustFail(t, err, kinds...)
	if heard.pieces != 0 || got.Text != "" {
		t.Errorf("pieces came of a failed call: %+v", heard)
	}
	return []*llm.ProviderError{whole, streamed}
}

func (s suite) status(t *testing.T, status int, kind llm.ErrorKind) {
	for _, failed := range s.bothFail(t, say(status, s.Wire.Error(status, "because of reasons")), kind) {
		mustQuote(t, failed, "because of reasons")
		if failed.Status != status {
			t.Errorf("the failure has the status %d, want %d", failed.Status, status)
		}
		if failed.RetryAfter != 0 {
			t.Errorf("a wait of %v came out of nothing", failed.RetryAfter)
		}
	}
	// Proxies answer in their own words, or in none.
	for _, body := range []string{"", "<html><body>bad\x00\x1b[31m gateway</body></html>", `{"error":null}`, `["error"]`} {
		s.bothFail(t, say(status, body), kind)
	}
}

func (s suite) retryAfter(t *testing.T, value string, least, most time.Duration) {
	for status, kind := range map[int]llm.ErrorKind{429: llm.ErrorRateLimited, 503: llm.ErrorUnavailable, 529: llm.ErrorUnavailable} {
		for _, failed := range s.bothFail(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Retry-After", value)
			say(status, s.Wire.Error(status, "later"))(w, r)
		}, kind) {
			if failed.RetryAfter < least || failed.RetryAfter > most {
				t.Errorf("%d with Retry-After %q: wait %v, want %v to %v", status, value, failed.RetryAfter, least, most)
			}
		}
	}
}

func (s suite) retryAfterDate(t *testing.T) {
	in := time.Now().Add(time.Hour)
	s.retryAfter(t, in.UTC().Format(http.TimeFormat), time.Hour-patience-time.Second, time.Hour)
	s.retryAfter(t, in.Add(-2*time.Hour).UTC().Format(http.TimeFormat), 0, 0)
}

// redirect: whoever it points at must not be asked, least of all with the key.
func (s suite) redirect(t *testing.T, status int) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("the redirect was followed, with %v", r.Header)
	}))
	t.Cleanup(elsewhere.Close)
	for _, target := range []string{elsewhere.URL + "/?key=" + key, "/elsewhere"} {
		f := s.fake(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, target, status) })
		_, err := f.provider.Complete(within(t), s.question())
		s.mustFail(t, err, llm.ErrorMalformed)
		_, _, err = s.call(within(t), t, f.provider, s.question(), nil)
		s.mustFail(t, err, llm.ErrorMalformed)
		if n := len(f.requests()); n != 2 {
			t.Errorf("two calls made %d requests", n)
		}
	}
}

func (s suite) nobodyThere(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	_ = listener.Close()
	_, err = s.New(t, "http://"+address, key).Complete(within(t), s.question())
	if failed := s.mustFail(t, err, llm.ErrorUnavailable); failed.Status != 0 || !failed.Unsent {
		t.Errorf("nobody answered with the status %d; unsent: %t", failed.Status, failed.Unsent)
	}
}

func (s suite) hungUpAtOnce(t *testing.T) {
	for _, failed := range s.bothFail(t, func(http.ResponseWriter, *http.Request) { hangUp() }, llm.ErrorUnavailable) {
		if failed.Unsent {
			t.Error("a call that was taken counts as unsent")
		}
	}
}

func (s suite) notHTTP(t *testing.T) {
	s.bothFail(t, inTheRaw(t, "SSH-2.0-OpenSSH_9.9\r\n"), llm.ErrorUnavailable, llm.ErrorMalformed)
}

// inTheRaw writes to the connection itself.
func inTheRaw(t *testing.T, text string) script {
	return func(w http.ResponseWriter, _ *http.Request) {
		connection, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = io.WriteString(connection, text)
		_ = connection.Close()
	}
}

func (s suite) cutShort(t *testing.T) {
	body := s.Wire.Whole(s.answer())
	for name, answer := range map[string]script{
		"length": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", fmt.Sprint(2*len(body)))
			_, _ = io.WriteString(w, body)
		},
		"chunks": func(w http.ResponseWriter, _ *http.Request) {
			push(w, body[:len(body)/2])
			hangUp()
		},
	} {
		f := s.fake(t, answer)
		if _, err := f.provider.Complete(within(t), s.question()); err == nil {
			t.Errorf("%s: half an answer was taken for a whole", name)
		} else {
			s.mustFail(t, err, llm.ErrorUnavailable)
		}
	}
}
