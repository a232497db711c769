package gemini

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/busuhq/busu/internal/llm"
)

func sameJSON(t *testing.T, got, want string) {
	t.Helper()
	var x, y any
	if err := json.Unmarshal([]byte(want), &y); err != nil {
		t.Fatal(want, err)
	}
	if err := json.Unmarshal([]byte(got), &x); err != nil || !reflect.DeepEqual(x, y) {
		t.Errorf("%s\nwant %s (%v)", got, want, err)
	}
}

func TestRequests(t *testing.T) {
	t.Parallel()
	temperature, topP := 0.0, 0.5
	user := func(parts ...llm.Part) llm.Request {
		return llm.Request{Model: "gemini-2.5-flash", Messages: []llm.Message{{Role: llm.RoleUser, Content: "all", Parts: parts}}}
	}
	with := func(r llm.Request, change func(*llm.Request)) llm.Request {
		change(&r)
		return r
	}
	const hello = `"contents":[{"role":"user","parts":[{"text":"hello"}]}]`
	weather := []llm.Tool{
		{Name: "get_weather", Description: "The weather", Parameters: []byte(`{"type":"object","properties":{"city":{"type":"string","minLength":1}},"required":["city"],"$schema":"x"}`), Strict: true},
		{Name: "get_time", Parameters: []byte(`{"type":"object","properties":{}}`)},
		{Name: "stop"},
	}
	const declared = `"tools":[{"functionDeclarations":[{"name":"get_weather","description":"The weather","parametersJsonSchema":{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}},{"name":"get_time"},{"name":"stop"}]}]`
	for name, c := range map[string]struct {
		r    llm.Request
		want string
	}{
		"one question": {question("hello"), `{` + hello + `}`},
		"parameters": {with(question("hello"), func(r *llm.Request) {
			r.MaxTokens, r.Temperature, r.TopP, r.Stop, r.Effort, r.N = 7, &temperature, &topP, []string{"x", "y"}, "low", 1
		}), `{` + hello + `,"generationConfig":{"maxOutputTokens":7,"temperature":0,"topP":0.5,"stopSequences":["x","y"],"thinkingConfig":{"thinkingBudget":1024}}}`},
		"several": {with(question("hello"), func(r *llm.Request) { r.N = 8 }), `{` + hello + `,"generationConfig":{"candidateCount":8}}`},
		"roles": {llm.Request{Model: "m", Messages: []llm.Message{
			{Role: llm.RoleSystem, Content: "a"}, {Role: llm.RoleUser, Content: "b"}, {Role: llm.RoleAssistant, Content: "c"},
			{Role: llm.RoleUser, Content: "d"}, {Role: llm.RoleUser, Content: "e"}, {Role: llm.RoleDeveloper, Content: "f"},
			{Role: llm.RoleAssistant, Refusal: "g"}, {Role: llm.RoleAssistant}, {Role: llm.RoleSystem}}},
			`{"systemInstruction":{"parts":[{"text":"a"},{"text":"f"}]},"contents":[{"role":"user","parts":[{"text":"b"}]},{"role":"model","parts":[{"text":"c"}]},
			{"role":"user","parts":[{"text":"d"}]},{"role":"user","parts":[{"text":"e"}]},{"role":"model","parts":[{"text":"g"}]}]}`},
		"nothing but a system's words": {llm.Request{Model: "m", Messages: []llm.Message{{Role: llm.RoleSystem, Content: "hello"}}}, `{` + hello + `}`},
		"parts": {user(llm.Part{Kind: llm.PartText, Text: "look:"}, llm.Part{Kind: llm.PartImage, MediaType: "image/png", Data: "aGk="},
			llm.Part{Kind: llm.PartImage, URL: "https://example.com/a.JPG?x=.png"}, llm.Part{Kind: llm.PartImage, URL: "https://example.com/a"},
			llm.Part{Kind: llm.PartAudio, MediaType: "audio/wav", Data: "aGk="}, llm.Part{Kind: llm.PartFile, Name: "a.pdf", Data: "aGk="}),
			`{"contents":[{"role":"user","parts":[{"text":"look:"},{"inlineData":{"mimeType":"image/png","data":"aGk="}},
			{"fileData":{"mimeType":"image/jpeg","fileUri":"https://example.com/a.JPG?x=.png"}},{"fileData":{"fileUri":"https://example.com/a"}},
			{"inlineData":{"mimeType":"audio/wav","data":"aGk="}},{"inlineData":{"mimeType":"application/pdf","data":"aGk="}}]}]}`},
		"tools": {with(question("hello"), func(r *llm.Request) { r.Tools = weather }), `{` + hello + `,` + declared + `}`},
		"tools, auto": {with(question("hello"), func(r *llm.Request) { r.Tools, r.ToolChoice.Mode = weather, llm.ToolsAuto }),
			`{` + hello + `,` + declared + `,"toolConfig":{"functionCallingConfig":{"mode":"AUTO"}}}`},
		"tools, none": {with(question("hello"), func(r *llm.Request) { r.Tools, r.ToolChoice.Mode = weather, llm.ToolsNone }),
			`{` + hello + `,` + declared + `,"toolConfig":{"functionCallingConfig":{"mode":"NONE"}}}`},
		"tools, required": {with(question("hello"), func(r *llm.Request) { r.Tools, r.ToolChoice.Mode = weather, llm.ToolsRequired }),
			`{` + hello + `,` + declared + `,"toolConfig":{"functionCallingConfig":{"mode":"ANY"}}}`},
		"tools, one": {with(question("hello"), func(r *llm.Request) {
			r.Tools, r.ToolChoice = weather, llm.ToolChoice{Mode: llm.ToolsNamed, Name: "get_time"}
		}), `{` + hello + `,` + declared + `,"toolConfig":{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["get_time"]}}}`},
		"calls and results": {llm.Request{Model: "gemini-2.5-pro", Messages: []llm.Message{
			{Role: llm.RoleUser, Content: "hello"},
			{Role: llm.RoleAssistant, Content: "so", ToolCalls: []llm.ToolCall{{ID: "1", Name: "a", Arguments: `{"n": 12345678901234567890}`}, {ID: "2", Name: "b"}}},
			{Role: llm.RoleTool, ToolCallID: "1", Content: ` {"n": 1.50} `}, {Role: llm.RoleTool, ToolCallID: "2", Content: "[1]"},
			{Role: llm.RoleUser, Content: "and?"},
			{Role: llm.RoleTool, Name: "c", ToolCallID: "3", Content: "{"}}},
			`{"contents":[{"role":"user","parts":[{"text":"hello"}]},
			{"role":"model","parts":[{"text":"so"},{"functionCall":{"id":"1","name":"a","args":{"n":12345678901234567890}}},{"functionCall":{"id":"2","name":"b","args":{}}}]},
			{"role":"user","parts":[{"functionResponse":{"id":"1","name":"a","response":{"n":1.5}}},{"functionResponse":{"id":"2","name":"b","response":{"output":"[1]"}}}]},
			{"role":"user","parts":[{"text":"and?"}]},
			{"role":"user","parts":[{"functionResponse":{"id":"3","name":"c","response":{"output":"{"}}}]}]}`},
		"JSON": {with(question("hello"), func(r *llm.Request) { r.ResponseFormat.Type = llm.ResponseJSON }),
			`{` + hello + `,"generationConfig":{"responseMimeType":"application/json"}}`},
		"JSON by schema": {with(question("hello"), func(r *llm.Request) {
			r.ResponseFormat = llm.ResponseFormat{Type: llm.ResponseJSONSchema, Name: "x", Strict: true, Schema: []byte(`{"type":"object","properties":{"b":{"type":"string"},"a":{"type":"integer"}},"additionalProperties":false}`)}
		}), `{` + hello + `,"generationConfig":{"responseMimeType":"application/json","responseJsonSchema":{"type":"object","properties":{"b":{"type":"string"},"a":{"type":"integer"}},"additionalProperties":false}}}`},
		"a body": {with(question("hello"), func(r *llm.Request) { r.Body = []byte(`{"top_k":1}`) }), `{` + hello + `}`},
	} {
		v := newVendor(t, says(200, fine))
		if _, err := v.Complete(t.Context(), c.r); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		t.Log(name)
		sameJSON(t, v.asked, c.want)
		s := newVendor(t, streams(fine))
		if _, _, err := heard(t, s, c.r); err != nil || s.asked != v.asked {
			t.Errorf("%s: streamed, %v, %s", name, err, s.asked)
		}
	}
}

