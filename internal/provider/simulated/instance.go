package simulated

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// instance is a small value, in JSON, that schema accepts: what is required,
// and of what is optional only what a reader would miss. Its content is right
// when the answer is good and wrong when not; its form is right in any case,
// as it is with vendors that bind decoding to the schema.
//
// It understands what tools and structured outputs are described with, not all
// of JSON Schema: not, if, contains, patternProperties and what depends on
// other properties are passed over. A schema that no small value satisfies is
// answered with one that does not.
func (d draft) instance(schema json.RawMessage) string {
	var root any
	if len(schema) == 0 || json.Unmarshal(schema, &root) != nil {
		return "{}"
	}
	if top, ok := root.(map[string]any); ok && len(top) == 0 {
		return "{}" // says nothing, and an object was meant
	}
	a := author{draft: d, root: root, left: maxValues}
	text, err := json.Marshal(a.value(root, 0, 0))
	if err != nil {
		return "{}"
	}
	return string(text)
}

const (
	wideDepth = 5      // below, optional and recursive parts are left out
	maxDepth  = 40     // below, everything is
	maxValues = 10_000 // in one instance
	maxRunes  = 10_000 // of one string
)

// author writes one instance.
type author struct {
	draft

	root any
	left int // values that may still be written
}

// value writes what schema accepts. nth tells the items of an array apart.
func (a *author) value(schema any, depth, nth int) any {
	a.left--
	if a.left < 0 || depth > maxDepth {
		return nil
	}
	s, ok := schema.(map[string]any)
	if !ok {
		return "anything"
	}
	s = a.resolve(s, depth)
	if fixed, ok := s["const"]; ok {
		return fixed
	}
	if options, ok := s["enum"].([]any); ok && len(options) > 0 {
		return options[a.choose(options, nth)]
	}
	switch typeOf(s, depth) {
	case "object":
		return a.object(s, depth, nth)
	case "array":
		return a.array(s, depth)
	case "integer", "number":
		return a.number(s, nth)
	case "boolean":
		return a.good != (nth%2 == 1)
	case "null":
		return nil
	}
	return a.text(s, nth)
}

// resolve follows references and folds what is combined into one schema.
func (a *author) resolve(s map[string]any, depth int) map[string]any {
	for a.left > 0 {
		if path, ok := s["$ref"].(string); ok {
			s = merged(without(s, "$ref"), a.lookUp(path))
		} else if all, ok := s["allOf"].([]any); ok {
			s = a.combine(without(s, "allOf"), all, depth)
		} else if options, name := alternatives(s); len(options) > 0 {
			s = merged(without(s, name), a.alternative(options, depth))
		} else {
			break
		}
		a.left-- // a reference may lead back to itself
	}
	return s
}

func (a *author) combine(s map[string]any, all []any, depth int) map[string]any {
	for _, part := range all {
		if p, ok := part.(map[string]any); ok && a.left > 0 {
			a.left--
			s = merged(s, a.resolve(p, depth))
		}
	}
	return s
}

// lookUp finds what a reference within the document names; nothing else is
// fetched.
func (a *author) lookUp(path string) map[string]any {
	at := a.root
	steps, ok := strings.CutPrefix(path, "#")
	if !ok {
		return nil
	}
	for step := range strings.SplitSeq(strings.Trim(steps, "/"), "/") {
		if step == "" {
			continue
		}
		step = strings.NewReplacer("~1", "/", "~0", "~").Replace(step)
		within, ok := at.(map[string]any)
		if !ok {
			return nil
		}
		at = within[step]
	}
	found, _ := at.(map[string]any)
	return found
}

func alternatives(s map[string]any) ([]any, string) {
	for _, name := range []string{"anyOf", "oneOf"} {
		if options, ok := s[name].([]any); ok && len(options) > 0 {
			return options, name
		}
	}
	return nil, ""
}

// alternative takes the first option, and deep down the first that ends there:
// so a tree gets leaves.
func (a *author) alternative(options []any, depth int) map[string]any {
	var schemas []map[string]any
	for _, option := range options {
		if s, ok := option.(map[string]any); ok {
			schemas = append(schemas, s)
		}
	}
	for _, s := range schemas {
		if depth < wideDepth && s["type"] != "null" || depth >= wideDepth && ends(s) {
			return s
		}
	}
	if len(schemas) == 0 {
		return nil
	}
	return schemas[0]
}

