package chat_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/busuhq/busu/internal/chat"
	"github.com/busuhq/busu/internal/document"
	"github.com/busuhq/busu/internal/llm"
)

// asking is a body with one user's message and these members before it.
func asking(members string) string {
	if members != "" {
		members += ","
	}
	return `{"model":"m",` + members + `"messages":[{"role":"user","content":"hi"}]}`
}

// saying is a body with these messages.
func saying(messages ...string) string {
	return `{"model":"m","messages":[` + strings.Join(messages, ",") + `]}`
}

func mustParse(t *testing.T, body string) chat.Parsed {
	t.Helper()
	p, err := chat.Parse([]byte(body))
	if err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	if string(p.Body) != body || p.Format != llm.FormatChat {
		t.Errorf("the body became %s, its format %d", p.Body, p.Format)
	}
	return p
}

func TestParseMembers(t *testing.T) {
	t.Parallel()
	half, one := 0.5, 1.0
	hi := []llm.Message{{Role: llm.RoleUser, Content: "hi"}}
	for members, want := range map[string]chat.Parsed{
		``:                                  {},
		`"stream":true`:                     {Stream: true},
		`"stream":true,"stream_options":{}`: {Stream: true},
		`"stream":true,"stream_options":{"include_usage":true,"include_obfuscation":false}`: {Stream: true, IncludeUsage: true},
		`"stream":null,"stream_options":null,"n":null,"stop":null,"tools":null,"user":null`: {},
		`"user":"ada"`:                 {User: "ada"},
		`"user":""`:                    {},
		`"metadata":{"a":"1","A":"2"}`: {Metadata: map[string]string{"a": "1", "A": "2"}},
		`"max_tokens":7`:               {Request: llm.Request{MaxTokens: 7}},
		`"max_completion_tokens":1e3`:  {Request: llm.Request{MaxTokens: 1000}},
		`"max_tokens":null,"max_completion_tokens":5.0`:    {Request: llm.Request{MaxTokens: 5}},
		`"temperature":0.5,"top_p":1,"n":3`:                {Request: llm.Request{Temperature: &half, TopP: &one, N: 3}},
		`"stop":"\n"`:                                      {Request: llm.Request{Stop: []string{"\n"}}},
		`"stop":["a","b"]`:                                 {Request: llm.Request{Stop: []string{"a", "b"}}},
		`"stop":[]`:                                        {},
		`"reasoning_effort":"low"`:                         {Request: llm.Request{Effort: "low"}},
		`"parallel_tool_calls":false`:                      {Request: llm.Request{SerialTools: true}},
		`"parallel_tool_calls":true`:                       {},
		`"tool_choice":"none"`:                             {Request: llm.Request{ToolChoice: llm.ToolChoice{Mode: llm.ToolsNone}}},
		`"tool_choice":"any"`:                              {Request: llm.Request{ToolChoice: llm.ToolChoice{Mode: llm.ToolsRequired}}},
		`"function_call":"auto"`:                           {Request: llm.Request{ToolChoice: llm.ToolChoice{Mode: llm.ToolsAuto}}},
		`"function_call":{"name":"f"}`:                     {Request: llm.Request{ToolChoice: llm.ToolChoice{Mode: llm.ToolsNamed, Name: "f"}}},
		`"tool_choice":{"type":"web_search"}`:              {},
		`"response_format":{"type":"json_object"}`:         {Request: llm.Request{ResponseFormat: llm.ResponseFormat{Type: "json_object"}}},
		`"response_format":{"type":"grammar","grammar":0}`: {Request: llm.Request{ResponseFormat: llm.ResponseFormat{Type: "grammar"}}},
		`"seed":1.50e2,"logit_bias":{"1":-100},"modalities":["text"],"what":null`: {},
		`"tool_choice":{"type":"function","function":{"name":"f"}}`: {
			Request: llm.Request{ToolChoice: llm.ToolChoice{Mode: llm.ToolsNamed, Name: "f"}}},
		`"tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"required","tools":[]}}`: {
			Request: llm.Request{ToolChoice: llm.ToolChoice{Mode: llm.ToolsRequired}}},
		`"tools":[{"type":"function","function":{"name":"f","description":"d","parameters":{"a": 1.0},"strict":true}},{"type":"web_search"}]`: {
			Request: llm.Request{Tools: []llm.Tool{{Name: "f", Description: "d", Parameters: []byte(`{"a": 1.0}`), Strict: true}}}},
		`"functions":[{"name":"f","parameters":{}}]`: {Request: llm.Request{Tools: []llm.Tool{{Name: "f", Parameters: []byte(`{}`)}}}},
		`"response_format":{"type":"json_schema","json_schema":{"name":"x","schema":{"type":"object"},"strict":true,"description":"d"}}`: {
			Request: llm.Request{ResponseFormat: llm.ResponseFormat{Type: "json_schema", Name: "x", Schema: []byte(`{"type":"object"}`), Strict: true}}},
	} {
		body := asking(members)
		got := mustParse(t, body)
		want.Model, want.Body, want.Messages = "m", []byte(body), hi
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s\n got %+v\nwant %+v", members, got, want)
		}
	}
}

