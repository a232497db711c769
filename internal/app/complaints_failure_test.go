package app_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// stumbling are two models for each format: the one that is asked first, since
// it is cheaper, and the one that is asked when that fails.
const stumbling = `
providers:
  - {name: first, kind: openai, base_url: "VENDOR/v1", retries: 0, first_token_timeout: 300ms, idle_timeout: 300ms}
  - {name: second, kind: openai, base_url: "VENDOR/v1", retries: 0}
  - {name: claude-first, kind: anthropic, base_url: "VENDOR", api_key_env: ACME_API_KEY, retries: 0, first_token_timeout: 300ms, idle_timeout: 300ms}
  - {name: claude-second, kind: anthropic, base_url: "VENDOR", api_key_env: ACME_API_KEY, retries: 0}
models:
  - {id: first, provider: first, tier: simple, input_usd_per_mtok: 1, output_usd_per_mtok: 10}
  - {id: second, provider: second, tier: simple, input_usd_per_mtok: 2, output_usd_per_mtok: 20}
  - {id: claude-first, provider: claude-first, tier: simple, input_usd_per_mtok: 3, output_usd_per_mtok: 30}
  - {id: claude-second, provider: claude-second, tier: simple, input_usd_per_mtok: 4, output_usd_per_mtok: 40}
`

// dialects are the endpoints that stream, each with how a whole answer ends,
// how one begins that has failed, and which models answer.
var dialects = []struct{ path, end, failed, first, second string }{
	{"/complete", "event: completion\n", "event: error\n", "first", "second"},
	{"/v1/chat/completions", "data: [DONE]\n", `data: {"error":`, "first", "second"},
	{"/v1/messages", "event: message_stop\n", "event: error\n", "claude-first", "claude-second"},
}

// errorFrame is how a vendor fails in the middle of a stream.
func errorFrame(w http.ResponseWriter, _ *http.Request, _ call) {
	send(w, "event: error\n"+`data: {"type": "error", "error": {"message": "vendors own words", "type": "overloaded_error", "code": null}}`+"\n\n")
}

func ends(w http.ResponseWriter, _ *http.Request, _ call) { send(w, "") }

const breaking = "An answer that breaks off."

// stumbles are ways to fail before the first word, and after it.
func stumbles() (before, after map[string]script) {
	n := usage{in: 100, out: 50}
	before = map[string]script{
		"refuses":            refuses(http.StatusServiceUnavailable, "vendors own words"),
		"fails at once":      begins(0, breaking, n, errorFrame),
		"fails after a role": begins(1, breaking, n, errorFrame),
		"ends at once":       begins(0, breaking, n, ends),
		"ends after a role":  begins(1, breaking, n, ends),
		"dies at once":       begins(0, breaking, n, dies),
		"dies after a role":  begins(1, breaking, n, dies),
		"hangs at once":      begins(0, breaking, n, hangs),
		"hangs after a role": begins(1, breaking, n, hangs),
	}
	after = map[string]script{
		"fails after words": begins(3, breaking, n, errorFrame),
		"ends after words":  begins(3, breaking, n, ends),
		"dies after words":  begins(3, breaking, n, dies),
		"hangs after words": begins(3, breaking, n, hangs),
	}
	return before, after
}

// stumbler does what the prompt says, and answers where that says nothing.
func stumbler(all ...map[string]script) script {
	return func(w http.ResponseWriter, r *http.Request, c call) {
		for _, some := range all {
			for name, does := range some {
				if strings.Contains(c.body, "It "+name+", ") {
					does(w, r, c)
					return
				}
			}
		}
		says("All is well.", few)(w, r, c)
	}
}

// Complaint: 200 OK, and then an error where another model could have answered;
// or an answer that breaks off and looks whole.
func TestComplaintStreamFailsAfterOK(t *testing.T) {
	t.Parallel()
	before, after := stumbles()
	stumbles, well := stumbler(before, after), says("The other answers.", few)
	v := newVendor(t, map[string]script{"first": stumbles, "claude-first": stumbles, "second": well, "claude-second": well})
	h := newHouse(t, v, stumbling)
	ask := func(path, does, model string) (user string, r reply) {
		for i := range 2 { // enough good answers for its breaker to stay closed
			h.send(path, question(path, model, fmt.Sprintf("It %s, not now: %d", strings.ToUpper(does), i), "well", true), "X-Busu-Cache", "bypass")
		}
		user = path + " " + does
		body := question(path, "auto", "It "+does+", "+path, user, true)
		return user, h.send(path, strings.Replace(body, `"model": "auto", "prompt"`, `"prompt"`, 1))
	}
	for _, d := range dialects {
		for does := range before {
			user, r := ask(d.path, does, d.first)
			if r.status != http.StatusOK || !strings.Contains(r.body, "other ") || !strings.Contains(r.body, d.end) || strings.Contains(r.body, d.failed) ||
				strings.Count(r.body, `"role":`) > 1 || strings.Count(r.body, "event: message_start") > 1 {
				t.Errorf("%s: %d %s", user, r.status, r.body)
			}
			if got := h.row(user); got.Status != "ok" || got.Model != d.second || !slices.Equal(got.Fallbacks, []string{d.first}) || got.Out != few.out {
				t.Errorf("%s: recorded %+v", user, got)
			}
		}
		for does := range after {
			user, r := ask(d.path, does, d.first)
			if r.status != http.StatusOK || !strings.Contains(r.body, "answer ") || !strings.Contains(r.body, d.failed) || strings.Contains(r.body, d.end) ||
				strings.Contains(r.body, "vendors own") {
				t.Errorf("%s: %d %s", user, r.status, r.body)
			}
			if got := h.row(user); got.Status != "error" || got.Model != d.first || len(got.Fallbacks) != 0 || got.Out <= 0 || got.Cost <= 0 {
				t.Errorf("%s: recorded %+v", user, got)
			}
		}
	}
}

