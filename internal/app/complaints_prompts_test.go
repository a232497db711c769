package app_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// collector keeps what it is told of traces.
type collector struct {
	*httptest.Server
	mu   sync.Mutex
	told strings.Builder
}

func newCollector(t *testing.T) *collector {
	t.Helper()
	c := new(collector)
	c.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		c.mu.Lock()
		defer c.mu.Unlock()
		fmt.Fprintln(&c.told, r.Header, string(body))
	}))
	t.Cleanup(c.Close)
	return c
}

func (c *collector) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.told.String()
}

const (
	promptsOwn  = "prompts-own-words-4711"
	answersOwn  = "answers-own-words-1234"
	callersOwn  = "callers-own-secret-0123456789"
	traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
)

// talkative are vendors that answer and fail in all ways, and most of them quote
// what they were sent.
func talkative() map[string]script {
	quotes := func(status int) script {
		return func(w http.ResponseWriter, r *http.Request, c call) {
			refuses(status, c.body+" for "+keyOf(r.Header))(w, r, c)
		}
	}
	return map[string]script{
		"well": says(answersOwn, few), "quoting": quotes(401), "blaming": quotes(400), "limiting": quotes(429), "failing": quotes(500), "dying": dies,
		"nonsense": func(w http.ResponseWriter, r *http.Request, c call) { reply200(w, answersOwn+c.body+keyOf(r.Header)) },
		"breaking": begins(3, answersOwn, few, dies),
		"blowing": begins(3, answersOwn, few, func(w http.ResponseWriter, r *http.Request, c call) {
			send(w, fmt.Sprintf("event: error\ndata: {\"type\": \"error\", \"error\": {\"message\": %q}}\n\n", answersOwn+c.body+keyOf(r.Header)))
		}),
	}
}

// Complaint: what people ask, what they are answered, and keys are in a log that
// was meant for debugging, or with whoever keeps the traces.
func TestComplaintPromptsInLogsAndTraces(t *testing.T) {
	t.Parallel()
	scripts := map[string]script{}
	var providers, models strings.Builder
	for name, does := range talkative() {
		for kind, base := range map[string]string{"openai": "VENDOR/v1", "anthropic": "VENDOR", "gemini": "VENDOR/v1beta"} {
			id := name + "-" + kind
			scripts[id] = does
			fmt.Fprintf(&providers, "  - {name: %s, kind: %s, base_url: %q, api_key_env: ACME_API_KEY, retries: 0}\n", id, kind, base)
			fmt.Fprintf(&models, "  - {id: %s, provider: %s, tier: simple, input_usd_per_mtok: 1, output_usd_per_mtok: 10}\n", id, id)
		}
	}
	traces := newCollector(t)
	h := newHouse(t, newVendor(t, scripts), "providers:\n"+providers.String()+"models:\n"+models.String(),
		"BUSU_ADMIN_KEY="+adminSecret, "BUSU_LOG_LEVEL=debug", "OTEL_EXPORTER_OTLP_ENDPOINT="+traces.URL)
	send := func(path, body string, headers ...string) reply {
		return h.send(path, body, append([]string{"Authorization", "Bearer " + adminSecret, "traceparent", traceparent}, headers...)...)
	}
	for id := range scripts {
		for _, path := range []string{"/complete", "/v1/chat/completions", "/v1/messages"} {
			for _, stream := range []bool{false, true} {
				send(path, question(path, id, promptsOwn, "ada", stream), "Idempotency-Key", id+path+fmt.Sprint(stream))
			}
		}
	}
	for _, path := range []string{"/complete", "/v1/chat/completions", "/v1/messages", "/v1/embeddings", "/recommendation", "/feedback"} {
		right := question(path, "well-openai", promptsOwn, "ada", false)
		for _, body := range []string{right, right[:len(right)-1], strings.Replace(right, "{", `{"`+promptsOwn+`": 1, `, 1), `{"model": "` + promptsOwn + `"}`,
			`"` + promptsOwn + `"`, `{"input": "` + promptsOwn + `", "model": "well-openai"}`, `{"prompt": {"x": "` + promptsOwn + `"}}`,
			`{"request_id": "` + promptsOwn + `", "score": 1, "comment": "` + promptsOwn + `"}`, right + strings.Repeat(" ", 5<<20)} {
			send(path, body)
			h.send(path, body, "Authorization", "Bearer "+callersOwn)
		}
	}
	h.until("the traces are told", func() bool { return strings.Count(traces.String(), `"error.type"`) > len(scripts) })
	h.stop()
	for what, said := range map[string]string{"the log": h.stdout.String() + h.stderr.String(), "the traces": traces.String()} {
		for _, secret := range []string{promptsOwn, answersOwn, secretOf, adminSecret, callersOwn} {
			if i := strings.Index(said, secret); i >= 0 {
				t.Errorf("%s is in %s:\n%s", secret, what, said[max(0, i-400):min(len(said), i+200)])
			}
		}
	}
}
