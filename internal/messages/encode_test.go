package messages_test

import (
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/busuhq/busu/internal/llm"
	"github.com/busuhq/busu/internal/messages"
)

const hi = `"messages":[{"role":"user","content":[{"type":"text","text":"hi"}]}]`

func asked() llm.Request {
	return llm.Request{Model: "claude-sonnet-4-5", MaxTokens: 50, Messages: []llm.Message{{Role: llm.RoleUser, Content: "hi"}}}
}

func user(text string) llm.Message      { return llm.Message{Role: llm.RoleUser, Content: text} }
func assistant(text string) llm.Message { return llm.Message{Role: llm.RoleAssistant, Content: text} }

func said(parts ...llm.Part) []llm.Message { return []llm.Message{{Role: llm.RoleUser, Parts: parts}} }

func TestTranslated(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*llm.Request)
		want   string // the members after the model
	}{
		"least":          {func(*llm.Request) {}, `"max_tokens":50,` + hi},
		"streamed":       {func(r *llm.Request) { r.Emit = func(llm.Chunk) error { return nil } }, `"max_tokens":50,` + hi + `,"stream":true`},
		"hot":            {func(r *llm.Request) { r.Temperature = share(1.7) }, `"max_tokens":50,` + hi + `,"temperature":1`},
		"cold":           {func(r *llm.Request) { r.Temperature = share(0) }, `"max_tokens":50,` + hi + `,"temperature":0`},
		"top":            {func(r *llm.Request) { r.TopP = share(.5) }, `"max_tokens":50,` + hi + `,"top_p":0.5`},
		"both":           {func(r *llm.Request) { r.Temperature, r.TopP = share(.5), share(.9) }, `"max_tokens":50,` + hi + `,"temperature":0.5`},
		"the default":    {func(r *llm.Request) { r.Temperature, r.TopP = share(1), share(.9) }, `"max_tokens":50,` + hi + `,"top_p":0.9`},
		"stops":          {func(r *llm.Request) { r.Stop = []string{"a", "b"} }, `"max_tokens":50,` + hi + `,"stop_sequences":["a","b"]`},
		"no limit":       {func(r *llm.Request) { r.MaxTokens = 0 }, `"max_tokens":4096,` + hi},
		"plain text":     {func(r *llm.Request) { r.ResponseFormat.Type = llm.ResponseText }, `"max_tokens":50,` + hi},
		"any JSON":       {func(r *llm.Request) { r.ResponseFormat.Type = llm.ResponseJSON }, `"max_tokens":50,"system":"Answer with a single JSON object and nothing around it.",` + hi},
		"another's body": {func(r *llm.Request) { r.Body = []byte(`{"n":7}`) }, `"max_tokens":50,` + hi},
		"systems": {func(r *llm.Request) {
			r.Messages = []llm.Message{{Role: llm.RoleSystem, Content: "a"}, user("hi"), {Role: llm.RoleDeveloper, Content: "b"}}
		}, `"max_tokens":50,"system":"a\n\nb",` + hi},
		"a system alone": {func(r *llm.Request) { r.Messages = []llm.Message{{Role: llm.RoleSystem, Content: "hi"}} }, `"max_tokens":50,` + hi},
		"turns": {func(r *llm.Request) {
			r.Messages = []llm.Message{user("hi"), user(" \n"), user("you"), assistant("a"), {Role: llm.RoleAssistant, Refusal: "no"}, user("b")}
		}, `"max_tokens":50,"messages":[{"role":"user","content":[{"type":"text","text":"hi"},{"type":"text","text":"you"}]},` +
			`{"role":"assistant","content":[{"type":"text","text":"a"},{"type":"text","text":"no"}]},{"role":"user","content":[{"type":"text","text":"b"}]}]`},
		"calls and results": {func(r *llm.Request) {
			r.Messages = []llm.Message{user("hi"), {Role: llm.RoleAssistant, ToolCalls: []llm.ToolCall{{ID: "f.g:0", Name: "f", Arguments: `{"a": 1}`}, {ID: "t2", Name: "g"}}},
				{Role: llm.RoleTool, ToolCallID: "f.g:0", Content: "sun"}, {Role: llm.RoleTool, ToolCallID: "t2"}, user("so?")}
		}, `"max_tokens":50,"messages":[{"role":"user","content":[{"type":"text","text":"hi"}]},` +
			`{"role":"assistant","content":[{"type":"tool_use","id":"f_g_0","name":"f","input":{"a":1}},{"type":"tool_use","id":"t2","name":"g","input":{}}]},` +
			`{"role":"user","content":[{"type":"tool_result","tool_use_id":"f_g_0","content":[{"type":"text","text":"sun"}]},{"type":"tool_result","tool_use_id":"t2"},{"type":"text","text":"so?"}]}]`},
		"parts": {func(r *llm.Request) {
			r.Messages = said(llm.Part{Kind: llm.PartText, Text: "a"}, llm.Part{Kind: llm.PartText}, llm.Part{Kind: llm.PartImage, MediaType: "image/png", Data: "AA=="},
				llm.Part{Kind: llm.PartImage, URL: "https://x/y"}, llm.Part{Kind: llm.PartFile, Name: "T", MediaType: "application/pdf", Data: "AA=="},
				llm.Part{Kind: llm.PartFile, Name: "u.PDF", Data: "AA=="}, llm.Part{Kind: llm.PartFile, MediaType: "text/csv; charset=utf-8", Data: "aGV5"},
				llm.Part{Kind: llm.PartFile, URL: "https://x/z.pdf"})
		}, `"max_tokens":50,"messages":[{"role":"user","content":[{"type":"text","text":"a"},` +
			`{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AA=="}},{"type":"image","source":{"type":"url","url":"https://x/y"}},` +
			`{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"AA=="},"title":"T"},` +
			`{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"AA=="},"title":"u.PDF"},` +
			`{"type":"document","source":{"type":"text","media_type":"text/plain","data":"hey"}},{"type":"document","source":{"type":"url","url":"https://x/z.pdf"}}]}]`},
		"tools": {func(r *llm.Request) {
			r.Tools = []llm.Tool{{Name: "f", Description: "d", Parameters: json.RawMessage(`{"type":"object"}`), Strict: true}, {Name: "g", Parameters: json.RawMessage(`{}`)}}
			r.ToolChoice.Mode = llm.ToolsAuto
		}, `"max_tokens":50,` + hi + `,"tools":[{"name":"f","description":"d","input_schema":{"type":"object"},"strict":true},{"name":"g","input_schema":{"type":"object","properties":{}}}],"tool_choice":{"type":"auto"}`},
		"a tool, no choice": {func(r *llm.Request) { r.Tools = []llm.Tool{{Name: "g"}} },
			`"max_tokens":50,` + hi + `,"tools":[{"name":"g","input_schema":{"type":"object","properties":{}}}]`},
		"one at a time": {func(r *llm.Request) { r.Tools, r.SerialTools = []llm.Tool{{Name: "g"}}, true },
			`"max_tokens":50,` + hi + `,"tools":[{"name":"g","input_schema":{"type":"object","properties":{}}}],"tool_choice":{"type":"auto","disable_parallel_tool_use":true}`},
		"serial without tools": {func(r *llm.Request) { r.SerialTools = true }, `"max_tokens":50,` + hi},
		"none":                 {func(r *llm.Request) { r.ToolChoice.Mode, r.SerialTools = llm.ToolsNone, true }, `"max_tokens":50,` + hi + `,"tool_choice":{"type":"none"}`},
		"some":                 {func(r *llm.Request) { r.ToolChoice.Mode = llm.ToolsRequired }, `"max_tokens":50,` + hi + `,"tool_choice":{"type":"any"}`},
		"this one":             {func(r *llm.Request) { r.ToolChoice = llm.ToolChoice{Mode: llm.ToolsNamed, Name: "f"} }, `"max_tokens":50,` + hi + `,"tool_choice":{"type":"tool","name":"f"}`},
		"a schema": {func(r *llm.Request) {
			r.ResponseFormat = llm.ResponseFormat{Type: llm.ResponseJSONSchema, Name: "n", Schema: json.RawMessage(`{"type":"object","properties":{}}`)}
		}, `"max_tokens":50,` + hi + `,"output_config":{"format":{"type":"json_schema","schema":{"type":"object","properties":{},"additionalProperties":false}}}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := asked()
			c.change(&r)
			got, err := messages.Upstream(r, 0)
			if want := `{"model":"claude-sonnet-4-5",` + c.want + `}`; err != nil || string(got) != want {
				t.Errorf("%v\n got %s\nwant %s", err, got, want)
			}
		})
	}
}

// TestGenerations: what models of one age insist on, those of another refuse.
func TestGenerations(t *testing.T) {
	t.Parallel()
	tool := []llm.Tool{{Name: "g"}}
	for _, c := range []struct {
		models string
		change func(*llm.Request)
		want   string // members, in their order; "" where there are none
	}{
		{"claude-3-5-haiku-20241022 claude-3-7-sonnet-20250219 claude-opus-4-20250514 claude-opus-4-1@20250805 anthropic/claude-haiku-4.5 claude-sonnet-4-6",
			func(r *llm.Request) { r.Temperature = share(.5) }, `"temperature":0.5`},
		{"claude-opus-4-7 claude-opus-4-8 claude-sonnet-5 claude-haiku-5-5 claude-opus-5-5 claude-mythos-preview claude-opus-10",
			func(r *llm.Request) { r.Temperature = share(.5) }, ``},
		{"claude-opus-4-7 claude-sonnet-5", func(r *llm.Request) { r.TopP = share(.5) }, ``},
		{"claude-sonnet-4-6", func(r *llm.Request) { r.MaxTokens = 0 }, `"max_tokens":4096`},
		{"claude-sonnet-5 claude-haiku-5-5 claude-mythos-preview", func(r *llm.Request) { r.MaxTokens = 0 }, `"max_tokens":16384`},

		{"claude-3-5-haiku-20241022", func(r *llm.Request) { r.Effort = "high" }, ``},
		{"claude-3-7-sonnet-20250219 claude-haiku-4-5 claude-opus-4-5", func(r *llm.Request) { r.Effort, r.MaxTokens = "low", 10_000 }, `"thinking":{"type":"enabled","budget_tokens":2000}`},
		{"claude-haiku-4-5", func(r *llm.Request) { r.Effort, r.MaxTokens = "high", 100_000 }, `"thinking":{"type":"enabled","budget_tokens":32000}`},
		{"claude-haiku-4-5", func(r *llm.Request) { r.Effort, r.MaxTokens = "minimal", 2048 }, `"thinking":{"type":"enabled","budget_tokens":1024}`},
		{"claude-haiku-4-5", func(r *llm.Request) { r.Effort, r.MaxTokens = "high", 2047 }, ``},
		{"claude-haiku-4-5 claude-sonnet-4-6 claude-opus-4-8", func(r *llm.Request) { r.Effort, r.MaxTokens = "none", 4000 }, ``},
		{"claude-haiku-4-5", func(r *llm.Request) { r.Effort, r.MaxTokens, r.Temperature = "medium", 4000, share(.5) }, `"thinking":{"type":"enabled","budget_tokens":2000}`},
		{"claude-haiku-4-5", func(r *llm.Request) {
			r.Effort, r.MaxTokens, r.Tools, r.ToolChoice.Mode = "high", 4000, tool, llm.ToolsRequired
		}, `"tool_choice":{"type":"any"}`},
		{"claude-haiku-4-5", func(r *llm.Request) {
			r.Effort, r.MaxTokens = "high", 4000
			r.Messages = append(r.Messages, llm.Message{Role: llm.RoleAssistant, ToolCalls: []llm.ToolCall{{ID: "t", Name: "g"}}}, llm.Message{Role: llm.RoleTool, ToolCallID: "t"})
		}, ``},

		{"claude-sonnet-4-6", func(r *llm.Request) { r.Effort, r.Temperature = "xhigh", share(.5) }, `"thinking":{"type":"adaptive"},"output_config":{"effort":"high"}`},
		{"claude-opus-4-7 claude-sonnet-5 claude-mythos-preview", func(r *llm.Request) { r.Effort = "xhigh" }, `"thinking":{"type":"adaptive"},"output_config":{"effort":"xhigh"}`},
		{"claude-opus-5-5", func(r *llm.Request) { r.Effort = "minimal" }, `"thinking":{"type":"adaptive"},"output_config":{"effort":"low"}`},
		{"claude-opus-5-5 claude-sonnet-5", func(r *llm.Request) { r.Effort = "none" }, `"output_config":{"effort":"low"}`},
		{"claude-sonnet-5", func(r *llm.Request) { r.Effort, r.ToolChoice.Mode = "high", llm.ToolsRequired }, `"tool_choice":{"type":"any"},"output_config":{"effort":"high"}`},
	} {
		for model := range strings.FieldsSeq(c.models) {
			r := asked()
			r.Model = model
			c.change(&r)
			got, err := messages.Upstream(r, 0)
			if err != nil {
				t.Fatal(err)
			}
			if members := differing(t, got, r); members != c.want {
				t.Errorf("%s: got %s, want %s", model, members, c.want)
			}
		}
	}
}

// differing gives the members that generations differ in.
func differing(t *testing.T, body []byte, r llm.Request) string {
	t.Helper()
	var w struct {
		MaxTokens    json.RawMessage `json:"max_tokens"`
		Temperature  json.RawMessage `json:"temperature"`
		TopP         json.RawMessage `json:"top_p"`
		ToolChoice   json.RawMessage `json:"tool_choice"`
		Thinking     json.RawMessage `json:"thinking"`
		OutputConfig json.RawMessage `json:"output_config"`
	}
	if err := json.Unmarshal(body, &w); err != nil {
		t.Fatal(err)
	}
	if r.MaxTokens != 0 {
		w.MaxTokens = nil
	}
	var members []string
	for i := range reflect.TypeOf(w).NumField() {
		if raw := reflect.ValueOf(w).Field(i).Bytes(); raw != nil {
			members = append(members, `"`+reflect.TypeOf(w).Field(i).Tag.Get("json")+`":`+string(raw))
		}
	}
	return strings.Join(members, ",")
}

func TestTheDefaultLimit(t *testing.T) {
	t.Parallel()
	r := asked()
	r.MaxTokens = 0
	if got, err := messages.Upstream(r, 777); err != nil || !strings.Contains(string(got), `"max_tokens":777,`) {
		t.Errorf("%s, %v", got, err)
	}
}

func TestWhatHasNoWordsIsRefused(t *testing.T) {
	t.Parallel()
	for says, change := range map[string]func(*llm.Request){
		"one answer":    func(r *llm.Request) { r.N = 2 },
		`role "oracle"`: func(r *llm.Request) { r.Messages[0].Role = "oracle" },
		"message 1":     func(r *llm.Request) { r.Messages = said(llm.Part{Kind: llm.PartAudio, Data: "AA=="}) },
		"hologram":      func(r *llm.Request) { r.Messages = said(llm.Part{Kind: "messages/hologram"}) },
		"neither":       func(r *llm.Request) { r.Messages = said(llm.Part{Kind: llm.PartImage}) },
		"media type":    func(r *llm.Request) { r.Messages = said(llm.Part{Kind: llm.PartImage, Data: "AA=="}) },
		"PDFs": func(r *llm.Request) {
			r.Messages = said(llm.Part{Kind: llm.PartFile, MediaType: "application/zip", Data: "AA=="})
		},
		"base64": func(r *llm.Request) {
			r.Messages = said(llm.Part{Kind: llm.PartFile, MediaType: "text/plain", Data: "%"})
		},
		"JSON object": func(r *llm.Request) {
			r.Messages[0] = llm.Message{Role: llm.RoleAssistant, ToolCalls: []llm.ToolCall{{ID: "t", Name: "f", Arguments: "[]"}}}
		},
		"effort": func(r *llm.Request) { r.Effort = "heroic" },
		"format": func(r *llm.Request) { r.ResponseFormat.Type = "grammar" },
		"schema": func(r *llm.Request) { r.ResponseFormat.Type = llm.ResponseJSONSchema },
		"too deeply": func(r *llm.Request) {
			r.ResponseFormat = llm.ResponseFormat{Type: llm.ResponseJSONSchema, Schema: deep(200)}
		},
		"unsupported":    func(r *llm.Request) { r.TopP = share(math.NaN()) },
		"not a JSON obj": func(r *llm.Request) { r.Format, r.Body = llm.FormatMessages, []byte("[]") },
	} {
		r := asked()
		change(&r)
		if got, err := messages.Upstream(r, 0); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %s, %v", says, got, err)
		}
	}
}

func deep(levels int) json.RawMessage {
	return json.RawMessage(strings.Repeat(`{"items":`, levels) + `{}` + strings.Repeat(`}`, levels))
}

func TestSchemasAreClosed(t *testing.T) {
	t.Parallel()
	for schema, want := range map[string]string{
		`{}`:                         `{}`,
		`true`:                       `true`,
		`{"type":"string"}`:          `{"type":"string"}`,
		`{ "type" : "object" }`:      `{"type":"object","additionalProperties":false}`,
		`{"type":["object","null"]}`: `{"type":["object","null"],"additionalProperties":false}`,
		`{"type":"object","additionalProperties":true}`:                                      `{"type":"object","additionalProperties":true}`,
		`{"properties":{}}`:                                                                  `{"properties":{},"additionalProperties":false}`,
		`{"type":"object","properties":{"type":{"type":"object"},"b":{}}}`:                   `{"type":"object","properties":{"type":{"type":"object","additionalProperties":false},"b":{}},"additionalProperties":false}`,
		`{"type":"array","items":{"type":"object"}}`:                                         `{"type":"array","items":{"type":"object","additionalProperties":false}}`,
		`{"anyOf":[{"type":"object"},{"$ref":"#/$defs/a"}],"$defs":{"a":{"type":"object"}}}`: `{"anyOf":[{"type":"object","additionalProperties":false},{"$ref":"#/$defs/a"}],"$defs":{"a":{"type":"object","additionalProperties":false}}}`,
		`{"enum":[{"type":"object"}],"default":{"type":"object"}}`:                           `{"enum":[{"type":"object"}],"default":{"type":"object"}}`,
		`{"type":"object","properties":{"z":{"const":1.50},"a":{"description":"é \" }"}}}`:   `{"type":"object","properties":{"z":{"const":1.50},"a":{"description":"é \" }"}},"additionalProperties":false}`,
	} {
		r := asked()
		r.ResponseFormat = llm.ResponseFormat{Type: llm.ResponseJSONSchema, Schema: json.RawMessage(schema)}
		got, err := messages.Upstream(r, 0)
		if err != nil || !strings.HasSuffix(string(got), `,"output_config":{"format":{"type":"json_schema","schema":`+want+`}}}`) {
			t.Errorf("%s\nbecame %s, %v\nwant   %s", schema, got, err, want)
		}
	}
}

// TestPassedOn: nothing changes but the model, and stream where it must.
func TestPassedOn(t *testing.T) {
	t.Parallel()
	emit := func(llm.Chunk) error { return nil }
	for _, c := range []struct {
		body, want string
		emit       llm.Emit
	}{
		{`{"model":"a","x":[1.50 , "\u00e9"]}`, `{"model":"b\"","x":[1.50 , "\u00e9"]}`, nil},
		{` { "x" : {"model":"a"} , "model" : null } `, ` { "x" : {"model":"a"} , "model" : "b\"" } `, nil},
		{`{"model":"a","stream":true}`, `{"model":"b\"","stream":true}`, emit},
		{`{"model":"a","stream":false}`, `{"model":"b\"","stream":true}`, emit},
		{`{"model":"a"}`, `{"stream":true,"model":"b\""}`, emit},
		{`{"model":"a","stream":true}`, `{"model":"b\"","stream":false}`, nil},
		{`{"model":"a","stream":false}`, `{"model":"b\"","stream":false}`, nil},
		{`{}`, `{"stream":true}`, emit},
	} {
		body := []byte(c.body)
		got, err := messages.Upstream(llm.Request{Format: llm.FormatMessages, Model: `b"`, Body: body, Emit: c.emit, MaxTokens: 9}, 0)
		if err != nil || string(got) != c.want || string(body) != c.body {
			t.Errorf("%s became %s, %v, want %s", c.body, got, err, c.want)
		}
	}
}

