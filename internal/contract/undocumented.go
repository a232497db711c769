package contract

import (
	"fmt"
	"maps"
	"slices"

	"github.com/getkin/kin-openapi/openapi3"
)

// Undocumented lists members that a schema says nothing of. Schemas allow
// them, so that clients go on working when some are added; tests do not.
func Undocumented(s *openapi3.Schema, value any) []string { return undocumented(s, value, "") }

func undocumented(s *openapi3.Schema, value any, at string) []string {
	if len(s.Properties) == 0 {
		for _, one := range s.OneOf {
			if one.Value.VisitJSON(value, openapi3.EnableJSONSchema2020()) == nil {
				return undocumented(one.Value, value, at)
			}
		}
	}
	members, ok := value.(map[string]any)
	if list, isList := value.([]any); isList && s.Items != nil {
		var extra []string
		for i, item := range list {
			extra = append(extra, undocumented(s.Items.Value, item, fmt.Sprintf("%s[%d]", at, i))...)
		}
		return extra
	}
	if !ok {
		return nil
	}
	known, open := properties(s)
	var extra []string
	for name, member := range members {
		switch {
		case known[name] != nil:
			extra = append(extra, undocumented(known[name], member, at+"."+name)...)
		case open != nil:
			extra = append(extra, undocumented(open, member, at+"."+name)...)
		case len(known) > 0:
			extra = append(extra, at+"."+name)
		}
	}
	return extra
}

// properties are a schema's with those of all it is made of; open is the one
// of any further ones.
func properties(s *openapi3.Schema) (known map[string]*openapi3.Schema, open *openapi3.Schema) {
	known = map[string]*openapi3.Schema{}
	for name, p := range s.Properties {
		known[name] = p.Value
	}
	if s.AdditionalProperties.Schema != nil {
		open = s.AdditionalProperties.Schema.Value
	}
	for _, part := range slices.Concat(s.AllOf, s.OneOf) {
		more, openPart := properties(part.Value)
		maps.Copy(known, more)
		if openPart != nil {
			open = openPart
		}
	}
	return known, open
}
