package chat_test

import (
	"errors"
	"reflect"
	"slices"
	"testing"
	"unicode/utf8"

	"github.com/busuhq/busu/internal/chat"
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
	stop := func(r llm.Response) llm.Response {
		r.FinishReason = llm.FinishStop
		return r
	}
	calls := []llm.ToolCall{{ID: "1", Name: "f", Arguments: `{"a":1}`}, {ID: "2", Name: "g", Arguments: `{"b":2}`}}
	for name, c := range map[string]struct {
		body string
		want llm.Response
	}{
		"openai": {recorded, stop(llm.Response{Model: "gpt-x-mini-2025", Text: "Lima.", Usage: llm.Usage{In: 1200, CachedIn: 1024, Out: 300, Reasoning: 256}})},
		"cut off": {answer(`{"content":"Li"}`, `"length"`, `{"prompt_tokens":3,"completion_tokens":1}`),
			llm.Response{Text: "Li", FinishReason: llm.FinishLength, Usage: llm.Usage{In: 3, Out: 1}}},
		"filtered": {answer(`{"content":""}`, `"content_filter"`, `null`), llm.Response{FinishReason: llm.FinishContentFilter}},
		"tool calls": {answer(`{"content":null,"tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}},`+
			`{"id":"2","type":"function","function":{"name":"g","arguments":{"b":2}}}]}`, `"tool_calls"`, `{}`),
			llm.Response{FinishReason: llm.FinishToolCalls, ToolCalls: calls}},
		"a custom tool": {answer(`{"tool_calls":[{"id":"1","type":"custom","custom":{"name":"sh","input":"ls"}}]}`, `"tool_calls"`, `null`),
			llm.Response{FinishReason: llm.FinishToolCalls, ToolCalls: []llm.ToolCall{{ID: "1", Name: "sh", Arguments: "ls"}}}},
		"a function, as it once was": {answer(`{"content":null,"function_call":{"name":"f","arguments":"{}"}}`, `"function_call"`, `null`),
			llm.Response{FinishReason: llm.FinishToolCalls, ToolCalls: []llm.ToolCall{{Name: "f", Arguments: "{}"}}}},
		"refusal": {answer(`{"content":null,"refusal":"No."}`, `"stop"`, `null`), stop(llm.Response{Refusal: "No."})},
		"parts": {answer(`{"content":[{"type":"thinking","text":"hm"},{"type":"text","text":"a"},{"type":"text","text":"b"}]}`, `"eos"`, `null`),
			stop(llm.Response{Text: "ab"})},
		"no finish reason": {answer(`{"content":"a"}`, `null`, `null`), stop(llm.Response{Text: "a"})},
		"mistral's words":  {answer(`{"content":"a"}`, `"model_length"`, `null`), llm.Response{Text: "a", FinishReason: llm.FinishLength}},
		"deepseek's cache": {answer(`{"content":"a"}`, `"stop"`, `{"prompt_tokens":90,"prompt_cache_hit_tokens":64,"prompt_cache_miss_tokens":26,"completion_tokens":2}`),
			stop(llm.Response{Text: "a", Usage: llm.Usage{In: 90, CachedIn: 64, Out: 2}})},
		"moonshot's cache": {answer(`{"content":"a"}`, `"stop"`, `{"prompt_tokens":90,"cached_tokens":64,"completion_tokens":2}`),
			stop(llm.Response{Text: "a", Usage: llm.Usage{In: 90, CachedIn: 64, Out: 2}})},
		"openrouter's cache": {answer(`{"content":"a"}`, `"stop"`, `{"prompt_tokens":194,"completion_tokens":2,"total_tokens":196,"cost":0.95,"prompt_tokens_details":{"cached_tokens":4,"cache_write_tokens":100}}`),
			stop(llm.Response{Text: "a", Usage: llm.Usage{In: 194, CachedIn: 4, CacheWriteIn: 100, Out: 2}})},
		"xai's reasoning": {answer(`{"content":"a"}`, `"stop"`, `{"prompt_tokens":10,"completion_tokens":5,"total_tokens":115,"completion_tokens_details":{"reasoning_tokens":100}}`),
			stop(llm.Response{Text: "a", Usage: llm.Usage{In: 10, Out: 105, Reasoning: 100}})},
		"nonsense counts": {answer(`{"content":"a"}`, `"stop"`, `{"prompt_tokens":-4,"completion_tokens":5.0,"total_tokens":null,"prompt_tokens_details":{"cached_tokens":9},"completion_tokens_details":{"reasoning_tokens":9}}`),
			stop(llm.Response{Text: "a", Usage: llm.Usage{Out: 5, Reasoning: 5}})},
		"empty error beside an answer": {`{"error":{},"choices":[{"message":{"content":"a"}}]}`, stop(llm.Response{Text: "a"})},
		"the second first":             {`{"choices":[{"index":1,"message":{"content":"b"}},{"index":0,"message":{"content":"a"}}]}`, stop(llm.Response{Text: "a"})},
		"not UTF-8":                    {answer("{\"content\":\"a\xff\"}", `"stop"`, `null`), stop(llm.Response{Text: "a\uFFFD"})},
	} {
		got, err := chat.Decode([]byte(c.body))
		c.want.Body = []byte(c.body)
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: got %+v, %v\nwant %+v", name, got, err, c.want)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		``, `null`, `[]`, `{}`, `{"choices":null}`, `{"choices":[]}`, `{"choices":[{}]}`, `{"choices":[{"message":null}]}`, `{"choices":[null]}`, `{"choices":{"message":{}}}`,
		`{"choices":[{"message":{"content":7}}]}`, `{"choices":"many"}`, `<html>`, recorded[:200], recorded + `}`,
		`{"choices":[{"message":{"content":"a"}}],"usage":{"prompt_tokens":1e40}}`,
		`{"choices":[{"message":{"content":"a"}}],"usage":{"prompt_tokens":9223372036854775807}}`,
		`{"choices":[{"message":{"content":"a"}}],"usage":{"prompt_tokens":1.5}}`,
		`{"choices":[{"message":{"content":"a"}}],"usage":{"prompt_tokens":"1"}}`,
		`{"choices":[{"message":{"content":"a"}}],"usage":[1]}`,
	} {
		got, err := chat.Decode([]byte(body))
		if _, failure := errors.AsType[*chat.FailureError](err); err == nil || failure {
			t.Errorf("%.60s: %+v, %v", body, got, err)
		}
	}
}

