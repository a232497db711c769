package providertest

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// key is where the key may be seen: in one header, of requests to the
// configured host, and nowhere else. The vendor here echoes it wherever it can.
func (s suite) key() cases {
	long := strings.Repeat("x", 280) // so that a cut message would be cut within the key
	echoes := map[string]script{
		"an error body":    say(http.StatusUnauthorized, long+key),
		"an error message": say(http.StatusForbidden, s.Wire.Error(http.StatusForbidden, long+key)),
		"a 200's error":    say(http.StatusOK, s.Wire.Error(http.StatusServiceUnavailable, long+key)),
		"what is not JSON": say(http.StatusOK, key),
		"the content type": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", key)
			_, _ = io.WriteString(w, "{")
		},
		"a redirect": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/?key="+key, http.StatusFound) },
	}
	c := cases{"sent in one header": s.keyInOneHeader, "echoed in a stream": s.keyInStream}
	for name, echo := range echoes {
		c["echoed in "+name] = func(t *testing.T) { s.echoed(t, echo) }
	}
	for name, text := range map[string]string{"a broken status": key + "\r\n\r\n", "a broken header": "HTTP/1.1 200 OK\r\n" + key + "\r\n\r\n"} {
		c["echoed in "+name] = func(t *testing.T) { s.echoed(t, inTheRaw(t, text)) }
	}
	return c
}

func (s suite) echoed(t *testing.T, echo script) {
	f := s.fake(t, echo)
	_, err := f.provider.Complete(within(t), s.question())
	if err == nil {
		t.Fatal("the call went well")
	}
	mustBePresentable(t, err)
	_, _, err = s.call(within(t), t, f.provider, s.question(), nil)
	if err == nil {
		t.Fatal("the streamed call went well")
	}
	mustBePresentable(t, err)
}

func (s suite) keyInStream(t *testing.T) {
	head, _, next := s.upTo(t)
	for _, frame := range []string{
		s.Wire.ErrorFrame(strings.Repeat("x", 280) + key),
		next[:strings.Index(next, "{")] + key + "\n\n",
		next[:strings.Index(next, "{")] + "{\"" + key + "\":}\n\n",
	} {
		s.echoed(t, stream([]string{frame}, nil))
		f := s.fake(t, stream(append(head[:len(head):len(head)], frame), nil))
		_, _, err := s.call(within(t), t, f.provider, s.question(), nil)
		if err == nil {
			t.Fatal("the call went well")
		}
		mustBePresentable(t, err)
	}
}

func (s suite) keyInOneHeader(t *testing.T) {
	f := s.fake(t, say(http.StatusOK, s.Wire.Whole(s.answer())))
	if _, err := f.provider.Complete(within(t), s.question()); err != nil {
		t.Fatal(err)
	}
	request := f.only(t)
	if header := http.CanonicalHeaderKey(s.Wire.KeyHeader); !strings.Contains(request.Header.Get(header), key) {
		t.Errorf("the key is not in the header %s: %v", header, request.Header)
	} else {
		request.Header.Del(header)
	}
	if rest := fmt.Sprint(request.Header, request.URL, request.Body); strings.Contains(rest, key) {
		t.Errorf("the key is elsewhere, too: %s", rest)
	}
}
