package httpapi_test

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestWithoutAKey: where keys are on, everything but the public routes is 401
// before anything else of the request is looked at, always in the same words.
func TestWithoutAKey(t *testing.T) {
	t.Parallel()
	s := serve(t, func(s *setup) { s.adminKey = "secret" })
	var shapes []string
	for _, r := range []struct{ method, path, body string }{
		{"POST", "/complete", `{"prompt": "a"}`},
		{"POST", "/complete", `not json`},
		{"POST", "/complete", strings.Repeat("a", 10<<20)},
		{"GET", "/complete", ""},
		{"OPTIONS", "/complete", ""},
		{"POST", "/recommendation", `{}`},
		{"GET", "/recommendation", ""},
		{"GET", "/recommendation?%zz", ""},
		{"GET", "/routing/metrics?window=x", ""},
		{"GET", "/metrics/live", ""},
		{"GET", "/metrics/live?interval=x", ""},
		{"GET", "/metrics/history?window=x", ""},
		{"GET", "/metrics/savings?window=x", ""},
		{"GET", "/requests?cursor=x", ""},
		{"GET", "/requests/x", ""},
		{"GET", "/nope", ""},
		{"POST", "/nope", `{}`},
		{"GET", "/healthz/", ""},
		{"DELETE", "/keys/x", ""},
	} {
		got := s.send(t, r.method, r.path, r.body, "Host: evil.example", "Origin: https://evil.example").want(t, 401)
		shapes = append(shapes, shapeOf(t, got))
		if got.Header.Get("WWW-Authenticate") != "Bearer" {
			t.Errorf("%s %s: WWW-Authenticate is %q", r.method, r.path, got.Header.Get("WWW-Authenticate"))
		}
	}
	for _, header := range []string{"Authorization: Bearer wrong", "Authorization: Bearer ", "Authorization: Bearer secret2",
		"Authorization: Bearer secre", "Authorization: Basic c2VjcmV0", "Authorization: secret", "x-api-key: wrong", "x-api-key: "} {
		shapes = append(shapes, shapeOf(t, s.post(t, "/complete", `{"prompt": "a"}`, header).want(t, 401)))
	}
	for _, shape := range shapes {
		if shape != shapes[0] {
			t.Errorf("answers differ: %s and %s", shapes[0], shape)
		}
	}
	s.send(t, "GET", "/v1/models", "").want(t, 401)
	s.send(t, "GET", "/v1/nope", "", "x-api-key: wrong").want(t, 401)
	if intents, _ := s.Ledger.counts(); intents > 0 {
		t.Error("something was recorded")
	}
}

// shapeOf is a problem without its request id.
func shapeOf(t *testing.T, r reply) string {
	t.Helper()
	var members map[string]any
	r.decode(t, &members)
	delete(members, "request_id")
	shape, err := json.Marshal(members)
	if err != nil {
		t.Fatal(err)
	}
	return string(shape)
}

func TestPublicRoutes(t *testing.T) {
	t.Parallel()
	s := serve(t, func(s *setup) { s.adminKey = "secret" })
	for _, path := range []string{"/", "/docs", "/static/app.js", "/healthz", "/readyz", "/metrics", "/openapi.json"} {
		s.send(t, "GET", path, "").want(t, 200)
		s.send(t, "HEAD", path, "").want(t, 200)
	}
	s.send(t, "GET", "/static/nope", "").want(t, 404)
}

func TestWithTheAdminKey(t *testing.T) {
	t.Parallel()
	s := serve(t, func(s *setup) { s.adminKey = "secret" })
	for _, header := range []string{"Authorization: Bearer secret", "Authorization: bearer secret", "Authorization: Bearer  secret ", "x-api-key: secret"} {
		s.post(t, "/complete", `{"prompt": "a"}`, header).want(t, 200)
		s.post(t, "/complete", `{}`, header).want(t, 422)
		s.send(t, "GET", "/nope", "", header).want(t, 404)
		s.send(t, "GET", "/complete", "", header).want(t, 405)
		s.send(t, "GET", "/metrics/live", "", header).want(t, 200)
	}
}

// TestOpenAPIIgnoresKeys that it does not know: there are none to know.
func TestOpenIgnoresUnknownKeys(t *testing.T) {
	t.Parallel()
	serve(t).post(t, "/complete", `{"prompt": "a"}`, "Authorization: Bearer anything").want(t, 200)
}
