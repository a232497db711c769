package chat_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/busuhq/busu/internal/chat"
	"github.com/busuhq/busu/internal/llm"
)

func head() chat.Head {
	return chat.Head{ID: "chatcmpl-1", Created: time.Unix(1_760_000_000, 999), Model: "small"}
}

func TestEncodeResponse(t *testing.T) {
	t.Parallel()
	const before = `{"id":"chatcmpl-1","object":"chat.completion","created":1760000000,"model":"small","choices":[{"index":0,"message":`
	const after = `],"usage":{"prompt_tokens":9,"completion_tokens":3,"total_tokens":12,"prompt_tokens_details":{"cached_tokens":4},"completion_tokens_details":{"reasoning_tokens":1}}}`
	usage := llm.Usage{In: 9, CachedIn: 4, Out: 3, Reasoning: 1}
	for want, r := range map[string]llm.Response{
		`{"role":"assistant","content":"\"Lima\"","refusal":null},"logprobs":null,"finish_reason":"stop"}`: {Text: `"Lima"`, FinishReason: llm.FinishStop, Usage: usage},
		`{"role":"assistant","content":"","refusal":null},"logprobs":null,"finish_reason":"length"}`:       {FinishReason: llm.FinishLength, Usage: usage},
		`{"role":"assistant","content":null,"refusal":"No."},"logprobs":null,"finish_reason":"stop"}`:      {Refusal: "No.", FinishReason: llm.FinishStop, Usage: usage},
		`{"role":"assistant","content":null,"refusal":null,"tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}]},"logprobs":null,"finish_reason":"tool_calls"}`: {
			ToolCalls: []llm.ToolCall{{ID: "c", Name: "f", Arguments: "{}"}}, FinishReason: llm.FinishToolCalls, Usage: usage},
		`{"role":"assistant","content":"a","refusal":null},"logprobs":null,"finish_reason":"stop"},` +
			`{"index":2,"message":{"role":"assistant","content":null,"refusal":null,"tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}]},"logprobs":null,"finish_reason":"tool_calls"}`: {
			Text: "a", FinishReason: llm.FinishStop, Usage: usage,
			Others: []llm.Other{{Index: 2, ToolCalls: []llm.ToolCallDelta{{ID: "c", Name: "f", Arguments: "{}"}}, FinishReason: llm.FinishToolCalls}}},
	} {
		if got := string(chat.EncodeResponse(r, head().ID, head().Created, head().Model)); got != before+want+after {
			t.Errorf("got  %s\nwant %s", got, before+want+after)
		}
	}
}

func TestEncodeChunk(t *testing.T) {
	t.Parallel()
	const before = `{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1760000000,"model":"small","choices":`
	for want, c := range map[string]struct {
		chunk llm.Chunk
		first bool
	}{
		`[{"index":0,"delta":{"role":"assistant","content":"Li"},"logprobs":null,"finish_reason":null}]}`: {llm.Chunk{Text: "Li"}, true},
		`[{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}]}`:   {llm.Chunk{}, true},
		`[{"index":0,"delta":{"content":"ma"},"logprobs":null,"finish_reason":null}]}`:                    {llm.Chunk{Text: "ma"}, false},
		`[{"index":1,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null},{"index":2,"delta":{"content":"b"},"logprobs":null,"finish_reason":"stop"}]}`: {
			llm.Chunk{Others: []llm.Other{{Index: 1, First: true}, {Index: 2, Text: "b", FinishReason: llm.FinishStop}}}, false},
		`[{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null},{"index":1,"delta":{"role":"assistant","content":"b"},"logprobs":null,"finish_reason":null}]}`: {
			llm.Chunk{Others: []llm.Other{{Index: 1, First: true, Text: "b"}}}, true},
		`[{"index":0,"delta":{"role":"assistant","refusal":"No"},"logprobs":null,"finish_reason":null}]}`: {llm.Chunk{Refusal: "No"}, true},
		`[{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}]}`:                                {llm.Chunk{FinishReason: llm.FinishStop}, false},
		`[{"index":0,"delta":{"tool_calls":[{"index":1,"id":"c","type":"function","function":{"name":"f","arguments":""}}]},"logprobs":null,"finish_reason":null}]}`: {
			llm.Chunk{ToolCalls: []llm.ToolCallDelta{{Index: 1, ID: "c", Name: "f"}}}, false},
		`[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{}"}}]},"logprobs":null,"finish_reason":null}]}`: {
			llm.Chunk{ToolCalls: []llm.ToolCallDelta{{Arguments: "{}"}}}, false},
		`[],"usage":{"prompt_tokens":9,"completion_tokens":3,"total_tokens":12,"prompt_tokens_details":{"cached_tokens":0,"cache_write_tokens":2},"completion_tokens_details":{"reasoning_tokens":0}}}`: {
			llm.Chunk{Usage: &llm.Usage{In: 9, CacheWriteIn: 2, Out: 3}}, false},
	} {
		if got := string(chat.EncodeChunk(head(), c.chunk, c.first)); got != before+want {
			t.Errorf("got  %s\nwant %s", got, before+want)
		}
	}
}

