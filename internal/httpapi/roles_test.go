package httpapi_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/busuhq/busu/internal/access"
)

// TestRolesOfEveryRoute walks every operation of the document with every kind
// of key: it lets in whom x-busu-roles names and nobody else. A route without
// a rule is closed to all, and fails here.
func TestRolesOfEveryRoute(t *testing.T) {
	t.Parallel()
	doc, err := readDocument()
	if err != nil {
		t.Fatal(err)
	}
	keys := newFakeKeys()
	s := build(func(s *setup) { s.adminKey, s.keys = "the admin key", keys })
	callers := map[string]string{"admin": "the admin key"}
	for _, role := range access.Roles() {
		callers["a key to "+string(role)] = keys.give(t, access.Key{Role: role, Project: "default"})
	}
	callers["one of all projects"] = keys.give(t, access.Key{Role: access.RoleOperate, Project: access.AllProjects})
	roleOf := func(who string) access.Role {
		switch who {
		case "admin":
			return access.RoleAdmin
		case "one of all projects":
			return access.RoleOperate
		}
		return access.Role(strings.TrimPrefix(who, "a key to "))
	}
	strangers := map[string]string{"nobody": "", "nonsense": "nonsense", "an unknown key": access.NewSecret().Reveal(),
		"a revoked key":  keys.give(t, access.Key{Role: access.RoleAdmin, Project: "default", RevokedAt: new(time.Now().Add(-time.Second))}),
		"an expired key": keys.give(t, access.Key{Role: access.RoleAdmin, Project: "default", ExpiresAt: new(time.Now().Add(-time.Second))})}
	operations := 0
	for path, item := range doc.Paths.Map() {
		for method, o := range item.Operations() {
			operations++
			roles, isPublic := rolesOf(o)
			if (len(roles) == 0) != isPublic {
				t.Errorf("%s %s: x-busu-roles are %v, public is %t", method, path, roles, isPublic)
			}
			for who, key := range strangers {
				if got := s.statusFor(method, path, key); (got == http.StatusUnauthorized) == isPublic {
					t.Errorf("%s %s is %d for %s", method, path, got, who)
				}
			}
			for who, key := range callers {
				everywhere := o.Extensions["x-busu-everywhere"] != true || who == "admin" || who == "one of all projects"
				allowed := isPublic || slices.Contains(roles, roleOf(who)) && everywhere
				if got := s.statusFor(method, path, key); got == http.StatusUnauthorized || (got == http.StatusForbidden) == allowed {
					t.Errorf("%s %s is %d for %s", method, path, got, who)
				}
			}
		}
	}
	if operations < 35 {
		t.Errorf("only %d operations were looked at", operations)
	}
}

func rolesOf(o *openapi3.Operation) (roles []access.Role, isPublic bool) {
	list, _ := o.Extensions["x-busu-roles"].([]any)
	for _, role := range list {
		name, _ := role.(string)
		roles = append(roles, access.Role(name))
	}
	return roles, o.Security != nil && len(*o.Security) == 0
}

// statusFor asks for an operation in a way that does nothing.
func (s *stack) statusFor(method, path, key string) int {
	path = strings.ReplaceAll(path, "{file}", "app.js")
	for strings.Contains(path, "{") {
		from, to := strings.Index(path, "{"), strings.Index(path, "}")
		path = path[:from] + "x" + path[to+1:]
	}
	r, err := http.NewRequest(method, "http://localhost"+path+"?nonsense=1", strings.NewReader("{}"))
	if err != nil {
		return 0
	}
	if key != "" {
		r.Header.Set("Authorization", "Bearer "+key)
	}
	return s.record(r).Status
}

// A role's refusal says what it would take.
func TestForbidden(t *testing.T) {
	t.Parallel()
	keys := newFakeKeys()
	s := serve(t, func(s *setup) { s.adminKey, s.keys = "the admin key", keys })
	reader := "Authorization: Bearer " + keys.give(t, access.Key{Role: access.RoleRead, Project: "default"})
	p := s.post(t, "/experiments/start", `{}`, reader).want(t, 403).problem(t)
	if !strings.HasSuffix(p.Type, ":forbidden") || p.Detail != "this takes a key with the role admin or operate" {
		t.Errorf("%+v", p)
	}
	if p = s.post(t, "/keys", `{}`, reader).want(t, 403).problem(t); p.Detail != "this takes a key with the role admin" {
		t.Errorf("%+v", p)
	}
	s.send(t, "GET", "/complete", "", reader).want(t, 405)
	s.send(t, "GET", "/nope", "", reader).want(t, 404)
	s.send(t, "HEAD", "/requests", "", reader).want(t, 200)
	s.send(t, "HEAD", "/audit", "", reader).want(t, 403)
	var vendor struct{ Error struct{ Type, Code string } }
	s.post(t, "/v1/chat/completions", `{}`, reader).want(t, 403).decode(t, &vendor)
	if vendor.Error.Type != "permission_error" || vendor.Error.Code != "forbidden" {
		t.Errorf("%+v", vendor)
	}
}
