package gemini

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"pgregory.net/rapid"
)

func TestSchemas(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ given, want string }{
		"plain":            {`{"type":"object","properties":{"z":{"type":"string"},"a":{"type":"integer"}},"required":["z"],"additionalProperties":false}`, ``},
		"foreign words":    {`{"$schema":"x","$comment":"x","type":"string","pattern":"a","minLength":1,"maxLength":2,"default":"a","examples":["a"]}`, `{"type":"string"}`},
		"order":            {`{"type":"object","properties":{"z":{},"y":{},"x":{}}}`, ``},
		"nested":           {`{"type":"array","items":{"type":"object","properties":{"a":{"type":"array","items":{"type":"number","multipleOf":2},"uniqueItems":true,"minItems":1,"maxItems":3}}}}`, `{"type":"array","items":{"type":"object","properties":{"a":{"type":"array","items":{"type":"number"},"minItems":1,"maxItems":3}}}}`},
		"exclusive":        {`{"type":"integer","exclusiveMinimum":0,"exclusiveMaximum":10.5}`, `{"type":"integer","minimum":1,"maximum":10}`},
		"exclusive number": {`{"type":"number","exclusiveMinimum":0,"exclusiveMaximum":10.5}`, `{"type":"number","minimum":0,"maximum":10.5}`},
		"exclusive, old":   {`{"type":"integer","minimum":0,"exclusiveMinimum":true}`, `{"type":"integer","minimum":0}`},
		"constant":         {`{"const":"a"}`, `{"enum":["a"]}`},
		"constant number":  {`{"type":"integer","const":-1}`, `{"type":"integer","enum":[-1]}`},
		"constant truth":   {`{"type":"boolean","const":true}`, `{"type":"boolean"}`},
		"choice":           {`{"type":"string","enum":["a","b"]}`, ``},
		"choice of truths": {`{"type":"boolean","enum":[true]}`, `{"type":"boolean"}`},
		"choice or null":   {`{"type":["string","null"],"enum":["a",null],"description":"d"}`, `{"description":"d","anyOf":[{"enum":["a"],"type":["string"]},{"type":"null"}]}`},
		"null only":        {`{"enum":[null]}`, `{}`},
		"formats":          {`{"anyOf":[{"type":"string","format":"date-time"},{"type":"string","format":"email"},{"type":"integer","format":"int64"}]}`, `{"anyOf":[{"type":"string","format":"date-time"},{"type":"string"},{"type":"integer","format":"int64"}]}`},
		"one of":           {`{"oneOf":[{"type":"string"},{"type":"null"}]}`, `{"anyOf":[{"type":"string"},{"type":"null"}]}`},
		"any of anything":  {`{"type":"object","anyOf":[{"required":["a"]},{"required":["b"]}],"properties":{"a":{},"b":{}}}`, `{"type":"object","properties":{"a":{},"b":{}}}`},
		"phantom names":    {`{"type":"object","properties":{"a":{}},"required":["a","b","a"]}`, `{"type":"object","properties":{"a":{}},"required":["a"]}`},
		"references":       {`{"type":"object","properties":{"a":{"$ref":"#/$defs/A","description":"x"}},"$defs":{"A":{"type":"string","minLength":1}}}`, `{"type":"object","properties":{"a":{"$ref":"#/$defs/A"}},"$defs":{"A":{"type":"string"}}}`},
		"old definitions":  {`{"$ref":"#/definitions/A","definitions":{"A":{"type":"object","properties":{"a":{"$ref":"#/definitions/A"}}}}}`, `{"$ref":"#/$defs/A","$defs":{"A":{"type":"object","properties":{"a":{"$ref":"#/$defs/A"}}}}}`},
		"all of": {`{"type":"object","properties":{"a":{"type":"string"}},"required":["a"],"allOf":[{"properties":{"b":{"type":"integer"},"a":{}},"required":["b"],"description":"d"},{"$ref":"#/$defs/C"}],"$defs":{"C":{"properties":{"c":{"const":1}},"required":["c"]}}}`,
			`{"type":"object","properties":{"a":{"type":"string"},"b":{"type":"integer"},"c":{"enum":[1]}},"required":["a","b","c"],"description":"d","$defs":{"C":{"properties":{"c":{"enum":[1]}},"required":["c"]}}}`},
		"tuple":    {`{"type":"array","prefixItems":[{"type":"string"},true],"items":false}`, `{"type":"array","prefixItems":[{"type":"string"},{}]}`},
		"map":      {`{"type":"object","additionalProperties":{"type":"string","pattern":"x"}}`, `{"type":"object","additionalProperties":{"type":"string"}}`},
		"patterns": {`{"type":"object","patternProperties":{"^x":{}},"additionalProperties":false}`, `{"type":"object"}`},
	} {
		if c.want == "" {
			c.want = c.given
		}
		got, err := cleanSchema([]byte(c.given))
		if err != nil || string(got) != c.want {
			t.Errorf("%s: %s, %v\nwant %s", name, got, err, c.want)
		}
		if again, err := cleanSchema(got); err != nil || !bytes.Equal(again, got) {
			t.Errorf("%s: cleaned twice %s", name, again)
		}
	}
}