func TestWithCost(t *testing.T) {
	t.Parallel()
	const told = `"usage":{"prompt_tokens":9,"completion_tokens":3,"total_tokens":12,"prompt_tokens_details":{"cached_tokens":0},"completion_tokens_details":{"reasoning_tokens":0},"cost_usd":0.0000213}`
	for body, want := range map[string]string{
		`{"a": 1.0,"usage" : { "prompt_tokens":1 } }`: `{"a": 1.0,"usage" : { "prompt_tokens":1 ,"cost_usd":0.0000213} }`,
		`{"usage":{}}`: `{"usage":{"cost_usd":0.0000213}}`,
		`{"usage":{ "x":1,"cost_usd":5},"x":{"cost_usd":1}}`: `{"usage":{ "x":1,"cost_usd":0.0000213},"x":{"cost_usd":1}}`,
		`{"usage":null}`:           `{` + told + `}`,
		`{"x":{"usage":{}},"y":2}`: `{"x":{"usage":{}},"y":2,` + told + `}`,
		` {} `:                     ` {` + told + `} `,
		`[]`:                       `[]`,
		``:                         ``,
		`nonsense`:                 `nonsense`,
		`{"a":"`:                   `{"a":"`,
		`{"a":{},"usage":null`:     `{"a":{},"usage":` + strings.TrimPrefix(told, `"usage":`),
	} {
		if got := string(chat.WithCost([]byte(body), llm.Usage{In: 9, Out: 3}, "0.0000213")); got != want {
			t.Errorf("%s\n got %s\nwant %s", body, got, want)
		}
	}
}

