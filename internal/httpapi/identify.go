package httpapi

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/busuhq/busu/internal/access"
)

const callerKey = "caller"

// authenticate finds the caller, before anything of the request is looked at.
func (a *API) authenticate(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if public(c.Path()) {
			return next(c)
		}
		caller, err := a.Keys.Caller(c.Request().Context(), presentedKey(c.Request().Header), time.Now())
		if err != nil {
			return err
		}
		c.Set(callerKey, caller)
		return next(c)
	}
}

// presentedKey is the bearer token, else x-api-key. Names of authentication
// schemes are the same in upper and lower case.
func presentedKey(h http.Header) string {
	scheme, token, ok := strings.Cut(h.Get(echo.HeaderAuthorization), " ")
	if ok && strings.EqualFold(scheme, "Bearer") {
		return strings.TrimSpace(token)
	}
	return h.Get("x-api-key")
}

func callerOf(c echo.Context) access.Caller {
	caller, _ := c.Get(callerKey).(access.Caller)
	return caller
}

// onlyOwnPages refuses what other websites make a visitor's browser send: an
// API without keys on the visitor's machine would otherwise spend their money.
// Clients that are no browsers are not affected.
func (a *API) onlyOwnPages(next echo.HandlerFunc) echo.HandlerFunc {
	guard := http.NewCrossOriginProtection()
	return func(c echo.Context) error {
		if public(c.Path()) {
			return next(c)
		}
		if guard.Check(c.Request()) != nil {
			return errForeignPage
		}
		if a.Keys.Open() && !localName(c.Request().Host) {
			return errForeignHost
		}
		return next(c)
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
