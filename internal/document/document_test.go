package document_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/busuhq/busu/internal/document"
)

// faultsOf reads a document with a field of each kind.
func faultsOf(body string) []string {
	doc, err := document.Parse([]byte(body))
	var f document.Faults
	if err == nil {
		f.Top(doc, func(name string, v gjson.Result) {
			switch name {
			case "word":
				f.Word(name, v, 3)
			case "flag":
				f.Boolean(name, v)
			case "whole":
				f.Whole(name, v, 0, 9)
			case "number":
				f.Number(name, v, 0, 1)
			case "pairs":
				f.Pairs(name, v, 2, 3, 3)
			case "list":
				f.List(name, v, 1, 3, func(v gjson.Result) {
					f.Members("", v, func(name string, v gjson.Result) { f.Text(name, v) })
				})
			}
		})
		err = f.Err()
	}
	var found []string
	if wrong, ok := errors.AsType[*document.InvalidError](err); ok {
		for _, fault := range wrong.Faults {
			found = append(found, strings.TrimSpace(fault.Field+" "+fault.Message))
		}
	}
	return found
}

func TestFaultsAreNamedByTheirPaths(t *testing.T) {
	t.Parallel()
	for body, want := range map[string][]string{
		`{"word":"a","flag":true,"whole":1e0,"number":0.5,"pairs":{"a":"b"},"list":[{"x":"y"}],"more":[{}]}`: nil,
		`{"word":null,"list":null,"list2":null}`: nil,
		`{"word":"","flag":1,"whole":1.5,"number":2}`: {"word is 0 bytes long, must be 1 to 3", "flag is 1, must be true or false",
			"whole is 1.5, must be a whole number from 0 to 9", "number is 2, must be a number from 0 to 1"},
		`{"whole":1e999,"number":"0"}`:           {"whole is 1e999, must be a whole number from 0 to 9", `number is "0", must be a number from 0 to 1`},
		`{"word":"a","WORD":"b"}`:                {"WORD is given more than once"},
		`{"list":[{"x":"","x":""}]}`:             {"list[0].x is given more than once"},
		`{"list":[{"x":""},{"x":"","X":7},{}]}`:  {"list[1].X is 7, must be a string"},
		`{"list":[7,{"x":"\u0000"}]}`:            {"list[0] is 7, must be an object", "list[1].x holds a NUL character"},
		`{"list":[{"x":"\ud83d"}]}`:              {`list[0].x holds half of a surrogate pair, such as \ud83d alone`},
		`{"list":[{"x":"\ud83d\ude00\\ud83d"}]}`: nil,
		`{"list":[]}`:                            {"list has 0 entries, must have at least 1"},
		`{"list":[{},{},{},7]}`:                  {"list has more than 3 entries"},
		`{"pairs":{"long":"x"}}`:                 {"pairs.long has a name that is not 1 to 3 characters long, or holds a NUL character"},
		`{"pairs":{"a":"long"}}`:                 {"pairs.a has 4 characters, at most 3 are allowed"},
		`{"pairs":{"a":"","b":"","c":""}}`:       {"pairs has 3 pairs, at most 2 are allowed"},
		`{"` + strings.Repeat("x", 300) + `":1}`: {strings.Repeat("x", 64) + "… has a name of more than 256 bytes"},
	} {
		if got := faultsOf(body); !slices.Equal(got, want) {
			t.Errorf("%s\n got %q\nwant %q", body, got, want)
		}
	}
}

func TestWhatCannotBeRead(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		" ":         "the body is empty",
		"[]":        "the body is a list, not a JSON object",
		"{\"\xff\"": "the body is not valid UTF-8",
		"{} {}":     "the body is not JSON: invalid character '{' after top-level value (at byte 4)",
		strings.Repeat(`{"a":`, 128) + "[]" + strings.Repeat("}", 128): "the body is nested more than 128 levels deep",
	} {
		_, err := document.Parse([]byte(body))
		if wrong, ok := errors.AsType[*document.InvalidError](err); !ok || !wrong.Unreadable() || wrong.Error() != want {
			t.Errorf("%.20s: %v", body, err)
		}
	}
}
