package apidocs

import (
	"net/url"
	"slices"
	"strings"
)

// titles are the statuses in words. The document tells the rest.
var titles = map[string]string{
	"101": "Switching Protocols", "200": "OK", "201": "Created", "202": "Accepted", "204": "No Content",
	"206": "Partial Content", "303": "See Other", "304": "Not Modified", "416": "Range Not Satisfiable",
	"400": "Bad Request", "401": "Unauthorized", "403": "Forbidden", "404": "Not Found", "405": "Method Not Allowed",
	"408": "Request Timeout", "409": "Conflict", "410": "Gone", "413": "Content Too Large", "422": "Unprocessable Content",
	"426": "Upgrade Required", "429": "Too Many Requests", "500": "Internal Server Error", "502": "Bad Gateway",
	"503": "Service Unavailable", "default": "Any other status",
}

// answer reads a response. Bodies of those that fail are shared: they are
// shown once, for all operations.
func (r *reader) answer(m member) answer {
	o, _ := r.resolve(m.value)
	a := answer{Status: m.name, Title: titles[m.name], About: markdown(o.text("description")), IsSuccess: m.name < "3"}
	if a.Title == "" {
		r.fault("the status %s has no title", m.name)
	}
	for _, h := range o.object("headers") {
		header, _ := r.resolve(h.value)
		f := field{Name: h.name, In: "header", Mark: r.mark(header.get("required") == true), shape: r.shape(header.get("schema"))}
		if about := header.text("description"); about != "" {
			f.About = markdown(about)
		}
		a.Headers = append(a.Headers, f)
	}
	for _, c := range o.object("content") {
		media, _ := c.value.(object)
		content := content{Type: c.name, Examples: r.examples(media)}
		schema := media.get("schema")
		if media.has("x-item-schema") { // of the data of each event
			schema = media.get("x-item-schema")
		}
		if schema != nil {
			content.Shared = r.share(schema, a.IsSuccess)
			if content.Shared == nil {
				content.Shape = r.shape(schema)
			}
		}
		a.Contents = append(a.Contents, content)
	}
	return a
}

// share gives the names of bodies that are shown once; nil for others.
func (r *reader) share(schema any, isSuccess bool) []named {
	if isSuccess {
		return nil
	}
	o, name := r.resolve(schema)
	if choices := o.list("oneOf"); name == "" && len(choices) > 0 {
		var all []named
		for _, choice := range choices {
			all = append(all, r.share(choice, isSuccess)...)
		}
		return all
	}
	if name == "" {
		return nil
	}
	n := named{ID: "schema-" + name, Name: name}
	if !slices.ContainsFunc(r.shared, func(known named) bool { return known.ID == n.ID }) {
		n.Shape = r.shape(schema)
		r.shared = append(r.shared, n)
	}
	return []named{n}
}

// examples are those beside a schema, or else the schema's own.
func (r *reader) examples(media object) []example {
	if media.has("example") {
		return []example{{Text: exampleText(media.get("example"))}}
	}
	var all []example
	for _, m := range media.object("examples") {
		e, _ := m.value.(object)
		all = append(all, example{Title: e.text("summary"), Text: exampleText(e.get("value"))})
	}
	if schema, _ := r.resolve(media.get("schema")); all == nil && schema.has("example") {
		all = []example{{Text: exampleText(schema.get("example"))}}
	}
	return all
}

func exampleText(v any) string {
	if text, ok := v.(string); ok {
		return strings.TrimSpace(text)
	}
	return indented(v, "")
}

// curl is the command that asks for an operation, without the base address.
func (r *reader) curl(op operation, o, body object) (flags, rest string) {
	flags, path, query := "-s", op.Path, url.Values{}
	for _, v := range o.list("parameters") {
		p, _ := r.resolve(v)
		if p.get("required") != true {
			continue
		}
		if !p.has("example") {
			r.fault("the parameter %s needs an example", p.text("name"))
		}
		value := literal(p.get("example"))
		switch p.text("in") {
		case "path":
			path = strings.ReplaceAll(path, "{"+p.text("name")+"}", url.PathEscape(value))
		case "query":
			query.Set(p.text("name"), value)
		default:
			r.fault("a required %s is not shown", p.text("in"))
		}
	}
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	rest = path + "'" // the quote opens before the base address
	if streams(op) && op.Body == nil {
		flags = "-sN"
	}
	if op.Body == nil {
		return flags, rest
	}
	value, ok := firstExample(body, op.Body.Type)
	if !ok {
		r.fault("the body needs an example")
	}
	rest += " \\\n  -H 'Content-Type: " + op.Body.Type + "' \\\n  -d " + shellQuoted(oneLine(value))
	return flags, rest
}

// streams reports whether an operation answers with nothing but events.
func streams(op operation) bool {
	return slices.ContainsFunc(op.Answers, func(a answer) bool {
		return a.IsSuccess && len(a.Contents) == 1 && a.Contents[0].Type == "text/event-stream"
	})
}

func firstExample(body object, mediaType string) (any, bool) {
	media := body.object("content").object(mediaType)
	if media.has("example") {
		return media.get("example"), true
	}
	for _, m := range media.object("examples") {
		e, _ := m.value.(object)
		return e.get("value"), e.has("value")
	}
	return nil, false
}

// shellQuoted is text as one word of a shell's command.
func shellQuoted(text string) string {
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
