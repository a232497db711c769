package httpapi_test

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"github.com/busuhq/busu/internal/access"
	"github.com/busuhq/busu/internal/httpapi"
	"github.com/busuhq/busu/internal/session"
)

// browser keeps the cookies of one busu, and says that its pages ask.
type browser struct {
	*stack
	cookies map[string]*http.Cookie
}

func (s *stack) browser() *browser { return &browser{s, map[string]*http.Cookie{}} }

func (b *browser) send(t *testing.T, method, path, body string, headers ...string) reply {
	t.Helper()
	if !slices.ContainsFunc(headers, func(h string) bool { return strings.HasPrefix(h, "Sec-Fetch-Site:") }) {
		headers = append(headers, "Sec-Fetch-Site: same-origin")
	}
	for _, c := range b.cookies {
		headers = append(headers, "Cookie: "+c.Name+"="+c.Value)
	}
	got := b.stack.send(t, method, path, body, headers...)
	b.take(got)
	return got
}

func (b *browser) take(got reply) {
	for _, c := range (&http.Response{Header: got.Header}).Cookies() {
		if c.MaxAge < 0 {
			delete(b.cookies, c.Name)
		} else {
			b.cookies[c.Name] = c
		}
	}
}

func (b *browser) signIn(t *testing.T, key string) reply {
	t.Helper()
	return b.send(t, "POST", "/session", `{"key": "`+key+`"}`)
}

type whoIs struct {
	By, Role, Project string
	AllProjects       bool `json:"all_projects"`
	Open              bool
	May               []string
	Key               *struct{ ID, Name, Prefix string }
	Person            *string
	Models            []string
	Session           *struct {
		IdleAt time.Time `json:"idle_at"`
		EndsAt time.Time `json:"ends_at"`
	}
}

func (b *browser) whoami(t *testing.T) (who whoIs) {
	t.Helper()
	b.send(t, "GET", "/whoami", "").want(t, 200).decode(t, &who)
	return who
}

// TestWhoami: each role hears what it may do, and no secret is told.
func TestWhoami(t *testing.T) {
	t.Parallel()
	keys := newFakeKeys()
	s := serve(t, func(s *setup) { s.adminKey, s.keys = "the admin key", keys })
	for role, may := range map[access.Role]string{
		access.RoleComplete: "look complete", access.RoleRead: "look read", access.RoleOperate: "look complete read operate",
		access.RoleAdmin: "look complete read operate administer",
	} {
		secret := keys.give(t, access.Key{Role: role, Project: "acme", Name: "search", Models: []string{"small"}})
		got := s.send(t, "GET", "/whoami", "", "x-api-key: "+secret).want(t, 200)
		var who whoIs
		got.decode(t, &who)
		if strings.Join(who.May, " ") != may || who.Key == nil || who.Key.Name != "search" || !strings.HasPrefix(secret, who.Key.Prefix) || who.Project != "acme" ||
			who.AllProjects || !slices.Equal(who.Models, []string{"small"}) || who.By != who.Key.ID || who.Session != nil {
			t.Errorf("%s: %s", role, got.Body)
		}
		if strings.Contains(string(got.Body), secret) || got.Header.Get("Set-Cookie") != "" || got.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: headers %v, body %s", role, got.Header, got.Body)
		}
	}
	var admin whoIs
	s.send(t, "GET", "/whoami", "", "x-api-key: the admin key", "X-Busu-Project: other").want(t, 200).decode(t, &admin)
	if admin.By != "admin" || admin.Key != nil || !admin.AllProjects || admin.Project != "other" || !slices.Contains(admin.May, "oversee") {
		t.Errorf("%+v", admin)
	}
	if open := serve(t).browser().whoami(t); !open.Open || open.Role != "admin" || len(open.May) != 6 {
		t.Errorf("%+v", open)
	}
}

