package app_test

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/busuhq/busu/internal/storetest"
)

// browse sends what a page of busu sends, with the session of its browser.
func (p *process) browse(cookie *http.Cookie, method, path, body string) (status int, text string, given *http.Cookie) {
	p.t.Helper()
	r, err := http.NewRequestWithContext(p.t.Context(), method, p.base+path, strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	if cookie != nil {
		r.AddCookie(cookie)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	defer answer.Body.Close()
	all, err := io.ReadAll(answer.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	if cookies := answer.Cookies(); len(cookies) > 0 {
		given = cookies[0]
	}
	return answer.StatusCode, string(all), given
}

// TestSessionsInTwoProcesses: who signs in at one is signed in at both, at one
// that is started later too, and signed out at all; a key that is revoked takes
// its sessions along; with PostgreSQL away sessions go on.
func TestSessionsInTwoProcesses(t *testing.T) {
	t.Parallel()
	database, redis := storetest.PostgresServer(t), storetest.Redis(t)
	env := []string{"DATABASE_URL=" + database.URL, "REDIS_URL=" + redis, "BUSU_ADMIN_KEY=" + adminKey, "BUSU_CONFIG=" + configFile(t, quick)}
	with := func() []string { return append(slices.Clip(env), "BUSU_STATE_DIR="+stateDir(t)) }
	api, other := start(t, nil, with(), "api"), start(t, nil, with(), "api")
	acme := api.made("acme")
	signIn := func(key string) *http.Cookie {
		status, text, cookie := api.browse(nil, http.MethodPost, "/session", `{"key": "`+key+`"}`)
		if status != http.StatusOK || cookie == nil {
			t.Fatalf("%d %s", status, text)
		}
		return cookie
	}
	first, second, third := signIn(acme.Secret), signIn(acme.Secret), signIn(adminKey)
	for _, p := range []*process{api, other, start(t, nil, with(), "api")} {
		p.until("it knows the session", func() bool {
			status, _, _ := p.browse(first, http.MethodGet, "/whoami", "")
			return status == http.StatusOK
		})
		var who struct{ Role, Project string }
		_, text, _ := p.browse(first, http.MethodGet, "/whoami", "")
		if err := json.Unmarshal([]byte(text), &who); err != nil || who.Role != "admin" || who.Project != "acme" {
			t.Errorf("%s (%v)", text, err)
		}
	}
	refused := func(p *process, cookie *http.Cookie) func() bool {
		return func() bool {
			status, _, _ := p.browse(cookie, http.MethodGet, "/requests", "")
			return status == http.StatusUnauthorized
		}
	}
	if status, text, _ := other.browse(first, http.MethodDelete, "/session", ""); status != http.StatusNoContent {
		t.Fatalf("%d %s", status, text)
	}
	if !refused(other, first)() {
		t.Error("the session goes on where it was ended")
	}
	api.until("it has ended there, too", refused(api, first))
	if refused(api, second)() {
		t.Error("another session of the key has ended, too")
	}
	if status, _, text := api.tell(adminKey, http.MethodDelete, "/keys/"+acme.ID, ""); status != http.StatusOK {
		t.Fatalf("%d %s", status, text)
	}
	for _, p := range []*process{api, other} {
		p.until("the key's session has ended", refused(p, second))
	}
	database.Kill(t)
	if status, text, _ := other.browse(third, http.MethodGet, "/whoami", ""); status != http.StatusOK {
		t.Errorf("without PostgreSQL: %d %s", status, text)
	}
}
