package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// object is a JSON object whose members are taken one by one, so that every
// wrong one is named, not only the first.
type object struct {
	path    string // of the object within the body, "" or ending in a dot
	members map[string]json.RawMessage
	faults  *faults
}

// readObject reads a body that is a JSON object.
func readObject(r *http.Request) (*object, error) {
	body, err := readBody(r)
	if err != nil {
		return nil, err
	}
	if err := checkJSON(body); err != nil {
		return nil, err
	}
	o, ok := parseObject(body, "", new(faults))
	if !ok {
		return nil, malformed("the body is %s, not a JSON object", show(bytes.TrimSpace(body)))
	}
	return o, nil
}

func checkJSON(body []byte) error {
	if len(bytes.TrimSpace(body)) == 0 {
		return malformed(`the body is empty: send a JSON object such as {"prompt": "…"}`)
	}
	if !utf8.Valid(body) {
		return malformed("the body is not valid UTF-8")
	}
	var whole json.RawMessage
	err := json.Unmarshal(body, &whole)
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return malformed("the body is not JSON: %s (at byte %d)", syntax, syntax.Offset)
	}
	if err != nil {
		return malformed("the body is not JSON")
	}
	return nil
}

// parseObject takes valid JSON apart; ok is false when it is no object. A name
// that comes twice is a fault: readers disagree on which of them counts.
func parseObject(raw []byte, path string, f *faults) (o *object, ok bool) {
	o = &object{path: path, members: map[string]json.RawMessage{}, faults: f}
	d := json.NewDecoder(bytes.NewReader(raw))
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return o, false
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return o, false
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return o, false
		}
		key, _ := name.(string)
		if _, twice := o.members[key]; twice {
			o.fail(key, "is given more than once")
		}
		o.members[key] = value
	}
	return o, true
}

func (o *object) fail(name, format string, args ...any) {
	o.faults.add(o.path+name, format, args...)
}

// peek gives a member's JSON and leaves it there.
func (o *object) peek(name string) (raw json.RawMessage, ok bool) {
	raw, ok = o.members[name]
	return raw, ok && string(raw) != "null"
}

// require is a fault when a member is not there.
func (o *object) require(name string) {
	if _, ok := o.peek(name); !ok {
		o.fail(name, "is missing")
	}
}

// take removes a member and gives its JSON. null counts as not there.
func (o *object) take(name string) (raw json.RawMessage, ok bool) {
	raw, ok = o.peek(name)
	delete(o.members, name)
	return raw, ok
}

// str takes a string that can be stored and sent on as it is.
func (o *object) str(name string) (s string, ok bool) {
	raw, ok := o.take(name)
	if !ok {
		return "", false
	}
	if raw[0] != '"' || json.Unmarshal(raw, &s) != nil {
		o.fail(name, "is %s, must be a string", show(raw))
		return "", false
	}
	if strings.ContainsRune(s, 0) {
		o.fail(name, "holds a NUL character")
		return "", false
	}
	if halfSurrogate(raw) {
		o.fail(name, `holds half of a surrogate pair, such as \ud83d alone`)
		return "", false
	}
	return s, true
}

// text takes a string of at most limit bytes.
func (o *object) text(name string, limit int) string {
	s, _ := o.str(name)
	if len(s) > limit {
		o.fail(name, "is %d bytes long, at most %d are allowed", len(s), limit)
	}
	return s
}

// oneOf takes one of some names, or "" when the member is not there.
func (o *object) oneOf(name string, allowed []string) string {
	s, ok := o.str(name)
	if ok && !slices.Contains(allowed, s) {
		o.fail(name, "is %s, must be one of: %s", strconv.Quote(cut(s)), listing(allowed))
	}
	return s
}

// listing names what is allowed, without end only where that is short.
func listing(names []string) string {
	const most = 20
	sorted := slices.Sorted(slices.Values(names))
	if len(sorted) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(sorted[:most], ", "), len(sorted)-most)
	}
	return strings.Join(sorted, ", ")
}

// boolean takes true or false, or false when the member is not there.
func (o *object) boolean(name string) bool {
	raw, ok := o.take(name)
	if ok && string(raw) != "true" && string(raw) != "false" {
		o.fail(name, "is %s, must be true or false", show(raw))
	}
	return string(raw) == "true"
}

// whole takes a whole number within bounds. As in JSON Schema, 1e3 and 5.0
// are whole.
func (o *object) whole(name string, lowest, highest, absent int) int {
	raw, ok := o.take(name)
	if !ok {
		return absent
	}
	n, err := strconv.ParseFloat(string(raw), 64)
	whole := isNumber(raw) && err == nil && n >= float64(lowest) && n <= float64(highest) && n == float64(int(n))
	if !whole {
		o.fail(name, "is %s, must be a whole number from %d to %d", show(raw), lowest, highest)
		return absent
	}
	return int(n)
}

// number takes a number within bounds, or nil when it is not there.
func (o *object) number(name string, lowest, highest float64) *float64 {
	raw, ok := o.take(name)
	if !ok {
		return nil
	}
	n, err := strconv.ParseFloat(string(raw), 64)
	if !isNumber(raw) || err != nil || n < lowest || n > highest {
		o.fail(name, "is %s, must be a number from %g to %g", show(raw), lowest, highest)
		return nil
	}
	return &n
}

func isNumber(raw json.RawMessage) bool { return raw[0] == '-' || raw[0] >= '0' && raw[0] <= '9' }

// pairs takes an object of strings.
func (o *object) pairs(name string, most, keyRunes, valueRunes int) map[string]string {
	raw, ok := o.take(name)
	if !ok {
		return nil
	}
	members, ok := parseObject(raw, o.path+name+".", o.faults)
	if !ok {
		o.fail(name, "is %s, must be an object of strings", show(raw))
		return nil
	}
	if len(members.members) > most {
		o.fail(name, "has %d pairs, at most %d are allowed", len(members.members), most)
		return nil
	}
	pairs := map[string]string{}
	for key := range members.members {
		pairs[key] = members.pair(key, keyRunes, valueRunes)
	}
	return pairs
}

func (o *object) pair(key string, keyRunes, valueRunes int) string {
	if n := utf8.RuneCountInString(key); n < 1 || n > keyRunes || strings.ContainsRune(key, 0) {
		o.fail(key, "has a name that is not 1 to %d characters long, or holds a NUL character", keyRunes)
	}
	if string(o.members[key]) == "null" {
		o.fail(key, "is null, must be a string")
	}
	value, _ := o.str(key)
	if n := utf8.RuneCountInString(value); n > valueRunes {
		o.fail(key, "has %d characters, at most %d are allowed", n, valueRunes)
	}
	return value
}

// finish refuses members that nobody took.
func (o *object) finish() {
	for _, name := range slices.Sorted(maps.Keys(o.members)) {
		o.fail(name, "is not a known field")
	}
}