// TestNumbersStayAsWritten: neither arguments nor results go through a float.
func TestNumbersStayAsWritten(t *testing.T) {
	t.Parallel()
	v := newVendor(t, says(200, strings.Replace(fine, `{"text":"Lima"}`, `{"functionCall":{"name":"a","args":{ "n": 12345678901234567890, "m":1.50}}}`, 1)))
	r := llm.Request{Model: "gemini-2.5-pro", Messages: []llm.Message{
		{Role: llm.RoleAssistant, ToolCalls: []llm.ToolCall{{ID: "1", Name: "a", Arguments: `{"n":12345678901234567890,"m":1.50}`}}},
		{Role: llm.RoleTool, ToolCallID: "1", Content: `{"n":12345678901234567891}`}}}
	got, err := v.Complete(t.Context(), r)
	if err != nil || got.ToolCalls[0].Arguments != `{"n":12345678901234567890,"m":1.50}` {
		t.Errorf("%+v, %v", got, err)
	}
	for _, number := range []string{"12345678901234567890", "1.50", "12345678901234567891"} {
		if !strings.Contains(v.asked, number) {
			t.Errorf("%s is not in %s", number, v.asked)
		}
	}
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	for model, want := range map[string]string{
		"gemini-2.5-flash":        "/v1beta/models/gemini-2.5-flash",
		"models/gemini-2.5-flash": "/v1beta/models/gemini-2.5-flash",
		"tunedModels/my-own":      "/v1beta/tunedModels/my-own",
		"a?b#c/../d e":            "/v1beta/a%3Fb%23c/..%2Fd%20e",
	} {
		v := newVendor(t, says(200, fine))
		r := question("hello")
		r.Model = model
		if _, err := v.Complete(t.Context(), r); err != nil || v.path != want+":generateContent" {
			t.Errorf("%s: asked %s, %v", model, v.path, err)
		}
		if _, _, err := heard(t, v, r); err != nil || v.path != want+":streamGenerateContent?alt=sse" {
			t.Errorf("%s: asked %s, %v", model, v.path, err)
		}
		if v.header.Get("X-Goog-Api-Key") != testKey || v.header.Get("Authorization") != "" {
			t.Errorf("headers %v", v.header)
		}
	}
}