func TestParseMessages(t *testing.T) {
	t.Parallel()
	call := llm.ToolCall{ID: "c1", Name: "f", Arguments: `{"a":1}`}
	for name, c := range map[string]struct {
		messages []string
		want     []llm.Message
	}{
		"roles": {[]string{`{"role":"system","content":"a"}`, `{"role":"developer","content":"b","name":"n"}`, `{"role":"user","content":""}`},
			[]llm.Message{{Role: "system", Content: "a"}, {Role: "developer", Content: "b", Name: "n"}, {Role: "user"}}},
		"unknown members": {[]string{`{"role":"user","content":"a","cache_control":{"type":"ephemeral"},"name":null}`},
			[]llm.Message{{Role: "user", Content: "a"}}},
		"escapes": {[]string{`{"ro\u006ce":"user","content":"\ud83d\ude00\u0009"}`}, []llm.Message{{Role: "user", Content: "😀\t"}}},
		"texts": {[]string{`{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}`},
			[]llm.Message{{Role: "user", Content: "a\nb", Parts: []llm.Part{{Kind: "text", Text: "a"}, {Kind: "text", Text: "b"}}}}},
		"images": {[]string{`{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://h/a.png","detail":"low"}},` +
			`{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}},{"type":"image_url","image_url":"https://h/b.png"},` +
			`{"type":"image_url","image_url":{"url":"data:,hello"}}]}`},
			[]llm.Message{{Role: "user", Parts: []llm.Part{{Kind: "image", URL: "https://h/a.png", Detail: "low"},
				{Kind: "image", MediaType: "image/png", Data: "AAAA"}, {Kind: "image", URL: "https://h/b.png"}, {Kind: "image", URL: "data:,hello"}}}}},
		"sound and files": {[]string{`{"role":"user","content":[{"type":"input_audio","input_audio":{"data":"AAAA","format":"mp3"}},` +
			`{"type":"file","file":{"filename":"a.pdf","file_data":"data:application/pdf;base64,BBBB"}},{"type":"file","file":{"file_data":"CCCC"}},` +
			`{"type":"file","file":{"file_data":"https://h/a.pdf"}},{"type":"file","file":{"file_id":"file-1"}},{"type":"video_url","video_url":{"url":"x"}}]}`},
			[]llm.Message{{Role: "user", Parts: []llm.Part{{Kind: "audio", MediaType: "audio/mpeg", Data: "AAAA"},
				{Kind: "file", Name: "a.pdf", MediaType: "application/pdf", Data: "BBBB"}, {Kind: "file", Data: "CCCC"},
				{Kind: "file", URL: "https://h/a.pdf"}, {Kind: "file"}, {Kind: "chat/video_url"}}}}},
		"tool calls": {[]string{`{"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}}]}`,
			`{"role":"tool","tool_call_id":"c1","content":"4"}`, `{"role":"tool","tool_call_id":"c1","content":[{"type":"text","text":"5"}]}`},
			[]llm.Message{{Role: "assistant", ToolCalls: []llm.ToolCall{call}}, {Role: "tool", ToolCallID: "c1", Content: "4"},
				{Role: "tool", ToolCallID: "c1", Content: "5", Parts: []llm.Part{{Kind: "text", Text: "5"}}}}},
		"custom tools": {[]string{`{"role":"assistant","tool_calls":[{"id":"c1","type":"custom","custom":{"name":"sh","input":"ls"}}]}`},
			[]llm.Message{{Role: "assistant", ToolCalls: []llm.ToolCall{{ID: "c1", Name: "sh", Arguments: "ls"}}}}},
		"functions, as they once were": {[]string{`{"role":"user","content":"a"}`,
			`{"role":"assistant","content":"wait","function_call":{"name":"f","arguments":"{}"}}`, `{"role":"function","name":"f","content":"4"}`},
			[]llm.Message{{Role: "user", Content: "a"},
				{Role: "assistant", Content: "wait", ToolCalls: []llm.ToolCall{{ID: "call_2", Name: "f", Arguments: "{}"}}},
				{Role: "tool", Name: "f", ToolCallID: "call_2", Content: "4"}}},
		"refusals": {[]string{`{"role":"assistant","refusal":"no"}`, `{"role":"assistant","content":[{"type":"refusal","refusal":"never"}]}`,
			`{"role":"assistant","content":"a","refusal":null}`, `{"role":"assistant","audio":{"id":"x"}}`},
			[]llm.Message{{Role: "assistant", Refusal: "no"}, {Role: "assistant", Refusal: "never", Parts: []llm.Part{}},
				{Role: "assistant", Content: "a"}, {Role: "assistant"}}},
	} {
		if got := mustParse(t, saying(c.messages...)).Messages; !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s\n got %+v\nwant %+v", name, got, c.want)
		}
	}
}

