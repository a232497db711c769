package gemini

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/busuhq/busu/internal/llm"
)

const testKey = "AIza-test-0123456789"

// vendor is a fake endpoint that answers as told and keeps what it was asked.
type vendor struct {
	*Provider

	mu     sync.Mutex
	asked  string
	path   string
	header http.Header
}

func newVendor(t *testing.T, answer http.HandlerFunc) *vendor {
	t.Helper()
	v := &vendor{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		v.mu.Lock()
		v.asked, v.path, v.header = string(body), r.URL.String(), r.Header.Clone()
		v.mu.Unlock()
		answer(w, r)
	}))
	t.Cleanup(server.Close)
	p, err := New(Options{BaseURL: server.URL + "/v1beta/", APIKey: testKey})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	v.Provider = p
	return v
}

func says(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func streams(events ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for _, e := range events {
			_, _ = io.WriteString(w, "data: "+e+"\r\n\r\n")
		}
	}
}

const fine = `{"candidates":[{"content":{"parts":[{"text":"Lima"}],"role":"model"},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":5,"candidatesTokenCount":1},"modelVersion":"gemini-2.5-flash-001"}`

func question(text string) llm.Request {
	return llm.Request{Model: "gemini-2.5-flash", Messages: []llm.Message{{Role: llm.RoleUser, Content: text}}}
}

// heard asks for pieces and keeps them.
func heard(t *testing.T, p llm.Provider, r llm.Request) ([]llm.Chunk, llm.Response, error) {
	t.Helper()
	var chunks []llm.Chunk
	r.Emit = func(c llm.Chunk) error {
		chunks = append(chunks, c)
		return nil
	}
	response, err := p.Complete(t.Context(), r)
	return chunks, response, err
}

func mustFail(t *testing.T, err error, kind llm.ErrorKind, words ...string) *llm.ProviderError {
	t.Helper()
	failed, ok := errors.AsType[*llm.ProviderError](err)
	if !ok || failed.Kind != kind {
		t.Fatalf("failed with %v, want %s", err, kind)
	}
	for _, word := range words {
		if !strings.Contains(err.Error()+failed.Said, word) {
			t.Errorf("%q is not in %v, %s", word, err, failed.Said)
		}
	}
	return failed
}