// TestThereAndBack: what is made from fields says what the fields said.
func TestThereAndBack(t *testing.T) {
	t.Parallel()
	want := llm.Request{
		Model: "claude-sonnet-4-5", MaxTokens: 50, Temperature: share(.5), Stop: []string{"a"}, SerialTools: true,
		Messages: []llm.Message{
			{Role: llm.RoleSystem, Content: "be brief"},
			{Role: llm.RoleUser, Content: "look", Parts: []llm.Part{{Kind: llm.PartText, Text: "look"}, {Kind: llm.PartImage, MediaType: "image/png", Data: "AA=="}, {Kind: llm.PartFile, URL: "u", Name: "n"}}},
			{Role: llm.RoleAssistant, Content: "wait", Parts: []llm.Part{{Kind: llm.PartText, Text: "wait"}}, ToolCalls: []llm.ToolCall{{ID: "t", Name: "f", Arguments: `{"a":[1]}`}}},
			{Role: llm.RoleTool, ToolCallID: "t", Content: "sun", Parts: []llm.Part{{Kind: llm.PartText, Text: "sun"}}},
		},
		Tools:      []llm.Tool{{Name: "f", Description: "d", Parameters: json.RawMessage(`{"type":"object"}`), Strict: true}},
		ToolChoice: llm.ToolChoice{Mode: llm.ToolsNamed, Name: "f"},
	}
	body, err := messages.Upstream(want, 0)
	if err != nil {
		t.Fatal(err)
	}
	got, err := messages.Parse(body)
	want.Format, want.Body = llm.FormatMessages, body
	if err != nil || !reflect.DeepEqual(got.Request, want) {
		t.Errorf("%v\n got %+v\nwant %+v", err, got.Request, want)
	}
}