// ends is true of what has no parts.
func ends(s map[string]any) bool {
	switch s["type"] {
	case "null", "string", "integer", "number", "boolean":
		return true
	}
	return s["enum"] != nil || s["const"] != nil
}

// merged is both schemas in one. Of properties both count; of the rest, a's.
func merged(a, b map[string]any) map[string]any {
	if len(b) == 0 {
		return a
	}
	both := maps.Clone(b)
	for name, value := range a {
		switch old := both[name].(type) {
		case map[string]any:
			if more, ok := value.(map[string]any); ok && (name == "properties" || name == "$defs") {
				value = merged(more, old)
			}
		case []any:
			if more, ok := value.([]any); ok && name == "required" {
				value = union(old, more)
			}
		}
		both[name] = value
	}
	return both
}

func union(a, b []any) []any {
	all := slices.Clone(a)
	for _, name := range b {
		if name, ok := name.(string); ok && !slices.Contains(a, any(name)) {
			all = append(all, name)
		}
	}
	return all
}

func without(s map[string]any, name string) map[string]any {
	rest := maps.Clone(s)
	delete(rest, name)
	return rest
}

// typeOf is the type to write: the declared one, of several the first that is
// not null, and without any the one that the other words are about.
func typeOf(s map[string]any, depth int) string {
	switch t := s["type"].(type) {
	case string:
		return t
	case []any:
		if depth >= wideDepth && slices.Contains(t, any("null")) {
			return "null"
		}
		for _, option := range t {
			if name, ok := option.(string); ok && (name != "null" || len(t) == 1) {
				return name
			}
		}
	}
	for _, known := range []struct{ words, of string }{
		{"properties required additionalProperties minProperties", "object"},
		{"items prefixItems minItems", "array"},
		{"minimum maximum exclusiveMinimum exclusiveMaximum multipleOf", "number"},
	} {
		for word := range strings.FieldsSeq(known.words) {
			if s[word] != nil {
				return known.of
			}
		}
	}
	return "string"
}

// choose takes the option that the question mentions, or any; a bad answer
// takes another one.
func (a *author) choose(options []any, nth int) int {
	at := a.turn % len(options)
	asked := spaced(a.asked)
	for i, option := range options {
		if word := spaced(fmt.Sprint(option)); word != " " && strings.Contains(asked, word) {
			at = i
			break
		}
	}
	if !a.good {
		at++
	}
	return (at + nth) % len(options)
}

// object has the required properties, or all where none is said to be required.
func (a *author) object(s map[string]any, depth, nth int) map[string]any {
	properties, _ := s["properties"].(map[string]any)
	names := slices.Sorted(maps.Keys(properties))
	var wanted []string
	if required, ok := s["required"].([]any); ok {
		for _, name := range required {
			if name, ok := name.(string); ok {
				wanted = append(wanted, name)
			}
		}
	} else if depth < wideDepth {
		wanted = names
	}
	o := map[string]any{}
	for _, name := range wanted {
		o[name] = a.property(s, name, depth, nth)
	}
	least := min(number(s, "minProperties", 0), maxValues)
	for _, name := range names {
		if _, there := o[name]; !there && float64(len(o)) < least {
			o[name] = a.property(s, name, depth, nth)
		}
	}
	for i := 1; float64(len(o)) < least; i++ {
		name := fmt.Sprintf("more_%d", i)
		o[name] = a.property(s, name, depth, nth)
	}
	return o
}

func (a *author) property(s map[string]any, name string, depth, nth int) any {
	properties, _ := s["properties"].(map[string]any)
	if schema, ok := properties[name]; ok {
		return a.value(schema, depth+1, nth)
	}
	return a.value(s["additionalProperties"], depth+1, nth)
}

// array has as few items as it may, but one where it may.
func (a *author) array(s map[string]any, depth int) []any {
	least := min(number(s, "minItems", 0), maxValues)
	if least == 0 && depth < wideDepth && number(s, "maxItems", 1) >= 1 {
		least = 1
	}
	first, _ := s["prefixItems"].([]any)
	list := []any{}
	for i := 0; float64(i) < least && a.left > 0; i++ {
		schema := s["items"]
		if i < len(first) {
			schema = first[i]
		} else if schema == false {
			break
		}
		list = append(list, a.value(schema, depth+1, i))
	}
	return list
}
