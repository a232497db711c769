package httpapi_test

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/labstack/echo/v4"

	"github.com/busuhq/busu/internal/contract"
	"github.com/busuhq/busu/schema"
)

// readDocument reads schema/openapi.yaml once.
var readDocument = sync.OnceValues(func() (*contract.Document, error) { return contract.Read(schema.OpenAPI) })

// validate fails the test when an answer is not as documented.
func validate(t testing.TB, r *http.Request, got reply) {
	t.Helper()
	doc, err := readDocument()
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Check(r, contract.Answer(got)); err != nil {
		t.Errorf("%s %s: %v", r.Method, r.URL.Path, err)
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
	body, err := json.Marshal(value)
	if err == nil {
		err = doc.CheckJSON(name, body)
	}
	if err != nil {
		t.Errorf("%s: %v", name, err)
	}
}
