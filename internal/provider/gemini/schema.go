package gemini

import (
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strings"
)

// cleanSchema is a JSON Schema in the part of the language that Gemini
// documents for responseJsonSchema and parametersJsonSchema; it refuses
// requests with more. What cannot be said in it is left out, so that the
// answer may be wider than the schema, never narrower. The order of the
// properties stays: the model writes them in it.
func cleanSchema(schema json.RawMessage) (json.RawMessage, error) {
	c := &cleaner{definitions: map[string]object{}, left: maxRead}
	top, ok := c.read(schema)
	if !ok {
		return nil, errors.New("a schema must be a JSON object, and not a huge one")
	}
	for _, name := range []string{"$defs", "definitions"} {
		definitions, _ := c.read(top.get(name))
		for _, d := range definitions {
			if definition, ok := c.read(d.value); ok {
				c.definitions["#/"+name+"/"+d.name] = definition
			}
		}
	}
	return c.clean(top).bytes(), nil
}

// cleaner cleans one schema.
type cleaner struct {
	definitions map[string]object // by the references to them
	left        int               // bytes that may still be read
	nesting     int               // of allOf in allOf
}

// maxRead bounds the work, in bytes: parts are read once for each level they
// are in, and folding follows references, which may lead back to where they
// are. Beyond it, parts accept anything.
const maxRead = 4 << 20

func (c *cleaner) read(raw json.RawMessage) (object, bool) {
	const own = 256 // about what a part costs beside its bytes
	if c.left -= len(raw) + own; c.left < 0 {
		return nil, false
	}
	return readObject(raw)
}

func (c *cleaner) clean(s object) object {
	if reference := s.get("$ref"); reference != nil {
		return c.cleanReference(s, reference)
	}
	s = c.folded(s)
	clean := object{}
	for _, m := range s {
		if m.name == "oneOf" && s.get("anyOf") == nil {
			m.name = "anyOf" // options can be alike when they are clean
		}
		if value := c.cleanMember(s, m); value != nil {
			clean.set(m.name, value)
		}
	}
	restate(s, &clean)
	c.keepDefinitions(s, &clean)
	return clean
}

// cleanReference keeps what may stand beside a reference, which is nothing but
// definitions. The old name for these becomes the new one.
func (c *cleaner) cleanReference(s object, reference json.RawMessage) object {
	var path string
	if json.Unmarshal(reference, &path) != nil {
		return object{}
	}
	if rest, ok := strings.CutPrefix(path, "#/definitions/"); ok {
		path = "#/$defs/" + rest
	}
	clean := object{{"$ref", mustJSON(path)}}
	c.keepDefinitions(s, &clean)
	return clean
}

func (c *cleaner) keepDefinitions(s object, clean *object) {
	all := object{}
	for _, name := range []string{"$defs", "definitions"} {
		definitions, _ := c.read(s.get(name))
		for _, d := range definitions {
			all = append(all, member{d.name, c.cleanValue(d.value)})
		}
	}
	if len(all) > 0 {
		clean.set("$defs", all.bytes())
	}
}

// cleanMember is the value of one word of the language, or nil where Gemini
// does not know it.
func (c *cleaner) cleanMember(s object, m member) json.RawMessage {
	switch m.name {
	case "$id", "$anchor", "type", "title", "description", "minItems", "maxItems", "minimum", "maximum", "propertyOrdering":
		return m.value
	case "format":
		return knownFormat(m.value)
	case "enum":
		return plainValues(m.value)
	case "required":
		return definedNames(m.value, s.get("properties"))
	case "items":
		return c.cleanPart(m.value)
	case "additionalProperties":
		return c.cleanAdditional(s, m.value)
	case "properties":
		properties, _ := c.read(m.value)
		clean := object{}
		for _, p := range properties {
			clean = append(clean, member{p.name, c.cleanValue(p.value)})
		}
		return clean.bytes()
	case "prefixItems", "anyOf":
		list := c.cleanList(m.value)
		anything := slices.ContainsFunc(list, func(s json.RawMessage) bool { return string(s) == "{}" })
		if len(list) == 0 || anything && m.name != "prefixItems" {
			return nil // with an option that accepts everything there is no choice
		}
		return mustJSON(list)
	}
	return nil
}

// cleanAdditional is what may be in an object beside its properties. Names that
// a pattern allows are among it, as patterns are not known.
func (c *cleaner) cleanAdditional(s object, raw json.RawMessage) json.RawMessage {
	switch {
	case s.get("patternProperties") != nil:
		return nil
	case string(raw) == "true" || string(raw) == "false":
		return raw
	}
	return c.cleanPart(raw)
}

// cleanValue cleans where some schema must stand: true and false become the
// schema that accepts everything.
func (c *cleaner) cleanValue(raw json.RawMessage) json.RawMessage {
	if clean := c.cleanPart(raw); clean != nil {
		return clean
	}
	return json.RawMessage("{}")
}

// cleanPart is nil for what is not an object.
func (c *cleaner) cleanPart(raw json.RawMessage) json.RawMessage {
	s, ok := c.read(raw)
	if !ok {
		return nil
	}
	return c.clean(s).bytes()
}

