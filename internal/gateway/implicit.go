package gateway

import (
	"encoding/json"
	"math"
	"slices"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/llm"
)

// implicitOf is what an answer says against its model without anybody judging
// it; "" is nothing. Of several answers the first counts.
//
// An answer that ends at the caller's own limit says nothing: the limit was too
// low, for any model that has as much to say. Where the caller sets none, the
// model did not find an end.
func implicitOf(ask *llm.Request, r *llm.Response) string {
	switch {
	case ask.Format == llm.FormatEmbeddings:
		return ""
	case r.Refusal != "" || r.FinishReason == llm.FinishContentFilter:
		return event.ImplicitRefused
	case r.FinishReason == llm.FinishLength && ask.MaxTokens > 0:
		return ""
	case r.FinishReason == llm.FinishLength:
		return event.ImplicitCutOff
	case r.Text == "" && len(r.ToolCalls) == 0:
		return event.ImplicitEmpty
	case !keepsFormat(ask, r):
		return event.ImplicitInvalid
	}
	return ""
}

// keepsFormat reports whether an answer is the JSON that was asked for. Where
// it calls tools, their arguments are.
func keepsFormat(ask *llm.Request, r *llm.Response) bool {
	if len(r.ToolCalls) > 0 {
		return !slices.ContainsFunc(r.ToolCalls, func(c llm.ToolCall) bool { return c.Arguments != "" && !json.Valid([]byte(c.Arguments)) })
	}
	format := ask.ResponseFormat
	if format.Type != llm.ResponseJSON && format.Type != llm.ResponseJSONSchema {
		return true
	}
	var value, schema any
	if json.Unmarshal([]byte(r.Text), &value) != nil {
		return false
	}
	if format.Type == llm.ResponseJSON {
		return ofType("object", value)
	}
	return json.Unmarshal(format.Schema, &schema) != nil || conforms(schema, value)
}

// conforms holds a value against the parts of a JSON Schema that models break:
// types, and what is required. It goes through the value once, whatever the
// schema: the caller's must not cost more than the answer is long. What it does
// not know, holds.
func conforms(schema, value any) bool {
	s, ok := schema.(map[string]any)
	if !ok || s["$ref"] != nil || value == nil && s["nullable"] == true {
		return true
	}
	if !ofTypes(s["type"], value) {
		return false
	}
	switch v := value.(type) {
	case map[string]any:
		return hasRequired(s["required"], v) && propertiesConform(s["properties"], v)
	case []any:
		return !slices.ContainsFunc(v, func(item any) bool { return !conforms(s["items"], item) })
	}
	return true
}

func hasRequired(required any, value map[string]any) bool {
	names, _ := required.([]any)
	return !slices.ContainsFunc(names, func(name any) bool {
		text, isText := name.(string)
		_, has := value[text]
		return isText && !has
	})
}

func propertiesConform(properties any, value map[string]any) bool {
	schemas, _ := properties.(map[string]any)
	for name, v := range value {
		if schema, known := schemas[name]; known && !conforms(schema, v) {
			return false
		}
	}
	return true
}

// ofTypes takes what a schema may say of the type: nothing, one or several.
func ofTypes(types, value any) bool {
	switch t := types.(type) {
	case string:
		return ofType(t, value)
	case []any:
		return slices.ContainsFunc(t, func(one any) bool { return ofTypes(one, value) })
	}
	return true
}

func ofType(name string, value any) (ok bool) {
	switch name {
	case "object":
		_, ok = value.(map[string]any)
	case "array":
		_, ok = value.([]any)
	case "string":
		_, ok = value.(string)
	case "number":
		_, ok = value.(float64)
	case "integer":
		var n float64
		n, ok = value.(float64)
		ok = ok && n == math.Trunc(n)
	case "boolean":
		_, ok = value.(bool)
	case "null":
		ok = value == nil
	default:
		ok = true
	}
	return ok
}
