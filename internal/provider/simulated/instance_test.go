package simulated

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"pgregory.net/rapid"

	"github.com/busuhq/busu/internal/llm"
)

// schemas are like those that tools and structured outputs are described with.
func schemas() map[string]string {
	return map[string]string{
		"nothing":      `{}`,
		"string":       `{"type":"object","properties":{"city":{"type":"string"},"unit":{"type":"string","enum":["C","F"]}},"required":["city","unit"]}`,
		"no required":  `{"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"boolean"}},"additionalProperties":false}`,
		"nested":       `{"type":"object","properties":{"a":{"type":"object","properties":{"b":{"type":"array","items":{"type":"object","properties":{"c":{"type":"number"}},"required":["c"]}}},"required":["b"]}},"required":["a"]}`,
		"bounds":       `{"type":"object","properties":{"a":{"type":"integer","minimum":5,"maximum":9},"b":{"type":"number","exclusiveMinimum":0,"exclusiveMaximum":0.2},"c":{"type":"integer","multipleOf":25,"minimum":30},"d":{"type":"integer","maximum":-3},"e":{"type":"number","minimum":0,"maximum":1}},"required":["a","b","c","d","e"]}`,
		"lengths":      `{"type":"object","properties":{"a":{"type":"string","minLength":80},"b":{"type":"string","maxLength":3}},"required":["a","b"]}`,
		"formats":      `{"type":"object","properties":{"a":{"type":"string","format":"date"},"b":{"type":"string","format":"date-time"},"c":{"type":"string","format":"email"},"d":{"type":"string","format":"uuid"},"e":{"type":"string","format":"uri"},"f":{"type":"string","format":"time"},"g":{"type":"string","format":"ipv4"},"h":{"type":"string","format":"ipv6"},"i":{"type":"string","format":"duration"},"j":{"type":"string","format":"hostname"}},"required":["a","b","c","d","e","f","g","h","i","j"]}`,
		"pattern":      `{"type":"object","properties":{"a":{"type":"string","pattern":"^[A-Z]{2}-\\d{3,}(x|y)?[^a]$"},"b":{"type":"string","pattern":"^(red|blue)+ .$"}},"required":["a","b"]}`,
		"items":        `{"type":"object","properties":{"a":{"type":"array","minItems":3,"uniqueItems":true,"items":{"type":"string"}},"b":{"type":"array","maxItems":0,"items":{"type":"string"}},"c":{"type":"array","minItems":3,"uniqueItems":true,"items":{"enum":["x","y","z"]}},"d":{"type":"array","minItems":3,"uniqueItems":true,"items":{"type":"integer","minimum":1,"maximum":3}},"e":{"type":"array","minItems":3,"uniqueItems":true,"items":{"type":"integer","maximum":-3}}},"required":["a","b","c","d","e"]}`,
		"tuple":        `{"type":"array","prefixItems":[{"type":"integer"},{"type":"string"}],"minItems":2,"items":false}`,
		"references":   `{"type":"object","properties":{"a":{"$ref":"#/$defs/step"},"b":{"$ref":"#/$defs/x~1y"}},"required":["a","b"],"$defs":{"step":{"type":"object","properties":{"n":{"type":"integer"}},"required":["n"]},"x/y":{"const":7}}}`,
		"recursive":    `{"$ref":"#/$defs/node","$defs":{"node":{"type":"object","properties":{"value":{"type":"string"},"left":{"anyOf":[{"$ref":"#/$defs/node"},{"type":"null"}]},"rest":{"type":"array","items":{"$ref":"#/$defs/node"}}},"required":["value","left","rest"],"additionalProperties":false}}}`,
		"root":         `{"type":"object","properties":{"next":{"anyOf":[{"type":"null"},{"$ref":"#"}]}},"required":["next"]}`,
		"nullables":    `{"type":["object","null"],"properties":{"a":{"$ref":"#"},"b":{"$ref":"#"}},"required":["a","b"]}`,
		"nullable":     `{"type":"object","properties":{"a":{"type":["string","null"]},"b":{"type":["null"]},"c":{"type":"null"}},"required":["a","b","c"]}`,
		"all of":       `{"type":"object","allOf":[{"properties":{"a":{"type":"integer"}},"required":["a"]},{"properties":{"b":{"type":"boolean"}},"required":["b"]}]}`,
		"one of":       `{"oneOf":[{"type":"object","properties":{"kind":{"const":"x"},"n":{"type":"integer"}},"required":["kind","n"]},{"type":"object","properties":{"kind":{"const":"y"}},"required":["kind"]}]}`,
		"any of parts": `{"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"integer"}},"anyOf":[{"required":["a"]},{"required":["b"]}]}`,
		"map":          `{"type":"object","additionalProperties":{"type":"integer"},"minProperties":2}`,
		"unknown":      `{"type":"object","required":["a"],"properties":{"a":{"description":"anything","title":"A"}}}`,
		"true":         `{"type":"object","required":["a"],"properties":{"a":true}}`,
		"untyped":      `{"required":["a","b"],"properties":{"a":{"minimum":3},"b":{"items":{"type":"integer"}}}}`,
	}
}