// windows are models whose windows differ by far.
const windows = `
providers:
  - {name: small, kind: anthropic, base_url: "VENDOR", api_key_env: ACME_API_KEY, retries: 0}
  - {name: middle, kind: anthropic, base_url: "VENDOR", api_key_env: ACME_API_KEY, retries: 0}
  - {name: large, kind: anthropic, base_url: "VENDOR", api_key_env: ACME_API_KEY, retries: 0}
models:
  - {id: small, provider: small, tier: simple, context_tokens: 2000, input_usd_per_mtok: 1, output_usd_per_mtok: 10}
  - {id: middle, provider: middle, tier: simple, context_tokens: 20000, input_usd_per_mtok: 2, output_usd_per_mtok: 20}
  - {id: large, provider: large, tier: simple, context_tokens: 40000, input_usd_per_mtok: 3, output_usd_per_mtok: 30}
`

// Complaint: a prompt goes to a model whose window is too small for it.
func TestComplaintPromptTooLongForTheModel(t *testing.T) {
	t.Parallel()
	// the one whose window suffices fails, so that the next one is asked: never
	// the small one, cheap as it is
	v := newVendor(t, map[string]script{"small": says("I am small.", few), "middle": refuses(http.StatusServiceUnavailable, "busy"), "large": says("I am large.", few)})
	h := newHouse(t, v, windows)
	long := strings.Repeat("word ", 4000) // 4000 tokens or more
	const chat, messages = "/v1/chat/completions", "/v1/messages"
	for name, c := range map[string]struct{ path, body string }{
		"prompt":          {"/complete", fmt.Sprintf(`{"prompt": %q}`, long)},
		"limit":           {"/complete", `{"prompt": "short", "max_tokens": 5000}`},
		"history":         {chat, fmt.Sprintf(`{"model": "auto", "messages": [{"role": "user", "content": %q}, {"role": "assistant", "content": "Hm."}, {"role": "user", "content": "Why?"}]}`, long)},
		"system":          {chat, fmt.Sprintf(`{"model": "auto", "messages": [{"role": "system", "content": %q}, {"role": "user", "content": "Why?"}]}`, long)},
		"parts":           {chat, fmt.Sprintf(`{"model": "auto", "messages": [{"role": "user", "content": [{"type": "text", "text": %q}, {"type": "text", "text": "Why?"}]}]}`, long)},
		"result":          {chat, fmt.Sprintf(`{"model": "auto", "messages": [{"role": "user", "content": "Why?"}, {"role": "assistant", "content": null, "tool_calls": [{"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}]}, {"role": "tool", "tool_call_id": "a", "content": %q}]}`, long)},
		"tools":           {chat, fmt.Sprintf(`{"model": "auto", "messages": [{"role": "user", "content": "Why?"}], "tools": [{"type": "function", "function": {"name": "f", "description": %q, "parameters": {"type": "object"}}}]}`, long)},
		"schema":          {chat, fmt.Sprintf(`{"model": "auto", "messages": [{"role": "user", "content": "Why?"}], "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "description": %q}}}]}`, long)},
		"format":          {chat, fmt.Sprintf(`{"model": "auto", "messages": [{"role": "user", "content": "Why?"}], "response_format": {"type": "json_schema", "json_schema": {"name": "f", "schema": {"type": "object", "description": %q}}}}`, long)},
		"claude's system": {messages, fmt.Sprintf(`{"model": "auto", "max_tokens": 100, "system": %q, "messages": [{"role": "user", "content": "Why?"}]}`, long)},
		"claude's blocks": {messages, fmt.Sprintf(`{"model": "auto", "max_tokens": 100, "system": [{"type": "text", "text": %q}], "messages": [{"role": "user", "content": "Why?"}]}`, long)},
		"claude's tools":  {messages, fmt.Sprintf(`{"model": "auto", "max_tokens": 100, "tools": [{"name": "f", "description": %q, "input_schema": {"type": "object"}}], "messages": [{"role": "user", "content": "Why?"}]}`, long)},
		"claude's result": {messages, fmt.Sprintf(`{"model": "auto", "max_tokens": 100, "messages": [{"role": "user", "content": "Why?"}, {"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "f", "input": {}}]}, {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "content": %q}]}]}`, long)},
	} {
		if r := h.send(c.path, c.body); r.status != http.StatusOK || r.header.Get("X-Busu-Model") != "large" {
			t.Errorf("a long %s goes to %q: %d %s", name, r.header.Get("X-Busu-Model"), r.status, r.body[:min(300, len(r.body))])
		}
		named := strings.Replace(strings.Replace(c.body, `"model": "auto"`, `"model": "small"`, 1), `{"prompt"`, `{"model": "small", "prompt"`, 1)
		if r := h.send(c.path, named); r.status < 400 || r.status >= 500 {
			t.Errorf("a long %s for the model small by name: %d %s", name, r.status, r.body[:min(300, len(r.body))])
		}
	}
	r := h.send("/complete", fmt.Sprintf(`{"prompt": %q}`, strings.Repeat(long, 9)))
	if r.status != http.StatusUnprocessableEntity || !strings.Contains(r.body, "context-window") || !strings.Contains(r.body, "large") {
		t.Errorf("too long for all: %d %s", r.status, r.body)
	}
	if n := len(v.got("small")); n != 0 {
		t.Errorf("the small model was asked %d times", n)
	}
	if n := len(v.got("middle")); n == 0 {
		t.Error("the model in the middle was never asked, so no fallback was")
	}
}
