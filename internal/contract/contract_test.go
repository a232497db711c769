package contract_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/busuhq/busu/internal/contract"
	"github.com/busuhq/busu/schema"
)

func document(t *testing.T) *contract.Document {
	t.Helper()
	doc, err := contract.Read(schema.OpenAPI)
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// TestUndocumentedIsFound proves that the tests that stand on this see what it
// is there for.
func TestUndocumentedIsFound(t *testing.T) {
	t.Parallel()
	var snapshot any = map[string]any{
		"window": "1m", "secret": 1, "by_model": map[string]any{"small": map[string]any{"price": 1}},
		"totals": map[string]any{"x": 1}}
	got := contract.Undocumented(document(t).Components.Schemas["Snapshot"].Value, snapshot)
	slices.Sort(got)
	want := []string{".by_model.small.price", ".secret", ".totals.x"}
	if !slices.Equal(got, want) {
		t.Errorf("found %v, want %v", got, want)
	}
}

func TestWhatIsNotAsDocumentedIsFound(t *testing.T) {
	t.Parallel()
	doc := document(t)
	const (
		id     = "019b0e4e-2b8a-7c3e-9d53-5a0f1c9f5b11"
		gone   = `{"type": "urn:busu:problem:not-found", "title": "Not Found", "status": 404, "request_id": "` + id + `"}`
		vendor = `{"error": {"message": "no", "type": "invalid_request_error", "param": null, "code": "not-found"}}`
	)
	for _, c := range []struct {
		name, method, path string
		status             int
		kind, body, says   string
	}{
		{"a problem", "GET", "/nope", 404, "application/problem+json", gone, ""},
		{"one with a secret in it", "GET", "/nope", 404, "application/problem+json", strings.Replace(gone, "{", `{"stack": "x", `, 1), ".stack"},
		{"one that is none", "GET", "/nope", 404, "application/problem+json", `{"error": "x"}`, "it is no Problem"},
		{"plain text", "GET", "/nope", 404, "text/plain", "404 page not found", "text/plain"},
		{"an envelope", "GET", "/v1/nope", 404, "application/json", vendor, ""},
		{"a problem in place of an envelope", "GET", "/v1/nope", 404, "application/json", gone, "it is no OpenAIError"},
		{"success where there is nothing", "PUT", "/complete", 200, "application/json", `{}`, "not documented"},
		{"a slash more", "GET", "/keys/", 404, "application/problem+json", gone, ""},
		{"a status", "GET", "/healthz", 418, "application/json", `{}`, "status"},
		{"no body", "GET", "/v1/models", 200, "application/json", ``, "not as documented"},
	} {
		r := httptest.NewRequest(c.method, "http://localhost"+c.path, nil)
		err := doc.Check(r, contract.Answer{Status: c.status, Header: http.Header{"Content-Type": {c.kind}, "X-Request-Id": {id}}, Body: []byte(c.body)})
		if (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q", c.name, err, c.says)
		}
	}
}
