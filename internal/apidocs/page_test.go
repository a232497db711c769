package apidocs

import (
	"encoding/xml"
	"errors"
	"html/template"
	"io"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/goccy/go-yaml"

	"github.com/busuhq/busu/schema"
)

var ours = sync.OnceValues(func() (string, error) {
	document, err := yaml.YAMLToJSON(schema.OpenAPI)
	if err != nil {
		return "", err
	}
	page, err := Page(document)
	return string(page), err
})

func ourPage(t *testing.T) string {
	t.Helper()
	page, err := ours()
	if err != nil {
		t.Fatal(err)
	}
	return page
}

func ourDocument(t *testing.T) *openapi3.T {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData(schema.OpenAPI)
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// article cuts one operation, or one shared body, out of the page.
func article(t *testing.T, page, id string) string {
	t.Helper()
	_, after, found := strings.Cut(page, `id="`+id+`" aria-labelledby`)
	text, _, closed := strings.Cut(after, "</article>")
	if !found || !closed {
		t.Fatalf("%s has no place on the page", id)
	}
	return text
}

// names collects the members of a schema and of all that it leads to.
func names(s *openapi3.SchemaRef, found map[string]bool, within []*openapi3.Schema) {
	if s == nil || slices.Contains(within, s.Value) {
		return
	}
	within = append(within, s.Value)
	for name, p := range s.Value.Properties {
		found[name] = true
		names(p, found, within)
	}
	names(s.Value.Items, found, within)
	names(s.Value.AdditionalProperties.Schema, found, within)
	for _, part := range slices.Concat(s.Value.AllOf, s.Value.OneOf) {
		names(part, found, within)
	}
}

func TestEveryOperationIsShownInFull(t *testing.T) {
	t.Parallel()
	page := ourPage(t)
	for path, item := range ourDocument(t).Paths.Map() {
		for method, o := range item.Operations() {
			shown := article(t, page, o.OperationID)
			want := []string{">" + method + "</span>", rolesOf(o), "<code>" + template.HTMLEscapeString(path) + "</code>", string(inline(o.Summary)), string(markdown(o.Description)), "<code>curl -s"}
			members := map[string]bool{}
			for _, p := range o.Parameters {
				want = append(want, "<dt><code>"+p.Value.Name+"</code>", string(markdown(p.Value.Description)))
				names(p.Value.Schema, members, nil)
			}
			if o.RequestBody != nil {
				for _, media := range o.RequestBody.Value.Content {
					names(media.Schema, members, nil)
				}
			}
			for status, answer := range o.Responses.Map() {
				want = append(want, `data-status="`+status+`"`, string(markdown(*answer.Value.Description)))
				for name := range answer.Value.Headers {
					want = append(want, "<dt><code>"+name+"</code>")
				}
				for _, media := range answer.Value.Content {
					if status < "3" {
						names(media.Schema, members, nil)
					}
					if item, ok := media.Extensions["x-item-schema"].(map[string]any); ok {
						names(ourDocument(t).Components.Schemas[strings.TrimPrefix(item["$ref"].(string), "#/components/schemas/")], members, nil)
					}
				}
			}
			for name := range members {
				want = append(want, "<dt><code>"+name+"</code>")
			}
			for _, text := range want {
				if !strings.Contains(shown, text) {
					t.Errorf("%s %s does not show %s", method, path, text)
				}
			}
		}
	}
}

// rolesOf is how the roles of an operation are shown, "" of a public one.
func rolesOf(o *openapi3.Operation) string {
	var roles []string
	list, _ := o.Extensions["x-busu-roles"].([]any)
	for _, role := range list {
		roles = append(roles, "<code>"+role.(string)+"</code>")
	}
	if len(roles) == 0 {
		return ""
	}
	everywhere := ""
	if o.Extensions["x-busu-everywhere"] == true {
		everywhere = ", of all projects"
	}
	return "Roles: " + strings.Join(roles, ", ") + everywhere + "</p>"
}

func TestEveryBodyOfAFailureIsLinkedAndShown(t *testing.T) {
	t.Parallel()
	page, doc := ourPage(t), ourDocument(t)
	for _, name := range []string{"Problem", "OpenAIError", "AnthropicError"} {
		shown, members := article(t, page, "schema-"+name), map[string]bool{}
		names(doc.Components.Schemas[name], members, nil)
		for member := range members {
			if !strings.Contains(shown, "<dt><code>"+member+"</code>") {
				t.Errorf("%s does not show %s", name, member)
			}
		}
		if !strings.Contains(page, `<a href="#schema-`+name+`">`) {
			t.Errorf("nothing leads to %s", name)
		}
	}
}

// Every word that the document says of a schema is on the page.
func TestEverySchemaIsDescribed(t *testing.T) {
	t.Parallel()
	page := ourPage(t)
	seen := 0
	for name, s := range ourDocument(t).Components.Schemas {
		all := map[string]*openapi3.SchemaRef{name: s}
		for member, p := range s.Value.Properties {
			all[name+"."+member] = p
		}
		for at, one := range all {
			if text := one.Value.Description; text != "" && !strings.Contains(page, string(markdown(text))) {
				t.Errorf("%s is not said to be %q", at, text)
			}
			for _, value := range one.Value.Enum {
				if text, ok := value.(string); ok && !strings.Contains(page, "<code>"+text+"</code>") {
					t.Errorf("%s: the value %s is not shown", at, text)
				}
			}
			seen++
		}
	}
	if seen < 150 {
		t.Errorf("only %d schemas were looked at", seen)
	}
}

// What is sent by busu is shown as such: nobody can ask for it.
func TestWebhooksAreShown(t *testing.T) {
	t.Parallel()
	page, seen := ourPage(t), 0
	for _, item := range ourDocument(t).Webhooks {
		for _, o := range item.Operations() {
			seen++
			shown := article(t, page, o.OperationID)
			if !strings.Contains(shown, "sent by busu") || strings.Contains(shown, "curl") || strings.Contains(shown, "public") || !strings.Contains(shown, "webhook-signature") {
				t.Errorf("%s is shown as\n%s", o.OperationID, shown)
			}
		}
	}
	if seen == 0 {
		t.Error("there are none")
	}
}

func TestMarks(t *testing.T) {
	t.Parallel()
	page := ourPage(t)
	for _, want := range []struct{ id, text string }{
		{"chatCompletions", `<dt><code>model</code> <span class="mark required">required</span>`},
		{"chatCompletions", `<dt><code>user</code></dt>`},
		{"chatCompletions", `<dt><code>id</code></dt>`},
		{"complete", `<dt><code>Idempotent-Replayed</code> <span class="mark optional">optional</span>`},
		{"recommendQuery", `<dt><code>prompt</code> <span class="mark required">required</span>`},
		{"schema-Problem", `<dt><code>detail</code> <span class="mark optional">optional</span>`},
		{"schema-Problem", `<dt><code>status</code></dt>`},
	} {
		if !strings.Contains(article(t, page, want.id), want.text) {
			t.Errorf("%s has no %s", want.id, want.text)
		}
	}
}

// element is a start tag with what it stands in.
type element struct {
	name   string
	within []string
	attr   map[string]string
}

// elements reads a page as strictly as XML is read: every element is closed in
// its order, every attribute quoted.
func elements(page string) (all []element, err error) {
	d := xml.NewDecoder(strings.NewReader(page))
	d.Entity = xml.HTMLEntity
	var open []string
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		switch token := token.(type) {
		case xml.StartElement:
			e := element{token.Name.Local, slices.Clone(open), map[string]string{}}
			for _, a := range token.Attr {
				e.attr[a.Name.Local] = a.Value
			}
			all, open = append(all, e), append(open, token.Name.Local)
		case xml.EndElement:
			open = open[:len(open)-1]
		}
	}
}

