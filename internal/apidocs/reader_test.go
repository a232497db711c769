package apidocs

import (
	"fmt"
	"strings"
	"testing"
)

// with gives a small document, with something of a test's put in.
func document(operation, schema string) string {
	return fmt.Sprintf(`{"openapi": "3.1.0", "info": {"title": "t", "version": "1", "description": "About."},
		"servers": [{"url": "http://127.0.0.1:8000"}], "tags": [{"name": "things", "description": "Things."}],
		"paths": {"/things": {"post": {"tags": ["things"], "operationId": "make", "summary": "Make one", %s
			"requestBody": {"content": {"application/json": {"schema": %s, "example": {"a": 1}}}},
			"responses": {"200": {"description": "Made"}}}}},
		"components": {"schemas": {"Tree": {"type": "object", "properties": {"name": {"type": "string"},
			"children": {"type": "array", "items": {"$ref": "#/components/schemas/Tree"}}}},
			"Loop": {"$ref": "#/components/schemas/Tree"}}}}`, operation, schema)
}

func TestWhatCannotBeShownIsNamed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ operation, schema, want string }{
		{``, `{"type": "object", "patternProperties": {}}`, "POST /things: the schema's patternProperties is not shown"},
		{``, `{"type": "array", "items": {"not": {}}}`, "the schema's not is not shown"},
		{``, `{"$ref": "#/components/schemas/Nothing"}`, "leads nowhere"},
		{``, `{"$ref": "#/components/schemas/Loop"}`, "leads nowhere, or to another reference"},
		{``, `{"$ref": "other.yaml#/Tree"}`, "leads nowhere"},
		{`"callbacks": {},`, `{}`, "callbacks is not shown"},
		{`"parameters": [{"name": "id", "in": "query", "required": true, "schema": {"type": "string"}}],`, `{}`, "the parameter id needs an example"},
		{`"parameters": [{"name": "id", "in": "query"}],`, `{}`, "no schema"},
	} {
		_, err := Page([]byte(document(c.operation, c.schema)))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s%s: %v, want %s", c.operation, c.schema, err, c.want)
		}
	}
	for text, replaced := range map[string]string{
		`"tags": ["things"]`:      `"tags": ["others"]`,
		`"operationId": "make"`:   `"x": 1`,
		`"200"`:                   `"299"`,
		`, "example": {"a": 1}`:   ``,
		`"post": {`:               `"servers": 1, "post": {`,
		`"application/json"`:      `"text/csv": {"schema": {}}, "application/json"`,
		`{"openapi"`:              `[{"openapi"`,
		`"components": {"schemas`: `"components": {"securitySchemes": {"k": {"type": "http", "scheme": "basic"}}, "schemas`,
	} {
		broken := strings.Replace(document("", "{}"), text, replaced, 1)
		if _, err := Page([]byte(broken)); err == nil || broken == document("", "{}") {
			t.Errorf("%s instead of %s is shown", replaced, text)
		}
	}
	if _, err := Page([]byte(document("", "{}"))); err != nil {
		t.Errorf("the document itself: %v", err)
	}
}

func TestSchemasThatHoldThemselves(t *testing.T) {
	t.Parallel()
	page, err := Page([]byte(document("", `{"$ref": "#/components/schemas/Tree"}`)))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(page), "As <code>Tree</code> above.") || strings.Count(string(page), "<code>children</code>") > 2 {
		t.Error("it is not said that it goes on as above")
	}
}

