package httpapi_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/busuhq/busu/internal/llm"
)

// connection notes the time that is given to writes.
type connection struct {
	*httptest.ResponseRecorder
	deadlines []time.Time
	begun     int // deadlines when the answer began
}

func (c *connection) SetWriteDeadline(t time.Time) error {
	c.deadlines = append(c.deadlines, t)
	return nil
}

func (c *connection) WriteHeader(status int) {
	c.begun = len(c.deadlines)
	c.ResponseRecorder.WriteHeader(status)
}

// TestAnswersHaveTimeOfTheirOwn, from when they begin.
func TestAnswersHaveTimeOfTheirOwn(t *testing.T) {
	t.Parallel()
	for _, target := range []string{"/healthz", "/openapi.json", "/static/app.js", "/nothing", "/v1/models"} {
		w := &connection{ResponseRecorder: httptest.NewRecorder()}
		build().Handler.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "http://localhost"+target, nil))
		if len(w.deadlines) != 1 || w.begun != 1 {
			t.Fatalf("%s: before it began %d of the deadlines %v", target, w.begun, w.deadlines)
		}
		if left := time.Until(w.deadlines[0]); left < time.Minute || left > 10*time.Minute {
			t.Errorf("%s: %s to be taken in", target, left)
		}
	}
}

// TestPanicInTheMiddleBreaksOff: what is left of the answer must not look
// whole.
func TestPanicInTheMiddleBreaksOff(t *testing.T) {
	t.Parallel()
	s := serve(t, func(c *setup) {
		c.provider = providerFunc(func(_ context.Context, r llm.Request) (llm.Response, error) {
			if err := emit(r, llm.Chunk{Text: "Pa"}); err != nil {
				return llm.Response{}, err
			}
			panic("in the middle")
		})
	})
	r, err := http.NewRequestWithContext(t.Context(), "POST", s.URL+"/complete", strings.NewReader(`{"prompt": "a", "stream": true}`))
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if !errors.Is(err, io.ErrUnexpectedEOF) || !strings.Contains(string(body), `"Pa"`) {
		t.Errorf("%v after %s", err, body)
	}
	if f := s.Ledger.only(t); f.Status != "interrupted" {
		t.Errorf("recorded %+v", f)
	}
	if log := s.log.String(); !strings.Contains(log, "in the middle") || !strings.Contains(log, "level=ERROR") {
		t.Errorf("logged %s", log)
	}
}
