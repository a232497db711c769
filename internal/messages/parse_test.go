package messages_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/busuhq/busu/internal/document"
	"github.com/busuhq/busu/internal/llm"
	"github.com/busuhq/busu/internal/messages"
)

// around puts members around the least that a request needs.
func around(members string) string {
	return `{"model":"m","max_tokens":5,"messages":[{"role":"user","content":"hi"}],` + members + `}`
}

// saying has the given messages.
func saying(list string) string {
	return `{"model":"m","max_tokens":5,"messages":` + list + `}`
}

func share(f float64) *float64 { return &f }

func TestParseReadsFields(t *testing.T) {
	t.Parallel()
	hi := llm.Message{Role: llm.RoleUser, Content: "hi"}
	for name, c := range map[string]struct {
		body string
		want func(*messages.Parsed)
	}{
		"least":    {saying(`[{"role":"user","content":"hi"}]`), func(*messages.Parsed) {}},
		"unknown":  {around(`"container":{"id":7},"top_k":5,"service_tier":"auto","thinking":{"type":"adaptive"}`), func(*messages.Parsed) {}},
		"nulls":    {around(`"temperature":null,"system":null,"metadata":null,"tools":null,"stream":null`), func(*messages.Parsed) {}},
		"limits":   {around(`"temperature":0,"top_p":0.5,"stop_sequences":["a","b"]`), func(p *messages.Parsed) { p.Temperature, p.TopP, p.Stop = share(0), share(.5), []string{"a", "b"} }},
		"stream":   {around(`"stream":true`), func(p *messages.Parsed) { p.Stream = true }},
		"a user":   {around(`"metadata":{"user_id":"u-1","more":[1]}`), func(p *messages.Parsed) { p.User = "u-1" }},
		"a system": {around(`"system":"be brief"`), func(p *messages.Parsed) { p.Messages = []llm.Message{{Role: llm.RoleSystem, Content: "be brief"}, hi} }},
		"a system in blocks": {around(`"system":[{"type":"text","text":"a","cache_control":{"type":"ephemeral"}},{"type":"text","text":"b"}]`),
			func(p *messages.Parsed) { p.Messages = []llm.Message{{Role: llm.RoleSystem, Content: "a\nb"}, hi} }},
		"tools": {around(`"tools":[{"name":"f","description":"d","input_schema":{"type":"object"},"strict":true},{"type":"custom","name":"g"},{"type":"web_search_20260209","name":"web_search"}]`),
			func(p *messages.Parsed) {
				p.Tools = []llm.Tool{{Name: "f", Description: "d", Parameters: json.RawMessage(`{"type":"object"}`), Strict: true}, {Name: "g"}}
			}},
		"a choice":     {around(`"tool_choice":{"type":"any","disable_parallel_tool_use":true}`), func(p *messages.Parsed) { p.ToolChoice.Mode, p.SerialTools = llm.ToolsRequired, true }},
		"a named tool": {around(`"tool_choice":{"type":"tool","name":"f"}`), func(p *messages.Parsed) { p.ToolChoice = llm.ToolChoice{Mode: llm.ToolsNamed, Name: "f"} }},
		"an output": {around(`"output_config":{"effort":"low","format":{"type":"json_schema","schema":{"type":"object"}}}`), func(p *messages.Parsed) {
			p.Effort = "low"
			p.ResponseFormat = llm.ResponseFormat{Type: llm.ResponseJSONSchema, Name: "answer", Strict: true, Schema: json.RawMessage(`{"type":"object"}`)}
		}},
		"no tokens at all": {strings.Replace(around(`"system":""`), `:5,`, `:0,`, 1), func(p *messages.Parsed) { p.MaxTokens = 0 }},
		"pictures": {saying(`[{"role":"user","content":[{"type":"text","text":"look"},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AA=="}},` +
			`{"type":"image","source":{"type":"url","url":"https://x/y.png"}},{"type":"image","source":{"type":"file","file_id":"f1"}}]}]`), func(p *messages.Parsed) {
			p.Messages = []llm.Message{{Role: llm.RoleUser, Content: "look", Parts: []llm.Part{{Kind: llm.PartText, Text: "look"},
				{Kind: llm.PartImage, MediaType: "image/png", Data: "AA=="}, {Kind: llm.PartImage, URL: "https://x/y.png"}, {Kind: "messages/file"}}}}
		}},
		"documents": {saying(`[{"role":"user","content":[{"type":"document","title":"T","source":{"type":"base64","media_type":"application/pdf","data":"AA=="}},` +
			`{"type":"document","source":{"type":"text","media_type":"text/plain","data":"hey"}},{"type":"search_result","content":[]}]}]`), func(p *messages.Parsed) {
			p.Messages = []llm.Message{{Role: llm.RoleUser, Parts: []llm.Part{{Kind: llm.PartFile, Name: "T", MediaType: "application/pdf", Data: "AA=="},
				{Kind: llm.PartFile, MediaType: "text/plain", Data: "aGV5"}, {Kind: "messages/search_result"}}}}
		}},
		"calls and results": {saying(`[{"role":"user","content":"hi"},{"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"x"},{"type":"text","text":"wait"},` +
			`{"type":"tool_use","id":"t1","name":"f","input":{ "a" : 1 }},{"type":"tool_use","id":"t2","name":"g","input":{}}]},` +
			`{"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","content":"sun","is_error":true},{"type":"tool_result","tool_use_id":"t2","content":[{"type":"text","text":"x"}]},` +
			`{"type":"tool_result","tool_use_id":"t3"},{"type":"text","text":"so?"}]}]`), func(p *messages.Parsed) {
			p.Messages = []llm.Message{hi,
				{Role: llm.RoleAssistant, Content: "wait", Parts: []llm.Part{{Kind: llm.PartText, Text: "wait"}},
					ToolCalls: []llm.ToolCall{{ID: "t1", Name: "f", Arguments: `{"a":1}`}, {ID: "t2", Name: "g", Arguments: "{}"}}},
				{Role: llm.RoleTool, ToolCallID: "t1", Content: "sun"},
				{Role: llm.RoleTool, ToolCallID: "t2", Content: "x", Parts: []llm.Part{{Kind: llm.PartText, Text: "x"}}},
				{Role: llm.RoleTool, ToolCallID: "t3"},
				{Role: llm.RoleUser, Content: "so?", Parts: []llm.Part{{Kind: llm.PartText, Text: "so?"}}}}
		}},
		"results alone": {saying(`[{"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","content":"sun"}]}]`), func(p *messages.Parsed) {
			p.Messages = []llm.Message{{Role: llm.RoleTool, ToolCallID: "t1", Content: "sun"}}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := messages.Parsed{Request: llm.Request{Format: llm.FormatMessages, Model: "m", Body: []byte(c.body), MaxTokens: 5, Messages: []llm.Message{hi}}}
			c.want(&want)
			if got, err := messages.Parse([]byte(c.body)); err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("got %+v, %v\nwant %+v", got, err, want)
			}
		})
	}
}