// drawn is a schema with values of which it accepts some.
func drawn(depth int) *rapid.Generator[map[string]any] {
	number := rapid.IntRange(-3, 3)
	leaf := rapid.Custom(func(t *rapid.T) map[string]any {
		s := map[string]any{}
		for _, word := range []string{"minimum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "const", "minLength"} {
			if rapid.IntRange(0, 3).Draw(t, word+"?") == 0 {
				n := number.Draw(t, word)
				if word == "multipleOf" || word == "minLength" {
					n = max(n, -n) + 1
				}
				s[word] = n
			}
		}
		if rapid.Bool().Draw(t, "enum?") {
			s["enum"] = rapid.SliceOfNDistinct(rapid.SampledFrom([]any{"a", "b", 1, 2, true, nil}), 1, 4, func(v any) string { return fmt.Sprint(v) }).Draw(t, "enum")
		}
		s["type"] = rapid.SampledFrom([]any{"integer", "number", "string", "boolean", []string{"string", "null"}, []string{"integer", "string", "null", "boolean"}}).Draw(t, "type")
		return s
	})
	if depth == 0 {
		return leaf
	}
	return rapid.Custom(func(t *rapid.T) map[string]any {
		part := func(name string) any { return drawn(depth-1).Draw(t, name) }
		s := leaf.Draw(t, "leaf")
		switch rapid.IntRange(0, 4).Draw(t, "kind") {
		case 0:
			s = map[string]any{"type": "object", "properties": map[string]any{"a": part("a"), "b": part("b")}}
			if rapid.Bool().Draw(t, "closed") {
				s["additionalProperties"] = false
			}
			if rapid.Bool().Draw(t, "patterns") {
				s["patternProperties"] = map[string]any{"^c": true}
			}
			s["required"] = rapid.SampledFrom([]any{[]string{}, []string{"a"}, []string{"c"}}).Draw(t, "required")
		case 1:
			s = map[string]any{"type": "array", "items": part("items"), "minItems": 1, "uniqueItems": true}
		case 2:
			s = map[string]any{rapid.SampledFrom([]string{"anyOf", "oneOf"}).Draw(t, "word"): []any{part("one"), part("other")}}
		case 3:
			s["allOf"] = []any{part("one"), part("other")}
		}
		return s
	})
}

func values(depth int) *rapid.Generator[any] {
	plain := rapid.SampledFrom([]any{"a", "b", "", "long", 0, 1, 2, -1, -2, 1.5, true, false, nil})
	if depth == 0 {
		return plain
	}
	return rapid.Custom(func(t *rapid.T) any {
		part := func(name string) any { return values(depth-1).Draw(t, name) }
		switch rapid.IntRange(0, 2).Draw(t, "kind") {
		case 0:
			o := map[string]any{}
			for _, name := range []string{"a", "b", "c"} {
				if rapid.Bool().Draw(t, name+"?") {
					o[name] = part(name)
				}
			}
			return o
		case 1:
			return []any{part("item")}
		}
		return plain.Draw(t, "value")
	})
}