func TestFailuresInsideASuccess(t *testing.T) {
	t.Parallel()
	failed := `"the model failed while it was answering"`
	for body, want := range map[string]chat.FailureError{
		`{"error":{"message":"slow","code":429}}`:                                 {Status: 429, Message: []byte(`{"message":"slow","code":429}`)},
		`{"error":{"code":"400"}}`:                                                {Status: 400, Message: []byte(`{"code":"400"}`)},
		`{"error":{"code":"rate_limit_exceeded","type":"tokens"}}`:                {Code: "rate_limit_exceeded", Type: "tokens", Message: []byte(`{"code":"rate_limit_exceeded","type":"tokens"}`)},
		`{"error":"overloaded"}`:                                                  {Message: []byte(`"overloaded"`)},
		`{"object":"error","message":"no","code":400}`:                            {Status: 400, Message: []byte(`{"object":"error","message":"no","code":400}`)},
		`{"choices":[{"message":{"content":"half"},"finish_reason":"error"}]}`:    {Message: []byte(failed)},
		`{"choices":[{"delta":{},"finish_reason":"error","error":{"code":502}}]}`: {Status: 502, Message: []byte(`{"code":502}`)},
	} {
		_, whole := chat.Decode([]byte(body))
		_, piece := chat.DecodeChunk([]byte(body))
		_, vectors := chat.DecodeEmbeddings([]byte(body))
		for how, err := range map[string]error{"whole": whole, "in pieces": piece} {
			if got, ok := errors.AsType[*chat.FailureError](err); !ok || !reflect.DeepEqual(*got, want) {
				t.Errorf("%s, %s: %+v", body, how, err)
			}
		}
		if vectors == nil {
			t.Errorf("%s are embeddings", body)
		}
	}
}

