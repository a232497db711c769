package httpapi

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/labstack/echo/v4"
)

// query is a query in which every name comes once, but for those of lists.
type query struct {
	values map[string]string
	lists  map[string][]string
	faults *faults
}

// readQuery refuses a query of which a part would be dropped in silence. The
// parameters named in lists may come more than once.
func readQuery(c echo.Context, lists ...string) (query, error) {
	q := query{map[string]string{}, map[string][]string{}, new(faults)}
	parsed, err := url.ParseQuery(c.Request().URL.RawQuery)
	if err != nil {
		return q, malformed("the query cannot be read: %s", cut(err.Error()))
	}
	for name, values := range parsed {
		if len(values) > 1 && !slices.Contains(lists, name) {
			q.faults.add(name, "is given more than once")
		}
		if !utf8.ValidString(name) || !utf8.ValidString(strings.Join(values, "")) {
			q.faults.add(name, "is not valid UTF-8")
		}
		q.values[name], q.lists[name] = values[0], values
	}
	return q, nil
}

// only refuses all other names.
func (q query) only(known string) (value string, err error) {
	q.refuseOthers(known)
	return q.values[known], q.faults.err()
}

func (q query) refuseOthers(known ...string) {
	for name := range q.values {
		if !slices.Contains(known, name) {
			q.faults.add(name, "is not a known parameter")
		}
	}
}

// maxListed bounds the values of a parameter that may come more than once.
const maxListed = 100

// list gives the values of a parameter that may come more than once. An empty
// one counts as left out.
func (q query) list(name string) []string {
	values := slices.DeleteFunc(slices.Clone(q.lists[name]), func(s string) bool { return s == "" })
	if len(values) > maxListed {
		q.faults.add(name, "is given %d times, allowed are %d", len(values), maxListed)
	}
	return values
}

// object reads a query as the body of a POST. Numbers look the same in both;
// what is no text or number there cannot be said in a query.
func (q query) object() *object {
	o := &object{members: map[string]json.RawMessage{}, faults: q.faults}
	for name, value := range q.values {
		switch name {
		case "messages", "metadata", "stream":
			o.fail(name, "can only be sent in the body of a POST")
		case "max_tokens", "temperature":
			o.members[name] = numberOrText(value)
		default:
			o.members[name] = quoted(value)
		}
	}
	return o
}

func numberOrText(s string) json.RawMessage {
	if raw := json.RawMessage(s); s != "" && isNumber(raw) && json.Valid(raw) {
		return raw
	}
	return quoted(s)
}

func quoted(s string) json.RawMessage {
	raw, _ := json.Marshal(s) // strings always marshal
	return raw
}
