package openai

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/busuhq/busu/internal/chat"
	"github.com/busuhq/busu/internal/llm"
)

const key = "sk-test-0123456789abcdef"

// vendor starts a fake vendor and a provider that talks to it.
func vendor(t *testing.T, handler http.HandlerFunc) *Provider {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return provider(t, Options{Name: "acme", BaseURL: server.URL + "/v1/", APIKey: key})
}

func provider(t *testing.T, o Options) *Provider {
	t.Helper()
	p, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p
}

func question() llm.Request {
	return llm.Request{Model: "m-1", MaxTokens: 50, Messages: []llm.Message{{Role: llm.RoleUser, Content: "Capital of Peru?"}}}
}

// mustFail checks what holds for every failure and returns it.
func mustFail(t *testing.T, err error, want llm.ErrorKind) *llm.ProviderError {
	t.Helper()
	var failed *llm.ProviderError
	if !errors.As(err, &failed) {
		t.Fatalf("not a provider error: %v", err)
	}
	if failed.Kind != want || failed.Provider != "acme" {
		t.Errorf("got %s, want %s: %v", failed.Kind, want, err)
	}
	if text := fmt.Sprintf("%v %+v %s", err, err, failed.Said); strings.Contains(text, key) || strings.Contains(text, key[:20]) || len(text) > 3000 {
		t.Errorf("the key, or too much, is in the error: %s", text)
	}
	return failed
}

// recorded is the shape of a real answer of OpenAI's, with our own words.
const recorded = `{
  "id": "chatcmpl-1", "object": "chat.completion", "created": 1760000000, "model": "gpt-x-mini-2025",
  "choices": [{"index": 0, "message": {"role": "assistant", "content": "Lima.", "refusal": null, "annotations": []},
    "logprobs": null, "finish_reason": "stop"}],
  "usage": {"prompt_tokens": 1200, "completion_tokens": 300, "total_tokens": 1500,
    "prompt_tokens_details": {"cached_tokens": 1024, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 256, "audio_tokens": 0, "accepted_prediction_tokens": 0}},
  "service_tier": "default", "system_fingerprint": null
}`

// lima is what it says.
func lima() llm.Response {
	return llm.Response{Model: "gpt-x-mini-2025", Text: "Lima.", FinishReason: llm.FinishStop,
		Usage: llm.Usage{In: 1200, CachedIn: 1024, Out: 300, Reasoning: 256}}
}