// FuzzWithCost: a JSON object stays one, says the cost, and all else as before.
func FuzzWithCost(f *testing.F) {
	for _, seed := range []string{recorded, piece, whole, `{"usage":null}`, `{"usage":{}}`, `{}`, `{"usage":{"cost_usd":{}}}`, ` {"a":[{"usage":1}]} `, `{"us\u0061ge":{}}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var before map[string]any
		got := chat.WithCost(body, llm.Usage{In: 9}, "0.25")
		if json.Unmarshal(body, &before) != nil || before == nil {
			return
		}
		var after map[string]any
		if err := json.Unmarshal(got, &after); err != nil {
			t.Fatalf("%s became %s: %v", body, got, err)
		}
		if strings.Count(string(body), "usage") > 1 || strings.Contains(string(body), `\`) || strings.Count(string(body), "cost_usd") > 1 {
			return // a name that comes twice: readers differ
		}
		usage, ok := after["usage"].(map[string]any)
		if !ok || usage["cost_usd"] != 0.25 {
			t.Fatalf("%s became %s", body, got)
		}
		delete(before, "usage")
		delete(after, "usage")
		if !reflect.DeepEqual(before, after) {
			t.Fatalf("%s became %s", body, got)
		}
	})
}

// FuzzParse: nothing panics, and what is parsed can be sent on.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{usual, agent(), asking(`"stop":["a"]`), `{"model":"a","messages":[{"role":"assistant","function_call":{"name":"f","arguments":"\ud83d\ude00"}}]}`, `[`, `{"a":"\`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		p, err := chat.Parse(body)
		if err != nil {
			return
		}
		p.Request.Model, p.Emit = "up", listen
		sent, err := chat.Upstream(p.Request, chat.Dialect{NewLimit: true})
		if err != nil {
			t.Fatalf("%v of %s", err, body)
		}
		again, err := chat.Parse(sent)
		if err != nil || !again.Stream || !again.IncludeUsage || again.Model != "up" {
			t.Fatalf("%s became %s: %v", body, sent, err)
		}
		again.Request.Body, p.Request.Body, again.Emit, p.Emit = nil, nil, nil, nil
		if !reflect.DeepEqual(again.Request, p.Request) {
			t.Fatalf("%s became %s", body, sent)
		}
		_, _ = chat.Encode(p.Request)
	})
}

// TestAssembler has vendors that number calls in their own ways.
func TestAssembler(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		deltas []llm.ToolCallDelta
		want   []llm.ToolCall
	}{
		"in turn": {[]llm.ToolCallDelta{{Index: 0, ID: "a", Name: "f"}, {Index: 0, Arguments: "1"}, {Index: 1, ID: "b", Name: "g"}, {Index: 1, Arguments: "2"}},
			[]llm.ToolCall{{ID: "a", Name: "f", Arguments: "1"}, {ID: "b", Name: "g", Arguments: "2"}}},
		"mixed": {[]llm.ToolCallDelta{{Index: 1, ID: "b", Name: "g"}, {Index: 0, ID: "a", Name: "f"}, {Index: 1, Arguments: "2"}, {Index: 0, Arguments: "1"}},
			[]llm.ToolCall{{ID: "b", Name: "g", Arguments: "2"}, {ID: "a", Name: "f", Arguments: "1"}}},
		"all at index 0": {[]llm.ToolCallDelta{{ID: "a", Name: "f", Arguments: "1"}, {ID: "b", Name: "f", Arguments: "2"}, {Arguments: "3"}},
			[]llm.ToolCall{{ID: "a", Name: "f", Arguments: "1"}, {ID: "b", Name: "f", Arguments: "23"}}},
		"the id again and again": {[]llm.ToolCallDelta{{ID: "a", Name: "f", Arguments: "1"}, {ID: "a", Name: "f", Arguments: "2"}},
			[]llm.ToolCall{{ID: "a", Name: "f", Arguments: "12"}}},
		"no ids":         {[]llm.ToolCallDelta{{Name: "f", Arguments: "1"}, {Arguments: "2"}}, []llm.ToolCall{{Name: "f", Arguments: "12"}}},
		"a wild index":   {[]llm.ToolCallDelta{{Index: -1 << 62, ID: "a"}, {Index: 1 << 62, ID: "b"}}, []llm.ToolCall{{ID: "a"}, {ID: "b"}}},
		"a late id":      {[]llm.ToolCallDelta{{Name: "f"}, {ID: "a", Arguments: "1"}}, []llm.ToolCall{{ID: "a", Name: "f", Arguments: "1"}}},
		"nothing as yet": {},
	} {
		var a chat.Assembler
		for _, d := range c.deltas {
			a.Add(llm.Chunk{ToolCalls: []llm.ToolCallDelta{d}})
		}
		if got := a.Response().ToolCalls; !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: got %+v, want %+v", name, got, c.want)
		}
	}
}

// TestAssemblerKeepsNothingOfAPiece: the provider may use its memory again.
func TestAssemblerKeepsNothingOfAPiece(t *testing.T) {
	t.Parallel()
	data := []byte(`{"model":"gpt-x","choices":[{"index":0,"delta":{"content":"Lima","tool_calls":[{"index":0,"id":"call","function":{"name":"search","arguments":"{}"}}]}}]}`)
	c, err := chat.DecodeChunk(data)
	if err != nil {
		t.Fatal(err)
	}
	var a chat.Assembler
	a.Add(c)
	clear(data)
	want := llm.Response{Model: "gpt-x", Text: "Lima", ToolCalls: []llm.ToolCall{{ID: "call", Name: "search", Arguments: "{}"}}}
	if got := a.Response(); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
}

// TestPiecesAreShort, whatever the text is made of.
func TestPiecesAreShort(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Repeat(words().Draw(t, "unit"), rapid.IntRange(1, 100).Draw(t, "times"))
		chunks := chat.Chunks(llm.Response{Text: text, ToolCalls: []llm.ToolCall{{ID: "a", Arguments: text}}})
		for _, c := range chunks {
			n := len(c.Text)
			for _, d := range c.ToolCalls {
				n += len(d.Arguments)
			}
			if n > 128 {
				t.Fatalf("a piece has %d bytes", n)
			}
		}
		if most := 2*(len(text)/64+1) + 3 + strings.Count(text, " ")*2; len(chunks) > most {
			t.Fatalf("%d pieces for %d bytes", len(chunks), len(text))
		}
	})
}
