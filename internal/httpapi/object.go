package httpapi

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/tidwall/gjson"

	"github.com/busuhq/busu/internal/document"
)

// object is a JSON object whose members are taken one by one, so that those
// that nobody takes can be refused.
type object struct {
	path    string   // of the object within the body, "" or ending in a dot
	names   []string // in their order
	members map[string]gjson.Result
	faults  *document.Faults
}

// readObject reads a body that is a JSON object, such as the example.
func readObject(r *http.Request, example string) (*object, error) {
	body, err := readBody(r)
	if err != nil {
		return nil, err
	}
	if len(bytes.TrimSpace(body)) == 0 {
		return nil, document.Unreadable("the body is empty: send a JSON object such as %s", example)
	}
	doc, err := document.Parse(body)
	if err != nil {
		return nil, err
	}
	return newObject(doc, "", new(document.Faults)), nil
}

// newObject takes an object apart. A name that comes twice is a fault: readers
// disagree on which of them counts.
func newObject(v gjson.Result, path string, f *document.Faults) *object {
	o := &object{path: path, members: map[string]gjson.Result{}, faults: f}
	v.ForEach(func(key, value gjson.Result) bool {
		if _, twice := o.members[key.Str]; twice {
			o.fail(key.Str, "is given more than once")
			return true
		}
		o.put(key.Str, value)
		return true
	})
	return o
}

func (o *object) put(name string, v gjson.Result) {
	o.names = append(o.names, name)
	o.members[name] = v
}

func (o *object) fail(name, format string, args ...any) {
	o.faults.Add(document.CodeValue, o.path+name, format, args...)
}

// peek gives a member and leaves it there.
func (o *object) peek(name string) (v gjson.Result, ok bool) {
	v = o.members[name]
	return v, v.Type != gjson.Null
}

// require is a fault when a member is not there.
func (o *object) require(name string) {
	if _, ok := o.peek(name); !ok {
		o.faults.Missing(o.path + name)
	}
}

// take removes a member and gives it. null counts as not there.
func (o *object) take(name string) (v gjson.Result, ok bool) {
	v, ok = o.peek(name)
	delete(o.members, name)
	return v, ok
}

// str takes a string that can be stored and sent on as it is.
func (o *object) str(name string) (s string, ok bool) {
	v, ok := o.take(name)
	if !ok {
		return "", false
	}
	before := o.faults.Count()
	s = o.faults.Text(o.path+name, v)
	return s, o.faults.Count() == before
}

// text takes a string of at most limit bytes.
func (o *object) text(name string, limit int) string {
	s, ok := o.str(name)
	if len(s) > limit {
		o.fail(name, "is %d bytes long, at most %d are allowed", len(s), limit)
	}
	if !ok {
		return ""
	}
	return s
}

// oneOf takes one of some names, or "" when the member is not there.
func (o *object) oneOf(name string, allowed []string) string {
	s, ok := o.str(name)
	if ok && !slices.Contains(allowed, s) {
		o.fail(name, "is %s, must be one of: %s", strconv.Quote(document.Cut(s)), listing(allowed))
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
	v, ok := o.take(name)
	return ok && o.faults.Boolean(o.path+name, v)
}

// instant takes a time, to the microsecond, or nil when the member is not there.
func (o *object) instant(name string) *time.Time {
	text, ok := o.str(name)
	if !ok {
		return nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		o.fail(name, "is %s, must be a time such as 2027-01-31T12:00:00Z", strconv.Quote(document.Cut(text)))
		return nil
	}
	return new(at.UTC().Truncate(time.Microsecond))
}

// textList takes a list of strings.
func (o *object) textList(name string) (all []string) {
	v, ok := o.take(name)
	if ok && !v.IsArray() {
		o.fail(name, "is %s, must be a list", document.Show(v))
		return nil
	}
	for _, one := range v.Array() {
		all = append(all, o.faults.Text(o.path+name, one))
	}
	return all
}

// whole takes a whole number within bounds.
func (o *object) whole(name string, lowest, highest, absent int) int {
	v, ok := o.take(name)
	if !ok {
		return absent
	}
	return o.faults.Whole(o.path+name, v, lowest, highest)
}

// number takes a number within bounds, or nil when it is not there.
func (o *object) number(name string, lowest, highest float64) *float64 {
	v, ok := o.take(name)
	if !ok {
		return nil
	}
	return o.faults.Number(o.path+name, v, lowest, highest)
}

// pairs takes an object of strings.
func (o *object) pairs(name string, most, keyRunes, valueRunes int) map[string]string {
	v, ok := o.take(name)
	if !ok {
		return nil
	}
	if !v.IsObject() {
		o.fail(name, "is %s, must be an object of strings", document.Show(v))
		return nil
	}
	given := newObject(v, o.path+name+".", o.faults)
	if len(given.names) > most {
		o.fail(name, "has %d pairs, at most %d are allowed", len(given.names), most)
		return nil
	}
	pairs := map[string]string{}
	for _, key := range given.names {
		pairs[key] = given.pair(key, keyRunes, valueRunes)
	}
	return pairs
}

func (o *object) pair(key string, keyRunes, valueRunes int) string {
	if n := utf8.RuneCountInString(key); n < 1 || n > keyRunes || strings.ContainsRune(key, 0) {
		o.fail(key, "has a name that is not 1 to %d characters long, or holds a NUL character", keyRunes)
	}
	value := o.faults.Text(o.path+key, o.members[key])
	if n := utf8.RuneCountInString(value); n > valueRunes {
		o.fail(key, "has %d characters, at most %d are allowed", n, valueRunes)
	}
	return value
}

// finish refuses members that nobody took.
func (o *object) finish() {
	for _, name := range o.names {
		if _, left := o.members[name]; left {
			o.fail(name, "is not a known field")
		}
	}
}