func compiled(t *rapid.T, schema []byte) *jsonschema.Schema {
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(schema))
	if err != nil {
		t.Fatal(string(schema), err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("s.json", document); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("s.json")
	if err != nil {
		t.Fatal(string(schema), err)
	}
	return s
}

// TestSchemasGetNoNarrower: what the schema accepts, the cleaned one accepts.
func TestSchemasGetNoNarrower(t *testing.T) {
	t.Parallel()
	accepted := 0
	rapid.Check(t, func(t *rapid.T) {
		schema, err := json.Marshal(drawn(2).Draw(t, "schema"))
		if err != nil {
			t.Fatal(err)
		}
		clean, err := cleanSchema(schema)
		if err != nil {
			t.Fatal(err)
		}
		before, after := compiled(t, schema), compiled(t, clean)
		for range 30 {
			raw, err := json.Marshal(values(2).Draw(t, "value"))
			if err != nil {
				t.Fatal(err)
			}
			value, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
			if err != nil {
				t.Fatal(err)
			}
			if before.Validate(value) != nil {
				continue
			}
			accepted++
			if after.Validate(value) != nil {
				t.Fatalf("%s accepts %s, and cleaned, %s does not", schema, raw, clean)
			}
		}
	})
	if accepted < 30 {
		t.Errorf("only %d values were accepted at all", accepted)
	}
}

// TestSchemasTakeNoTime: schemas that blow up, in the ways that they do.
func TestSchemasTakeNoTime(t *testing.T) {
	t.Parallel()
	tree := func(word string) string {
		var definitions []string
		for i := range 60 {
			definitions = append(definitions, fmt.Sprintf(`"d%d":{"type":"object","properties":{"p%d":{"allOf":[{"$ref":"#/$defs/d%d"}]},"q%d":{"allOf":[{"$ref":"#/$defs/d%d"}]}},"%s":[{"$ref":"#/$defs/d%d"},{"$ref":"#/$defs/d%d"}]}`,
				i, i, i+1, i, i+1, word, i+1, i+1))
		}
		return `{"allOf":[{"$ref":"#/$defs/d0"}],"$defs":{` + strings.Join(definitions, ",") + `}}`
	}
	var many []string
	for i := range 50_000 {
		many = append(many, fmt.Sprintf(`"p%d":{}`, i))
	}
	wide := "{" + strings.Join(many, ",") + "}"
	for name, schema := range map[string]string{
		"a circle":      `{"allOf":[{"$ref":"#/$defs/A"},{"$ref":"#/$defs/A"}],"$defs":{"A":{"allOf":[{"$ref":"#/$defs/A"},{"$ref":"#/$defs/A"}]}}}`,
		"a tree":        tree("allOf"),
		"another tree":  tree("anyOf"),
		"a deep one":    strings.Repeat(`{"items":`, 5000) + `{}` + strings.Repeat(`}`, 5000),
		"a wide one":    `{"type":"object","properties":` + wide + `,"allOf":[{"properties":` + wide + `},{"properties":` + wide + `}]}`,
		"a wide circle": `{"allOf":[{"$ref":"#/$defs/A"}],"$defs":{"A":{"properties":` + wide + `,"allOf":[{"$ref":"#/$defs/A"},{"$ref":"#/$defs/A"}]}}}`,
	} {
		begun := time.Now()
		got, err := cleanSchema([]byte(schema))
		if took := time.Since(begun); took > 20*time.Second {
			t.Errorf("%s: took %v", name, took)
		} else {
			t.Logf("%s: %v, %d bytes of %d, %v", name, took, len(got), len(schema), err)
		}
		if err == nil && !json.Valid(got) {
			t.Errorf("%s: not JSON", name)
		}
	}
}

func FuzzSchema(f *testing.F) {
	f.Add([]byte(`{"type":["string","null"],"enum":["a",null],"allOf":[{"$ref":"#/$defs/A"}],"$defs":{"A":{"properties":{"a":{"const":1}}}}}`))
	f.Add([]byte(`{"exclusiveMinimum":1e300,"type":"integer","required":[1],"properties":[]}`))
	f.Fuzz(func(t *testing.T, schema []byte) {
		if !json.Valid(schema) {
			t.Skip()
		}
		clean, err := cleanSchema(schema)
		if err != nil {
			return
		}
		if !json.Valid(clean) {
			t.Fatalf("%s becomes %s", schema, clean)
		}
		if again, err := cleanSchema(clean); err != nil || !bytes.Equal(clean, again) {
			t.Fatalf("%s, %s and then %s", schema, clean, again)
		}
	})
}
