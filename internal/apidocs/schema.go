package apidocs

import (
	"encoding/json"
	"fmt"
	"html/template"
	"slices"
	"strings"
)

// shape is what a value looks like.
type shape struct {
	Kind    string // in words: "string (uuid)", "list of objects or null"
	Limits  []template.HTML
	IsFixed bool     // there is only one value
	Values  []string // all that are allowed
	Default string
	About   template.HTML
	Notes   []template.HTML
	Fields  []field // of an object, or of a list's items
	Choices []shape // one of which it looks like
}

// field is a member of an object, a parameter or a header.
type field struct {
	Name string // "" stands for any other
	In   string // of parameters: path, query, header
	Mark string // required, optional; what goes without saying is ""
	shape
}

// Names lists the fields for a closed list of them.
func (s shape) Names() string {
	var names []string
	for _, f := range s.Fields {
		if f.Name != "" {
			names = append(names, f.Name)
		}
	}
	if len(names) > 5 {
		names = append(names[:4], "…")
	}
	return strings.Join(names, ", ")
}

// keywords are what of JSON Schema this page shows. One that is missing here
// must not be passed over in silence.
var keywords = []string{"type", "format", "const", "enum", "default", "description", "examples", "example",
	"properties", "required", "additionalProperties", "propertyNames", "items", "oneOf", "allOf",
	"minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties", "pattern"}

// shape reads a schema. within are the references that led here: one that
// comes again is named, not followed.
func (r *reader) shape(schema any, within ...string) shape {
	s, ref := r.resolve(schema)
	for _, m := range s {
		if !slices.Contains(keywords, m.name) {
			r.fault("the schema's %s is not shown", m.name)
		}
	}
	out := shape{Kind: r.kind(s), Limits: limits(s), About: markdown(s.text("description")), Default: defaultOf(s), IsFixed: s.has("const"), Values: values(s)}
	if slices.Contains(within, ref) {
		out.Notes = append(out.Notes, inline("As `"+ref+"` above."))
		return out
	}
	if ref != "" {
		within = append(slices.Clone(within), ref)
	}
	out.Fields = r.fields(s, within)
	r.addParts(s, within, &out)
	if items, ok := s.get("items").(object); ok {
		item := r.shape(items, within...)
		out.Fields, out.Choices = append(out.Fields, item.Fields...), append(out.Choices, item.Choices...)
		out.About, out.Notes = out.About+item.About, append(out.Notes, item.Notes...)
		if len(item.Fields) == 0 {
			out.Limits, out.Values = append(out.Limits, each(item.Limits)...), append(out.Values, item.Values...)
		}
	}
	return out
}

func each(limits []template.HTML) []template.HTML {
	for i := range limits {
		limits[i] = "each " + limits[i]
	}
	return limits
}

// fields are an object's members, and what any other must look like.
func (r *reader) fields(s object, within []string) []field {
	required := s.list("required")
	var all []field
	for _, p := range s.object("properties") {
		all = append(all, field{Name: p.name, Mark: r.mark(slices.Contains(required, any(p.name))), shape: r.shape(p.value, within...)})
	}
	if more, ok := s.get("additionalProperties").(object); ok {
		if other := r.shape(more, within...); other.saysMore() {
			all = append(all, field{shape: other})
		}
	}
	return all
}

// saysMore reports whether there is more to say of a value than its kind.
func (s shape) saysMore() bool {
	return s.About != "" || len(s.Fields)+len(s.Limits)+len(s.Values)+len(s.Notes)+len(s.Choices) > 0
}

// mark says what a reader must know: of what is asked, what cannot be left
// out; of what is answered, what may be missing.
func (r *reader) mark(isRequired bool) string {
	switch {
	case !r.answering && isRequired:
		return "required"
	case r.answering && !isRequired:
		return "optional"
	}
	return ""
}

// addParts adds what a schema is made of, and what it leaves the choice of.
func (r *reader) addParts(s object, within []string, out *shape) {
	for _, part := range s.list("allOf") {
		p := r.shape(part, within...)
		out.Fields = append(out.Fields, p.Fields...)
		out.About, out.Notes = out.About+p.About, append(out.Notes, p.Notes...)
	}
	var alternatives []string
	for _, choice := range s.list("oneOf") {
		c, _ := r.resolve(choice)
		if names := c.list("required"); len(c) == 1 && len(names) > 0 {
			alternatives = append(alternatives, requiredNames(names))
			continue
		}
		if c.text("type") != "null" {
			out.Choices = append(out.Choices, r.shape(choice, within...))
		}
	}
	if len(alternatives) > 0 {
		out.Notes = append(out.Notes, inline("Exactly one of "+words(alternatives, "or")+"."))
	}
	if len(out.Choices) == 1 { // the other one was null
		only := out.Choices[0]
		out.Fields, out.Choices = append(out.Fields, only.Fields...), only.Choices
		out.About, out.Notes = out.About+only.About, append(out.Notes, only.Notes...)
	}
	switch s.get("additionalProperties") {
	case true:
		out.Notes = append(out.Notes, "Other members are allowed.")
	case false:
		out.Notes = append(out.Notes, "No other members.")
	}
}

