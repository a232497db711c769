package httpapi_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"
	"github.com/labstack/echo/v4"

	"github.com/busuhq/busu/schema"
)

// document is schema/openapi.yaml, read once.
type document struct {
	*openapi3.T
	routers.Router
}

var readDocument = sync.OnceValues(func() (*document, error) {
	doc, err := openapi3.NewLoader().LoadFromData(schema.OpenAPI)
	if err != nil {
		return nil, err
	}
	if err := doc.Validate(context.Background()); err != nil {
		return nil, err
	}
	doc.Servers = nil // tests listen anywhere
	router, err := legacy.NewRouter(doc)
	return &document{doc, router}, err
})

// validate fails the test when an answer is not as documented: its status, its
// headers, its body, and nothing beyond that in its body. What was answered
// with success must also have been asked as documented.
func validate(t testing.TB, r *http.Request, got reply) {
	t.Helper()
	doc, err := readDocument()
	if err != nil {
		t.Fatal(err)
	}
	request := &openapi3filter.RequestValidationInput{Request: r, Options: &openapi3filter.Options{
		AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, IncludeResponseStatus: true, SkipSettingDefaults: true}}
	asSent := r.Clone(r.Context())
	asSent.URL.Path = r.URL.EscapedPath() // an escaped slash does not part
	path := asSent.URL.Path
	request.Route, request.PathParams, err = doc.FindRoute(asSent)
	if slashed := path != "/" && strings.HasSuffix(path, "/"); err != nil || slashed { // the router overlooks the slash
		doc.validateProblem(t, r, got)
		return
	}
	if got.Status/100 == 2 && (r.Method == http.MethodGet || r.Header.Get("Content-Type") == "application/json") {
		validateAsked(t, request)
	}
	answer := &openapi3filter.ResponseValidationInput{RequestValidationInput: request,
		Status: got.Status, Header: got.Header, Options: request.Options}
	answer.SetBodyBytes(got.Body)
	if strings.HasPrefix(got.Header.Get("Content-Type"), "text/event-stream") { // events are validated one by one
		request.Options.ExcludeResponseBody = true
	}
	if err := openapi3filter.ValidateResponse(context.Background(), answer); err != nil {
		t.Errorf("%s %s: the answer is not as documented: %v", r.Method, r.URL.Path, err)
	}
	if schema := bodySchema(request.Route.Operation, got); schema != nil {
		for _, extra := range undocumented(schema, decoded(t, got.Body), "") {
			t.Errorf("%s %s: %s is not documented", r.Method, r.URL.Path, extra)
		}
	}
}

func validateAsked(t testing.TB, request *openapi3filter.RequestValidationInput) {
	t.Helper()
	if r := request.Request; r.GetBody != nil {
		body, err := r.GetBody()
		if err != nil {
			t.Fatal(err)
		}
		r.Body = body
	}
	if err := openapi3filter.ValidateRequest(context.Background(), request); err != nil {
		t.Errorf("%s %s was answered and is not documented: %.400v", request.Request.Method, request.Request.URL.Path, err)
	}
}

// validateProblem is for what is not in the document: other paths and methods.
func (d *document) validateProblem(t testing.TB, r *http.Request, got reply) {
	t.Helper()
	path := r.URL.Path
	if r.Method == http.MethodHead && len(got.Body) == 0 {
		return
	}
	if strings.HasPrefix(path, "/v1/") && got.Status >= 400 {
		schema := "OpenAIError"
		if strings.HasPrefix(path, "/v1/messages") {
			schema = "AnthropicError"
		}
		validateSchema(t, schema, decoded(t, got.Body))
		return
	}
	if got.Status < 400 || got.Header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("%s %s is not documented and answers %d as %q", r.Method, r.URL.Path, got.Status, got.Header.Get("Content-Type"))
		return
	}
	body := decoded(t, got.Body)
	problem := d.Components.Schemas["Problem"].Value
	if err := problem.VisitJSON(body, openapi3.EnableJSONSchema2020()); err != nil {
		t.Errorf("%s %s: %v", r.Method, r.URL.Path, err)
	}
	if extra := undocumented(problem, body, ""); len(extra) > 0 {
		t.Errorf("%s %s: %v is not documented", r.Method, r.URL.Path, extra)
	}
}

func decoded(t testing.TB, body []byte) any {
	t.Helper()
	var v any
	if err := json.Unmarshal(body, &v); err != nil {
		t.Fatalf("%v in %.200s", err, body)
	}
	return v
}

// bodySchema finds the schema of a JSON body.
func bodySchema(o *openapi3.Operation, got reply) *openapi3.Schema {
	response := o.Responses.Status(got.Status)
	if response == nil {
		response = o.Responses.Default()
	}
	if response == nil || len(got.Body) == 0 {
		return nil
	}
	media := response.Value.Content.Get(got.Header.Get("Content-Type"))
	if media == nil || media.Schema == nil || !strings.Contains(got.Header.Get("Content-Type"), "json") {
		return nil
	}
	return media.Schema.Value
}