func (c *cleaner) cleanList(raw json.RawMessage) []json.RawMessage {
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) != nil {
		return nil
	}
	for i := range list {
		list[i] = c.cleanValue(list[i])
	}
	return list
}

// restate says with Gemini's words what others said.
func restate(s object, clean *object) {
	if only := s.get("const"); only != nil && clean.get("enum") == nil {
		if list := plainValues(slices.Concat(json.RawMessage("["), only, json.RawMessage("]"))); list != nil {
			clean.set("enum", list)
		}
	}
	whole := string(s.get("type")) == `"integer"`
	if above, ok := readNumber(s.get("exclusiveMinimum")); ok && clean.get("minimum") == nil {
		if whole {
			above = math.Floor(above) + 1
		}
		clean.set("minimum", mustJSON(above))
	}
	if below, ok := readNumber(s.get("exclusiveMaximum")); ok && clean.get("maximum") == nil {
		if whole {
			below = math.Ceil(below) - 1
		}
		clean.set("maximum", mustJSON(below))
	}
	if allowsNull(s.get("enum")) && clean.get("enum") != nil {
		orNull(clean)
	}
}

func allowsNull(enum json.RawMessage) bool {
	var list []json.RawMessage
	return json.Unmarshal(enum, &list) == nil &&
		slices.ContainsFunc(list, func(value json.RawMessage) bool { return string(value) == "null" })
}

// orNull makes an enumeration, which cannot hold null, one of two options. It
// gives way where there are options already.
func orNull(clean *object) {
	values := object{{"enum", clean.get("enum")}}
	clean.remove("enum")
	if clean.get("anyOf") != nil {
		return
	}
	if given := clean.get("type"); given != nil {
		values.set("type", withoutNull(given))
		clean.remove("type")
	}
	clean.set("anyOf", mustJSON([]json.RawMessage{values.bytes(), json.RawMessage(`{"type":"null"}`)}))
}

// withoutNull is a type, or one of several, that is not null.
func withoutNull(given json.RawMessage) json.RawMessage {
	var names []string
	if json.Unmarshal(given, &names) != nil {
		return given
	}
	names = slices.DeleteFunc(names, func(name string) bool { return name == "null" })
	return mustJSON(names)
}

func readNumber(raw json.RawMessage) (float64, bool) {
	var n float64
	err := json.Unmarshal(raw, &n)
	return n, err == nil && len(raw) > 0 && string(raw) != "null" && math.Abs(n) < 1e15
}

func knownFormat(raw json.RawMessage) json.RawMessage {
	switch string(raw) {
	case `"date-time"`, `"date"`, `"time"`, `"int32"`, `"int64"`, `"float"`, `"double"`:
		return raw
	}
	return nil
}

// plainValues is a list of strings and numbers, without a null among them:
// Gemini knows no other values to choose from. It is nil for lists with others.
func plainValues(raw json.RawMessage) json.RawMessage {
	var list, plain []json.RawMessage
	if json.Unmarshal(raw, &list) != nil {
		return nil
	}
	for _, value := range list {
		switch {
		case strings.IndexByte(`"-0123456789`, value[0]) >= 0:
			plain = append(plain, value)
		case string(value) != "null":
			return nil
		}
	}
	if len(plain) == 0 {
		return nil
	}
	return mustJSON(plain)
}

// definedNames keeps the required names that are properties: Gemini refuses
// others.
func definedNames(required, properties json.RawMessage) json.RawMessage {
	var names []string
	defined, ok := readObject(properties)
	if !ok || json.Unmarshal(required, &names) != nil {
		return nil
	}
	open := defined.names()
	names = slices.DeleteFunc(names, func(name string) bool {
		drop := !open[name]
		open[name] = false // once is enough
		return drop
	})
	if len(names) == 0 {
		return nil
	}
	return mustJSON(names)
}

// folded writes allOf, which Gemini does not know, into the schema itself:
// properties and required names add up, of other words the first counts.
func (c *cleaner) folded(s object) object {
	const deepest = 32
	var parts []json.RawMessage
	if json.Unmarshal(s.get("allOf"), &parts) != nil || c.nesting == deepest {
		return s
	}
	c.nesting++
	defer func() { c.nesting-- }()
	sum := slices.Clone(s)
	for _, raw := range parts {
		part, ok := c.read(raw)
		if !ok {
			continue
		}
		var path string
		if json.Unmarshal(part.get("$ref"), &path) == nil {
			part = c.definitions[path]
		}
		for _, m := range c.folded(part) {
			if c.left -= len(m.value) + len(sum.get(m.name)); c.left < 0 {
				break
			}
			sum.fold(m)
		}
	}
	return sum
}

func (o *object) fold(m member) {
	old := o.get(m.name)
	switch {
	case old == nil:
		o.set(m.name, m.value)
	case m.name == "properties":
		mine, _ := readObject(old)
		theirs, _ := readObject(m.value)
		known := mine.names()
		for _, p := range theirs {
			if !known[p.name] {
				mine = append(mine, p)
			}
		}
		o.set(m.name, mine.bytes())
	case m.name == "required":
		var mine, theirs []string
		if json.Unmarshal(old, &mine) == nil && json.Unmarshal(m.value, &theirs) == nil {
			o.set(m.name, mustJSON(append(mine, theirs...)))
		}
	}
}