// Whatever a document says, it says it as text.
func TestNothingOfADocumentBecomesMarkup(t *testing.T) {
	t.Parallel()
	clean, err := Page([]byte(document("", `{"type": "object", "properties": {"a": {"type": "string", "description": "d", "enum": ["e"], "default": "f"}}}`)))
	if err != nil {
		t.Fatal(err)
	}
	before, err := elements(string(clean))
	if err != nil {
		t.Fatal(err)
	}
	for _, evil := range []string{`<script>alert(1)</script>`, `\"><img src=x onerror=alert(1)>`, `' onmouseover='alert(1)`, `</code></pre><b>`,
		`{{.Title}}`, `<!--`, `]]>`, `&lt;i&gt;`} {
		text := strings.NewReplacer(`"title": "t"`, `"title": "`+evil+`"`, `About.`, evil, `Things.`, evil, `Make one`, evil, `"Made"`, `"`+evil+`"`,
			`"a": {`, `"`+evil+`": {`, `"d"`, `"`+evil+`"`, `"e"`, `"`+evil+`"`, `"f"`, `"`+evil+`"`, `{"a": 1}`, `{"`+evil+`": "`+evil+`"}`,
			`http://127.0.0.1:8000`, evil, `"/things": {`, `"/`+evil+`": {`).
			Replace(document("", `{"type": "object", "properties": {"a": {"type": "string", "description": "d", "enum": ["e"], "default": "f"}}}`))
		page, err := Page([]byte(text))
		if err != nil {
			t.Errorf("%s: %v", evil, err)
			continue
		}
		after, err := elements(string(page))
		if err != nil {
			t.Errorf("%s: %v", evil, err)
			continue
		}
		if len(after) != len(before) {
			t.Errorf("%s makes %d elements of %d", evil, len(after), len(before))
		}
		for _, e := range after {
			for name := range e.attr {
				if strings.HasPrefix(name, "on") {
					t.Errorf("%s makes an attribute %s", evil, name)
				}
			}
		}
	}
}

func TestCommands(t *testing.T) {
	t.Parallel()
	text := strings.Replace(document(`"parameters": [{"name": "q", "in": "query", "required": true, "schema": {"type": "string"}, "example": "a b&c"}],`, "{}"),
		`{"a": 1}`, `{"a": "it's", "b": 3.3e-06, "c": ["<", null, true]}`, 1)
	v, err := parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	r := &reader{root: v.(object)}
	got := r.page().Groups[0].Operations[0]
	want := `/things?q=a+b%26c' \` + "\n" + `  -H 'Content-Type: application/json' \` + "\n" + `  -d '{"a": "it'\''s", "b": 0.0000033, "c": ["<", null, true]}'`
	if got.Curl != want || got.Flags != "-s" || r.faults != nil {
		t.Errorf("got %s %s, want %s; %v", got.Flags, got.Curl, want, r.faults)
	}
}

func TestKinds(t *testing.T) {
	t.Parallel()
	for schema, want := range map[string]string{
		`{"type": "string", "format": "uuid", "minLength": 1}`:                      `string (uuid), at least 1 character`,
		`{"type": ["string", "null"]}`:                                              `string or null`,
		`{"type": "array", "minItems": 1, "items": {"type": "object"}}`:             `list of objects, at least 1 item`,
		`{"type": "array", "items": {"type": "string", "maxLength": 9}}`:            `list of strings, each at most 9 characters`,
		`{"type": "object", "additionalProperties": {"type": "integer"}}`:           `object of integers`,
		`{"oneOf": [{"type": "object"}, {"type": "null"}]}`:                         `object or null`,
		`{"type": "integer", "minimum": 1, "maximum": 32000, "default": 1000}`:      `integer, 1 to 32,000`,
		`{"type": "string", "examples": ["a", "b", "c"]}`:                           `string, such as <code>a</code>, <code>b</code> or <code>c</code>`,
		`{"type": "object", "maxProperties": 16, "propertyNames": {"maxLength":1}}`: `object, at most 16 members, names of at most 1 character`,
		`{"const": true}`: `boolean`,
		`{}`:              `anything`,
	} {
		v, err := parse([]byte(schema))
		if err != nil {
			t.Fatal(err)
		}
		r := &reader{}
		s := r.shape(v)
		got := s.Kind
		for _, limit := range s.Limits {
			got += ", " + string(limit)
		}
		if got != want || r.faults != nil {
			t.Errorf("%s is %q, want %q; %v", schema, got, want, r.faults)
		}
	}
}
