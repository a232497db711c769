package messages_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/busuhq/busu/internal/llm"
	"github.com/busuhq/busu/internal/messages"
)

// answering is the shape of a whole answer.
func answering(content, stopReason, usage string) string {
	return `{"id":"msg_1","type":"message","role":"assistant","model":"m-1","content":` + content +
		`,"stop_reason":` + stopReason + `,"stop_sequence":null,"usage":` + usage + `}`
}

func TestDecode(t *testing.T) {
	t.Parallel()
	const text = `[{"type":"text","text":"Lima."}]`
	for name, c := range map[string]struct {
		body string
		want llm.Response
	}{
		"an answer": {answering(text, `"end_turn"`, `{"input_tokens":10,"cache_creation_input_tokens":200,"cache_read_input_tokens":3000,"output_tokens":40,"output_tokens_details":{"thinking_tokens":30},"service_tier":"standard"}`),
			llm.Response{Text: "Lima.", FinishReason: llm.FinishStop, Usage: llm.Usage{In: 3210, CachedIn: 3000, CacheWriteIn: 200, Out: 40, Reasoning: 30}}},
		"without caches": {answering(text, `"end_turn"`, `{"input_tokens":10,"cache_read_input_tokens":null,"output_tokens":4}`),
			llm.Response{Text: "Lima.", FinishReason: llm.FinishStop, Usage: llm.Usage{In: 10, Out: 4}}},
		"nonsense counts": {answering(text, `"end_turn"`, `{"input_tokens":-10,"output_tokens":4,"output_tokens_details":{"thinking_tokens":9}}`),
			llm.Response{Text: "Lima.", FinishReason: llm.FinishStop, Usage: llm.Usage{Out: 4, Reasoning: 4}}},
		"huge counts": {answering(text, `"end_turn"`, `{"input_tokens":9000000000000000000,"cache_read_input_tokens":9e99,"output_tokens":9000000000000000000}`),
			llm.Response{Text: "Lima.", FinishReason: llm.FinishStop, Usage: llm.Usage{In: 2 << 40, CachedIn: 1 << 40, Out: 1 << 40}}},
		"no usage":     {answering(text, `null`, `null`), llm.Response{Text: "Lima.", FinishReason: llm.FinishStop}},
		"the limit":    {answering(text, `"max_tokens"`, `null`), llm.Response{Text: "Lima.", FinishReason: llm.FinishLength}},
		"the window":   {answering(text, `"model_context_window_exceeded"`, `null`), llm.Response{Text: "Lima.", FinishReason: llm.FinishLength}},
		"a stop":       {answering(text, `"stop_sequence"`, `null`), llm.Response{Text: "Lima.", FinishReason: llm.FinishStop}},
		"a pause":      {answering(text, `"pause_turn"`, `null`), llm.Response{Text: "Lima.", FinishReason: llm.FinishStop}},
		"a refusal":    {answering(`[]`, `"refusal"`, `null`), llm.Response{FinishReason: llm.FinishContentFilter}},
		"a new reason": {answering(text, `"boredom"`, `null`), llm.Response{Text: "Lima.", FinishReason: llm.FinishStop}},
		"blocks": {answering(`[{"type":"thinking","thinking":"hm"},{"type":"redacted_thinking","data":"x"},{"type":"text","text":"a"},{"type":"server_tool_use","id":"s","name":"web_search","input":{}},{"type":"text","text":"b"},`+
			`{"type":"tool_use","id":"t","name":"f","input":{ "a" : [1.50] }},{"type":"tool_use","id":"u","name":"g"}]`, `"tool_use"`, `null`),
			llm.Response{Text: "ab", FinishReason: llm.FinishToolCalls, ToolCalls: []llm.ToolCall{{ID: "t", Name: "f", Arguments: `{"a":[1.50]}`}, {ID: "u", Name: "g", Arguments: `{}`}}}},
		"an empty error": {`{"error":null,"content":[]}`, llm.Response{FinishReason: llm.FinishStop}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := messages.Decode([]byte(c.body))
			c.want.Body = []byte(c.body)
			if strings.Contains(c.body, "m-1") {
				c.want.Model = "m-1"
			}
			if err != nil || !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %+v, %v\nwant %+v", got, err, c.want)
			}
		})
	}
}

func TestNoAnswerIsNone(t *testing.T) {
	t.Parallel()
	for _, body := range []string{``, `null`, `[]`, `{}`, `{"content":null}`, `{"content":"x"}`, `<html>`, answering(`[]`, `null`, `null`)[:50]} {
		if r, err := messages.Decode([]byte(body)); err == nil {
			t.Errorf("%s was taken for %+v", body, r)
		}
	}
}

