package openai

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/busuhq/busu/internal/llm"
	"github.com/busuhq/busu/internal/provider/providertest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	conforms(t, func() *http.Client { return nil })
}

// TestConformanceOfTheStandardClient is the same by net/http, which calls hosts
// with TLS.
func TestConformanceOfTheStandardClient(t *testing.T) {
	t.Parallel()
	conforms(t, func() *http.Client {
		return &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64, MaxResponseHeaderBytes: 64 << 10}}
	})
}

// conforms runs the suite with a client for each provider: to close one drops
// the idle connections of its client, which the next call of another would take.
func conforms(t *testing.T, client func() *http.Client) {
	t.Helper()
	providertest.Run(t, providertest.Vendor{
		Name: "acme",
		New: func(t *testing.T, baseURL, key string) llm.Provider {
			return provider(t, Options{Name: "acme", BaseURL: baseURL + "/v1", APIKey: key, Client: client()})
		},
		Wire: &providertest.Wire{KeyHeader: "Authorization", Whole: whole, Stream: frames, Error: failure, ErrorFrame: func(message string) string {
			return frame(object{"error": object{"message": message, "type": "server_error", "param": nil, "code": nil}})
		}},
		Home: &providertest.Home{
			Format: llm.FormatChat,
			Body: `{ "temperature":1e0,"model": "callers-name" ,"messages":[{"role":"user","content":[{"type":"hologram","x":1.50}]}],` +
				`"unknown":{"model":"kept","max_completion_tokens":[1 , 2]},"stream":false}`,
			Stream: `{"stream": true,"messages":[{"role":"user","content":"é 漢"}],"max_tokens":9,"model":"callers-name","top_k":7 }`,
		},
	})
}

type object map[string]any

func encoded(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(text)
}

func frame(v any) string { return "data: " + encoded(v) + "\n\n" }

func usage(u llm.Usage) object {
	return object{"prompt_tokens": u.In, "completion_tokens": u.Out, "total_tokens": u.In + u.Out,
		"prompt_tokens_details":     object{"cached_tokens": u.CachedIn, "cache_write_tokens": u.CacheWriteIn, "audio_tokens": 0},
		"completion_tokens_details": object{"reasoning_tokens": u.Reasoning, "audio_tokens": 0}}
}

// whole is the shape of a whole answer.
func whole(a providertest.Answer) string {
	message := object{"role": "assistant", "content": nil, "refusal": nil, "annotations": []any{}}
	if len(a.Pieces) > 0 {
		message["content"] = a.Text()
	}
	var calls []any
	for _, call := range a.ToolCalls {
		calls = append(calls, object{"id": call.ID, "type": "function", "function": object{"name": call.Name, "arguments": call.Arguments}})
	}
	if calls != nil {
		message["tool_calls"] = calls
	}
	choices := []any{object{"index": 0, "message": message, "logprobs": nil, "finish_reason": a.Finish}}
	for i, text := range a.Others {
		choices = append(choices, object{"index": i + 1, "message": object{"role": "assistant", "content": text}, "finish_reason": "stop"})
	}
	return encoded(object{"id": "chatcmpl-1", "object": "chat.completion", "created": 1_760_000_000, "model": a.Model,
		"choices": choices,
		"usage":   usage(a.Usage), "service_tier": "default"})
}

// frames is the shape of a streamed answer.
func frames(a providertest.Answer) []string {
	at := func(index int, delta object, finish any) string {
		return frame(object{"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1_760_000_000, "model": a.Model,
			"choices": []any{object{"index": index, "delta": delta, "logprobs": nil, "finish_reason": finish}}, "usage": nil})
	}
	piece := func(delta object, finish any) string { return at(0, delta, finish) }
	f := []string{piece(object{"role": "assistant", "content": "", "refusal": nil}, nil)}
	for _, text := range a.Pieces {
		f = append(f, piece(object{"content": text}, nil))
	}
	for i, call := range a.ToolCalls {
		f = append(f, piece(object{"tool_calls": []any{object{"index": i, "id": call.ID, "type": "function", "function": object{"name": call.Name, "arguments": ""}}}}, nil))
		half := len(call.Arguments) / 2
		for _, part := range []string{call.Arguments[:half], call.Arguments[half:]} {
			f = append(f, piece(object{"tool_calls": []any{object{"index": i, "function": object{"arguments": part}}}}, nil))
		}
	}
	f = append(f, piece(object{}, a.Finish))
	for i, text := range a.Others { // when the first is over, which is not the end of all
		f = append(f, at(i+1, object{"role": "assistant", "content": text}, nil), at(i+1, object{}, "stop"))
	}
	return append(f,
		frame(object{"id": "chatcmpl-1", "object": "chat.completion.chunk", "model": a.Model, "choices": []any{}, "usage": usage(a.Usage)}),
		"data: [DONE]\n\n")
}

func failure(status int, message string) string {
	kind, code := "invalid_request_error", any(nil)
	switch {
	case status == 429:
		kind, code = "requests", "rate_limit_exceeded"
	case status >= 500:
		kind = "server_error"
	}
	return encoded(object{"error": object{"message": message, "type": kind, "param": nil, "code": code}})
}
