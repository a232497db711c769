package messages

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"
)

// maxMembers is how many members an object may have of which some are read.
const maxMembers = 128

// members hands each member of an object to read, those that are null left
// out. A name that comes twice, be it in another case, is a fault: another
// reader may take the other one, and so see another model than the one that
// was checked.
func (f *faults) members(field string, v gjson.Result, read func(name string, v gjson.Result)) {
	if !v.IsObject() {
		f.add(field, "is %s, must be an object", show(v))
		return
	}
	var room [16]string
	names, before := room[:0], len(f.found)
	v.ForEach(func(key, value gjson.Result) bool {
		name := key.Str
		switch {
		case len(names) == maxMembers:
			f.add("", "has more than %d members", maxMembers)
			return false
		case slices.ContainsFunc(names, func(before string) bool { return strings.EqualFold(before, name) }):
			f.add(name, "is given more than once")
		case value.Type != gjson.Null:
			read(name, value)
		}
		names = append(names, name)
		return true
	})
	if field != "" {
		f.within(before, field)
	}
}

// list hands each entry of a list on, of which there must not be more than
// most.
func (f *faults) list(field string, v gjson.Result, most int, read func(v gjson.Result)) {
	if !v.IsArray() {
		f.add(field, "is %s, must be a list", show(v))
		return
	}
	before, n := len(f.found), 0
	v.ForEach(func(_, value gjson.Result) bool {
		if n == most {
			f.add("", "has more than %d entries", most)
			return false
		}
		entry := len(f.found)
		read(value)
		if len(f.found) > entry {
			f.within(entry, fmt.Sprintf("[%d]", n))
		}
		n++
		return true
	})
	f.within(before, field)
}

// text gives a string of any length that can be stored.
func (f *faults) text(field string, v gjson.Result) string {
	switch {
	case !v.Exists():
		f.add(field, "is missing")
	case v.Type != gjson.String:
		f.add(field, "is %s, must be a string", show(v))
	case strings.ContainsRune(v.Str, 0):
		f.add(field, "holds a NUL character")
	}
	return v.Str
}

// word gives a string of 1 to most bytes.
func (f *faults) word(field string, v gjson.Result, most int) string {
	s := f.text(field, v)
	if v.Type == gjson.String && (s == "" || len(s) > most) {
		f.add(field, "is %d bytes long, must be 1 to %d", len(s), most)
	}
	return s
}

func (f *faults) boolean(field string, v gjson.Result) bool {
	if !v.IsBool() {
		f.add(field, "is %s, must be true or false", show(v))
	}
	return v.Type == gjson.True
}

// whole gives a whole number from 0. As in JSON Schema, 1e3 and 5.0 are whole.
func (f *faults) whole(field string, v gjson.Result, highest int) int {
	n, err := strconv.ParseFloat(v.Raw, 64)
	if v.Type != gjson.Number || err != nil || !(n >= 0 && n <= float64(highest)) || n != float64(int(n)) {
		f.add(field, "is %s, must be a whole number from 0 to %d", show(v), highest)
		return 0
	}
	return int(n)
}

// share gives a number from 0 to 1, or nil.
func (f *faults) share(field string, v gjson.Result) *float64 {
	n, err := strconv.ParseFloat(v.Raw, 64)
	if v.Type != gjson.Number || err != nil || !(n >= 0 && n <= 1) {
		f.add(field, "is %s, must be a number from 0 to 1", show(v))
		return nil
	}
	return &n
}

// show gives a JSON value, where it is long only its kind.
func show(v gjson.Result) string {
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
	return shown(v.Raw)
}