// TestSession: a browser that has shown a key is its holder until it signs out,
// and then at no process any more.
func TestSession(t *testing.T) {
	t.Parallel()
	keys, shared := newFakeKeys(), new(sharedSessions)
	process := func(s *setup) { s.adminKey, s.keys, s.sessions = "the admin key", keys, shared }
	s, other := serve(t, process), serve(t, process)
	secret := keys.give(t, access.Key{Role: access.RoleRead, Project: "acme"})
	b := s.browser()
	b.send(t, "GET", "/requests", "").want(t, 401)
	got := b.signIn(t, secret).want(t, 200)
	cookie := b.cookies["busu-session"]
	if cookie == nil || !cookie.HttpOnly || cookie.SameSite != http.SameSiteStrictMode || cookie.Secure || cookie.Path != "" || cookie.Domain != "" {
		t.Fatalf("the cookie is %v", got.Header["Set-Cookie"])
	}
	if strings.Contains(cookie.Value, secret) || strings.Contains(string(got.Body), secret) {
		t.Error("the key is told again")
	}
	for _, p := range []*stack{s, other} {
		at := &browser{p, b.cookies}
		if who := at.whoami(t); who.Role != "read" || who.Project != "acme" || who.Session == nil || who.Session.EndsAt.Before(who.Session.IdleAt) {
			t.Errorf("%+v", who)
		}
		at.send(t, "GET", "/requests", "").want(t, 200)
		at.send(t, "GET", "/audit", "").want(t, 403)
	}
	copied := map[string]*http.Cookie{"busu-session": cookie}
	b.send(t, "DELETE", "/session", "").want(t, 204)
	if len(b.cookies) > 0 {
		t.Error("the browser keeps the cookie")
	}
	if _, err := other.Sessions.Update(t.Context(), shared, time.Time{}); err != nil {
		t.Fatal(err)
	}
	for _, p := range []*stack{s, other} {
		if p := (&browser{p, copied}).send(t, "GET", "/requests", "").want(t, 401).problem(t); p.Detail != "the session has ended: sign in again" {
			t.Errorf("%+v", p)
		}
	}
	b.send(t, "DELETE", "/session", "").want(t, 204)
}

// TestSessionOfAKey: what is done to a key is done to its sessions.
func TestSessionOfAKey(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*testing.T, *stack, string){
		"revoked": func(t *testing.T, s *stack, id string) {
			s.send(t, "DELETE", "/keys/"+id, "", adminHeader).want(t, 200)
		},
		"rotated": func(t *testing.T, s *stack, id string) {
			s.post(t, "/keys/"+id+"/rotate", `{"overlap": "0s"}`, adminHeader).want(t, 200)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			keys := newFakeKeys()
			s := serve(t, func(s *setup) { s.adminKey, s.keys = "the admin key", keys })
			b := s.browser()
			b.signIn(t, keys.give(t, access.Key{Role: access.RoleOperate, Project: "acme"})).want(t, 200)
			end(t, s, b.whoami(t).Key.ID)
			b.send(t, "GET", "/requests", "").want(t, 401)
		})
	}
	t.Run("another admin key", func(t *testing.T) {
		t.Parallel()
		shared := new(sharedSessions)
		before := serve(t, func(s *setup) { s.adminKey, s.sessions = "the admin key", shared }).browser()
		before.signIn(t, "the admin key").want(t, 200)
		if who := before.whoami(t); who.By != "admin" || !who.AllProjects {
			t.Errorf("%+v", who)
		}
		after := serve(t, func(s *setup) { s.adminKey, s.sessions = "another admin key", shared })
		(&browser{after, before.cookies}).send(t, "GET", "/requests", "").want(t, 401)
	})
}

const adminHeader = "x-api-key: the admin key"

