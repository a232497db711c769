package messages

import (
	"encoding/json"
	"errors"

	"github.com/tidwall/gjson"

	"github.com/busuhq/busu/internal/document"
	"github.com/busuhq/busu/internal/llm"
)

// passOn is r.Body with another model, and with stream as r.Emit says, where
// it says otherwise. Every other byte stays.
func passOn(r llm.Request) ([]byte, error) {
	doc := gjson.Parse(document.View(r.Body))
	if !doc.IsObject() {
		return nil, errors.New("the request's body is not a JSON object")
	}
	model, err := json.Marshal(r.Model)
	if err != nil {
		return nil, err
	}
	s := splicer{text: r.Body, out: make([]byte, 0, len(r.Body)+len(model)+16)}
	streamed := r.Emit != nil
	if streamed && !doc.Get("stream").Exists() {
		s.insert(doc, `"stream":true`)
	}
	doc.ForEach(func(key, value gjson.Result) bool {
		switch {
		case key.Str == "model":
			s.replace(value, string(model))
		case key.Str == "stream" && streamed:
			s.replace(value, "true")
		case key.Str == "stream" && value.Type == gjson.True:
			s.replace(value, "false")
		}
		return true
	})
	return s.finish(), nil
}

// splicer copies a text with some of its values replaced, in its order.
type splicer struct {
	text []byte
	done int // of text
	out  []byte
}

func (s *splicer) replace(v gjson.Result, with string) {
	s.out = append(append(s.out, s.text[s.done:v.Index]...), with...)
	s.done = v.Index + len(v.Raw)
}

// insert puts a member before the others of a document.
func (s *splicer) insert(doc gjson.Result, member string) {
	start := doc.Index + 1
	s.out = append(append(s.out, s.text[s.done:start]...), member...)
	doc.ForEach(func(_, _ gjson.Result) bool {
		s.out = append(s.out, ',')
		return false
	})
	s.done = start
}

func (s *splicer) finish() []byte { return append(s.out, s.text[s.done:]...) }