func TestDecodeChunk(t *testing.T) {
	t.Parallel()
	in, out := int64(9), int64(12)
	usage := &llm.Usage{In: in, Out: out}
	counts := `{"prompt_tokens":9,"completion_tokens":12,"total_tokens":21}`
	for name, c := range map[string]struct {
		data string
		want llm.Chunk
	}{
		"first":                {`{"choices":[{"index":0,"delta":{"role":"assistant","content":"","refusal":null},"finish_reason":null}],"usage":null}`, llm.Chunk{}},
		"text":                 {piece, llm.Chunk{Text: " Lima"}},
		"refusal":              {`{"choices":[{"index":0,"delta":{"refusal":"No"}}]}`, llm.Chunk{Refusal: "No"}},
		"reasoning":            {`{"choices":[{"index":0,"delta":{"reasoning_content":"hm","content":null}}]}`, llm.Chunk{}},
		"last":                 {`{"choices":[{"index":0,"delta":{},"finish_reason":"length"}]}`, llm.Chunk{FinishReason: llm.FinishLength}},
		"an empty reason":      {`{"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":""}]}`, llm.Chunk{Text: "a"}},
		"usage":                {`{"choices":[],"usage":` + counts + `}`, llm.Chunk{Usage: usage}},
		"choices null":         {`{"choices":null,"usage":` + counts + `}`, llm.Chunk{Usage: usage}},
		"no choices":           {`{"usage":` + counts + `}`, llm.Chunk{Usage: usage}},
		"usage with the last":  {`{"choices":[{"index":0,"delta":{"content":"."},"finish_reason":"stop"}],"usage":` + counts + `}`, llm.Chunk{Text: ".", FinishReason: llm.FinishStop, Usage: usage}},
		"groq's usage":         {`{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"x_groq":{"id":"r","usage":` + counts + `}}`, llm.Chunk{FinishReason: llm.FinishStop, Usage: usage}},
		"groq's id":            {`{"choices":[{"index":0,"delta":{"content":"a"}}],"x_groq":{"id":"r"}}`, llm.Chunk{Text: "a"}},
		"moonshot's usage":     {`{"choices":[{"index":0,"delta":{},"finish_reason":"stop","usage":` + counts + `}]}`, llm.Chunk{FinishReason: llm.FinishStop, Usage: usage}},
		"another answer":       {`{"choices":[{"index":1,"delta":{"content":"b"},"finish_reason":"stop"}]}`, llm.Chunk{}},
		"no index":             {`{"choices":[{"delta":{"content":"a"}}]}`, llm.Chunk{Text: "a"}},
		"parts":                {`{"choices":[{"index":0,"delta":{"content":[{"type":"text","text":"a"}]}}]}`, llm.Chunk{Text: "a"}},
		"a whole message":      {`{"choices":[{"index":0,"message":{"content":"a"},"finish_reason":"stop"}]}`, llm.Chunk{Text: "a", FinishReason: llm.FinishStop}},
		"azure's filter":       {`{"choices":[],"prompt_filter_results":[{"prompt_index":0}]}`, llm.Chunk{}},
		"a delta that is null": {`{"choices":[{"index":0,"delta":null,"finish_reason":"stop"}]}`, llm.Chunk{FinishReason: llm.FinishStop}},
		"a call begins": {`{"choices":[{"index":0,"delta":{"tool_calls":[{"index":1,"id":"c1","type":"function","function":{"name":"f","arguments":""}}]}}]}`,
			llm.Chunk{ToolCalls: []llm.ToolCallDelta{{Index: 1, ID: "c1", Name: "f"}}}},
		"a call goes on": {`{"choices":[{"index":0,"delta":{"tool_calls":[{"index":1,"function":{"arguments":"{\"a"}}]}}]}`,
			llm.Chunk{ToolCalls: []llm.ToolCallDelta{{Index: 1, Arguments: `{"a`}}}},
		"calls without an index": {`{"choices":[{"index":0,"delta":{"tool_calls":[{"id":"a","function":{"name":"f","arguments":"{}"}},{"id":"b","function":{"name":"g","arguments":{}}}]}}]}`,
			llm.Chunk{ToolCalls: []llm.ToolCallDelta{{Index: 0, ID: "a", Name: "f", Arguments: "{}"}, {Index: 1, ID: "b", Name: "g", Arguments: "{}"}}}},
		"a function, as it once was": {`{"choices":[{"index":0,"delta":{"function_call":{"name":"f","arguments":"{}"}}}]}`,
			llm.Chunk{ToolCalls: []llm.ToolCallDelta{{Name: "f", Arguments: "{}"}}}},
	} {
		got, err := chat.DecodeChunk([]byte(c.data))
		c.want.Data = []byte(c.data)
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: got %+v, %v\nwant %+v", name, got, err, c.want)
		}
	}
	for _, data := range []string{``, `[]`, `7`, `"a"`, `{"choices":7}`, `{"choices":{}}`, `{"choices":[{"delta":{"content":7}}]}`, `{"choices":[`, `{"usage":{"prompt_tokens":"x"}}`} {
		if got, err := chat.DecodeChunk([]byte(data)); err == nil {
			t.Errorf("%s: %+v", data, got)
		}
	}
}

