package chat

import (
	"errors"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/busuhq/busu/internal/document"
	"github.com/busuhq/busu/internal/llm"
)

var errNoObject = errors.New("the request's body is not a JSON object")

// Upstream is the body that a compatible endpoint is sent: r.Body with the
// model's name at the endpoint, with the limit of tokens under the name that
// the endpoint takes, and, where r.Emit asks for pieces, with stream and
// stream_options.include_usage set; where it does not, with stream not set.
// All else stays as it is. Without a Body it is made from r's fields, and
// fails where Encode does.
func Upstream(r llm.Request, d Dialect) ([]byte, error) {
	if r.Body == nil {
		return encode(r, d)
	}
	doc := gjson.Parse(document.View(r.Body))
	if !doc.IsObject() {
		return nil, errNoObject
	}
	e := edit{splicer: newSplicer(r.Body), streamed: r.Emit != nil, dialect: d}
	limit, other := d.limit()
	doc.ForEach(func(key, value gjson.Result) bool {
		switch key.Str {
		case "model":
			e.value(value, quoted(r.Model))
		case "stream":
			if e.streamed || value.Type == gjson.True {
				e.value(value, boolean(e.streamed))
			}
		case "stream_options":
			e.options(value, doc)
		case other:
			e.name(key, limit)
		case limit:
			if doc.Get(other).Exists() { // one of the two is null, or both are the caller's mistake
				e.name(key, other)
			}
		}
		return true
	})
	e.add(doc, r)
	return e.finish(), nil
}

// WithModel is body, a JSON object, with another model and nothing else
// changed.
func WithModel(body []byte, model string) ([]byte, error) {
	doc := gjson.Parse(document.View(body))
	if !doc.IsObject() {
		return nil, errNoObject
	}
	e := edit{splicer: newSplicer(body)}
	doc.ForEach(func(key, value gjson.Result) bool {
		if key.Str == "model" {
			e.value(value, quoted(model))
		}
		return true
	})
	e.add(doc, llm.Request{Model: model})
	return e.finish(), nil
}

// edit changes a body's members.
type edit struct {
	*splicer
	streamed bool
	dialect  Dialect
}

// add puts members that must be there and are not behind all others.
func (e *edit) add(doc gjson.Result, r llm.Request) {
	var missing []string
	if !doc.Get("model").Exists() {
		missing = append(missing, `"model":`+quoted(r.Model))
	}
	if e.streamed && !doc.Get("stream").Exists() {
		missing = append(missing, `"stream":true`)
	}
	if e.streamed && !e.dialect.NoStreamOptions && !doc.Get("stream_options").Exists() {
		missing = append(missing, `"stream_options":{"include_usage":true}`)
	}
	e.insert(doc, strings.Join(missing, ","))
}

// insert puts members behind the others of an object.
func (e *edit) insert(object gjson.Result, members string) {
	if members == "" {
		return
	}
	if !empty(object) {
		members = "," + members
	}
	end := object.Index + strings.LastIndexByte(object.Raw, '}')
	e.replace(end, end, members)
}

func (e *edit) value(v gjson.Result, with string) { e.replace(v.Index, v.Index+len(v.Raw), with) }

func (e *edit) name(key gjson.Result, with string) {
	e.replace(key.Index, key.Index+len(key.Raw), `"`+with+`"`)
}

// options sets include_usage where the answer is streamed. Where it is not and
// the caller thought it would be, vendors refuse options.
func (e *edit) options(v, doc gjson.Result) {
	switch {
	case e.dialect.NoStreamOptions:
		e.value(v, "null")
	case !e.streamed && doc.Get("stream").Type == gjson.True:
		e.value(v, "null")
	case !e.streamed:
	case !v.IsObject():
		e.value(v, `{"include_usage":true}`)
	case !v.Get("include_usage").Exists():
		e.insert(v, `"include_usage":true`)
	default:
		v.ForEach(func(key, value gjson.Result) bool {
			if key.Str == "include_usage" {
				e.value(value, "true")
			}
			return true
		})
	}
}

func empty(object gjson.Result) bool {
	none := true
	object.ForEach(func(_, _ gjson.Result) bool {
		none = false
		return false
	})
	return none
}

func quoted(s string) string { return string(gjson.AppendJSONString(nil, s)) }

func boolean(b bool) string {
	if b {
		return "true"
	}
	return "false"
}