// TestSignInRefused: who may not look is told what it takes, and it is on record,
// without the key.
func TestSignInRefused(t *testing.T) {
	t.Parallel()
	keys := newFakeKeys()
	s := serve(t, func(s *setup) { s.adminKey, s.keys = "the admin key", keys })
	b := s.browser()
	completes := keys.give(t, access.Key{Role: access.RoleComplete, Project: "acme"})
	unknown, revoked := access.NewSecret().Reveal(), keys.give(t, access.Key{Role: access.RoleRead, Project: "acme", RevokedAt: new(time.Now().Add(-time.Second))})
	if p := b.signIn(t, completes).want(t, 403).problem(t); p.Detail != "the dashboard takes a key with the role admin, operate or read" {
		t.Errorf("%+v", p)
	}
	for _, key := range []string{"wrong", unknown, revoked} {
		b.signIn(t, key).want(t, 401)
	}
	for _, body := range []string{`{}`, `{"key": 5}`, `{"key": "x", "more": 1}`, `{"key": "` + strings.Repeat("x", 4097) + `"}`} {
		b.send(t, "POST", "/session", body).want(t, 422)
	}
	b.send(t, "POST", "/session", "").want(t, 400)
	if len(b.cookies) > 0 {
		t.Error("who was refused has a cookie")
	}
	b.signIn(t, "the admin key").want(t, 200)
	b.send(t, "DELETE", "/session", "").want(t, 204)
	var log struct {
		Acts []struct {
			By, Action, Subject, Project string
			Detail                       struct{ From, Reason, With string }
		}
	}
	got := s.send(t, "GET", "/audit?limit=6", "", adminHeader).want(t, 200)
	got.decode(t, &log)
	var lines []string
	for _, a := range log.Acts {
		if a.Detail.From != "127.0.0.1" {
			t.Errorf("%+v", a)
		}
		lines = append(lines, a.Action+" "+a.Subject[:min(5, len(a.Subject))]+" "+a.Project+" "+a.Detail.Reason)
	}
	if want := []string{"session.end admin * ", "session.begin admin * ", "session.refuse busu_ * ended", "session.refuse busu_ * unknown",
		"session.refuse someb * unknown", "session.refuse busu_ acme no-role"}; !slices.Equal(lines, want) {
		t.Errorf("%q", lines)
	}
	for _, secret := range []string{completes, unknown, revoked, "the admin key", "wrong"} {
		if strings.Contains(string(got.Body), secret) || strings.Contains(s.log.String(), secret) {
			t.Errorf("%s is on record", secret)
		}
	}
}

// TestSessionsOnlyServeOwnPages: a cookie goes along with whatever a browser
// sends, so what changes something must come from a page of ours. Who presents a
// key is not asked.
func TestSessionsOnlyServeOwnPages(t *testing.T) {
	t.Parallel()
	s := serve(t, func(s *setup) { s.adminKey = "the admin key" })
	b := s.browser()
	b.signIn(t, "the admin key").want(t, 200)
	cookie := "Cookie: busu-session=" + b.cookies["busu-session"].Value
	own := "Origin: " + s.URL
	foreign := []string{"Sec-Fetch-Site: cross-site", "Sec-Fetch-Site: same-site", "Origin: https://evil.example", "Origin: null", "Origin: http://127.0.0.1:1"}
	for _, from := range append([]string{"X-Silent: yes"}, foreign...) {
		for _, request := range []string{"POST /complete", "POST /keys", "DELETE /users/x", "POST /experiments/start"} {
			method, path, _ := strings.Cut(request, " ")
			if p := s.send(t, method, path, `{}`, cookie, from).want(t, 403).problem(t); !strings.HasSuffix(p.Type, ":foreign-page") {
				t.Errorf("%s with %s: %+v", request, from, p)
			}
		}
	}
	for _, from := range foreign {
		s.send(t, "GET", "/requests", "", cookie, from).want(t, 403)
		s.send(t, "DELETE", "/session", "", cookie, from).want(t, 403)
		s.post(t, "/session", `{"key": "the admin key"}`, from).want(t, 403)
	}
	for _, from := range []string{own, "Sec-Fetch-Site: same-origin"} {
		s.post(t, "/complete", `{"prompt": "a"}`, cookie, from).want(t, 200)
		s.send(t, "GET", "/requests", "", cookie, from).want(t, 200)
	}
	s.send(t, "GET", "/requests", "", cookie).want(t, 200)
	upgrade := []string{"Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="}
	for _, from := range append([]string{"X-Silent: yes"}, foreign...) {
		s.send(t, "GET", "/metrics/live", "", append(upgrade, cookie, from)...).want(t, 403)
	}
	s.post(t, "/complete", `{"prompt": "a"}`, cookie, adminHeader).want(t, 200)
	s.post(t, "/complete", `{"prompt": "a"}`, cookie, "x-api-key: wrong", own).want(t, 401)
}

