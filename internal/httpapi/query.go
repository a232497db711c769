package httpapi

import (
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/labstack/echo/v4"
	"github.com/tidwall/gjson"

	"github.com/busuhq/busu/internal/document"
)

// query is a query in which every name comes once, but for those of lists.
type query struct {
	values map[string]string
	lists  map[string][]string
	faults *document.Faults
}

// readQuery refuses a query of which a part would be dropped in silence. The
// parameters named in lists may come more than once.
func readQuery(c echo.Context, lists ...string) (query, error) {
	q := query{map[string]string{}, map[string][]string{}, new(document.Faults)}
	parsed, err := url.ParseQuery(c.Request().URL.RawQuery)
	if err != nil {
		return q, document.Unreadable("the query cannot be read: %s", document.Cut(err.Error()))
	}
	for _, name := range slices.Sorted(maps.Keys(parsed)) {
		values := parsed[name]
		if len(values) > 1 && !slices.Contains(lists, name) {
			q.faults.Add(document.CodeValue, name, "is given more than once")
		}
		if !utf8.ValidString(name) || !utf8.ValidString(strings.Join(values, "")) {
			q.faults.Add(document.CodeValue, name, "is not valid UTF-8")
		}
		q.values[name], q.lists[name] = values[0], values
	}
	return q, nil
}

// onlyParameter reads a query that has one parameter, or none.
func onlyParameter(c echo.Context, name string) (value string, err error) {
	q, err := readQuery(c)
	if err != nil {
		return "", err
	}
	q.refuseOthers(name)
	return q.values[name], q.faults.Err()
}

// noQuery refuses any parameter.
func noQuery(c echo.Context) error {
	q, err := readQuery(c)
	if err != nil {
		return err
	}
	q.refuseOthers()
	return q.faults.Err()
}

func (q query) refuseOthers(known ...string) {
	for _, name := range slices.Sorted(maps.Keys(q.values)) {
		if !slices.Contains(known, name) {
			q.faults.Add(document.CodeValue, name, "is not a known parameter")
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
		q.faults.Add(document.CodeValue, name, "is given %d times, allowed are %d", len(values), maxListed)
	}
	return values
}

// readPage reads a query of limit and cursor.
func readPage(c echo.Context, usual, most int) (q query, limit int, err error) {
	if q, err = readQuery(c); err != nil {
		return q, 0, err
	}
	q.refuseOthers("limit", "cursor")
	return q, q.count("limit", usual, most), nil
}

// count reads how many are wanted.
func (q query) count(name string, usual, most int) int {
	text := q.values[name]
	if text == "" {
		return usual
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > most {
		q.faults.Add(document.CodeValue, name, "is %q, must be a whole number from 1 to %d", document.Cut(text), most)
	}
	return n
}

// strayCursor is a fault: a page begins where another one ended.
func (q query) strayCursor() {
	q.faults.Add(document.CodeValue, "cursor", "is %q, must be a next_cursor that was given out", document.Cut(q.values["cursor"]))
}

// object reads a query as the body of a POST. Numbers look the same in both;
// what is no text or number there cannot be said in a query.
func (q query) object() *object {
	o := &object{members: map[string]gjson.Result{}, faults: q.faults}
	for _, name := range slices.Sorted(maps.Keys(q.values)) {
		switch name {
		case "messages", "metadata", "stream":
			o.fail(name, "can only be sent in the body of a POST")
		case "max_tokens", "temperature", "max_cost_usd", "min_quality":
			o.put(name, numberOrText(q.values[name]))
		case "models":
			o.put(name, texts(strings.Split(q.values[name], ",")))
		default:
			o.put(name, text(q.values[name]))
		}
	}
	return o
}

func numberOrText(s string) gjson.Result {
	if v := gjson.Parse(s); v.Type == gjson.Number && v.Raw == s && gjson.Valid(s) {
		return v
	}
	return text(s)
}

// texts is a JSON list of strings.
func texts(all []string) gjson.Result {
	list := []byte{'['}
	for i, s := range all {
		if i > 0 {
			list = append(list, ',')
		}
		list = gjson.AppendJSONString(list, s)
	}
	return gjson.ParseBytes(append(list, ']'))
}

// text is a JSON string.
func text(s string) gjson.Result { return gjson.ParseBytes(gjson.AppendJSONString(nil, s)) }
