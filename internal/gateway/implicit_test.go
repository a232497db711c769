package gateway

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/llm"
)

func TestImplicitVerdicts(t *testing.T) {
	t.Parallel()
	object := llm.Request{ResponseFormat: llm.ResponseFormat{Type: llm.ResponseJSON}}
	schema := llm.Request{ResponseFormat: llm.ResponseFormat{Type: llm.ResponseJSONSchema, Schema: json.RawMessage(`{"type":"object","required":["a"],
		"properties":{"a":{"type":"integer"},"b":{"type":"array","items":{"type":"object","required":["c"]}}}}`)}}
	for name, c := range map[string]struct {
		ask  llm.Request
		r    llm.Response
		want string
	}{
		"an answer":               {llm.Request{}, llm.Response{Text: "yes", FinishReason: llm.FinishStop}, ""},
		"embeddings":              {llm.Request{Format: llm.FormatEmbeddings}, llm.Response{}, ""},
		"nothing":                 {llm.Request{}, llm.Response{FinishReason: llm.FinishStop}, event.ImplicitEmpty},
		"a call":                  {llm.Request{}, llm.Response{ToolCalls: []llm.ToolCall{{Name: "f", Arguments: `{"x":1}`}}, FinishReason: llm.FinishToolCalls}, ""},
		"a call without":          {llm.Request{}, llm.Response{ToolCalls: []llm.ToolCall{{Name: "f"}}, FinishReason: llm.FinishToolCalls}, ""},
		"a broken call":           {llm.Request{}, llm.Response{ToolCalls: []llm.ToolCall{{Name: "f"}, {Name: "f", Arguments: `{"x":`}}}, event.ImplicitInvalid},
		"a call beside JSON":      {object, llm.Response{ToolCalls: []llm.ToolCall{{Name: "f"}}}, ""},
		"a refusal":               {llm.Request{}, llm.Response{Refusal: "no", FinishReason: llm.FinishStop}, event.ImplicitRefused},
		"a filter":                {llm.Request{}, llm.Response{Text: "well", FinishReason: llm.FinishContentFilter}, event.ImplicitRefused},
		"the caller's limit":      {llm.Request{MaxTokens: 10}, llm.Response{Text: "well", FinishReason: llm.FinishLength}, ""},
		"all spent on reasoning":  {llm.Request{MaxTokens: 10}, llm.Response{FinishReason: llm.FinishLength}, ""},
		"no limit":                {llm.Request{}, llm.Response{Text: "well", FinishReason: llm.FinishLength}, event.ImplicitCutOff},
		"JSON":                    {object, llm.Response{Text: " {\"a\": 1}\n"}, ""},
		"JSON in a fence":         {object, llm.Response{Text: "```json\n{\"a\": 1}\n```"}, event.ImplicitInvalid},
		"JSON, no object":         {object, llm.Response{Text: "[1]"}, event.ImplicitInvalid},
		"JSON at the limit":       {llm.Request{MaxTokens: 1, ResponseFormat: object.ResponseFormat}, llm.Response{Text: `{"a`, FinishReason: llm.FinishLength}, ""},
		"by the schema":           {schema, llm.Response{Text: `{"a":1,"b":[{"c":null}],"d":0}`}, ""},
		"without what is wanted":  {schema, llm.Response{Text: `{"b":[]}`}, event.ImplicitInvalid},
		"of another type":         {schema, llm.Response{Text: `{"a":"1"}`}, event.ImplicitInvalid},
		"a fraction":              {schema, llm.Response{Text: `{"a":1.5}`}, event.ImplicitInvalid},
		"wrong further in":        {schema, llm.Response{Text: `{"a":1,"b":[{"c":1},{}]}`}, event.ImplicitInvalid},
		"a schema that is broken": {llm.Request{ResponseFormat: llm.ResponseFormat{Type: llm.ResponseJSONSchema, Schema: json.RawMessage(`{`)}}, llm.Response{Text: `1`}, ""},
	} {
		if got := implicitOf(&c.ask, &c.r); got != c.want {
			t.Errorf("%s: %q, not %q", name, got, c.want)
		}
	}
}

func TestConforms(t *testing.T) {
	t.Parallel()
	const holds, breaks = true, false
	for _, c := range []struct {
		schema, value string
		want          bool
	}{
		{`{}`, `1`, holds}, {`true`, `1`, holds}, {`{"type":"unheard of"}`, `1`, holds},
		{`{"type":["string","null"]}`, `null`, holds}, {`{"type":["string","null"]}`, `0`, breaks},
		{`{"type":"string","nullable":true}`, `null`, holds}, {`{"type":"string"}`, `null`, breaks},
		{`{"type":"integer"}`, `2.0`, holds}, {`{"type":"number"}`, `2.5`, holds}, {`{"type":"number"}`, `"2"`, breaks},
		{`{"type":"boolean"}`, `false`, holds}, {`{"type":"boolean"}`, `0`, breaks}, {`{"type":"null"}`, `0`, breaks},
		{`{"type":"array","items":{"type":"string"}}`, `["a",1]`, breaks}, {`{"type":"array"}`, `["a",1]`, holds},
		{`{"required":["a"]}`, `"no object"`, holds}, {`{"required":"a"}`, `{}`, holds}, {`{"required":[1]}`, `{}`, holds},
		{`{"$ref":"#/$defs/x","type":"string"}`, `1`, holds}, {`{"anyOf":[{"type":"string"}]}`, `1`, holds},
		{`{"properties":{"a":{"properties":{"b":{"type":"string"}}}}}`, `{"a":{"b":1}}`, breaks},
	} {
		var schema, value any
		if err := json.Unmarshal([]byte(c.schema), &schema); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal([]byte(c.value), &value); err != nil {
			t.Fatal(err)
		}
		if got := conforms(schema, value); got != c.want {
			t.Errorf("%s by %s: %t", c.value, c.schema, got)
		}
	}
}

// A schema that goes round in circles, or an answer that is nested deep, costs
// no more than the answer is long.
func TestDeepAnswers(t *testing.T) {
	t.Parallel()
	ask := llm.Request{ResponseFormat: llm.ResponseFormat{Type: llm.ResponseJSONSchema,
		Schema: json.RawMessage(`{"type":"array","items":{"allOf":[{"$ref":"#"},{"$ref":"#"}],"items":{"$ref":"#"}}}`)}}
	deep := llm.Response{Text: strings.Repeat("[", 9000) + strings.Repeat("]", 9000)}
	if got := implicitOf(&ask, &deep); got != "" {
		t.Errorf("a deep answer is %q", got)
	}
	tooDeep := llm.Response{Text: strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000)} // encoding/json reads ten thousand
	if got := implicitOf(&ask, &tooDeep); got != event.ImplicitInvalid {
		t.Errorf("one that is too deep is %q", got)
	}
}