func compiled(t interface{ Fatal(...any) }, schema string) *jsonschema.Schema {
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader([]byte(schema)))
	if err != nil {
		t.Fatal(schema, err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("schema.json", document); err != nil {
		t.Fatal(schema, err)
	}
	s, err := c.Compile("schema.json")
	if err != nil {
		t.Fatal(schema, err)
	}
	return s
}

func validates(t interface {
	Fatal(...any)
	Errorf(string, ...any)
}, schema, instance string) {
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader([]byte(instance)))
	if err != nil {
		t.Fatal(instance, err)
	}
	if err := compiled(t, schema).Validate(value); err != nil {
		t.Errorf("%s\nis answered with %s\n%v", schema, instance, err)
	}
}

func TestInstancesSatisfyTheirSchemas(t *testing.T) {
	t.Parallel()
	for name, schema := range schemas() {
		for turn := range 5 {
			good := draft{topic: "the weather in Oslo", asked: "the weather in Oslo", good: true, turn: turn}
			bad := good
			bad.good = false
			right, wrong := good.instance([]byte(schema)), bad.instance([]byte(schema))
			validates(t, schema, right)
			validates(t, schema, wrong)
			if len(right) > 5000 {
				t.Errorf("%s: %d bytes are not small", name, len(right))
			}
			if name == "string" && right == wrong {
				t.Errorf("%s is right and wrong", right)
			}
		}
	}
}

// anySchema draws schemas whose instances exist.
func anySchema(depth int) *rapid.Generator[any] {
	scalars := []*rapid.Generator[any]{
		rapid.Custom(func(t *rapid.T) any {
			low := rapid.IntRange(-50, 50).Draw(t, "low")
			return map[string]any{"type": "integer", "minimum": low, "maximum": low + rapid.IntRange(0, 50).Draw(t, "room")}
		}),
		rapid.Custom(func(t *rapid.T) any {
			low := rapid.Float64Range(-50, 50).Draw(t, "low")
			return map[string]any{"type": "number", "exclusiveMinimum": low, "exclusiveMaximum": low + rapid.Float64Range(.001, 9).Draw(t, "room")}
		}),
		rapid.Custom(func(t *rapid.T) any {
			least := rapid.IntRange(0, 30).Draw(t, "least")
			return map[string]any{"type": "string", "minLength": least, "maxLength": least + rapid.IntRange(0, 30).Draw(t, "room")}
		}),
		rapid.Custom(func(t *rapid.T) any {
			return map[string]any{"enum": rapid.SliceOfNDistinct(rapid.IntRange(0, 9), 1, 4, rapid.ID).Draw(t, "enum")}
		}),
		rapid.Just[any](map[string]any{"type": []string{"null", "boolean"}}),
	}
	if depth == 0 {
		return rapid.OneOf(scalars...)
	}
	parts := []*rapid.Generator[any]{
		rapid.Custom(func(t *rapid.T) any {
			least := rapid.IntRange(0, 3).Draw(t, "least")
			return map[string]any{"type": "array", "items": anySchema(depth-1).Draw(t, "items"), "minItems": least, "maxItems": least + rapid.IntRange(0, 2).Draw(t, "room")}
		}),
		rapid.Custom(func(t *rapid.T) any {
			properties, required := map[string]any{}, []string{}
			for i := range rapid.IntRange(0, 4).Draw(t, "properties") {
				name := fmt.Sprint("p", i)
				properties[name] = anySchema(depth-1).Draw(t, name)
				if rapid.Bool().Draw(t, "required") {
					required = append(required, name)
				}
			}
			return map[string]any{"type": "object", "properties": properties, "required": required, "additionalProperties": false}
		}),
		rapid.Custom(func(t *rapid.T) any {
			return map[string]any{"anyOf": []any{anySchema(depth-1).Draw(t, "one"), anySchema(depth-1).Draw(t, "other")}}
		}),
	}
	return rapid.OneOf(append(parts, scalars...)...)
}

