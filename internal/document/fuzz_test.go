package document_test

import (
	"encoding/json"
	"errors"
	"testing"
	"unicode/utf8"

	"github.com/busuhq/busu/internal/document"
)

// FuzzParse: what is read is an object that every other reader reads, too; all
// else is refused as unreadable, in words that can be sent back.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{`{}`, `{"a": [1, {"b": null}]}`, ` {"a":1} x`, `[1]`, "{\"a\":\"\xff\"}", `{"a":1,"a":2}`, `[[[[`, "", `{"\ud800": 1}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		doc, err := document.Parse(body)
		if err != nil {
			if _, ok := errors.AsType[*document.InvalidError](err); !ok || !utf8.ValidString(err.Error()) || len(err.Error()) > 400 {
				t.Errorf("%T %q", err, err)
			}
			return
		}
		var all map[string]json.RawMessage
		if err := json.Unmarshal(body, &all); err != nil {
			t.Fatalf("read is what others do not read: %v", err)
		}
		if n := len(doc.Map()); n != len(all) {
			t.Errorf("%d members, others read %d", n, len(all))
		}
	})
}