func TestFailuresAreKnown(t *testing.T) {
	t.Parallel()
	for kind, want := range map[string]llm.ErrorKind{
		"overloaded_error": llm.ErrorUnavailable, "api_error": llm.ErrorUnavailable, "": llm.ErrorUnavailable, "new_error": llm.ErrorUnavailable,
		"rate_limit_error": llm.ErrorRateLimited, "timeout_error": llm.ErrorTimeout,
		"authentication_error": llm.ErrorAuth, "permission_error": llm.ErrorAuth, "billing_error": llm.ErrorAuth,
		"invalid_request_error": llm.ErrorRejected, "not_found_error": llm.ErrorRejected, "request_too_large": llm.ErrorRejected,
	} {
		body := []byte(`{"type":"error","error":{"type":"` + kind + `","message":"later"}}`)
		_, err := messages.Decode(body)
		_, inStream := new(messages.Stream).Take(body)
		for _, err := range []error{err, inStream} {
			failure, ok := errors.AsType[*messages.FailureError](err)
			if !ok || failure.Kind() != want || !strings.Contains(string(failure.Message), "later") {
				t.Errorf("%s: %v, want %s", kind, err, want)
			}
		}
	}
	if _, err := new(messages.Stream).Take([]byte(`{"type":"error"}`)); err == nil {
		t.Error("an error without details was passed over")
	}
}

// TestErrorsAreTheirs: what we say is what their clients understand, and we.
func TestErrorsAreTheirs(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]string{400: "invalid_request_error", 401: "authentication_error", 402: "billing_error", 403: "permission_error",
		404: "not_found_error", 409: "conflict_error", 413: "request_too_large", 418: "invalid_request_error", 422: "invalid_request_error",
		429: "rate_limit_error", 500: "api_error", 502: "api_error", 503: "overloaded_error", 504: "timeout_error", 529: "overloaded_error"} {
		if got := string(messages.EncodeError(status, `no "luck"`, "")); got != `{"type":"error","error":{"type":"`+want+`","message":"no \"luck\""}}` {
			t.Errorf("%d: %s", status, got)
		}
	}
	if got := string(messages.EncodeError(500, "x", "r-1")); !strings.HasSuffix(got, `,"request_id":"r-1"}`) {
		t.Errorf("%s", got)
	}
}