func requiredNames(names []any) string {
	var all []string
	for _, name := range names {
		all = append(all, fmt.Sprintf("`%v`", name))
	}
	return words(all, "and")
}

// words joins as people do: a, b or c.
func words(list []string, last string) string {
	if len(list) < 2 {
		return strings.Join(list, "")
	}
	return strings.Join(list[:len(list)-1], ", ") + " " + last + " " + list[len(list)-1]
}

// kind says in words what a value is.
func (r *reader) kind(s object) string {
	var kinds []string
	add := func(kind string) {
		if !slices.Contains(kinds, kind) {
			kinds = append(kinds, kind)
		}
	}
	switch t := s.get("type").(type) {
	case string:
		add(r.kindOf(s, t))
	case []any:
		for _, one := range t {
			add(r.kindOf(s, fmt.Sprint(one)))
		}
	default:
		for _, choice := range s.list("oneOf") {
			if c, _ := r.resolve(choice); !c.has("required") || len(c) > 1 {
				add(r.kind(c))
			}
		}
	}
	if len(kinds) == 0 {
		switch {
		case s.has("properties"), s.has("allOf"):
			return "object"
		case s.has("const"):
			return kindOfValue(s.get("const"))
		case s.has("enum"):
			return "string"
		}
		return "anything"
	}
	return words(kinds, "or")
}

func (r *reader) kindOf(s object, t string) string {
	if format := s.text("format"); format != "" && t == "string" {
		return t + " (" + format + ")"
	}
	items, ok := s.get("items").(object)
	switch {
	case t == "array" && ok:
		item, _ := r.resolve(items)
		return "list of " + plural(r.kind(item))
	case t == "array":
		return "list"
	case t == "object" && !s.has("properties"):
		if more, ok := s.get("additionalProperties").(object); ok {
			value, _ := r.resolve(more)
			return "object of " + plural(r.kind(value))
		}
	}
	return t
}

func plural(kind string) string {
	first, rest, cut := strings.Cut(kind, " ")
	if first == "anything" {
		return kind
	}
	if cut {
		return first + "s " + rest
	}
	return first + "s"
}

func kindOfValue(v any) string {
	switch v.(type) {
	case bool:
		return "boolean"
	case json.Number:
		return "number"
	default:
		return "string"
	}
}

// values are all that a value may be.
func values(s object) []string {
	var all []string
	if s.has("const") {
		all = append(all, literal(s.get("const")))
	}
	for _, v := range s.list("enum") {
		all = append(all, literal(v))
	}
	return all
}

func defaultOf(s object) string {
	if !s.has("default") {
		return ""
	}
	return literal(s.get("default"))
}

// literal shows a value; texts without their quotes.
func literal(v any) string {
	if text, ok := v.(string); ok && text != "" {
		return text
	}
	return oneLine(v)
}

// limits says what bounds a value.
func limits(s object) []template.HTML {
	var all []template.HTML
	for _, l := range []struct{ low, high, unit string }{
		{"minimum", "maximum", ""}, {"minLength", "maxLength", " character"},
		{"minItems", "maxItems", " item"}, {"minProperties", "maxProperties", " member"},
	} {
		if text := between(s.get(l.low), s.get(l.high), l.unit); text != "" {
			all = append(all, inline(text))
		}
	}
	if pattern := s.text("pattern"); pattern != "" {
		all = append(all, inline("matches `"+pattern+"`"))
	}
	if names, ok := s.get("propertyNames").(object); ok {
		if text := between(names.get("minLength"), names.get("maxLength"), " character"); text != "" {
			all = append(all, inline("names of "+text))
		}
	}
	var examples []string
	for _, e := range s.list("examples") {
		examples = append(examples, "`"+literal(e)+"`")
	}
	if len(examples) > 0 {
		all = append(all, inline("such as "+words(examples, "or")))
	}
	return all
}

// between says what lies between two bounds, of which either may be missing.
func between(low, high any, unit string) string {
	most := high
	if most == nil {
		most = low
	}
	if unit != "" && oneLine(most) != "1" {
		unit += "s"
	}
	switch {
	case low != nil && high != nil:
		return grouped(low) + " to " + grouped(high) + unit
	case low != nil:
		return "at least " + grouped(low) + unit
	case high != nil:
		return "at most " + grouped(high) + unit
	}
	return ""
}

// grouped writes a number with commas: 200,000.
func grouped(v any) string {
	digits := oneLine(v)
	if strings.ContainsAny(digits, ".eE-") {
		return digits
	}
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}
