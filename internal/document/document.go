// Package document reads the JSON documents that callers send: member by
// member, with every fault named by its path and not only the first, and
// nothing that two readers could read differently.
package document

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/tidwall/gjson"
)

// maxNesting is how deep lists and objects may lie in each other. JSON Schemas
// of tools are the deepest there is; vendors allow them ten levels.
const maxNesting = 128

// Parse reads a body that is a JSON object in UTF-8. What it returns is a View of
// it. Its error is an *InvalidError that is Unreadable.
func Parse(body []byte) (gjson.Result, error) {
	if !utf8.Valid(body) {
		return gjson.Result{}, Unreadable("the body is not valid UTF-8")
	}
	if err := Check(body); err != nil {
		return gjson.Result{}, Unreadable("the body %s", err)
	}
	doc := gjson.Parse(View(body))
	if !doc.IsObject() {
		return gjson.Result{}, Unreadable("the body is %s, not a JSON object", Show(doc))
	}
	return doc, nil
}

// Check reports what keeps text from being JSON that is not nested too deeply,
// in words that go on behind the text's name. The scanner descends by recursion: without the limit a few megabytes
// of brackets would end the process.
func Check(text []byte) error {
	if len(bytes.TrimSpace(text)) == 0 {
		return errors.New("is empty")
	}
	if nestedTooDeeply(text) {
		return fmt.Errorf("is nested more than %d levels deep", maxNesting)
	}
	if gjson.ValidBytes(text) {
		return nil
	}
	var whole json.RawMessage
	if syntax, ok := errors.AsType[*json.SyntaxError](json.Unmarshal(text, &whole)); ok {
		return fmt.Errorf("is not JSON: %s (at byte %d)", syntax, syntax.Offset)
	}
	return errors.New("is not JSON")
}

// nestedTooDeeply looks at brackets outside of strings. Most texts have so few
// of them that counting is enough, which is many times faster.
func nestedTooDeeply(text []byte) bool {
	if bytes.Count(text, []byte("["))+bytes.Count(text, []byte("{")) <= maxNesting {
		return false
	}
	depth := 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			i += quotedLength(text[i:]) - 1
		case '[', '{':
			if depth++; depth > maxNesting {
				return true
			}
		case ']', '}':
			depth--
		}
	}
	return false
}

// quotedLength is the length of the string that text begins with, its quotes
// included. One that does not end is as long as the text.
func quotedLength(text []byte) int {
	for i := 1; ; i++ {
		next := bytes.IndexByte(text[i:], '"')
		if next < 0 {
			return len(text)
		}
		i += next
		backslashes := 0
		for text[i-1-backslashes] == '\\' {
			backslashes++
		}
		if backslashes%2 == 0 {
			return i + 1
		}
	}
}

// Show gives a JSON value, where it is long only its kind.
func Show(v gjson.Result) string {
	switch {
	case !v.Exists():
		return "missing"
	case v.IsObject():
		return "an object"
	case v.IsArray():
		return "a list"
	case v.Type == gjson.String && len(v.Raw) > 40:
		return "a string"
	}
	return Cut(v.Raw)
}
