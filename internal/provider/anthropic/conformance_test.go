package anthropic

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/busuhq/busu/internal/llm"
	"github.com/busuhq/busu/internal/provider/providertest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	providertest.Run(t, providertest.Vendor{
		Name:  "anthropic",
		Model: "claude-sonnet-4-5",
		New: func(t *testing.T, baseURL, key string) llm.Provider {
			return provider(t, Options{BaseURL: baseURL, APIKey: key})
		},
		Wire: &providertest.Wire{KeyHeader: "x-api-key", Whole: whole, Stream: frames, Error: failure, ErrorFrame: func(message string) string {
			return frame("error", object{"type": "error", "error": object{"type": "overloaded_error", "message": message}})
		}},
		Home: &providertest.Home{
			Format: llm.FormatMessages,
			Body: `{ "max_tokens":1e2,"model": "callers-name" ,"messages":[{"role":"user","content":[{"type":"hologram","x":1.50}]}],` +
				`"unknown":{"model":"kept","a":[1 , 2]},"stream":false}`,
			Stream: `{"stream": true,"messages":[{"role":"user","content":"é 漢"}],"max_tokens":9,"model":"callers-name","top_k":7 }`,
		},
		Lacks: providertest.Lacks{Audio: true, Several: true},
	})
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

type object map[string]any

func encoded(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// usage counts the prompt in three parts that exclude each other.
func usage(u llm.Usage) object {
	return object{
		"input_tokens": u.In - u.CachedIn - u.CacheWriteIn, "cache_read_input_tokens": u.CachedIn,
		"cache_creation_input_tokens": u.CacheWriteIn, "output_tokens": u.Out, "service_tier": "standard",
		"cache_creation":        object{"ephemeral_5m_input_tokens": u.CacheWriteIn, "ephemeral_1h_input_tokens": 0},
		"output_tokens_details": object{"thinking_tokens": u.Reasoning},
	}
}

func stopReason(finish string) string {
	return map[string]string{llm.FinishStop: "end_turn", llm.FinishLength: "max_tokens",
		llm.FinishContentFilter: "refusal", llm.FinishToolCalls: "tool_use"}[finish]
}

// whole is the shape of a whole answer. Thoughts come before the text.
func whole(a providertest.Answer) string {
	content := []any{object{"type": "thinking", "thinking": "Hm.", "signature": "c2ln"}, object{"type": "redacted_thinking", "data": "eA=="}}
	for _, piece := range a.Pieces {
		content = append(content, object{"type": "text", "text": piece, "citations": nil})
	}
	for _, call := range a.ToolCalls {
		content = append(content, object{"type": "tool_use", "id": call.ID, "name": call.Name, "input": json.RawMessage(call.Arguments)})
	}
	return encoded(object{"id": "msg_01", "type": "message", "role": "assistant", "model": a.Model, "content": content,
		"stop_reason": stopReason(a.Finish), "stop_sequence": nil, "usage": usage(a.Usage)})
}

func frame(event string, data any) string {
	return fmt.Sprintf("event: %s\ndata: %s\n\n", event, encoded(data))
}

// frames is the shape of a streamed answer.
func frames(a providertest.Answer) []string {
	start := a.Usage
	start.Out, start.Reasoning = 1, 0
	f := []string{
		frame("message_start", object{"type": "message_start", "message": object{"id": "msg_01", "type": "message", "role": "assistant",
			"model": a.Model, "content": []any{}, "stop_reason": nil, "stop_sequence": nil, "usage": usage(start)}}),
		frame("ping", object{"type": "ping"}),
	}
	index := 0
	block := func(begin object, deltas ...object) {
		f = append(f, frame("content_block_start", object{"type": "content_block_start", "index": index, "content_block": begin}))
		for _, delta := range deltas {
			f = append(f, frame("content_block_delta", object{"type": "content_block_delta", "index": index, "delta": delta}))
		}
		f = append(f, frame("content_block_stop", object{"type": "content_block_stop", "index": index}))
		index++
	}
	block(object{"type": "thinking", "thinking": ""}, object{"type": "thinking_delta", "thinking": "Hm."},
		object{"type": "signature_delta", "signature": "c2ln"})
	var pieces []object
	for _, piece := range a.Pieces {
		pieces = append(pieces, object{"type": "text_delta", "text": piece})
	}
	if len(pieces) > 0 {
		block(object{"type": "text", "text": ""}, pieces...)
	}
	for _, call := range a.ToolCalls {
		half := strings.IndexAny(call.Arguments, ",}")
		block(object{"type": "tool_use", "id": call.ID, "name": call.Name, "input": object{}},
			object{"type": "input_json_delta", "partial_json": ""},
			object{"type": "input_json_delta", "partial_json": call.Arguments[:half]},
			object{"type": "input_json_delta", "partial_json": call.Arguments[half:]})
	}
	return append(f,
		frame("message_delta", object{"type": "message_delta", "delta": object{"stop_reason": stopReason(a.Finish), "stop_sequence": nil},
			"usage": object{"output_tokens": a.Usage.Out, "output_tokens_details": object{"thinking_tokens": a.Usage.Reasoning}}}),
		frame("message_stop", object{"type": "message_stop"}))
}

func failure(status int, message string) string {
	kind := map[int]string{401: "authentication_error", 403: "permission_error", 404: "not_found_error", 413: "request_too_large",
		429: "rate_limit_error", 500: "api_error", 503: "overloaded_error", 504: "timeout_error", 529: "overloaded_error"}[status]
	if kind == "" {
		kind = "invalid_request_error"
	}
	return encoded(object{"type": "error", "error": object{"type": kind, "message": message}, "request_id": "req_01"})
}
