package httpapi_test

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"
)

// forgetting notes who is forgotten, or fails.
type forgetting struct {
	users chan string
	err   error
}

func (f forgetting) ForgetUser(_ context.Context, project, user string) (map[string]int64, error) {
	f.users <- project + "/" + user
	return map[string]int64{"memory": 1, "idempotency": 2}, f.err
}

// onDisk is how long journals hold what was removed.
const onDisk = time.Hour

// TestForgetUser: of the caller's project, whatever the name is made of.
func TestForgetUser(t *testing.T) {
	t.Parallel()
	f := forgetting{users: make(chan string, 1)}
	s := serve(t, func(c *setup) { c.users = f })
	long := strings.Repeat("x", 256)
	for path, user := range map[string]string{
		"ada": "ada", "a%2Fb": "a/b", "a%2fb%20c": "a/b c", "a%20b": "a b", "50%25": "50%", "%2F": "/", "50%25%2F": "50%/", "%252F": "%2F",
		"ada@example.com": "ada@example.com", "%C3%BC": "ü", ":x": ":x", "a+b": "a+b", long: long,
	} {
		var got struct {
			UserID  string `json:"user_id"`
			Removed map[string]int64
			OnDisk  time.Time `json:"on_disk_until"`
		}
		before := time.Now().Truncate(time.Second)
		s.send(t, http.MethodDelete, "/users/"+path, "").want(t, 200).decode(t, &got)
		if asked := <-f.users; asked != "default/"+user || got.UserID != user || !maps.Equal(got.Removed, map[string]int64{"memory": 1, "idempotency": 2}) {
			t.Errorf("%s: %q was forgotten, told is %+v", path, asked, got)
		}
		if got.OnDisk.Before(before.Add(onDisk)) || got.OnDisk.After(time.Now().Add(onDisk)) {
			t.Errorf("on disk until %s", got.OnDisk)
		}
	}
	for path, status := range map[string]int{
		"/users/" + long + "x": 422, "/users/%00": 422, "/users/%FF": 422, "/users/ada?all=1": 422, "/users/a?%zz": 400,
		"/users/": 404, "/users/a/b": 404, "/users/a%2Fb/c": 404,
	} {
		s.send(t, http.MethodDelete, path, "").want(t, status)
	}
	if len(f.users) > 0 {
		t.Errorf("%q was forgotten", <-f.users)
	}
	s.send(t, http.MethodGet, "/users/ada", "").want(t, 405)
}

func TestForgetUserWhileAStoreIsAway(t *testing.T) {
	t.Parallel()
	f := forgetting{make(chan string, 1), errors.New("secret.internal:6379 refused")}
	s := serve(t, func(c *setup) { c.users = f })
	got := s.send(t, http.MethodDelete, "/users/ada", "").want(t, 503)
	if p := got.problem(t); !strings.HasSuffix(p.Type, ":stores-unavailable") || got.Header.Get("Retry-After") == "" || strings.Contains(string(got.Body), "secret") {
		t.Errorf("%s %v", got.Body, got.Header)
	}
}

func TestForgetUserTakesAKey(t *testing.T) {
	t.Parallel()
	f := forgetting{users: make(chan string, 1)}
	s := serve(t, func(c *setup) { c.users, c.adminKey = f, "secret" })
	s.send(t, http.MethodDelete, "/users/ada", "").want(t, 401)
	s.send(t, http.MethodDelete, "/users/ada", "", "x-api-key: wrong").want(t, 401)
	if len(f.users) > 0 {
		t.Error("a caller without a key had somebody forgotten")
	}
	s.send(t, http.MethodDelete, "/users/ada", "", "x-api-key: secret").want(t, 200)
}