func TestUsageOnly(t *testing.T) {
	t.Parallel()
	for data, want := range map[string]bool{
		`{"choices":[],"usage":{"prompt_tokens":1}}`:             true,
		`{"choices":null,"usage":{"prompt_tokens":1}}`:           true,
		`{"usage":{"prompt_tokens":1}}`:                          true,
		`{"choices":[{"delta":{}}],"usage":{"prompt_tokens":1}}`: false,
		`{"choices":[],"prompt_filter_results":[1]}`:             false,
		`{"choices":[],"usage":null}`:                            false,
		piece:                                                    false,
	} {
		if got := chat.UsageOnly([]byte(data)); got != want {
			t.Errorf("%s: %t", data, got)
		}
	}
}

func TestDecodeEmbeddings(t *testing.T) {
	t.Parallel()
	body := `{"object":"list","data":[{"index":0,"embedding":"AAAA"}],"model":"e","usage":{"prompt_tokens":8,"total_tokens":8}}`
	got, err := chat.DecodeEmbeddings([]byte(body))
	if want := (llm.Response{Model: "e", Usage: llm.Usage{In: 8}, Body: []byte(body)}); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	for _, body := range []string{``, `{}`, `{"data":[]}`, `{"data":{}}`, `{"data":null}`, recorded} {
		if got, err := chat.DecodeEmbeddings([]byte(body)); err == nil {
			t.Errorf("%s: %+v", body, got)
		}
	}
}

// FuzzDecode: whatever a vendor sends, what is read of it can be believed.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{recorded, piece, whole, `{"error":{"message":"x","code":429}}`, `[[[[[["x"]]]]]]`, `{"object":"error"}`,
		`{"choices":[{"message":{"content":[{"type":"text","text":"a"}]}}],"usage":{"prompt_tokens":9007199254740992,"completion_tokens":9007199254740992,"total_tokens":-5}}`,
		`{"choices":[{"delta":{"tool_calls":[{"index":-1e300,"function":{"arguments":{}}}]}}],"x_groq":{"usage":7}}`, `{"choices":[{"index":"0"},{"index":{}}]}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := chat.Decode(body)
		check := func(u llm.Usage, finish string, texts ...string) {
			if u.In < 0 || u.Out < 0 || u.CachedIn < 0 || u.CacheWriteIn < 0 || u.CachedIn+u.CacheWriteIn > u.In || u.Reasoning < 0 || u.Reasoning > u.Out {
				t.Errorf("usage %+v of %s", u, body)
			}
			if !slices.Contains([]string{"", llm.FinishStop, llm.FinishLength, llm.FinishContentFilter, llm.FinishToolCalls}, finish) {
				t.Errorf("finish reason %q of %s", finish, body)
			}
			for _, text := range texts {
				if !utf8.ValidString(text) {
					t.Errorf("%q of %s", text, body)
				}
			}
		}
		if err == nil {
			check(r.Usage, r.FinishReason, r.Text, r.Refusal, r.Model)
		}
		if c, err := chat.DecodeChunk(body); err == nil {
			var a chat.Assembler
			a.Add(c)
			a.Add(c)
			sum := a.Response()
			check(sum.Usage, c.FinishReason, c.Text, c.Refusal, sum.Model)
			if sum.Text != c.Text+c.Text {
				t.Errorf("%q twice is %q", c.Text, sum.Text)
			}
		}
		_, _ = chat.DecodeEmbeddings(body)
		chat.UsageOnly(body)
	})
}
