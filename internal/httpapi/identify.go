package httpapi

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/busuhq/busu/internal/access"
	"github.com/busuhq/busu/internal/session"
)

// authenticate finds the caller, before anything of the request is looked at.
func (a *API) authenticate(x *exchange) (err error) {
	if !public(x.Path()) {
		x.caller, x.session, err = a.identify(x.Request(), time.Now())
	}
	return err
}

// identify finds the caller by the key that a request presents, or else by the
// session of its browser. Who presents a key has no session. Where no key is
// needed, a session that has ended is as good as none.
func (a *API) identify(r *http.Request, now time.Time) (access.Caller, *session.Session, error) {
	key := presentedKey(r.Header)
	if key == "" && a.Sessions != nil && r.Header["Cookie"] != nil {
		if cookie, err := r.Cookie(sessionCookie); err == nil {
			caller, one, err := a.Sessions.Caller(r.Context(), cookie.Value, now)
			if err == nil || !a.Keys.Open() {
				return caller, &one, err
			}
		}
	}
	caller, err := a.Keys.Caller(r.Context(), key, now)
	return caller, nil, err
}

// stands reports whether who listens to a feed may still do so: it goes on for
// longer than a key or a session may.
func (a *API) stands(r *http.Request) bool {
	caller, _, err := a.identify(r, time.Now())
	return err == nil && caller.May(access.Read)
}

// presentedKey is the bearer token, else x-api-key. Names of authentication
// schemes are the same in upper and lower case.
func presentedKey(h http.Header) string {
	scheme, token, ok := strings.Cut(given(h, echo.HeaderAuthorization), " ")
	if ok && strings.EqualFold(scheme, "Bearer") {
		return strings.TrimSpace(token)
	}
	return h.Get("x-api-key")
}

// ownPagesOnly refuses what other websites make a visitor's browser send: an
// API without keys on the visitor's machine would otherwise spend their money.
// Clients that are no browsers are not affected.
func (a *API) ownPagesOnly() check {
	guard := http.NewCrossOriginProtection()
	return func(x *exchange) error {
		if public(x.Path()) && x.Path() != routeSession {
			return nil
		}
		if guard.Check(x.Request()) != nil {
			return errForeignPage
		}
		if x.session != nil && !fromOwnPage(x.Request()) {
			return errNotOwnPage
		}
		if a.Keys.Open() && !localName(x.Request().Host) {
			return errForeignHost
		}
		return nil
	}
}

// fromOwnPage reports whether a browser says that a page of ours has made it send
// a request. Cookies go along with what others make it send, so where one is
// what identifies the caller, silence is not enough but for looking: pages of
// other websites cannot see what comes of that, except through a WebSocket.
func fromOwnPage(r *http.Request) bool {
	site, origin := r.Header.Get("Sec-Fetch-Site"), r.Header.Get("Origin")
	switch {
	case origin != "":
		u, err := url.Parse(origin)
		return site == "same-origin" || site == "" && err == nil && strings.EqualFold(u.Host, r.Host)
	case site != "":
		return site == "same-origin" || site == "none"
	default:
		return (r.Method == http.MethodGet || r.Method == http.MethodHead) && r.Header.Get("Upgrade") == ""
	}
}

// localName reports whether a host is an address or a name that no foreign
// website can have. Without this, a website whose name is made to point at
// 127.0.0.1 counts as our own page (DNS rebinding).
func localName(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.ToLower(strings.TrimSuffix(strings.Trim(host, "[]"), "."))
	if _, err := netip.ParseAddr(host); err == nil || !strings.Contains(host, ".") {
		return true
	}
	for _, reserved := range []string{".localhost", ".local", ".internal", ".test"} {
		if strings.HasSuffix(host, reserved) {
			return true
		}
	}
	return false
}
