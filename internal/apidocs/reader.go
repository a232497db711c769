package apidocs

import (
	"fmt"
	"html/template"
	"slices"
	"strings"
)

// page is all that the template shows.
type page struct {
	Title, Version, Base string
	About                template.HTML
	Keys                 []field
	Groups               []group
	Shared               []named // bodies that many answers have: those of errors
}

// group is the operations under one tag.
type group struct {
	ID, Name   string
	About      template.HTML
	Operations []operation
}

type operation struct {
	ID, Method, Path string
	Summary          template.HTML
	About            template.HTML
	IsPublic         bool
	IsSent           bool     // it is sent, to an address of the reader's: a webhook
	Roles            []string // of keys that may
	IsEverywhere     bool     // of all projects, they must be
	Parameters       []field
	Body             *body
	Curl             string // behind the base address
	Flags            string // of curl
	Answers          []answer
	Example          *example // of what comes when all goes well
}

type body struct {
	IsRequired bool
	About      template.HTML
	Type       string
	Shape      shape
	Examples   []example
}

type answer struct {
	Status, Title string
	IsSuccess     bool
	About         template.HTML
	Headers       []field
	Contents      []content
}

// content is a body of an answer: as a shape, or by the name of a shared one.
type content struct {
	Type     string
	Shape    shape
	Shared   []named
	Examples []example
}

type example struct{ Title, Text string }

type named struct {
	ID, Name string
	Shape    shape
}

// reader goes through a document and collects what is wrong with it.
type reader struct {
	root      object
	at        string // where it is, for faults
	answering bool   // it reads what comes back, not what is sent
	faults    []error
	shared    []named
}

func (r *reader) fault(format string, args ...any) {
	r.faults = append(r.faults, fmt.Errorf("%s: %s", r.at, fmt.Sprintf(format, args...)))
}

const components = "#/components/"

// resolve follows a reference. What is written beside it counts before what it
// leads to. name is the last part of the reference, "" where there was none.
func (r *reader) resolve(v any) (o object, name string) {
	o, _ = v.(object)
	ref, ok := o.get("$ref").(string)
	if !ok {
		return o, ""
	}
	found := r.root
	for part := range strings.SplitSeq(strings.TrimPrefix(ref, "#/"), "/") {
		found, name = found.object(part), part
	}
	if found == nil || !strings.HasPrefix(ref, components) || found.has("$ref") {
		r.fault("%s leads nowhere, or to another reference", ref)
		return nil, name
	}
	for _, m := range o {
		if m.name != "$ref" {
			found = found.with(m.name, m.value)
		}
	}
	return found, name
}

func (r *reader) page() page {
	r.at = "info"
	info := r.root.object("info")
	p := page{Title: info.text("title"), Version: info.text("version"), About: markdown(info.text("description")), Keys: r.keys()}
	if servers := r.root.list("servers"); len(servers) > 0 {
		first, _ := servers[0].(object)
		p.Base = first.text("url")
	}
	byTag := map[string][]operation{}
	var tags []object
	for _, t := range r.root.list("tags") {
		tag, _ := t.(object)
		tags = append(tags, tag)
	}
	for _, path := range slices.Concat(r.root.object("paths"), r.root.object("webhooks")) {
		for _, o := range r.operations(path) {
			tag := o.tag
			if !slices.ContainsFunc(tags, func(t object) bool { return t.text("name") == tag }) {
				r.fault("the tag %q is not under tags", tag)
			}
			byTag[tag] = append(byTag[tag], o.operation)
		}
	}
	for _, tag := range tags {
		name := tag.text("name")
		p.Groups = append(p.Groups, group{ID: "group-" + name, Name: capital(name), About: markdown(tag.text("description")), Operations: byTag[name]})
	}
	p.Shared = r.shared
	return p
}

// capital begins a name as a title begins.
func capital(name string) string {
	return strings.ToUpper(name[:min(1, len(name))]) + name[min(1, len(name)):]
}

