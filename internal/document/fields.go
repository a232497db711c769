package document

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/tidwall/gjson"
)

const (
	maxMembers = 128 // that an object may have of which some are read
	maxName    = 256 // bytes, of a document's own members
)

// Members hands each member of an object to read, those that are null left
// out. A name that comes twice is a fault: readers disagree on which of them
// counts.
func (f *Faults) Members(field string, v gjson.Result, read func(name string, v gjson.Result)) {
	if !v.IsObject() {
		f.Add(CodeType, field, "is %s, must be an object", Show(v))
		return
	}
	before := f.Count()
	f.each(v, func(a, b string) bool { return a == b }, read)
	if field != "" {
		f.Within(before, field)
	}
}

// Top is Members for a document as a whole. There a name must not come twice
// in another case either: another reader may take no notice of the case, and so
// see another model than the one that was checked.
func (f *Faults) Top(doc gjson.Result, read func(name string, v gjson.Result)) {
	f.each(doc, strings.EqualFold, func(name string, v gjson.Result) {
		if len(name) > maxName {
			f.Add(CodeValue, name, "has a name of more than %d bytes", maxName)
			return
		}
		read(name, v)
	})
}

func (f *Faults) each(v gjson.Result, same func(a, b string) bool, read func(name string, v gjson.Result)) {
	var room [32]string
	names := room[:0]
	v.ForEach(func(key, value gjson.Result) bool {
		name := key.Str
		if len(names) == maxMembers {
			f.Add(CodeValue, "", "has more than %d members", maxMembers)
			return false
		}
		switch {
		case slices.ContainsFunc(names, func(before string) bool { return len(before) <= maxName && same(before, name) }):
			f.Add(CodeValue, name, "is given more than once")
		case value.Type != gjson.Null:
			read(name, value)
		}
		names = append(names, name)
		return true
	})
}

// List hands each entry of a list on, which must have at least lowest and at
// most highest of them.
func (f *Faults) List(field string, v gjson.Result, lowest, highest int, read func(v gjson.Result)) {
	if !v.IsArray() {
		f.Add(CodeType, field, "is %s, must be a list", Show(v))
		return
	}
	before, n := f.Count(), 0
	v.ForEach(func(_, value gjson.Result) bool {
		if n == highest {
			f.Add(CodeValue, "", "has more than %d entries", highest)
			return false
		}
		entry := f.Count()
		read(value)
		if f.Count() > entry {
			f.Within(entry, fmt.Sprintf("[%d]", n))
		}
		n++
		return true
	})
	if n < lowest {
		f.Add(CodeValue, "", "has %d entries, must have at least %d", n, lowest)
	}
	f.Within(before, field)
}

// Text gives a string of any length that can be stored and sent on as it is.
func (f *Faults) Text(field string, v gjson.Result) string {
	if v.Type != gjson.String {
		f.Add(CodeType, field, "is %s, must be a string", Show(v))
		return ""
	}
	if !strings.Contains(v.Raw, `\u`) {
		return v.Str // what it holds was looked at as a whole: valid UTF-8 without control characters
	}
	if strings.ContainsRune(v.Str, 0) {
		f.Add(CodeValue, field, "holds a NUL character")
	}
	if halfSurrogate(v.Raw) {
		f.Add(CodeValue, field, `holds half of a surrogate pair, such as \ud83d alone`)
	}
	return v.Str
}

// Word gives a string of 1 to limit bytes.
func (f *Faults) Word(field string, v gjson.Result, limit int) string {
	s := f.Text(field, v)
	if v.Type == gjson.String && (s == "" || len(s) > limit) {
		f.Add(CodeValue, field, "is %d bytes long, must be 1 to %d", len(s), limit)
	}
	return s
}

// Boolean gives true or false.
func (f *Faults) Boolean(field string, v gjson.Result) bool {
	if !v.IsBool() {
		f.Add(CodeType, field, "is %s, must be true or false", Show(v))
	}
	return v.Type == gjson.True
}

// Object gives an object as it is written, such as a JSON Schema.
func (f *Faults) Object(field string, v gjson.Result) json.RawMessage {
	if !v.IsObject() {
		f.Add(CodeType, field, "is %s, must be an object", Show(v))
		return nil
	}
	return json.RawMessage(v.Raw)
}

// Whole gives a whole number within bounds. As in JSON Schema, 1e3 and 5.0 are
// whole.
func (f *Faults) Whole(field string, v gjson.Result, lowest, highest int) int {
	n, err := strconv.ParseFloat(v.Raw, 64)
	switch {
	case v.Type != gjson.Number:
		f.Add(CodeType, field, "is %s, must be a whole number from %d to %d", Show(v), lowest, highest)
	case err != nil || n < float64(lowest) || n > float64(highest) || n != float64(int(n)):
		f.Add(CodeValue, field, "is %s, must be a whole number from %d to %d", Show(v), lowest, highest)
	default:
		return int(n)
	}
	return 0
}

// Number gives a number within bounds, or nil.
func (f *Faults) Number(field string, v gjson.Result, lowest, highest float64) *float64 {
	n, err := strconv.ParseFloat(v.Raw, 64)
	switch {
	case v.Type != gjson.Number:
		f.Add(CodeType, field, "is %s, must be a number from %g to %g", Show(v), lowest, highest)
	case err != nil || n < lowest || n > highest:
		f.Add(CodeValue, field, "is %s, must be a number from %g to %g", Show(v), lowest, highest)
	default:
		return &n
	}
	return nil
}

// Pairs gives an object of strings, of which names have 1 to nameRunes and
// values at most valueRunes characters.
func (f *Faults) Pairs(field string, v gjson.Result, most, nameRunes, valueRunes int) map[string]string {
	pairs := map[string]string{}
	f.Members(field, v, func(name string, v gjson.Result) {
		if n := utf8.RuneCountInString(name); n < 1 || n > nameRunes || strings.ContainsRune(name, 0) {
			f.Add(CodeValue, name, "has a name that is not 1 to %d characters long, or holds a NUL character", nameRunes)
		}
		value := f.Text(name, v)
		if n := utf8.RuneCountInString(value); n > valueRunes {
			f.Add(CodeValue, name, "has %d characters, at most %d are allowed", n, valueRunes)
		}
		pairs[name] = value
	})
	if len(pairs) > most {
		f.Add(CodeValue, field, "has %d pairs, at most %d are allowed", len(pairs), most)
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

// OneOf says what a word must be.
func OneOf(of ...string) string {
	return fmt.Sprintf("must be one of: %s", strings.Join(of, ", "))
}