func TestImpossibleRequestsAreRejectedUnasked(t *testing.T) {
	t.Parallel()
	emit := func(llm.Chunk) error { return nil }
	one := func(m llm.Message) llm.Request {
		return llm.Request{Model: "m", Messages: []llm.Message{{Role: llm.RoleUser, Content: "hello"}, m}}
	}
	with := func(change func(*llm.Request)) llm.Request {
		r := question("hello")
		change(&r)
		return r
	}
	for name, r := range map[string]llm.Request{
		"messages":        with(func(r *llm.Request) { r.Format = llm.FormatMessages }),
		"embeddings":      with(func(r *llm.Request) { r.Format = llm.FormatEmbeddings }),
		"several":         with(func(r *llm.Request) { r.N = 9 }),
		"no model":        with(func(r *llm.Request) { r.Model = "" }),
		"no message":      {Model: "m"},
		"empty messages":  {Model: "m", Messages: []llm.Message{{Role: llm.RoleUser}, {Role: llm.RoleSystem}}},
		"role":            one(llm.Message{Role: "oracle", Content: "x"}),
		"part":            one(llm.Message{Role: llm.RoleUser, Parts: []llm.Part{{Kind: "hologram"}}}),
		"empty part":      one(llm.Message{Role: llm.RoleUser, Parts: []llm.Part{{Kind: llm.PartImage}}}),
		"no media type":   one(llm.Message{Role: llm.RoleUser, Parts: []llm.Part{{Kind: llm.PartFile, Data: "aGk="}}}),
		"arguments":       one(llm.Message{Role: llm.RoleAssistant, ToolCalls: []llm.ToolCall{{ID: "1", Name: "a", Arguments: `{"cut`}}}),
		"list arguments":  one(llm.Message{Role: llm.RoleAssistant, ToolCalls: []llm.ToolCall{{ID: "1", Name: "a", Arguments: `[]`}}}),
		"orphaned result": one(llm.Message{Role: llm.RoleTool, ToolCallID: "1", Content: "x"}),
		"pictured result": one(llm.Message{Role: llm.RoleTool, Name: "a", ToolCallID: "1", Parts: []llm.Part{{Kind: llm.PartImage, Data: "aGk="}}}),
		"tool choice":     with(func(r *llm.Request) { r.Tools, r.ToolChoice.Mode = []llm.Tool{{Name: "a"}}, "perhaps" }),
		"tool's schema":   with(func(r *llm.Request) { r.Tools = []llm.Tool{{Name: "a", Parameters: []byte(`true`)}} }),
		"answer's schema": with(func(r *llm.Request) {
			r.ResponseFormat = llm.ResponseFormat{Type: llm.ResponseJSONSchema, Schema: []byte(`[]`)}
		}),
		"streamed several": with(func(r *llm.Request) { r.N, r.Emit = 9, emit }),
	} {
		v := newVendor(t, says(200, fine))
		_, err := v.Complete(t.Context(), r)
		if mustFail(t, err, llm.ErrorRejected); v.asked != "" {
			t.Errorf("%s: was asked", name)
		}
	}
}

