package app_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

// people is a hook that knows one name, while it is there.
func people(t *testing.T) (url string, away *atomic.Bool) {
	t.Helper()
	away = new(atomic.Bool)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var q struct {
			Texts []string `json:"texts"`
		}
		if err := json.NewDecoder(r.Body).Decode(&q); err != nil || away.Load() {
			http.Error(w, "away", http.StatusServiceUnavailable)
			return
		}
		for i := range q.Texts {
			q.Texts[i] = strings.ReplaceAll(q.Texts[i], "Lovelace", "[PERSON_1]")
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"texts": q.Texts, "values": map[string]string{"[PERSON_1]": "Lovelace"}})
	}))
	t.Cleanup(s.Close)
	return s.URL, away
}

// What is taken out of prompts reaches no vendor and no store; who asked has it
// back in the answer, whole or in pieces, in each of the formats.
func TestRedaction(t *testing.T) {
	t.Parallel()
	const prompt = "Write to Lovelace, ada@example.org, about ORD-12345678."
	const said, restored = "Mail to [PERSON_1] at [EMAIL_1] on [ORDER_1] is written.", "Mail to Lovelace at ada@example.org on ORD-12345678 is written."
	address, away := people(t)
	v := newVendor(t, map[string]script{"m-openai": says(said, few), "m-anthropic": says(said, few)})
	h := newHouse(t, v, fmt.Sprintf(`
redaction:
  patterns: [email]
  expressions: [{name: ORDER, match: 'ORD-[0-9]{8}'}]
  hook: {url: %q}
providers:
  - {name: m-openai, kind: openai, base_url: "VENDOR/v1", api_key_env: ACME_API_KEY, retries: 0}
  - {name: m-anthropic, kind: anthropic, base_url: "VENDOR", api_key_env: ACME_API_KEY, retries: 0}
models:
  - {id: m-openai, provider: m-openai, tier: simple, input_usd_per_mtok: 1, output_usd_per_mtok: 10}
  - {id: m-anthropic, provider: m-anthropic, tier: simple, input_usd_per_mtok: 1, output_usd_per_mtok: 10}
`, address), "BUSU_LOG_LEVEL=debug")
	for path, model := range map[string]string{"/complete": "m-openai", "/v1/chat/completions": "m-openai", "/v1/messages": "m-anthropic"} {
		for _, stream := range []bool{false, true} {
			r := h.send(path, question(path, model, prompt, "u1", stream))
			if r.status != http.StatusOK || heardIn(t, r, stream) != restored {
				t.Errorf("%s, in pieces %t: %d %s", path, stream, r.status, r.body)
			}
		}
	}
	away.Store(true)
	r := h.send("/complete", question("/complete", "m-openai", prompt, "u2", false))
	if r.status != http.StatusServiceUnavailable || !strings.Contains(r.body, "redaction-unavailable") || r.header.Get("Retry-After") == "" {
		t.Errorf("without the hook: %d %s", r.status, r.body)
	}
	private := []string{"Lovelace", "ada@example.org", "ORD-12345678"}
	for model := range v.scripts {
		calls := v.got(model)
		if len(calls) == 0 {
			t.Errorf("%s was never asked", model)
		}
		for _, c := range calls {
			for _, what := range private {
				if strings.Contains(c.body, what) || !strings.Contains(c.body, "[PERSON_1], [EMAIL_1], about [ORDER_1]") {
					t.Errorf("%s was sent %s", model, c.body)
				}
			}
		}
	}
	h.until("the requests are stored", func() bool { return len(h.rows("u1")) == 6 })
	for _, table := range []string{"completions", "features", "response_cache"} {
		var all string
		if err := h.conn.QueryRow(t.Context(), fmt.Sprintf("SELECT coalesce(string_agg(to_jsonb(x)::text, ' '), '') FROM %s x", table)).Scan(&all); err != nil {
			t.Fatal(err)
		}
		for _, what := range private {
			if strings.Contains(all, what) {
				t.Errorf("%s is in %s", what, table)
			}
		}
	}
	for _, what := range private {
		if strings.Contains(h.stdout.String()+h.stderr.String(), what) {
			t.Errorf("%s is in the log", what)
		}
	}
}

// heardIn is what an answer says, in whichever format it came.
func heardIn(t *testing.T, r reply, stream bool) string {
	t.Helper()
	type part struct {
		Response, Type, Text, Content string
	}
	var text strings.Builder
	add := func(data string) {
		var doc struct {
			part
			Delta   part
			Content []part
			Choices []struct{ Message, Delta part }
		}
		if err := json.Unmarshal([]byte(data), &doc); err != nil {
			t.Fatalf("%s: %v", data, err)
		}
		if !stream {
			text.WriteString(doc.Response)
		}
		text.WriteString(doc.Text + doc.Delta.Text)
		for _, c := range doc.Content {
			text.WriteString(c.Text)
		}
		for _, c := range doc.Choices {
			text.WriteString(c.Message.Content + c.Delta.Content)
		}
	}
	if !stream {
		add(r.body)
		return text.String()
	}
	for line := range strings.Lines(r.body) {
		if data, ok := strings.CutPrefix(line, "data: "); ok && strings.HasPrefix(data, "{") {
			add(data)
		}
	}
	return text.String()
}
