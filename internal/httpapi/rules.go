package httpapi

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/busuhq/busu/internal/access"
	"github.com/busuhq/busu/internal/document"
)

// rules is the one table of what a route is for; access says who may do that.
// A route that is not in it is closed to everybody. HEAD is as GET.
var rules = map[string]access.Action{
	"POST /complete":            access.Complete,
	"POST /feedback":            access.Complete,
	"POST /recommendation":      access.Complete,
	"GET /recommendation":       access.Complete,
	"POST /v1/chat/completions": access.Complete,
	"POST /v1/messages":         access.Complete,
	"POST /v1/embeddings":       access.Complete,
	"GET /v1/models":            access.Look,
	"GET /v1/models/:model":     access.Look,
	"GET /whoami":               access.Look,

	"GET /routing/metrics":                       access.Read,
	"GET /metrics/live":                          access.Read,
	"GET /metrics/history":                       access.Read,
	"GET /metrics/savings":                       access.Read,
	"GET /usage":                                 access.Read,
	"GET /statements/:month":                     access.Read,
	"GET /requests":                              access.Read,
	"GET /requests/:request_id":                  access.Read,
	"GET /experiments":                           access.Read,
	"GET /experiments/results":                   access.Read,
	"GET /experiments/:experiment_id":            access.Read,
	"GET /experiments/:experiment_id/results":    access.Read,
	"GET /experiments/:experiment_id/deliveries": access.Read,
	"GET /stream/completions":                    access.Read,
	"GET /stream/decisions":                      access.Read,

	"POST /experiments/start":                  access.Operate,
	"POST /experiments/plan":                   access.Operate,
	"POST /experiments/:experiment_id/stop":    access.Operate,
	"POST /experiments/:experiment_id/ramp":    access.Operate,
	"POST /experiments/:experiment_id/extend":  access.Operate,
	"POST /experiments/:experiment_id/archive": access.Operate,

	"GET /models":                        access.Read,
	"GET /snapshots":                     access.Read,
	"POST /snapshots/:snapshot/rollback": access.Operate,

	"GET /system":                access.Oversee,
	"GET /reconcile":             access.Oversee,
	"GET /dead":                  access.Oversee,
	"GET /dead/:dead_id":         access.Oversee,
	"POST /dead/:dead_id/replay": access.Oversee,
	"DELETE /dead/:dead_id":      access.Oversee,

	"POST /keys":                access.Administer,
	"GET /keys":                 access.Administer,
	"GET /keys/:key_id":         access.Administer,
	"PATCH /keys/:key_id":       access.Administer,
	"DELETE /keys/:key_id":      access.Administer,
	"POST /keys/:key_id/rotate": access.Administer,
	"GET /budgets":              access.Administer,
	"GET /audit":                access.Administer,
	"DELETE /users/:user_id":    access.Administer,
}

// forbiddenError says that a caller has a key, and not the right.
type forbiddenError struct {
	detail string
	field  string // of the request that asks for too much; "" for all of it
}

func (e *forbiddenError) Error() string { return strings.TrimSpace(e.field + " " + e.detail) }

func (e *forbiddenError) problem() problem {
	p := problem{Type: "forbidden", Status: http.StatusForbidden, Detail: e.Error()}
	if e.field != "" {
		p.Errors = []document.Fault{{Field: e.field, Message: e.detail}}
	}
	return p
}

// authorize refuses callers whose role has not the right that a route takes.
// What is no route goes on, to be told so.
func authorize(x *exchange) error {
	method, route := x.Request().Method, x.Path()
	if public(route) {
		return nil
	}
	action, ok := rules[ruleName(method, route)]
	if x.caller.May(action) || !ok && !isRoute(x.Echo(), method, route) {
		return nil
	}
	takes := "this takes a key with " + listRoles(access.WhoMay(action))
	if action == access.Oversee {
		takes += ", of all projects"
	}
	return &forbiddenError{detail: takes}
}

func ruleName(method, route string) string {
	if method == http.MethodHead {
		method = http.MethodGet
	}
	return method + " " + route
}

func isRoute(e *echo.Echo, method, route string) bool {
	for _, r := range e.Routes() {
		if r.Method == method && r.Path == route {
			return true
		}
	}
	return false
}

func listRoles(roles []access.Role) string {
	names := make([]string, len(roles))
	for i, r := range roles {
		names[i] = string(r)
	}
	switch len(names) {
	case 0:
		return "a role that nobody has"
	case 1:
		return "the role " + names[0]
	default:
		return "the role " + strings.Join(names[:len(names)-1], ", ") + " or " + names[len(names)-1]
	}
}

const (
	headerProject    = "X-Busu-Project"
	parameterProject = "project" // of every query
)

// chooseProject takes the project that a request names, in a header or in its
// query, where its caller may choose one.
func chooseProject(x *exchange) error {
	if public(x.Path()) {
		return nil
	}
	r := x.Request()
	name, field := given(r.Header, headerProject), headerProject
	if strings.Contains(r.URL.RawQuery, parameterProject) {
		q, err := url.ParseQuery(r.URL.RawQuery)
		values := q[parameterProject]
		if err == nil && len(values) == 1 { // else the route refuses it
			name, field = values[0], parameterProject
			q.Del(parameterProject)
			stripped := *r.URL
			stripped.RawQuery = q.Encode()
			r = r.WithContext(r.Context())
			r.URL = &stripped
			x.SetRequest(r)
		}
	}
	if name == "" {
		return nil
	}
	if !access.IsProject(name) {
		return document.Invalid(field, "is %q, must be 1 to 64 letters, digits, dots, dashes and underscores", document.Cut(name))
	}
	caller, ok := x.caller.In(name)
	if !ok {
		return &forbiddenError{field: field, detail: fmt.Sprintf("names another project than %s, which the key is of", caller.Project)}
	}
	x.caller, x.projectNamed = caller, true
	return nil
}

// scopeOf is the project that lists of keys and acts, and usage, are of; "" where
// they are of all: the caller may choose one, and has not.
func scopeOf(c echo.Context) string {
	if caller := callerOf(c); !caller.Anywhere || exchangeOf(c).projectNamed {
		return caller.Project
	}
	return ""
}
