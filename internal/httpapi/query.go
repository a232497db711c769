package httpapi

import (
	"encoding/json"
	"net/url"
	"unicode/utf8"

	"github.com/labstack/echo/v4"
)

// query is a query in which every name comes once.
type query struct {
	values map[string]string
	faults *faults
}

// readQuery refuses a query of which a part would be dropped in silence.
func readQuery(c echo.Context) (query, error) {
	q := query{map[string]string{}, new(faults)}
	parsed, err := url.ParseQuery(c.Request().URL.RawQuery)
	if err != nil {
		return q, malformed("the query cannot be read: %s", cut(err.Error()))
	}
	for name, values := range parsed {
		if len(values) > 1 {
			q.faults.add(name, "is given more than once")
		}
		if !utf8.ValidString(name) || !utf8.ValidString(values[0]) {
			q.faults.add(name, "is not valid UTF-8")
		}
		q.values[name] = values[0]
	}
	return q, nil
}

// only refuses all other names.
func (q query) only(known string) (value string, err error) {
	for name := range q.values {
		if name != known {
			q.faults.add(name, "is not a known parameter")
		}
	}
	return q.values[known], q.faults.err()
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
