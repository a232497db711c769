package openai

import (
	"errors"
	"reflect"
	"slices"
	"testing"
	"unicode/utf8"

	"github.com/busuhq/busu/internal/llm"
)

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

func TestDecode(t *testing.T) {
	t.Parallel()
	answer := func(message, finish, usage string) string {
		return `{"choices":[{"message":` + message + `,"finish_reason":` + finish + `}],"usage":` + usage + `}`
	}
	tests := map[string]struct {
		body string
		want llm.Response
	}{
		"openai": {recorded, llm.Response{Text: "Lima.", FinishReason: llm.FinishStop,
			Usage: llm.Usage{In: 1200, CachedIn: 1024, Out: 300, Reasoning: 256}}},
		"cut off": {answer(`{"content":"Li"}`, `"length"`, `{"prompt_tokens":3,"completion_tokens":1}`),
			llm.Response{Text: "Li", FinishReason: llm.FinishLength, Usage: llm.Usage{In: 3, Out: 1}}},
		"filtered": {answer(`{"content":""}`, `"content_filter"`, `null`),
			llm.Response{FinishReason: llm.FinishContentFilter}},
		"tool call": {answer(`{"content":null,"tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{}"}}]}`, `"tool_calls"`, `{}`),
			llm.Response{FinishReason: llm.FinishToolCalls}},
		"refusal": {answer(`{"content":null,"refusal":"No."}`, `"stop"`, `null`),
			llm.Response{Text: "No.", FinishReason: llm.FinishStop}},
		"parts": {answer(`{"content":[{"type":"thinking","text":"hm"},{"type":"text","text":"a"},{"type":"text","text":"b"}]}`, `"eos"`, `null`),
			llm.Response{Text: "ab", FinishReason: llm.FinishStop}},
		"no finish reason": {answer(`{"content":"a"}`, `null`, `null`), llm.Response{Text: "a", FinishReason: llm.FinishStop}},
		"mistral's words":  {answer(`{"content":"a"}`, `"model_length"`, `null`), llm.Response{Text: "a", FinishReason: llm.FinishLength}},
		"deepseek's cache": {answer(`{"content":"a"}`, `"stop"`, `{"prompt_tokens":90,"prompt_cache_hit_tokens":64,"prompt_cache_miss_tokens":26,"completion_tokens":2}`),
			llm.Response{Text: "a", FinishReason: llm.FinishStop, Usage: llm.Usage{In: 90, CachedIn: 64, Out: 2}}},
		"xai's reasoning": {answer(`{"content":"a"}`, `"stop"`, `{"prompt_tokens":10,"completion_tokens":5,"total_tokens":115,"completion_tokens_details":{"reasoning_tokens":100}}`),
			llm.Response{Text: "a", FinishReason: llm.FinishStop, Usage: llm.Usage{In: 10, Out: 105, Reasoning: 100}}},
		"nonsense counts": {answer(`{"content":"a"}`, `"stop"`, `{"prompt_tokens":-4,"completion_tokens":5,"prompt_tokens_details":{"cached_tokens":9},"completion_tokens_details":{"reasoning_tokens":9}}`),
			llm.Response{Text: "a", FinishReason: llm.FinishStop, Usage: llm.Usage{Out: 5, Reasoning: 5}}},
		"empty error beside an answer": {`{"error":{},"choices":[{"message":{"content":"a"}}]}`,
			llm.Response{Text: "a", FinishReason: llm.FinishStop}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := decode([]byte(test.body))
			if err != nil || !reflect.DeepEqual(got, test.want) {
				t.Errorf("got %+v, %v; want %+v", got, err, test.want)
			}
		})
	}
}

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		``, `null`, `[]`, `{}`, `{"choices":null}`, `{"choices":[]}`, `{"choices":[{}]}`, `{"choices":[{"message":null}]}`,
		`{"choices":[{"message":{"content":7}}]}`, `{"choices":"many"}`, `<html>`, recorded[:200], recorded + `}`,
		`{"choices":[{"message":{"content":"a"}}],"usage":{"prompt_tokens":1e40}}`,
	} {
		if got, err := decode([]byte(body)); err == nil {
			t.Errorf("%.60s: %+v", body, got)
		}
	}
}

func TestErrorsInsideASuccess(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]llm.ErrorKind{
		`{"error":{"message":"slow down","code":429}}`:                            llm.ErrorRateLimited,
		`{"error":{"message":"bad","code":"400"}}`:                                llm.ErrorRejected,
		`{"error":{"message":"upstream","code":502}}`:                             llm.ErrorUnavailable,
		`{"error":{"message":"what","code":"server_error"}}`:                      llm.ErrorUnavailable,
		`{"error":"overloaded"}`:                                                  llm.ErrorUnavailable,
		`{"choices":[{"message":{"content":"half an"},"finish_reason":"error"}]}`: llm.ErrorUnavailable,
	} {
		_, err := decode([]byte(body))
		vendor, ok := errors.AsType[*vendorError](err)
		if !ok || vendor.kind() != want {
			t.Errorf("%s: %v", body, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(recorded))
	f.Add([]byte(`{"error":{"message":"x","code":429}}`))
	f.Add([]byte(`{"choices":[{"message":{"content":[{"type":"text","text":"a"}]}}],"usage":{"prompt_tokens":9223372036854775807,"completion_tokens":9223372036854775807,"total_tokens":-5}}`))
	f.Add([]byte(`[[[[[["x"]]]]]]`))
	p := &Provider{key: "sk-secret"}
	f.Fuzz(func(t *testing.T, body []byte) {
		if quoted := p.quote(body); len(quoted) > maxQuoted+len("…") || !utf8.ValidString(quoted) {
			t.Errorf("bad quote: %q", quoted)
		}
		r, err := decode(body)
		if err != nil {
			return
		}
		u := r.Usage
		if u.In < 0 || u.Out < 0 || u.CachedIn < 0 || u.CachedIn > u.In || u.Reasoning < 0 || u.Reasoning > u.Out {
			t.Errorf("usage %+v of %s", u, body)
		}
		reasons := []string{llm.FinishStop, llm.FinishLength, llm.FinishContentFilter, llm.FinishToolCalls}
		if !slices.Contains(reasons, r.FinishReason) || !utf8.ValidString(r.Text) {
			t.Errorf("%+v of %s", r, body)
		}
	})
}