// TestSecureCookies: over TLS, wherever it ends.
func TestSecureCookies(t *testing.T) {
	t.Parallel()
	proxies := httpapi.Proxies{prefix("127.0.0.0/8")}
	for _, c := range []struct {
		proxies httpapi.Proxies
		header  string
		secure  bool
	}{
		{nil, "X-None: 1", false},
		{nil, "X-Forwarded-Proto: https", false},
		{proxies, "X-Forwarded-Proto: https", true},
		{proxies, "X-Forwarded-Proto: http", false},
		{nil, "Origin: https://busu.example", true},
	} {
		s := serve(t, func(s *setup) { s.adminKey, s.proxies = "the admin key", c.proxies })
		b := s.browser()
		b.send(t, "POST", "/session", `{"key": "the admin key"}`, c.header).want(t, 200)
		if got := b.cookies["busu-session"].Secure; got != c.secure {
			t.Errorf("%v, %s: secure is %t", c.proxies, c.header, got)
		}
	}
}

// TestSignOutWithoutPostgres: the browser is signed out, and told that this is
// all.
func TestSignOutWithoutPostgres(t *testing.T) {
	t.Parallel()
	shared := new(sharedSessions)
	s := serve(t, func(s *setup) { s.adminKey, s.sessions = "the admin key", shared })
	b := s.browser()
	b.signIn(t, "the admin key").want(t, 200)
	copied := map[string]*http.Cookie{"busu-session": b.cookies["busu-session"]}
	shared.fail(errors.New("no connection"))
	b.send(t, "DELETE", "/session", "").want(t, 503)
	if len(b.cookies) > 0 {
		t.Error("the browser keeps the cookie")
	}
	(&browser{s, copied}).send(t, "GET", "/requests", "").want(t, 401)
}

// TestOpenBusu: nobody signs in where nobody needs to, and what is left of a
// session does no harm.
func TestOpenBusu(t *testing.T) {
	t.Parallel()
	s := serve(t)
	b := s.browser()
	b.signIn(t, "anything").want(t, 422)
	b.cookies["busu-session"] = &http.Cookie{Name: "busu-session", Value: "left over"}
	if who := b.whoami(t); !who.Open || who.Session != nil {
		t.Errorf("%+v", who)
	}
	var ways struct {
		Open bool
		OIDC *string
	}
	s.send(t, "GET", "/session", "").want(t, 200).decode(t, &ways)
	if !ways.Open || ways.OIDC != nil {
		t.Errorf("%+v", ways)
	}
}

// TestFeedsEndWithTheirKey: what goes on for longer than a request is looked at
// again.
func TestFeedsEndWithTheirKey(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		keys := newFakeKeys()
		s := serveLive(t, func(s *setup) { s.adminKey, s.keys = "the admin key", keys })
		secret := keys.give(t, access.Key{Role: access.RoleRead, Project: "acme"})
		_, cookie, err := s.Sessions.Begin(session.Session{Key: access.HashOf(secret)}, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		var conns []*websocket.Conn
		for _, h := range []http.Header{{"X-Api-Key": {secret}}, {"Cookie": {"busu-session=" + cookie}, "Origin": {"http://localhost"}}} {
			conn, _, err := websocket.Dial(t.Context(), "ws://localhost/metrics/live?interval=1s", &websocket.DialOptions{HTTPClient: s.client, HTTPHeader: h})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = conn.CloseNow() }()
			next(t, conn)
			next(t, conn)
			conns = append(conns, conn)
		}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://localhost/stream/completions?from=start", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("x-api-key", secret)
		events, err := s.client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer events.Body.Close()
		keys.mu.Lock()
		id := keys.all[0].ID
		keys.mu.Unlock()
		if _, err := keys.RevokeKey(t.Context(), "", id, "test"); err != nil {
			t.Fatal(err)
		}
		for i, conn := range conns {
			var err error
			for n := 0; n < 5 && err == nil; n++ {
				_, _, err = conn.Read(t.Context())
			}
			if websocket.CloseStatus(err) != websocket.StatusPolicyViolation {
				t.Errorf("feed %d: %v", i, err)
			}
		}
		if _, err := io.ReadAll(events.Body); err != nil {
			t.Errorf("the stream: %v", err)
		}
	})
}