func TestCompleteSendsAndReads(t *testing.T) {
	t.Parallel()
	zero := 0.0
	written := `{"model":"small","messages":[{"role":"user","content":"Capital of Peru?"}],"seed":1.0}`
	for name, c := range map[string]struct {
		body string
		want string
	}{
		"a caller's body": {written, `{"model":"m-1","messages":[{"role":"user","content":"Capital of Peru?"}],"seed":1.0}`},
		"without a body":  {"", `{"model":"m-1","messages":[{"role":"user","content":"Capital of Peru?"}],"max_tokens":50,"temperature":0}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := vendor(t, func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				if r.Method != http.MethodPost || r.URL.Path != "/v1/chat/completions" || string(body) != c.want {
					t.Errorf("%s %s %s", r.Method, r.URL, body)
				}
				if r.Header.Get("Authorization") != "Bearer "+key || r.Header.Get("Content-Type") != "application/json" || r.Header.Get("Accept") != "application/json" {
					t.Errorf("headers %v", r.Header)
				}
				w.Header().Set("Content-Type", "application/json")
				_, _ = io.WriteString(w, recorded)
			})
			r := question()
			r.Temperature = &zero
			if c.body != "" {
				r.Body = []byte(c.body)
			}
			got, err := p.Complete(t.Context(), r)
			want := lima()
			want.Body = []byte(recorded)
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("%+v, %v", got, err)
			}
			if c.body != string(r.Body) {
				t.Errorf("the caller's body was changed to %s", r.Body)
			}
		})
	}
}

func TestHostsThatTakeSomethingElse(t *testing.T) {
	t.Parallel()
	for base, want := range map[string]chat.Dialect{
		"https://api.openai.com/v1":               {NewLimit: true},
		"https://eu.api.OpenAI.com/v1":            {NewLimit: true},
		"https://acme.openai.azure.com/openai/v1": {NewLimit: true},
		"https://openrouter.ai/api/v1":            {},
		"http://localhost:11434/v1":               {},
		"https://openai.com.example.test/v1":      {},
		"https://api.mistral.ai/v1":               {NoStreamOptions: true},
		"https://notmistral.ai/v1":                {},
	} {
		if got := provider(t, Options{BaseURL: base}).dialect; got != want {
			t.Errorf("%s: %+v, want %+v", base, got, want)
		}
	}
}

func TestHeadersAreSent(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Title") != "busu" || r.Header.Get("Api-Key") != "a-secret-of-theirs" || r.Header.Get("Authorization") != "" {
			t.Errorf("headers %v", r.Header)
		}
		http.Error(w, "I saw "+r.Header.Get("Api-Key"), http.StatusForbidden)
	}))
	t.Cleanup(server.Close)
	p := provider(t, Options{Name: "acme", BaseURL: server.URL, Headers: map[string]string{"x-title": "busu", "api-key": "a-secret-of-theirs"}})
	for range 2 { // nothing of a call stays in the next
		_, err := p.Complete(t.Context(), question())
		mustFail(t, err, llm.ErrorAuth)
		if strings.Contains(err.Error(), "secret") {
			t.Errorf("the header is in the error: %v", err)
		}
	}
}

func TestOtherFormatsAreRejected(t *testing.T) {
	t.Parallel()
	p := vendor(t, func(http.ResponseWriter, *http.Request) { t.Error("the request was sent") })
	r := question()
	r.Format = llm.FormatMessages
	_, err := p.Complete(t.Context(), r)
	if failed := mustFail(t, err, llm.ErrorRejected); !failed.Unsent {
		t.Errorf("nothing was asked, and %v does not say so", err)
	}
}

func TestWhatCannotBeSaidIsRejected(t *testing.T) {
	t.Parallel()
	p := vendor(t, func(http.ResponseWriter, *http.Request) { t.Error("the request was sent") })
	r := question()
	r.Messages[0].Parts = []llm.Part{{Kind: "video"}}
	_, err := p.Complete(t.Context(), r)
	mustFail(t, err, llm.ErrorRejected)
}

func TestWithoutAKeyNoneIsSent(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, ok := r.Header["Authorization"]; ok {
			t.Error("an Authorization header was sent")
		}
		_, _ = io.WriteString(w, recorded)
	}))
	t.Cleanup(server.Close)
	if _, err := provider(t, Options{BaseURL: server.URL, Client: server.Client()}).Complete(t.Context(), question()); err != nil {
		t.Error(err)
	}
}

// hang has a vendor that stops answering until the test is over, or the client
// has left.
func hang(t *testing.T, before func(http.ResponseWriter)) *Provider {
	over := make(chan struct{})
	p := vendor(t, func(w http.ResponseWriter, r *http.Request) {
		before(w)
		select {
		case <-over:
		case <-r.Context().Done():
		}
	})
	t.Cleanup(func() { close(over) }) // before the server closes, which waits for its handlers
	return p
}

// TestOwnTimeout is beside what callers allow.
func TestOwnTimeout(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		before func(http.ResponseWriter)
		emit   llm.Emit
		want   string
	}{
		"before the header": {before: func(http.ResponseWriter) {}},
		"within the body": {before: func(w http.ResponseWriter) {
			_, _ = io.WriteString(w, `{"choices":[`)
			_ = http.NewResponseController(w).Flush()
		}},
		"within a stream": {before: func(w http.ResponseWriter) { events(w, pieces()[:2]...) }, emit: func(llm.Chunk) error { return nil }, want: "Li"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := hang(t, c.before)
			p.timeout = time.Second // in which a crowded machine gets to the first pieces
			r := question()
			r.Emit = c.emit
			got, err := p.Complete(t.Context(), r)
			mustFail(t, err, llm.ErrorTimeout)
			if got.Text != c.want {
				t.Errorf("received %+v", got)
			}
		})
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	for _, o := range []Options{
		{}, {BaseURL: "api.openai.com/v1"}, {BaseURL: "ftp://host/v1"}, {BaseURL: "https://"}, {BaseURL: "https://u:p@host/v1"},
		{BaseURL: "https://host/v1?key=x"}, {BaseURL: "https://host/v1#x"}, {BaseURL: "https://host/v1/chat/completions"}, {BaseURL: "http://h\x7f"},
		{BaseURL: "https://host/v1", APIKey: key + "\n"}, {BaseURL: "https://host/v1", APIKey: key + "é"},
		{BaseURL: "https://host/v1", Headers: map[string]string{"X-Key": key + "\r\nX-Other: 1"}},
		{BaseURL: "https://host/v1", Headers: map[string]string{"X Key": key}}, {BaseURL: "https://host/v1", Headers: map[string]string{"": key}},
		{BaseURL: "https://host/v1", Headers: map[string]string{"content-length": "0"}}, {BaseURL: "https://host/v1", Headers: map[string]string{"Host": key}},
		{BaseURL: "https://host/v1", APIKey: key, Headers: map[string]string{"authorization": "Basic x"}},
	} {
		p, err := New(o)
		if err == nil {
			t.Errorf("%+v was taken: %+v", o, p)
			continue
		}
		if strings.Contains(err.Error(), key) {
			t.Errorf("the key is in %v", err)
		}
	}
}

func TestConnectionsAreReused(t *testing.T) {
	t.Parallel()
	var opened atomic.Int64
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, recorded)
	}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened.Add(1)
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	p := provider(t, Options{BaseURL: server.URL, APIKey: key})
	const callers = 8
	var group sync.WaitGroup
	for range callers {
		group.Go(func() {
			for range 25 {
				if _, err := p.Complete(t.Context(), question()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	if n := opened.Load(); n > 2*callers {
		t.Errorf("%d connections for %d callers", n, callers)
	}
}