var (
	inText  = []string{"p", "h1", "h2", "h3", "h4", "dt", "summary", "span", "code", "a", "b", "strong"}
	blocks  = []string{"p", "div", "ul", "ol", "dl", "pre", "table", "section", "article", "figure", "details", "h1", "h2", "h3", "h4", "header"}
	parents = map[string][]string{"li": {"ul", "ol"}, "dt": {"div", "dl"}, "dd": {"div", "dl"}, "tr": {"thead", "tbody"}, "td": {"tr"}, "th": {"tr"},
		"summary": {"details"}, "figcaption": {"figure"}}
)

func TestPageIsValid(t *testing.T) {
	t.Parallel()
	page := ourPage(t)
	if !strings.HasPrefix(page, "<!doctype html>\n") {
		t.Error("it does not begin with its type")
	}
	all, err := elements(page)
	if err != nil {
		t.Fatal(err)
	}
	ids, count := map[string]bool{}, map[string]int{}
	for _, e := range all {
		count[e.name]++
		if id, ok := e.attr["id"]; ok && (ids[id] || id == "" || strings.ContainsAny(id, " \n")) {
			t.Errorf("the id %q is there twice, or is none", id)
		}
		ids[e.attr["id"]] = true
		if n := len(e.within); slices.Contains(blocks, e.name) && slices.ContainsFunc(e.within, func(outer string) bool { return slices.Contains(inText, outer) }) {
			t.Errorf("%s stands in %v", e.name, e.within)
		} else if want := parents[e.name]; want != nil && !slices.Contains(want, e.within[n-1]) {
			t.Errorf("%s stands in %s, not in one of %v", e.name, e.within[n-1], want)
		}
		if e.name == "a" && (slices.Contains(e.within, "a") || slices.Contains(e.within, "summary")) {
			t.Errorf("a link to %s stands within what can be pressed", e.attr["href"])
		}
	}
	for _, e := range all {
		for _, target := range []string{strings.TrimPrefix(e.attr["href"], "#"), e.attr["aria-labelledby"], e.attr["for"]} {
			isPlace := strings.HasPrefix(e.attr["href"], "#") || target != e.attr["href"]
			if target != "" && isPlace && !ids[target] {
				t.Errorf("%s leads to %q, which is not there", e.name, target)
			}
		}
	}
	if count["h1"] != 1 || count["main"] != 1 || count["title"] != 1 {
		t.Errorf("%d h1, %d main, %d title; want one of each", count["h1"], count["main"], count["title"])
	}
}

// The content security policy forbids what this finds.
func TestNothingComesFromElsewhere(t *testing.T) {
	t.Parallel()
	page := ourPage(t)
	all, err := elements(page)
	if err != nil {
		t.Fatal(err)
	}
	loaded := regexp.MustCompile(`^static/[a-z]+\.(css|js|svg)$`)
	for _, e := range all {
		for name, value := range e.attr {
			isLoaded := name == "src" || name == "srcset" || name == "data" || name == "href" && e.name == "link"
			if isLoaded && !loaded.MatchString(value) {
				t.Errorf("%s loads %s", e.name, value)
			}
			if name == "style" || strings.HasPrefix(name, "on") || name == "action" {
				t.Errorf("%s has %s=%q", e.name, name, value)
			}
		}
		if e.name == "style" || e.name == "iframe" || e.name == "base" || e.name == "script" && e.attr["src"] == "" {
			t.Errorf("there is a %s", e.name)
		}
	}
}
