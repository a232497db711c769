package chat

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/tidwall/gjson"
)

// maxMembers is how many members an object may have of which some are read.
const maxMembers = 128

// members hands each member of an object to read, those that are null left
// out. read is false for what it does not know. A known name that comes twice
// is a fault: readers disagree on which of them counts.
func (f *faults) members(field string, v gjson.Result, read func(name string, v gjson.Result) bool) {
	if !v.IsObject() {
		f.add(CodeType, field, "is %s, must be an object", show(v))
		return
	}
	var room [16]string
	known, n, before := room[:0], 0, len(f.found)
	v.ForEach(func(key, value gjson.Result) bool {
		if n++; n > maxMembers {
			f.add(CodeValue, "", "has more than %d members", maxMembers)
			return false
		}
		switch {
		case slices.Contains(known, key.Str):
			f.add(CodeValue, key.Str, "is given more than once")
		case value.Type == gjson.Null || read(key.Str, value):
			known = append(known, key.Str)
		}
		return true
	})
	if field != "" {
		f.within(before, field)
	}
}

// list hands each entry of a list on, which must have at least lowest and at
// most highest of them.
func (f *faults) list(field string, v gjson.Result, lowest, highest int, read func(v gjson.Result)) {
	if !v.IsArray() {
		f.add(CodeType, field, "is %s, must be a list", show(v))
		return
	}
	before, n := len(f.found), 0
	v.ForEach(func(_, value gjson.Result) bool {
		if n == highest {
			f.add(CodeValue, "", "has more than %d entries", highest)
			return false
		}
		entry := len(f.found)
		read(value)
		f.withinEntry(entry, n)
		n++
		return true
	})
	if n < lowest {
		f.add(CodeValue, "", "has %d entries, must have at least %d", n, lowest)
	}
	f.within(before, field)
}

// text gives a string of any length that can be stored and sent on as it is.
func (f *faults) text(field string, v gjson.Result) string {
	if v.Type != gjson.String {
		f.add(CodeType, field, "is %s, must be a string", show(v))
		return ""
	}
	if !strings.Contains(v.Raw, `\u`) {
		return v.Str // what it holds was looked at as a whole: valid UTF-8 without control characters
	}
	if strings.ContainsRune(v.Str, 0) {
		f.add(CodeValue, field, "holds a NUL character")
	}
	if halfSurrogate(v.Raw) {
		f.add(CodeValue, field, `holds half of a surrogate pair, such as \ud83d alone`)
	}
	return v.Str
}

// word gives a string of 1 to limit bytes.
func (f *faults) word(field string, v gjson.Result, limit int) string {
	s := f.text(field, v)
	if v.Type == gjson.String && (s == "" || len(s) > limit) {
		f.add(CodeValue, field, "is %d bytes long, must be 1 to %d", len(s), limit)
	}
	return s
}

func (f *faults) boolean(field string, v gjson.Result) bool {
	if !v.IsBool() {
		f.add(CodeType, field, "is %s, must be true or false", show(v))
	}
	return v.Type == gjson.True
}

// whole gives a whole number within bounds. As in JSON Schema, 1e3 and 5.0 are
// whole.
func (f *faults) whole(field string, v gjson.Result, lowest, highest int) int {
	n, err := strconv.ParseFloat(v.Raw, 64)
	switch {
	case v.Type != gjson.Number:
		f.add(CodeType, field, "is %s, must be a whole number from %d to %d", show(v), lowest, highest)
	case err != nil || n < float64(lowest) || n > float64(highest) || n != float64(int(n)):
		f.add(CodeValue, field, "is %s, must be a whole number from %d to %d", show(v), lowest, highest)
	default:
		return int(n)
	}
	return 0
}

// number gives a number within bounds, or nil.
func (f *faults) number(field string, v gjson.Result, lowest, highest float64) *float64 {
	n, err := strconv.ParseFloat(v.Raw, 64)
	switch {
	case v.Type != gjson.Number:
		f.add(CodeType, field, "is %s, must be a number from %g to %g", show(v), lowest, highest)
	case err != nil || n < lowest || n > highest:
		f.add(CodeValue, field, "is %s, must be a number from %g to %g", show(v), lowest, highest)
	default:
		return &n
	}
	return nil
}

// pairs gives an object of strings, of which names have 1 to nameRunes and
// values at most valueRunes characters.
func (f *faults) pairs(field string, v gjson.Result, most, nameRunes, valueRunes int) map[string]string {
	pairs := map[string]string{}
	f.members(field, v, func(name string, v gjson.Result) bool {
		if n := utf8.RuneCountInString(name); n < 1 || n > nameRunes || strings.ContainsRune(name, 0) {
			f.add(CodeValue, name, "has a name that is not 1 to %d characters long, or holds a NUL character", nameRunes)
		}
		value := f.text(name, v)
		if n := utf8.RuneCountInString(value); n > valueRunes {
			f.add(CodeValue, name, "has %d characters, at most %d are allowed", n, valueRunes)
		}
		pairs[name] = value
		return true
	})
	if len(pairs) > most {
		f.add(CodeValue, field, "has %d pairs, at most %d are allowed", len(pairs), most)
	}
	return pairs
}

// halfSurrogate reports whether a JSON string escapes half of a surrogate
// pair. Decoders put a replacement character there in silence.
func halfSurrogate(raw string) bool {
	for i := 0; i < len(raw)-1; i++ {
		if raw[i] != '\\' {
			continue
		}
		i++ // the escape
		if raw[i] != 'u' {
			continue
		}
		switch unit := escaped(raw[i+1:]); {
		case isLow(unit):
			return true
		case isHigh(unit):
			if next := raw[i+5:]; !(strings.HasPrefix(next, `\u`) && isLow(escaped(next[2:]))) {
				return true
			}
			i += 6
		}
		i += 4
	}
	return false
}

// escaped reads the four hexadecimal digits of a \u escape.
func escaped(digits string) uint64 {
	unit, _ := strconv.ParseUint(digits[:4], 16, 16) // valid JSON has four digits there
	return unit
}

func isHigh(unit uint64) bool { return unit >= 0xd800 && unit < 0xdc00 }
func isLow(unit uint64) bool  { return unit >= 0xdc00 && unit < 0xe000 }

// one says what a word must be.
func one(of ...string) string {
	return fmt.Sprintf("must be one of: %s", strings.Join(of, ", "))
}