// undocumented lists members that a schema says nothing of. Schemas allow
// them, so that clients go on working when some are added; tests do not.
func undocumented(s *openapi3.Schema, value any, at string) []string {
	if len(s.Properties) == 0 {
		for _, one := range s.OneOf {
			if one.Value.VisitJSON(value, openapi3.EnableJSONSchema2020()) == nil {
				return undocumented(one.Value, value, at)
			}
		}
	}
	members, ok := value.(map[string]any)
	if list, isList := value.([]any); isList && s.Items != nil {
		var extra []string
		for i, item := range list {
			extra = append(extra, undocumented(s.Items.Value, item, fmt.Sprintf("%s[%d]", at, i))...)
		}
		return extra
	}
	if !ok {
		return nil
	}
	known, open := properties(s)
	var extra []string
	for name, member := range members {
		switch {
		case known[name] != nil:
			extra = append(extra, undocumented(known[name], member, at+"."+name)...)
		case open != nil:
			extra = append(extra, undocumented(open, member, at+"."+name)...)
		case len(known) > 0:
			extra = append(extra, at+"."+name)
		}
	}
	return extra
}

// properties are a schema's with those of all it is made of; open is the one
// of any further ones.
func properties(s *openapi3.Schema) (known map[string]*openapi3.Schema, open *openapi3.Schema) {
	known = map[string]*openapi3.Schema{}
	for name, p := range s.Properties {
		known[name] = p.Value
	}
	if s.AdditionalProperties.Schema != nil {
		open = s.AdditionalProperties.Schema.Value
	}
	for _, part := range slices.Concat(s.AllOf, s.OneOf) {
		more, openPart := properties(part.Value)
		maps.Copy(known, more)
		if openPart != nil {
			open = openPart
		}
	}
	return known, open
}

func TestEveryRouteIsInTheDocumentAndBack(t *testing.T) {
	t.Parallel()
	doc, err := readDocument()
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]bool{}
	for path, item := range doc.Paths.Map() {
		for method := range item.Operations() {
			documented[method+" "+path] = true
		}
	}
	routes := map[string]bool{}
	for _, r := range build().Handler.(*echo.Echo).Routes() {
		if r.Method == http.MethodHead { // goes with every GET
			continue
		}
		path := regexp.MustCompile(`:(\w+)`).ReplaceAllString(r.Path, "{$1}")
		routes[r.Method+" "+strings.ReplaceAll(path, "/*", "/{file}")] = true
	}
	for route := range routes {
		if !documented[route] {
			t.Errorf("%s is served and not in openapi.yaml", route)
		}
	}
	for path := range documented {
		if !routes[path] {
			t.Errorf("%s is in openapi.yaml and not served", path)
		}
	}
}

// TestUndocumentedIsFound proves that the validation of the other tests sees
// what it is there for.
func TestUndocumentedIsFound(t *testing.T) {
	t.Parallel()
	doc, err := readDocument()
	if err != nil {
		t.Fatal(err)
	}
	var snapshot any = map[string]any{
		"window": "1m", "secret": 1, "by_model": map[string]any{"small": map[string]any{"price": 1}},
		"totals": map[string]any{"x": 1}}
	got := undocumented(doc.Components.Schemas["Snapshot"].Value, snapshot, "")
	slices.Sort(got)
	want := []string{".by_model.small.price", ".secret", ".totals.x"}
	if !slices.Equal(got, want) {
		t.Errorf("found %v, want %v", got, want)
	}
}

func TestDocumentIsServed(t *testing.T) {
	t.Parallel()
	got := serve(t).send(t, "GET", "/openapi.json", "").want(t, 200)
	doc, err := openapi3.NewLoader().LoadFromData(got.Body)
	if err != nil {
		t.Fatal(err)
	}
	if doc.OpenAPI != "3.1.0" || doc.Paths.Find("/complete") == nil {
		t.Errorf("served as %s with the paths %v", doc.OpenAPI, doc.Paths.Keys())
	}
}

// validateSchema fails the test when a value is not as a schema of the
// document says, or says more.
func validateSchema(t testing.TB, name string, value any) {
	t.Helper()
	doc, err := readDocument()
	if err != nil {
		t.Fatal(err)
	}
	schema := doc.Components.Schemas[name].Value
	if err := schema.VisitJSON(value, openapi3.EnableJSONSchema2020()); err != nil {
		t.Errorf("%s: %v", name, err)
	}
	if extra := undocumented(schema, value, ""); len(extra) > 0 {
		t.Errorf("%s: %v is not documented", name, extra)
	}
}