// keys are the ways in which a key can be sent.
func (r *reader) keys() []field {
	var all []field
	for _, m := range r.root.object("components").object("securitySchemes") {
		scheme, _ := m.value.(object)
		f := field{Name: "Authorization", In: "header", shape: shape{Kind: "bearer", About: markdown(scheme.text("description"))}}
		switch {
		case scheme.text("type") == "apiKey":
			f.Name, f.In, f.Kind = scheme.text("name"), scheme.text("in"), "key"
		case scheme.text("scheme") != "bearer":
			r.fault("the security scheme %s is not shown", m.name)
		}
		all = append(all, f)
	}
	return all
}

type tagged struct {
	tag string
	operation
}

// operationParts are the members of an operation that the page shows.
var operationParts = []string{"tags", "operationId", "summary", "description", "parameters", "requestBody", "responses", "security", rolesPart, everywherePart}

// Who may call an operation: the roles of keys that it takes, and whether they
// must be of all projects.
const (
	rolesPart      = "x-busu-roles"
	everywherePart = "x-busu-everywhere"
)

func (r *reader) operations(path member) []tagged {
	item, _ := path.value.(object)
	var all []tagged
	for _, m := range item {
		method := strings.ToUpper(m.name)
		r.at = method + " " + path.name
		o, _ := m.value.(object)
		if o == nil {
			r.fault("it is not an operation")
			continue
		}
		for _, part := range o {
			if !slices.Contains(operationParts, part.name) {
				r.fault("%s is not shown", part.name)
			}
		}
		if len(o.list("tags")) != 1 || o.text("operationId") == "" || o.text("summary") == "" {
			r.fault("it needs one tag, an operationId and a summary")
			continue
		}
		all = append(all, tagged{fmt.Sprint(o.list("tags")[0]), r.operation(method, path.name, o)})
	}
	return all
}

func (r *reader) operation(method, path string, o object) operation {
	op := operation{ID: o.text("operationId"), Method: method, Path: path, Summary: inline(o.text("summary")), About: markdown(o.text("description")),
		IsPublic: o.has("security") && len(o.list("security")) == 0, Parameters: r.parameters(o.list("parameters"))}
	op.IsEverywhere = o.get(everywherePart) == true
	for _, role := range o.list(rolesPart) {
		op.Roles = append(op.Roles, fmt.Sprint(role))
	}
	body, given := r.resolve(o.get("requestBody"))
	if body != nil || given != "" {
		op.Body = r.body(body)
	}
	r.answering = true
	for _, m := range o.object("responses") {
		a := r.answer(m)
		op.Answers = append(op.Answers, a)
		for _, c := range a.Contents {
			if a.IsSuccess && op.Example == nil && len(c.Examples) > 0 {
				op.Example = &c.Examples[0]
			}
		}
	}
	r.answering = false
	if op.IsSent = !strings.HasPrefix(path, "/"); op.IsSent { // webhooks have names in place of paths
		op.IsPublic = false
		return op
	}
	op.Flags, op.Curl = r.curl(op, o, body)
	return op
}

func (r *reader) parameters(list []any) []field {
	var all []field
	for _, v := range list {
		p, _ := r.resolve(v)
		f := field{Name: p.text("name"), In: p.text("in"), Mark: r.mark(p.get("required") == true), shape: r.shape(p.get("schema"))}
		if about := p.text("description"); about != "" {
			f.About = markdown(about)
		}
		if p.get("schema") == nil || f.Name == "" {
			r.fault("a parameter has no name or no schema")
		}
		all = append(all, f)
	}
	return all
}

func (r *reader) body(o object) *body {
	b := &body{IsRequired: o.get("required") == true, About: markdown(o.text("description"))}
	for _, m := range o.object("content") {
		if b.Type != "" {
			r.fault("only one content type of a body is shown")
		}
		media, _ := m.value.(object)
		b.Type, b.Shape, b.Examples = m.name, r.shape(media.get("schema")), r.examples(media)
	}
	return b
}