// faultsOf are a body's faults as "field: code".
func faultsOf(t *testing.T, body string) []string {
	t.Helper()
	_, err := chat.Parse([]byte(body))
	if err == nil {
		return nil
	}
	invalid, ok := errors.AsType[*document.InvalidError](err)
	if !ok {
		t.Fatalf("%v is no InvalidError", err)
	}
	var faults []string
	for _, f := range invalid.Faults {
		if f.Message == "" || f.Code == "" {
			t.Errorf("%+v says too little", f)
		}
		faults = append(faults, f.Field+": "+f.Code)
	}
	return faults
}

func TestFaultsAreNamed(t *testing.T) {
	t.Parallel()
	const value, kind, missing = document.CodeValue, document.CodeType, document.CodeMissing
	text := func(part string) string { return saying(`{"role":"user","content":[` + part + `]}`) }
	for body, want := range map[string][]string{
		`{}`:                                               {"model: " + missing, "messages: " + missing},
		`{"model":null,"messages":null}`:                   {"model: " + missing, "messages: " + missing},
		`{"model":7,"messages":{}}`:                        {"model: " + kind, "messages: " + kind},
		`{"model":"","messages":[]}`:                       {"model: " + value, "messages: " + value},
		asking(`"temperature":2.1`):                        {"temperature: " + value},
		asking(`"temperature":"hot"`):                      {"temperature: " + kind},
		asking(`"temperature":1e999`):                      {"temperature: " + value},
		asking(`"temperature":-0.1,"top_p":2`):             {"temperature: " + value, "top_p: " + value},
		asking(`"n":0`):                                    {"n: " + value},
		asking(`"n":1.5`):                                  {"n: " + value},
		asking(`"n":129`):                                  {"n: " + value},
		asking(`"max_tokens":0`):                           {"max_tokens: " + value},
		asking(`"max_tokens":-1`):                          {"max_tokens: " + value},
		asking(`"max_tokens":1e30`):                        {"max_tokens: " + value},
		asking(`"max_tokens":"1"`):                         {"max_tokens: " + kind},
		asking(`"max_tokens":5,"max_completion_tokens":5`): {"max_completion_tokens: " + value},
		asking(`"stream":"yes"`):                           {"stream: " + kind},
		asking(`"stream":1`):                               {"stream: " + kind},
		asking(`"stream_options":[]`):                      {"stream_options: " + kind},
		asking(`"stream_options":{"include_usage":"x"}`):   {"stream_options.include_usage: " + kind},
		asking(`"stream_options":{"include_usage":true,"include_usage":false}`): {"stream_options.include_usage: " + value},
		asking(`"stop":7`):       {"stop: " + kind},
		asking(`"stop":["a",7]`): {"stop[1]: " + kind},
		asking(`"stop":[` + strings.Repeat(`"a",`, 64) + `"a"]`): {"stop: " + value},
		asking(`"user":7`): {"user: " + kind},
		asking(`"user":"` + strings.Repeat("u", 257) + `"`):                                       {"user: " + value},
		asking(`"user":"a\u0000b"`):                                                               {"user: " + value},
		asking(`"metadata":{"a":1}`):                                                              {"metadata.a: " + kind},
		asking(`"metadata":{"a":"1","a":"2"}`):                                                    {"metadata.a: " + value},
		asking(`"metadata":{"` + strings.Repeat("k", 65) + `":""}`):                               {"metadata." + strings.Repeat("k", 64) + "…: " + value},
		asking(`"metadata":{"a":"` + strings.Repeat("é", 513) + `"}`):                             {"metadata.a: " + value},
		asking(`"metadata":{"` + strings.Repeat("é", 65) + `":""}`):                               {"metadata." + strings.Repeat("é", 32) + "…: " + value},
		asking(`"reasoning_effort":""`):                                                           {"reasoning_effort: " + value},
		asking(`"parallel_tool_calls":0`):                                                         {"parallel_tool_calls: " + kind},
		asking(`"response_format":"json"`):                                                        {"response_format: " + kind},
		asking(`"response_format":{}`):                                                            {"response_format.type: " + missing},
		asking(`"response_format":{"type":"json_schema"}`):                                        {"response_format.json_schema.name: " + missing},
		asking(`"response_format":{"type":"json_schema","json_schema":{"name":"x","schema":[]}}`): {"response_format.json_schema.schema: " + kind},
		asking(`"tools":{}`):                                                                      {"tools: " + kind},
		asking(`"tools":[7]`):                                                                     {"tools[0]: " + kind},
		asking(`"tools":[{}]`):                                                                    {"tools[0].type: " + missing},
		asking(`"tools":[{"type":"function"}]`):                                                   {"tools[0].function: " + missing},
		asking(`"tools":[{"type":"x"},{"type":"function","function":{"parameters":7}}]`):          {"tools[1].function.parameters: " + kind, "tools[1].function.name: " + missing},
		asking(`"tools":[],"functions":[{"name":"f"}]`):                                           {"functions: " + value},
		asking(`"functions":[{"name":"f","strict":1}]`):                                           {"functions[0].strict: " + kind},
		asking(`"tool_choice":"maybe"`):                                                           {"tool_choice: " + value},
		asking(`"tool_choice":7`):                                                                 {"tool_choice: " + kind},
		asking(`"tool_choice":{"type":"function","function":{}}`):                                 {"tool_choice.function.name: " + missing},
		asking(`"function_call":{}`):                                                              {"function_call.name: " + missing},

		saying(`7`):                                   {"messages[0]: " + kind},
		saying(`{}`):                                  {"messages[0].role: " + missing},
		saying(`{"role":"bot","content":""}`):         {"messages[0].role: " + value},
		saying(`{"role":"user"}`):                     {"messages[0].content: " + missing},
		saying(`{"role":"user","content":null}`):      {"messages[0].content: " + missing},
		saying(`{"role":"assistant","content":null}`): {"messages[0].content: " + missing},
		saying(`{"role":"user","content":"hi"}`, `{"role":"user","content":7}`, `{"role":7,"content":""}`): {"messages[1].content: " + kind, "messages[2].role: " + kind},
		saying(`{"role":"user","content":"a","content":"b"}`):                                              {"messages[0].content: " + value},
		saying(`{"role":"user","content":"\ud83d"}`):                                                       {"messages[0].content: " + value},
		saying(`{"role":"user","content":"\ude00\ud83d"}`):                                                 {"messages[0].content: " + value},
		saying(`{"role":"user","content":"\\\u0000"}`):                                                     {"messages[0].content: " + value},
		saying(`{"role":"user","content":[]}`):                                                             {"messages[0].content: " + value},
		saying(`{"role":"user","content":"a","name":""}`):                                                  {"messages[0].name: " + value},
		saying(`{"role":"tool","content":"a"}`):                                                            {"messages[0].tool_call_id: " + missing},
		saying(`{"role":"function","name":"f","content":"a"}`):                                             {"messages[0].role: " + value},
		saying(`{"role":"assistant","tool_calls":[]}`):                                                     {"messages[0].tool_calls: " + value},
		saying(`{"role":"assistant","tool_calls":[{"id":"a"}]}`):                                           {"messages[0].tool_calls[0].function: " + missing},
		saying(`{"role":"assistant","tool_calls":[{"id":"a","function":{"name":"f","arguments":{}}}]}`):    {"messages[0].tool_calls[0].function.arguments: " + kind},
		saying(`{"role":"assistant","function_call":{"name":"f"}}`):                                        {"messages[0].function_call.arguments: " + missing},
		text(`7`):               {"messages[0].content[0]: " + kind},
		text(`{}`):              {"messages[0].content[0].type: " + missing},
		text(`{"type":"text"}`): {"messages[0].content[0].text: " + kind},
		text(`{"type":"image_url","image_url":{}}`):                  {"messages[0].content[0].image_url.url: " + missing},
		text(`{"type":"image_url","image_url":{"url":""}}`):          {"messages[0].content[0].image_url.url: " + value},
		text(`{"type":"image_url"}`):                                 {"messages[0].content[0].image_url: " + kind},
		text(`{"type":"input_audio","input_audio":{"data":"A"}}`):    {"messages[0].content[0].input_audio.format: " + missing},
		text(`{"type":"text","text":"a"},{"type":"file","file":{}}`): {"messages[0].content[1].file.file_data: " + missing},
	} {
		if got := faultsOf(t, body); !reflect.DeepEqual(got, want) {
			t.Errorf("%s\n got %q\nwant %q", body, got, want)
		}
	}
}

