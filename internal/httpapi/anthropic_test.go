package httpapi_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/llm"
)

func TestMessages(t *testing.T) {
	t.Parallel()
	s := serve(t)
	body := `{"model": "auto", "max_tokens": 300, "messages": [{"role": "user", "content": "What is the capital of France?"}], "metadata": {"user_id": "ada"}`
	r := s.post(t, "/v1/messages", body+"}").want(t, 200)
	var whole struct {
		Content []struct{ Text string }
		Usage   struct {
			OutputTokens int64       `json:"output_tokens"`
			CostUSD      json.Number `json:"cost_usd"`
		}
	}
	r.decode(t, &whole)
	f := <-s.Ledger.recorded
	if len(whole.Content) != 1 || whole.Content[0].Text == "" || whole.Usage.OutputTokens != f.TokensOut || f.Model != "small" || f.UserID != "ada" ||
		whole.Usage.CostUSD.String() != r.Header.Get("X-Busu-Cost-Usd") || f.Status != event.StatusOK {
		t.Errorf("%s, recorded %+v", r.Body, f)
	}
	var text strings.Builder
	events := s.frames(t, "/v1/messages", body+`, "stream": true}`)
	f = <-s.Ledger.recorded
	for i, e := range events {
		var data struct {
			Type  string
			Delta struct{ Text string }
			Usage struct {
				OutputTokens int64       `json:"output_tokens"`
				CostUSD      json.Number `json:"cost_usd"`
			}
		}
		if err := json.Unmarshal(e.Data, &data); err != nil || data.Type != e.Name {
			t.Fatalf("%v: %s %s", err, e.Name, e.Data)
		}
		text.WriteString(data.Delta.Text)
		if e.Name == "message_delta" && (data.Usage.OutputTokens != f.TokensOut || data.Usage.CostUSD == "") {
			t.Errorf("%s", e.Data)
		}
		if isFirst, isLast := i == 0, i == len(events)-1; isFirst != (e.Name == "message_start") || isLast != (e.Name == "message_stop") {
			t.Errorf("event %d of %d is %s", i, len(events), e.Name)
		}
	}
	if text.String() != whole.Content[0].Text || f.Status != event.StatusOK {
		t.Errorf("%q in pieces, %q whole, recorded %+v", &text, whole.Content[0].Text, f)
	}
}

// TestAnthropicRequestIDs: where Anthropic's clients look for the id is the one
// of the record, in answers, streams, repetitions and errors.
func TestAnthropicRequestIDs(t *testing.T) {
	t.Parallel()
	redis, _ := repeating(t)
	s := serve(t, redis)
	const body = `{"model": "auto", "max_tokens": 9, "messages": [{"role": "user", "content": "a"}]}`
	for name, got := range map[string]reply{
		"answer":     s.post(t, "/v1/messages", body, "Idempotency-Key: a").want(t, 200),
		"repetition": s.post(t, "/v1/messages", body, "Idempotency-Key: a").want(t, 200),
		"stream":     s.post(t, "/v1/messages", strings.Replace(body, "{", `{"stream": true, `, 1)).want(t, 200),
		"error":      s.post(t, "/v1/messages", "{").want(t, 400),
		"models":     s.send(t, "GET", "/v1/models", "", "anthropic-version: 2023-06-01").want(t, 200),
	} {
		if id := got.Header.Get("request-id"); id == "" || id != got.Header.Get("X-Request-Id") {
			t.Errorf("%s: request-id %q, X-Request-Id %q", name, id, got.Header.Get("X-Request-Id"))
		}
	}
	for name, got := range map[string]reply{
		"chat":     s.post(t, "/v1/chat/completions", `{"model": "auto", "messages": [{"role": "user", "content": "a"}]}`).want(t, 200),
		"complete": s.post(t, "/complete", `{"prompt": "a"}`).want(t, 200),
	} {
		if id := got.Header.Get("request-id"); id != "" {
			t.Errorf("%s: request-id %q", name, id)
		}
	}
}

func TestBadMessages(t *testing.T) {
	t.Parallel()
	s := serve(t)
	turn := `"messages": [{"role": "user", "content": "a"}]`
	for body, want := range map[string]struct {
		status int
		kind   string
	}{
		``:                                {400, "invalid_request_error"},
		`{`:                               {400, "invalid_request_error"},
		`{"model": "auto", ` + turn + `}`: {400, "invalid_request_error"},
		`{"model": "auto", "max_tokens": 5, "messages": []}`:      {400, "invalid_request_error"},
		`{"model": "claude-none", "max_tokens": 5, ` + turn + `}`: {404, "not_found_error"},
		`{"model": "embedding", "max_tokens": 5, ` + turn + `}`:   {400, "invalid_request_error"},
		strings.Repeat(" ", 5<<20):                                {413, "request_too_large"},
	} {
		var e struct {
			Error struct{ Type, Message string }
		}
		r := s.post(t, "/v1/messages", body)
		r.decode(t, &e)
		if r.Status != want.status || e.Error.Type != want.kind || e.Error.Message == "" {
			t.Errorf("%.60s: %d %+v", body, r.Status, e.Error)
		}
	}
	if intents, _ := s.Ledger.counts(); intents > 0 {
		t.Error("something was recorded")
	}
}

// TestHeadersOfTheFormatGoOn, however many lines they have, and a repetition
// without them is another request.
func TestHeadersOfTheFormatGoOn(t *testing.T) {
	t.Parallel()
	asked := make(chan llm.Request, 1)
	redis, _ := repeating(t)
	s := serve(t, redis, func(c *setup) {
		c.provider = providerFunc(func(_ context.Context, r llm.Request) (llm.Response, error) {
			asked <- r
			return llm.Response{Body: []byte(`{"id": "m", "type": "message", "role": "assistant", "model": "x",
				"content": [{"type": "text", "text": "a"}], "stop_reason": "end_turn", "stop_sequence": null, "usage": {"input_tokens": 1, "output_tokens": 1}}`), Text: "a", FinishReason: llm.FinishStop}, nil
		})
	})
	const body = `{"model": "small", "max_tokens": 5, "messages": [{"role": "user", "content": "a"}]}`
	s.post(t, "/v1/messages", body, "anthropic-beta: one", "anthropic-beta: two,three", "Idempotency-Key: a").want(t, 200)
	if got := (<-asked).Headers["anthropic-beta"]; got != "one,two,three" {
		t.Errorf("sent on %q", got)
	}
	s.post(t, "/v1/messages", body, "anthropic-beta: one", "Idempotency-Key: a").want(t, 400)
}
