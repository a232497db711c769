package apifuzz

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
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

const id = "019b0e4e-2b8a-7c3e-9d53-5a0f1c9f5b11"

func fine() http.Header {
	return http.Header{"X-Content-Type-Options": {"nosniff"}, "Referrer-Policy": {"no-referrer"}, "X-Frame-Options": {"DENY"}, "Cache-Control": {"no-store"},
		"Content-Security-Policy": {"default-src 'none'; frame-ancestors 'none'"}, "X-Request-Id": {id}, "Content-Type": {"application/problem+json"}, "Www-Authenticate": {"Bearer"}}
}

// TestBrokenPromisesAreFound proves that a run without findings means
// something.
func TestBrokenPromisesAreFound(t *testing.T) {
	t.Parallel()
	doc := document(t)
	operations := operationsOf(doc)
	at := slices.IndexFunc(operations, func(o operation) bool { return o.path == "/requests" && o.method == "GET" })
	const key = "busu_a-key-that-nobody-may-see"
	stranger, reader, completer := caller{name: "nobody"}, caller{name: "read", key: key, role: "read"}, caller{name: "complete", key: key, role: "complete"}
	problem := func(status int, detail string) string {
		return fmt.Sprintf(`{"type": "urn:busu:problem:x", "title": "x", "status": %d, "detail": %q, "request_id": %q}`, status, detail, id)
	}
	for _, c := range []struct {
		name   string
		who    caller
		status int
		header map[string]string // "": without
		body   string
		says   string
	}{
		{"a refusal", stranger, 401, nil, problem(401, "no key"), ""},
		{"a role's refusal", completer, 403, nil, problem(403, "no"), ""},
		{"a fault", reader, 422, nil, problem(422, "limit is x"), ""},
		{"our mistake", reader, 500, nil, problem(500, "internal error"), "status 500"},
		{"a stranger who is let in", stranger, 422, nil, problem(422, "limit is x"), "a stranger"},
		{"a role that is let in", completer, 404, nil, problem(404, "x"), "who may not"},
		{"a key that is called wrong", reader, 401, nil, problem(401, "no key"), "is called wrong"},
		{"a key in an answer", reader, 422, nil, problem(422, key), "a key is told"},
		{"a programmer's words", reader, 422, nil, problem(422, "ERROR: relation (SQLSTATE 42P01)"), "SQLSTATE"},
		{"no problem", reader, 422, nil, `{"error": "no"}`, "not as documented"},
		{"a status that is not documented", reader, 418, nil, problem(418, "x"), "not as documented"},
		{"no header", reader, 422, map[string]string{"X-Frame-Options": ""}, problem(422, "x"), "X-Frame-Options"},
		{"no policy", reader, 422, map[string]string{"Content-Security-Policy": "default-src *"}, problem(422, "x"), "no policy"},
		{"kept by others", reader, 422, map[string]string{"Cache-Control": ""}, problem(422, "x"), "may keep"},
		{"for other websites", reader, 422, map[string]string{"Access-Control-Allow-Origin": "*"}, problem(422, "x"), "Access-Control"},
		{"a cookie for scripts", reader, 422, map[string]string{"Set-Cookie": "a=b"}, problem(422, "x"), "the cookie a"},
		{"a page of the server's", reader, 400, map[string]string{"X-Request-Id": "", "Content-Type": "text/plain"}, "400 Bad Request", "no request id"},
	} {
		got := answer{Answer: contract.Answer{Status: c.status, Header: fine(), Body: []byte(c.body)}}
		for name, value := range c.header {
			if got.Header.Del(name); value != "" {
				got.Header.Set(name, value)
			}
		}
		r := &request{operation: operations[at], caller: c.who, method: "GET", target: "/requests?limit=x", ordinary: true}
		faults := strings.Join(judge{document: doc, secrets: []string{key}}.look(r, got), "; ")
		if (faults == "") != (c.says == "") || !strings.Contains(faults, c.says) {
			t.Errorf("%s: found was %q, want %q", c.name, faults, c.says)
		}
	}
}

// TestRequestsAreOfEveryKind: the same seed draws the same requests, of all
// operations, callers, manners and framings.
func TestRequestsAreOfEveryKind(t *testing.T) {
	t.Parallel()
	operations := operationsOf(document(t))
	callers := []caller{{name: "nobody"}, {name: "admin", key: "k", role: "admin", everywhere: true, id: id}}
	seen := map[string]bool{}
	for i := range uint64(5000) {
		drawn := func() *request {
			d := &draw{Rand: rand.New(rand.NewPCG(7, i)), known: newPool([]string{"small"})}
			return d.request(operations, callers)
		}
		r := drawn()
		if again := drawn(); string(again.bytes("a")) != string(r.bytes("a")) {
			t.Fatalf("request %d is another one the second time:\n%.400q\n%.400q", i, r.bytes("a"), again.bytes("a"))
		}
		if mentions(callers, r.target) {
			t.Errorf("request %d ends a key that sends: %s", i, r.target)
		}
		for _, kind := range []string{r.operation.method + r.operation.path, r.caller.name, fmt.Sprint("manner ", r.manner), fmt.Sprint("framing ", r.framing)} {
			seen[kind] = true
		}
	}
	if want := len(operations) + len(callers) + 3 + 6; len(seen) != want {
		t.Errorf("%d kinds of %d: %v", len(seen), want, slices.Sorted(maps.Keys(seen)))
	}
}
