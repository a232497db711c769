package apifuzz

import (
	"maps"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// draw makes values at random.
type draw struct {
	*rand.Rand
	known *pool
}

func pick[T any](d *draw, from []T) T { return from[d.IntN(len(from))] }

// one in n.
func (d *draw) oneIn(n int) bool { return d.IntN(n) == 0 }

// value draws one that a schema allows, as far as a schema says it. The name
// is that of the member or parameter.
func (d *draw) value(name string, s *openapi3.Schema, depth int) any {
	if likely := d.likely(name); likely != nil && !d.oneIn(4) {
		return likely
	}
	switch {
	case s.Const != nil:
		return s.Const
	case len(s.Enum) > 0:
		return pick(d, s.Enum)
	case len(s.Examples) > 0 && !d.oneIn(3):
		return pick(d, s.Examples)
	case s.Example != nil && !d.oneIn(3):
		return s.Example
	case s.Default != nil && d.oneIn(3):
		return s.Default
	}
	types := slices.DeleteFunc(slices.Clone(s.Type.Slice()), func(t string) bool { return t == "null" })
	switch {
	case s.Type.IncludesNull() && d.oneIn(6):
		return nil
	case len(s.Properties) > 0, slices.Contains(types, "object"), len(types) == 0 && len(s.OneOf)+len(s.AllOf) > 0:
		return d.object(name, s, depth)
	case len(types) == 0:
		return d.text(nil)
	}
	switch pick(d, types) {
	case "array":
		return d.list(name, s, depth)
	case "integer":
		return d.whole(s)
	case "number":
		return d.number(s)
	case "boolean":
		return d.oneIn(2)
	default:
		return d.text(s)
	}
}

// object draws one of the required members and some of the others.
func (d *draw) object(name string, s *openapi3.Schema, depth int) any {
	members := map[string]any{}
	required := slices.Clone(s.Required)
	for _, part := range s.AllOf {
		if more, ok := d.value(name, part.Value, depth+1).(map[string]any); ok {
			maps.Copy(members, more)
		}
	}
	var excluded []string
	if len(s.OneOf) > 0 {
		chosen := pick(d, s.OneOf).Value
		if chosen.Type != nil || len(chosen.Properties) > 0 {
			if more, ok := d.value(name, chosen, depth+1).(map[string]any); ok {
				maps.Copy(members, more)
			} else if len(s.Properties) == 0 {
				return d.value(name, chosen, depth+1)
			}
		}
		required = append(required, chosen.Required...)
		for _, other := range s.OneOf {
			excluded = append(excluded, other.Value.Required...)
		}
	}
	few := 1 + d.IntN(5)
	for _, property := range slices.Sorted(maps.Keys(s.Properties)) {
		must := slices.Contains(required, property)
		if must || depth < 6 && d.oneIn(few) && !slices.Contains(excluded, property) {
			members[property] = d.value(property, s.Properties[property].Value, depth+1)
		}
	}
	if open := s.AdditionalProperties.Schema; open != nil && d.oneIn(2) {
		members[d.word()] = d.value("", open.Value, depth+1)
	}
	return members
}

func (d *draw) list(name string, s *openapi3.Schema, depth int) any {
	n := int(s.MinItems) + d.IntN(3)
	if s.MaxItems != nil {
		n = min(n, int(*s.MaxItems))
	}
	all := make([]any, 0, n)
	for range n {
		if s.Items == nil {
			all = append(all, d.word())
			continue
		}
		all = append(all, d.value(strings.TrimSuffix(name, "s"), s.Items.Value, depth+1))
	}
	return all
}

func (d *draw) whole(s *openapi3.Schema) any {
	low, high := int64(0), int64(1000)
	if s.Min != nil {
		low = int64(*s.Min)
		high = low + 1000
	}
	if s.Max != nil {
		high = int64(*s.Max)
	}
	if d.oneIn(4) {
		return pick(d, []int64{low, high})
	}
	return low + d.Int64N(max(1, high-low+1))
}

func (d *draw) number(s *openapi3.Schema) any {
	low, high := 0.0, 1.0
	if s.Min != nil {
		low = *s.Min
		high = low + 1
	}
	if s.Max != nil {
		high = *s.Max
	}
	if d.oneIn(4) {
		return pick(d, []float64{low, high})
	}
	return low + d.Float64()*(high-low)
}

// text draws a string within a schema's length, or any.
func (d *draw) text(s *openapi3.Schema) any {
	if s != nil {
		switch s.Format {
		case "date-time":
			return pick(d, []string{"2026-11-01T00:00:00Z", "2031-02-28T23:59:59.999999999+14:00", "1970-01-01T00:00:00Z", "9999-12-31T23:59:59Z"})
		case "date":
			return pick(d, []string{"2026-11-01", "2024-02-29", "1970-01-01", "9999-12-31"})
		case "uuid":
			return "019b0e4e-2b8a-7c3e-9d53-5a0f1c9f5b11"
		case "uri":
			return "https://example.com/hook?x=1"
		}
	}
	words := make([]string, 0, 4)
	for range 1 + d.IntN(4) {
		words = append(words, d.word())
	}
	text := strings.Join(words, " ")
	if s != nil && s.MaxLength != nil {
		if runes := []rune(text); uint64(len(runes)) > *s.MaxLength {
			text = string(runes[:*s.MaxLength])
		}
	}
	return text
}

// word is one of a few, so that they meet again: users, sessions, names.
func (d *draw) word() string {
	return pick(d, []string{"ada", "ben", "cy", "über", "日本", "😀", "a.b", "x_y-z", "O'Hara", `quo"te`, `back\slash`, "<b>", "%41", "{}", "$1", "--", ";", "=1+1", "null", "0", "e\u0301", "\u202e", "\t"})
}