func TestBaseURLs(t *testing.T) {
	t.Parallel()
	for _, base := range []string{"://", "ftp://example.com", "example.com/v1beta", "https://u:p@example.com/v1beta", "https://example.com/v1beta?key=x",
		"https://example.com/v1beta#x", "https://example.com/v1beta/models", "https://example.com/v1beta/openai/"} {
		if _, err := New(Options{BaseURL: base}); err == nil {
			t.Errorf("%s is taken", base)
		}
	}
	if _, err := New(Options{APIKey: "a b"}); err == nil || strings.Contains(err.Error(), "a b") {
		t.Errorf("a key with a space: %v", err)
	}
	p, err := New(Options{})
	if err != nil || p.address("m", "generateContent").String() != "https://generativelanguage.googleapis.com/v1beta/models/m:generateContent" {
		t.Errorf("%+v, %v", p, err)
	}
}

func TestThinking(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ model, effort, want string }{
		{"gemini-2.5-flash", "", `null`},
		{"gemini-2.5-flash", "none", `{"thinkingBudget":0}`},
		{"gemini-2.5-pro", "none", `{"thinkingBudget":128}`},
		{"models/gemini-2.5-flash-lite", "minimal", `{"thinkingBudget":512}`},
		{"gemini-2.5-flash", "medium", `{"thinkingBudget":8192}`},
		{"gemini-2.5-flash", "xhigh", `{"thinkingBudget":24576}`},
		{"gemini-2.5-flash", "immense", `null`},
		{"gemini-2.0-flash", "high", `null`},
		{"gemini-1.5-pro", "high", `null`},
		{"gemma-3-27b-it", "high", `null`},
		{"gemini-3-pro-preview", "minimal", `{"thinkingLevel":"low"}`},
		{"gemini-3-pro-preview", "medium", `{"thinkingLevel":"high"}`},
		{"gemini-3.1-pro-preview", "medium", `{"thinkingLevel":"medium"}`},
		{"gemini-3.8-flash", "none", `{"thinkingLevel":"minimal"}`},
		{"gemini-3-flash-preview", "xhigh", `{"thinkingLevel":"high"}`},
		{"gemini-flash-latest", "low", `{"thinkingLevel":"low"}`},
		{"gemini-3.8-flash", "immense", `null`},
	} {
		got, err := json.Marshal(thinking(c.model, c.effort))
		if err != nil || string(got) != c.want {
			t.Errorf("%s with effort %q: %s, want %s", c.model, c.effort, got, c.want)
		}
	}
}