func TestParseNamesTheField(t *testing.T) {
	t.Parallel()
	for body, want := range map[string][]string{
		``: {""}, `[]`: {""}, `{"model":`: {""}, "{\"model\":\"\xff\"}": {""},
		`{}`:                                   {"model", "messages", "max_tokens"},
		`{"model":null}`:                       {"model", "messages", "max_tokens"},
		around(`"model":"other"`):              {"model"},
		around(`"Model":"other"`):              {"Model"},
		around(`"unknown":1,"unknown":2`):      {"unknown"},
		around(`"stream":"true"`):              {"stream"},
		around(`"temperature":1.5`):            {"temperature"},
		around(`"top_p":"x","temperature":-1`): {"top_p", "temperature"},
		around(`"stop_sequences":["a",7]`):     {"stop_sequences[1]"},
		around(`"system":[{"type":"text"}]`):   {"system[0].text"},
		around(`"system":7`):                   {"system"},
		around(`"metadata":{"user_id":7}`):     {"metadata.user_id"},
		around(`"metadata":{"user_id":"` + strings.Repeat("x", 257) + `"}`): {"metadata.user_id"},
		around(`"tools":[{"description":"d"}]`):                             {"tools[0].name"},
		around(`"tools":[{"name":"f","input_schema":[]}]`):                  {"tools[0].input_schema"},
		around(`"tool_choice":{}`):                                          {"tool_choice.type"},
		around(`"tool_choice":{"type":"some"}`):                             {"tool_choice.type"},
		around(`"tool_choice":{"type":"tool"}`):                             {"tool_choice.name"},
		around(`"output_config":{"format":{"schema":1}}`):                   {"output_config.format.schema"},
		strings.Replace(around(`"a":1`), `:5,`, `:-1,`, 1):                  {"max_tokens"},
		strings.Replace(around(`"a":1`), `:5,`, `:1.5,`, 1):                 {"max_tokens"},
		strings.Replace(around(`"a":1`), `:5,`, `:"5",`, 1):                 {"max_tokens"},
		saying(`[]`):                                                                        {"messages"},
		saying(`"hi"`):                                                                      {"messages"},
		saying(`["hi"]`):                                                                    {"messages[0]"},
		saying(`[{"role":"user"}]`):                                                         {"messages[0].content"},
		saying(`[{"content":"x"}]`):                                                         {"messages[0].role"},
		saying(`[{"role":"x","content":"x"}]`):                                              {"messages[0].role"},
		saying(`[{"role":"user","content":7}]`):                                             {"messages[0].content"},
		saying(`[{"role":"user","content":"x","content":"y"}]`):                             {"messages[0].content"},
		saying(`[{"role":"user","content":"a\u0000"}]`):                                     {"messages[0].content"},
		saying(`[{"role":"user","content":["x"]}]`):                                         {"messages[0].content[0]"},
		saying(`[{"role":"user","content":[{"text":"x"}]}]`):                                {"messages[0].content[0].type"},
		saying(`[{"role":"user","content":[{"type":"text","text":7}]}]`):                    {"messages[0].content[0].text"},
		saying(`[{"role":"user","content":[{"type":"image"}]}]`):                            {"messages[0].content[0].source"},
		saying(`[{"role":"user","content":[{"type":"image","source":7}]}]`):                 {"messages[0].content[0].source"},
		saying(`[{"role":"user","content":[{"type":"image","source":{"type":"base64"}}]}]`): {"messages[0].content[0].source.media_type", "messages[0].content[0].source.data"},
		saying(`[{"role":"user","content":"x"},{"role":"assistant","content":[{"type":"tool_use","name":"f"}]}]`):           {"messages[1].content[0].id", "messages[1].content[0].input"},
		saying(`[{"role":"user","content":[{"type":"tool_result","content":[{"type":"text"}]}]}]`):                          {"messages[0].content[0].tool_use_id", "messages[0].content[0].content[0].text"},
		saying(`[{"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":[{"type":"tool_result"}]}]}]`): {"messages[0].content[0].content[0].type"},
	} {
		_, err := messages.Parse([]byte(body))
		invalid, ok := errors.AsType[*document.InvalidError](err)
		if !ok {
			t.Errorf("%.80s: %v", body, err)
			continue
		}
		var got []string
		for _, f := range invalid.Faults {
			got = append(got, f.Field)
			if f.Message == "" || len(f.Field) > 200 {
				t.Errorf("%.80s: the fault %+v says nothing, or too much", body, f)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%.80s: found %q, want %q: %v", body, got, want, err)
		}
	}
}

// TestManyFaults: an answer to nonsense stays short.
func TestManyFaults(t *testing.T) {
	t.Parallel()
	_, err := messages.Parse([]byte(saying(`[` + strings.TrimSuffix(strings.Repeat("7,", 1000), ",") + `]`)))
	invalid, ok := errors.AsType[*document.InvalidError](err)
	if !ok || len(invalid.Faults) != 100 || invalid.More != 900 || len(err.Error()) > 300 || !strings.Contains(err.Error(), "and 997 more") {
		t.Errorf("%v", err)
	}
}

// FuzzParse: whatever comes is refused, or goes on with another model and
// means the same as before.
func FuzzParse(f *testing.F) {
	f.Add([]byte(around(`"system":"x","stream":true`)))
	f.Add([]byte(saying(`[{"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","content":"sun"},{"type":"image","source":{"type":"url","url":"u"}}]}]`)))
	f.Add([]byte(` { "model" : "m" , "max_tokens":1e2,"messages":[{"content":"é","role":"assistant"}],"x":{"model":1} } `))
	f.Fuzz(func(t *testing.T, body []byte) {
		p, err := messages.Parse(body)
		if err != nil {
			return
		}
		r := p.Request
		r.Model = "another"
		if p.Stream {
			r.Emit = func(llm.Chunk) error { return nil }
		}
		sent, err := messages.Upstream(r, 0)
		if err != nil {
			t.Fatal(err)
		}
		again, err := messages.Parse(sent)
		if err != nil || again.Model != "another" {
			t.Fatalf("%v: %s", err, sent)
		}
		again.Model, again.Body, p.Body = p.Model, nil, nil
		if !reflect.DeepEqual(again, p) {
			t.Fatalf("%+v became %+v", p, again)
		}
	})
}
