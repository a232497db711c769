package httpapi_test

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/busuhq/busu/internal/httpapi"
)

func prefix(text string) netip.Prefix { return netip.MustParsePrefix(text) }

// visit asks for an address as a browser does that is sent there, and does not
// follow where it is sent on.
func (b *browser) visit(t *testing.T, path string) (location string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "GET", b.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range b.cookies {
		r.AddCookie(c)
	}
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	got := b.record(r)
	validate(t, r, got)
	b.take(got.want(t, 303))
	return got.Header.Get("Location")
}

func onSignOn(p *fakeProvider, callback string) func(*setup) {
	return func(s *setup) {
		s.adminKey, s.signOn = "the admin key", &httpapi.SignOn{Name: "Example", Callback: callback, Provider: p}
	}
}

// TestSignOn: who comes back with the right answer is signed in as who they are,
// at the path where browsers see the dashboard.
func TestSignOn(t *testing.T) {
	t.Parallel()
	for callback, folder := range map[string]string{"https://busu.example/session/oidc/callback": "/", "http://localhost/tools/busu/session/oidc/callback": "/tools/busu"} {
		p := new(fakeProvider)
		s := serve(t, onSignOn(p, callback))
		b := s.browser()
		to := b.visit(t, "/session/oidc")
		attempt := b.cookies["busu-sign-in"]
		secure := strings.HasPrefix(callback, "https")
		if attempt == nil || !attempt.HttpOnly || attempt.SameSite != http.SameSiteLaxMode || attempt.Secure != secure || attempt.Path != strings.TrimSuffix(folder, "/")+"/session" {
			t.Fatalf("the attempt's cookie is %v", attempt)
		}
		for _, secret := range []string{p.asked[0].State, p.asked[0].Nonce, p.asked[0].Verifier} {
			if len(secret) < 26 || strings.Contains(attempt.Value, secret) {
				t.Errorf("%q is too short, or to be seen", secret)
			}
		}
		state := strings.TrimPrefix(to, "https://login.example/authorize?state=")
		if back := b.visit(t, "/session/oidc/callback?code=the+code&session_state=x&state="+state); back != "../../#/" {
			t.Errorf("it goes to %s", back)
		}
		cookie := b.cookies["busu-session"]
		if cookie == nil || cookie.Path != folder || cookie.Secure != secure || cookie.SameSite != http.SameSiteStrictMode || !cookie.HttpOnly || b.cookies["busu-sign-in"] != nil {
			t.Fatalf("the cookies are %v", b.cookies)
		}
		if who := b.whoami(t); who.By != "oidc:ann@example.com" || who.Person == nil || *who.Person != "ann@example.com" || who.Role != "operate" || who.Project != "acme" || who.AllProjects || who.Key != nil {
			t.Errorf("%+v", who)
		}
		if back := b.visit(t, "/session/oidc/callback?code=the+code&state="+state); back != "../../#/?refused=stale" {
			t.Errorf("an answer is taken twice: %s", back)
		}
	}
}

// TestSignOnRefused: everything else leads back to the dashboard, not signed in.
func TestSignOnRefused(t *testing.T) {
	t.Parallel()
	p := new(fakeProvider)
	keys := newFakeKeys()
	s := serve(t, onSignOn(p, "https://busu.example/session/oidc/callback"), func(s *setup) { s.keys = keys })
	for query, reason := range map[string]string{
		"code=the+code&state=other": "stale", "code=the+code": "stale", "": "stale", "%zz": "stale", "nonsense=1": "stale",
		"code=wrong&state={state}": "failed", "code=stranger&state={state}": "no-role",
	} {
		b := s.browser()
		state := strings.TrimPrefix(b.visit(t, "/session/oidc"), "https://login.example/authorize?state=")
		if back := b.visit(t, "/session/oidc/callback?"+strings.ReplaceAll(query, "{state}", state)); back != "../../#/?refused="+reason {
			t.Errorf("%s: it goes to %s", query, back)
		}
		if len(b.cookies) > 0 {
			t.Errorf("%s: the cookies are %v", query, b.cookies)
		}
	}
	stranger := s.browser()
	state := strings.TrimPrefix(s.browser().visit(t, "/session/oidc"), "https://login.example/authorize?state=")
	if back := stranger.visit(t, "/session/oidc/callback?code=the+code&state="+state); back != "../../#/?refused=stale" {
		t.Errorf("another browser's answer is taken: %s", back)
	}
	p.away = true
	if back := stranger.visit(t, "/session/oidc"); back != "../#/?refused=away" {
		t.Errorf("it goes to %s", back)
	}
	named := 0
	for _, a := range keys.acts {
		if a.By == "oidc:eve@example.com" && a.Action == "session.refuse" {
			named++
		}
	}
	if len(keys.acts) != 9 || named != 1 {
		t.Errorf("%+v", keys.acts)
	}
	none := serve(t)
	for _, path := range []string{"/session/oidc", "/session/oidc/callback"} {
		if p := none.send(t, "GET", path, "").want(t, 404).problem(t); !strings.HasSuffix(p.Type, ":unknown-sign-on") {
			t.Errorf("%+v", p)
		}
	}
}
