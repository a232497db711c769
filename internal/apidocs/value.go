package apidocs

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// object is a JSON object whose members stay in the order in which they were
// written: readers of a reference expect that of its author. Other values are
// []any, string, json.Number, bool and nil.
type object []member

type member struct {
	name  string
	value any
}

// get gives a member's value, nil where there is none.
func (o object) get(name string) any {
	for _, m := range o {
		if m.name == name {
			return m.value
		}
	}
	return nil
}

func (o object) has(name string) bool {
	for _, m := range o {
		if m.name == name {
			return true
		}
	}
	return false
}

// object, list and text give a member as what it should be, empty where it is
// something else.
func (o object) object(name string) object { v, _ := o.get(name).(object); return v }
func (o object) list(name string) []any    { v, _ := o.get(name).([]any); return v }
func (o object) text(name string) string   { v, _ := o.get(name).(string); return v }

// with gives a copy in which a member has another value.
func (o object) with(name string, v any) object {
	var copied object
	for _, m := range o {
		if m.name != name {
			copied = append(copied, m)
		}
	}
	return append(copied, member{name, v})
}

// parse reads one JSON value.
func parse(text []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	v, err := parseValue(d)
	if err != nil {
		return nil, err
	}
	if d.More() {
		return nil, errors.New("there is more behind the value")
	}
	return v, nil
}

func parseValue(d *json.Decoder) (any, error) {
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch token {
	case json.Delim('{'):
		return parseObject(d)
	case json.Delim('['):
		list := []any{}
		for d.More() {
			v, err := parseValue(d)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		_, err = d.Token()
		return list, err
	}
	return token, nil
}

func parseObject(d *json.Decoder) (object, error) {
	o := object{}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, err
		}
		v, err := parseValue(d)
		if err != nil {
			return nil, err
		}
		o = append(o, member{fmt.Sprint(name), v})
	}
	_, err := d.Token()
	return o, err
}

// oneLine writes a value as JSON with a space behind colons and commas.
func oneLine(v any) string {
	var parts []string
	switch v := v.(type) {
	case object:
		for _, m := range v {
			parts = append(parts, quoted(m.name)+": "+oneLine(m.value))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case []any:
		for _, item := range v {
			parts = append(parts, oneLine(item))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case string:
		return quoted(v)
	case json.Number:
		return decimal(v)
	case nil:
		return "null"
	default:
		return fmt.Sprint(v)
	}
}

// decimal writes a number without an exponent, as people write money.
func decimal(n json.Number) string {
	if x, err := n.Float64(); err == nil && strings.ContainsAny(n.String(), "eE") {
		return strconv.FormatFloat(x, 'f', -1, 64)
	}
	return n.String()
}

// quoted is a JSON string with <, > and & as they are.
func quoted(s string) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) // a string always encodes
	return strings.TrimSuffix(b.String(), "\n")
}

// maxLine is what of an example fits beside the text.
const maxLine = 52

// indented writes a value as JSON for people: what fits into a line is one.
func indented(v any, indent string) string {
	line := oneLine(v)
	if len(indent)+len(line) <= maxLine {
		return line
	}
	inner := indent + "  "
	var lines []string
	opening, closing := "{", "}"
	switch v := v.(type) {
	case object:
		for _, m := range v {
			lines = append(lines, inner+quoted(m.name)+": "+indented(m.value, inner))
		}
	case []any:
		opening, closing = "[", "]"
		for _, item := range v {
			lines = append(lines, inner+indented(item, inner))
		}
	default:
		return line
	}
	return opening + "\n" + strings.Join(lines, ",\n") + "\n" + indent + closing
}