// TestStream goes through the events that a whole answer comes in.
func TestStream(t *testing.T) {
	t.Parallel()
	var s messages.Stream
	for _, c := range []struct {
		data string
		want llm.Chunk
	}{
		{`{"type":"message_start","message":{"model":"m-1","usage":{"input_tokens":5,"cache_read_input_tokens":7,"output_tokens":1}}}`, llm.Chunk{Usage: &llm.Usage{In: 12, CachedIn: 7, Out: 1}}},
		{`{"type":"ping"}`, llm.Chunk{}},
		{`{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":""}}`, llm.Chunk{}},
		{`{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"hm"}}`, llm.Chunk{}},
		{`{"type":"content_block_stop","index":0}`, llm.Chunk{}},
		{`{"type":"content_block_start","index":1,"content_block":{"type":"text","text":"L"}}`, llm.Chunk{Text: "L"}},
		{`{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"ima"}}`, llm.Chunk{Text: "ima"}},
		{`{"type":"content_block_delta","index":1,"delta":{"type":"citations_delta","citation":{}}}`, llm.Chunk{}},
		{`{"type":"content_block_stop","index":1}`, llm.Chunk{}},
		{`{"type":"content_block_start","index":2,"content_block":{"type":"server_tool_use","id":"s","name":"web_search","input":{}}}`, llm.Chunk{}},
		{`{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"{}"}}`, llm.Chunk{}},
		{`{"type":"content_block_stop","index":2}`, llm.Chunk{}},
		{`{"type":"content_block_start","index":3,"content_block":{"type":"tool_use","id":"t","name":"f","input":{}}}`, llm.Chunk{ToolCalls: []llm.ToolCallDelta{{Index: 0, ID: "t", Name: "f"}}}},
		{`{"type":"content_block_delta","index":3,"delta":{"type":"input_json_delta","partial_json":""}}`, llm.Chunk{}},
		{`{"type":"content_block_delta","index":3,"delta":{"type":"input_json_delta","partial_json":"{\"a\":"}}`, llm.Chunk{ToolCalls: []llm.ToolCallDelta{{Index: 0, Arguments: `{"a":`}}}},
		{`{"type":"content_block_delta","index":3,"delta":{"type":"input_json_delta","partial_json":"1}"}}`, llm.Chunk{ToolCalls: []llm.ToolCallDelta{{Index: 0, Arguments: `1}`}}}},
		{`{"type":"content_block_stop","index":3}`, llm.Chunk{}},
		{`{"type":"content_block_start","index":4,"content_block":{"type":"tool_use","id":"u","name":"g","input":{}}}`, llm.Chunk{ToolCalls: []llm.ToolCallDelta{{Index: 1, ID: "u", Name: "g"}}}},
		{`{"type":"content_block_stop","index":4}`, llm.Chunk{ToolCalls: []llm.ToolCallDelta{{Index: 1, Arguments: `{}`}}}},
		{`{"type":"new_event"}`, llm.Chunk{}},
		{`{"type":"message_delta","delta":{"stop_reason":"tool_use"},"usage":{"output_tokens":30,"output_tokens_details":{"thinking_tokens":20}}}`, llm.Chunk{FinishReason: llm.FinishToolCalls, Usage: &llm.Usage{In: 12, CachedIn: 7, Out: 30, Reasoning: 20}}},
		{`{"type":"message_stop"}`, llm.Chunk{}},
	} {
		if s.Done() {
			t.Fatal("it is over before it ends")
		}
		got, err := s.Take([]byte(c.data))
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: got %+v, %v, want %+v", c.data, got, err, c.want)
		}
	}
	want := llm.Response{Model: "m-1", Text: "Lima", FinishReason: llm.FinishToolCalls, Usage: llm.Usage{In: 12, CachedIn: 7, Out: 30, Reasoning: 20},
		ToolCalls: []llm.ToolCall{{ID: "t", Name: "f", Arguments: `{"a":1}`}, {ID: "u", Name: "g", Arguments: `{}`}}}
	if got := s.Response(); !s.Done() || !s.Finished() || !reflect.DeepEqual(got, want) || s.Size() == 0 {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
}

func TestAStreamThatEndsWithoutAReason(t *testing.T) {
	t.Parallel()
	var s messages.Stream
	if chunk, err := s.Take([]byte(`{"type":"message_stop"}`)); err != nil || chunk.FinishReason != llm.FinishStop || !s.Done() {
		t.Errorf("%+v, %v", chunk, err)
	}
	for _, data := range []string{``, `[]`, `{}`, `{"type":`, `{"type":7}x`} {
		if chunk, err := new(messages.Stream).Take([]byte(data)); err == nil {
			t.Errorf("%s was taken for %+v", data, chunk)
		}
	}
}

// FuzzTake: whatever a vendor sends, texts can be stored, calls grow in order,
// and the counts hold together.
func FuzzTake(f *testing.F) {
	f.Add([]byte(`{"type":"message_start","message":{"usage":{"input_tokens":5}}}` + "\n" + `{"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"u","name":"g","input":{"a":1}}}`))
	f.Add([]byte(`{"type":"content_block_delta","delta":{"type":"text_delta","text":"\ud800"}}` + "\n" + `{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":1e99}}`))
	f.Add([]byte(answering(`[{"type":"tool_use","input":{"a":1}}]`, `"x"`, `{"input_tokens":9}`)))
	f.Fuzz(func(t *testing.T, wire []byte) {
		var s messages.Stream
		for line := range strings.SplitSeq(string(wire), "\n") {
			_, _ = s.Take([]byte(line))
		}
		r := s.Response()
		if whole, err := messages.Decode(wire); err == nil {
			r = whole
		}
		u := r.Usage
		if !utf8.ValidString(r.Text) || u.Out < 0 || u.Reasoning > u.Out || u.CachedIn < 0 || u.CacheWriteIn < 0 || u.CachedIn+u.CacheWriteIn > u.In {
			t.Fatalf("%+v", r)
		}
		for _, call := range r.ToolCalls {
			if r.Body != nil && !json.Valid([]byte(call.Arguments)) {
				t.Fatalf("%+v", call)
			}
		}
	})
}

// TestAPieceIsACopy: its bytes are used again for the next one.
func TestAPieceIsACopy(t *testing.T) {
	t.Parallel()
	data := []byte(`{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":" Lima"}}`)
	got, err := new(messages.Stream).Take(data)
	clear(data)
	if err != nil || got.Text != " Lima" {
		t.Errorf("text %q, %v", got.Text, err)
	}
}
