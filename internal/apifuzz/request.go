package apifuzz

import (
	"cmp"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// manner is how far a request is from what the document allows.
type manner int

const (
	valid  manner = iota // as far as schemas say
	nearly               // but for one thing
	wild
)

// request is one to send.
type request struct {
	operation operation
	caller    caller
	manner    manner

	method  string
	target  string   // of the request line
	headers []string // lines
	body    []byte
	framing framing

	ordinary bool // method, path and key are those of the operation and the caller: what must come of it is known
	hangsUp  bool // before the answer
	broken   bool // it may be no HTTP, which the server itself refuses
}

// request draws one.
func (d *draw) request(operations []operation, callers []caller) *request {
	r := &request{operation: d.operation(operations), caller: pick(d, callers), ordinary: true}
	if !d.oneIn(4) { // those who are let in see more
		for range 20 {
			if r.caller.may(r.operation) {
				break
			}
			r.caller = pick(d, callers)
		}
	}
	r.manner = pick(d, []manner{valid, valid, valid, nearly, nearly, nearly, nearly, wild, wild})
	r.method = r.operation.method
	if r.method == "GET" && d.oneIn(10) {
		r.method = "HEAD"
	}
	d.aim(r)
	for mentions(callers, r.target) {
		d.aim(r)
	}
	d.identify(r)
	d.fill(r)
	if r.manner == wild || d.oneIn(10) {
		d.dress(r)
	}
	r.framing = d.frame(r)
	r.broken = r.broken || !r.isHTTP()
	return r
}

// isHTTP reports whether a server passes the request's head on: it can be read,
// and is not too long.
func (r *request) isHTTP() bool {
	if _, err := url.ParseRequestURI(r.target); err != nil || strings.Contains(r.target, " ") {
		return false
	}
	size, hosts := len(r.target), 0
	for _, line := range r.headers {
		size += len(line)
		switch {
		case strings.HasPrefix(strings.ToLower(line), "host:"):
			hosts++
		case line == "Connection: close" && len(r.body) > 0: // who closes may lose the answer while he still sends
			return false
		}
	}
	return size < 60_000 && hosts < 2
}

func (d *draw) operation(all []operation) operation {
	total := 0
	for _, o := range all {
		total += o.weight
	}
	at := d.IntN(total)
	for _, o := range all {
		if at -= o.weight; at < 0 {
			return o
		}
	}
	return all[len(all)-1]
}

// aim draws the request's path, its query and the headers that are parameters.
func (d *draw) aim(r *request) {
	path, query := r.operation.path, []string{}
	r.headers = r.headers[:0]
	for _, p := range r.operation.parameters {
		if !p.Required && !d.oneIn(3) {
			continue
		}
		text := d.parameter(r, p)
		switch p.In {
		case "path":
			path = strings.ReplaceAll(path, "{"+p.Name+"}", url.PathEscape(cmp.Or(text, "x")))
		case "query":
			query = append(query, url.QueryEscape(p.Name)+"="+url.QueryEscape(text))
		case "header":
			r.headers = append(r.headers, p.Name+": "+headerText(text))
		}
	}
	switch {
	case r.manner == wild && d.oneIn(8):
		path, r.ordinary = d.strangePath(path), false
	case r.manner == wild && d.oneIn(8):
		r.method, r.ordinary = pick(d, []string{"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW", "get", "HEAD", "PROPFIND"}), false
	}
	if r.manner != valid && d.oneIn(6) {
		query = append(query, pick(d, []string{"nonsense=1", "project=acme", "project=%00", "project=a&project=b", "limit=1&limit=2", "%zz", "a;b", "=", "&&", "x=%ff%fe", "limit=-1",
			"limit=99999999999999999999", "limit=1e3", "window=NaN", "cursor=AAAA", "format=csv", "%70roject=fuzz", "a=" + strings.Repeat("x", 5000), strings.Repeat("a=1&", 2000)}))
	}
	r.target = path
	if len(query) > 0 {
		r.target += "?" + strings.Join(query, "&")
	}
}

// parameter draws one as text.
func (d *draw) parameter(r *request, p *openapi3.Parameter) string {
	if r.manner != valid && d.oneIn(4) {
		text := d.wrong()
		if p.In != "query" && len(text) > 3000 { // of a line of the header, there is an end
			text = text[:3000]
		}
		return strings.Trim(text, `"`)
	}
	if p.Schema == nil {
		return d.word()
	}
	drawn := d.value(p.Name, p.Schema.Value, 0)
	if list, ok := drawn.([]any); ok {
		if len(list) == 0 {
			return ""
		}
		drawn = list[0]
	}
	return fmt.Sprint(drawn)
}

// headerText leaves out what would end the line.
func headerText(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, text)
}