func TestInstancesSatisfyAnySchema(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		schema, err := json.Marshal(anySchema(4).Draw(t, "schema"))
		if err != nil {
			t.Fatal(err)
		}
		d := draft{topic: "the weather", good: rapid.Bool().Draw(t, "good"), turn: rapid.IntRange(0, 96).Draw(t, "turn")}
		validates(t, string(schema), d.instance(schema))
	})
}

// FuzzInstance: whatever a schema says, there is an end to it, and JSON.
func FuzzInstance(f *testing.F) {
	for _, schema := range schemas() {
		f.Add([]byte(schema))
	}
	f.Add([]byte(`{"$ref":"#"}`))
	f.Add([]byte(`{"allOf":[{"$ref":"#"},{"$ref":"#"}]}`))
	f.Add([]byte(`{"type":"object","required":["a","b","c"],"additionalProperties":{"$ref":"#"}}`))
	f.Add([]byte(`{"type":"array","minItems":1e18,"items":{"$ref":"#"}}`))
	f.Add([]byte(`{"type":"object","minProperties":1e300}`))
	f.Add([]byte(`{"type":"string","minLength":1e300}`))
	f.Add([]byte(`{"type":"string","pattern":"((a{900}){1}b{900}c{900}d{900}e{900}f{900}g{900}h{900}i{900}j{900}k{900}l{900}){1}"}`))
	f.Add([]byte(`{"type":"number","minimum":1e308,"multipleOf":1e-300}`))
	f.Add([]byte(`[1]`))
	f.Fuzz(func(t *testing.T, schema []byte) {
		for _, good := range []bool{true, false} {
			if text := (draft{topic: "x", good: good, turn: 7}).instance(schema); !json.Valid([]byte(text)) || len(text) > 64<<20 {
				t.Fatalf("%s gives %.300s", schema, text)
			}
		}
	})
}

func TestFormatsAreKeptByGoodAndBadAnswers(t *testing.T) {
	t.Parallel()
	p := New(Options{})
	seen := map[bool]string{}
	for i := range 60 {
		prompt := fmt.Sprintf("Extract the fields of order %d: 3 lemons, 4 mugs", i)
		good := mustTruth(t, p, prompt, Small).Good
		r := ask(Small, prompt)
		r.ResponseFormat = llm.ResponseFormat{Type: llm.ResponseJSON}
		object, err := p.Complete(t.Context(), r)
		if err != nil || !json.Valid([]byte(object.Text)) {
			t.Fatalf("%+v, %v", object, err)
		}
		r.ResponseFormat = llm.ResponseFormat{Type: llm.ResponseJSONSchema, Schema: []byte(schemas()["string"])}
		instance, err := p.Complete(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		validates(t, schemas()["string"], instance.Text)
		seen[good] = object.Text + instance.Text
	}
	if len(seen) != 2 || seen[true] == seen[false] {
		t.Errorf("good and bad answers are not told apart: %v", seen)
	}
}
