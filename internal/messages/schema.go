package messages

import (
	"encoding/json"
	"errors"
	"strings"

	"github.com/tidwall/gjson"
)

// closed is schema with every object closed that does not say whether it is,
// as the vendor insists. What fits the closed schema fits the caller's, too.
// The members keep their order, in which models write.
func closed(schema []byte) ([]byte, error) {
	if !json.Valid(schema) {
		return nil, errors.New("it is not JSON")
	}
	c := closer{}
	c.schema(gjson.ParseBytes(schema), 0)
	if c.tooDeep {
		return nil, errors.New("it is nested too deeply")
	}
	return c.out, nil
}

type closer struct {
	out     []byte
	tooDeep bool
}

func (c *closer) schema(v gjson.Result, depth int) {
	const deepest = 100
	if !v.IsObject() || depth > deepest {
		c.tooDeep = c.tooDeep || depth > deepest
		c.out = append(c.out, v.Raw...)
		return
	}
	c.out = append(c.out, '{')
	first := true
	v.ForEach(func(key, value gjson.Result) bool {
		if !first {
			c.out = append(c.out, ',')
		}
		first = false
		c.out = append(append(c.out, key.Raw...), ':')
		c.member(key.Str, value, depth+1)
		return true
	})
	if isObject(v) && !v.Get("additionalProperties").Exists() {
		if !first {
			c.out = append(c.out, ',')
		}
		c.out = append(c.out, `"additionalProperties":false`...)
	}
	c.out = append(c.out, '}')
}

// member copies one, and the schemas in it.
func (c *closer) member(name string, v gjson.Result, depth int) {
	switch {
	case v.IsObject() && (name == "properties" || name == "$defs" || name == "definitions"):
		c.each(v, "{}", depth)
	case v.IsArray() && (name == "anyOf" || name == "oneOf" || name == "allOf" || name == "prefixItems"):
		c.each(v, "[]", depth)
	case v.IsObject() && (name == "items" || name == "additionalProperties" || name == "not"):
		c.schema(v, depth)
	default:
		c.out = append(c.out, v.Raw...)
	}
}

// each copies an object or a list of schemas.
func (c *closer) each(v gjson.Result, brackets string, depth int) {
	c.out = append(c.out, brackets[0])
	first := true
	v.ForEach(func(key, value gjson.Result) bool {
		if !first {
			c.out = append(c.out, ',')
		}
		first = false
		if key.Raw != "" && v.IsObject() {
			c.out = append(append(c.out, key.Raw...), ':')
		}
		c.schema(value, depth)
		return true
	})
	c.out = append(c.out, brackets[1])
}

func isObject(schema gjson.Result) bool {
	kind := schema.Get("type")
	return kind.Str == "object" || kind.IsArray() && strings.Contains(kind.Raw, `"object"`) || !kind.Exists() && schema.Get("properties").Exists()
}