func (d *draw) strangePath(path string) string {
	return pick(d, []string{path + "/", "/" + path, path + "/..", path + "/../keys", path + "%00", path + "%2f", strings.ToUpper(path), path + ";a=b", path + "//",
		"/static/../../etc/passwd", "/static/%2e%2e/%2e%2e/etc/passwd", "/static/..%5c..%5cetc", "/.git/config", "/debug/pprof/", "/debug/vars", "/" + strings.Repeat("a", 9000), "*",
		"http://169.254.169.254/latest/", "http://evil.example" + path, path + "#x", "/%", "/%zz", "/\xff", "/ x", path + "\\", "/v1/nope", "/v1/messages/batches", "/keys/%2e%2e"})
}

// identify sends the caller's key, in one of the ways there are, or almost.
func (d *draw) identify(r *request) {
	key := r.caller.key
	if r.manner != valid && d.oneIn(5) {
		r.ordinary = false
		r.headers = append(r.headers, pick(d, [][]string{
			{"Authorization: Bearer" + key}, {"Authorization: Bearer  \t" + key + " "}, {"Authorization: " + key}, {"Authorization: Basic " + key}, {"Authorization: Bearer "},
			{"Authorization: Bearer " + key, "Authorization: Bearer other"}, {"x-api-key: " + key, "Authorization: Basic x"}, {"Authorization: Bearer " + key + "," + key},
			{"Authorization: Bearer " + strings.Repeat("x", 8000)}, {"Authorization: Bearer " + key + "\xff"}, {"X-Api-Key: "}, {"Authorization: Digest username=\"a\""},
			{"Authorization: Bearer busu_" + strings.Repeat("a", 59)}, {"Authorization: Bearer null"}, {"Authorization: bearer " + strings.ToUpper(key)}, {"Proxy-Authorization: Bearer " + key},
			{"Cookie: session=" + key + "; busu=" + key},
		})...)
		return
	}
	if key == "" {
		return
	}
	r.headers = append(r.headers, pick(d, []string{"Authorization: Bearer " + key, "authorization: bearer " + key, "x-api-key: " + key, "X-API-KEY: " + key}))
}

// fill draws the body and says what it is.
func (d *draw) fill(r *request) {
	if r.operation.body == nil {
		if r.manner == wild && d.oneIn(2) {
			r.body = d.wild()
		}
		return
	}
	example := d.example(r.operation.body)
	switch r.manner {
	case valid:
		r.body = plain(example)
	case nearly:
		r.body = d.spoiled(example)
	default:
		r.body = d.wild()
		if d.oneIn(3) {
			whole := plain(example)
			r.body = whole[:d.IntN(len(whole))]
		}
	}
	kind := "application/json"
	if r.manner != valid {
		kind = pick(d, []string{kind, kind, kind, "", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/json; charset=utf-16",
			"application/xml", "application/octet-stream", "a/b/c;;;", "text/csv", "\xff"})
	}
	if kind != "" {
		r.headers = append(r.headers, "Content-Type: "+kind)
	}
}

// example draws a body: one of the document's, or one of its schema.
func (d *draw) example(m *openapi3.MediaType) any {
	if m.Example != nil && d.oneIn(4) {
		return m.Example
	}
	if len(m.Examples) > 0 && d.oneIn(4) {
		return m.Examples[pick(d, slices.Sorted(maps.Keys(m.Examples)))].Value.Value
	}
	if m.Schema == nil {
		return map[string]any{}
	}
	return d.value("", m.Schema.Value, 0)
}