// TestNoTwoReadings: what another parser could read differently is refused.
func TestNoTwoReadings(t *testing.T) {
	t.Parallel()
	for members, field := range map[string]string{
		`"model":"secret"`:              "model",
		`"mod\u0065l":"secret"`:         "model",
		`"Model":"secret"`:              "Model",
		`"MODEL":null`:                  "MODEL",
		`"seed":1,"seed":2`:             "seed",
		`"x":1,"X":2`:                   "X",
		`"Max_Tokens":100000`:           "Max_Tokens",
		`"ſtream":true`:                 "ſtream", // a long s, which is an S to those who fold
		`"to\u212a":1,"tok":2`:          "tok",    // a Kelvin sign
		`"messages":[],"messages":[{}]`: "messages",
		`"stream":false,"stream":true`:  "stream",
		`"max_tokens":1,"max_tokens":2`: "max_tokens",
	} {
		_, err := chat.Parse([]byte(asking(members)))
		invalid, ok := errors.AsType[*document.InvalidError](err)
		if !ok || len(invalid.Faults) == 0 || invalid.Faults[0].Field != field {
			t.Errorf("%s: %v", members, err)
		}
	}
}

func TestBodiesThatCannotBeRead(t *testing.T) {
	t.Parallel()
	nested := func(n int) string { return asking(`"x":` + strings.Repeat("[", n) + strings.Repeat("]", n)) }
	for name, body := range map[string]string{
		"empty": "", "blank": " \n", "null": "null", "a list": "[]", "a string": `"x"`, "cut": asking("")[:40], "more": asking("") + "{}",
		"NaN": asking(`"temperature":NaN`), "Infinity": asking(`"temperature":Infinity`), "a leading zero": asking(`"n":01`), "hexadecimal": asking(`"n":0x1`),
		"not UTF-8": asking(`"user":"` + "\xff" + `"`), "half a sign": asking(`"user":"` + "\xed\xa0\xbd" + `"`), "a raw NUL": asking("\"user\":\"\x00\""),
		"a raw line break": asking("\"user\":\"\n\""), "a mark before it": "\ufeff" + asking(""),
		"nested too deeply": nested(129), "brackets": strings.Repeat("[", 1<<20), "braces": strings.Repeat(`{"a":`, 1<<20), "after a string": `{"a":"\\","b":` + strings.Repeat("[", 1<<20),
	} {
		_, err := chat.Parse([]byte(body))
		invalid, ok := errors.AsType[*document.InvalidError](err)
		if !ok || len(invalid.Faults) != 1 || invalid.Faults[0].Field != "" || invalid.Faults[0].Code != document.CodeJSON || len(err.Error()) > 200 {
			t.Errorf("%s: %v", name, err)
		}
	}
	mustParse(t, nested(127))
	mustParse(t, asking(`"x":"`+strings.Repeat(`[{\"`, 1000)+`"`))
}

func TestFaultsAreBounded(t *testing.T) {
	t.Parallel()
	_, err := chat.Parse([]byte(saying(strings.TrimSuffix(strings.Repeat(`{"role":"`+strings.Repeat("x", 1000)+`"},`, 2000), ","))))
	invalid, ok := errors.AsType[*document.InvalidError](err)
	if !ok || len(invalid.Faults) != 100 || invalid.More != 1900 || len(fmt.Sprint(invalid.Faults)) > 50_000 || len(err.Error()) > 1000 {
		t.Errorf("%d faults, %d more: %.300v", len(invalid.Faults), invalid.More, err)
	}
	if !strings.Contains(err.Error(), "and 1997 more") {
		t.Errorf("%v", err)
	}
}
