package httpapi

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/busuhq/busu/internal/access"
	"github.com/busuhq/busu/internal/document"
	"github.com/busuhq/busu/internal/session"
)

const (
	sessionCookie = "busu-session"
	routeSession  = "/session"
	maxKey        = 4096 // bytes
)

// errSignedOutHere says that a session was ended where it was asked for only.
var errSignedOutHere = errors.New("you are signed out of this browser; PostgreSQL does not answer, so for other processes the session goes on until it ends by itself")

// signInWays is the answer of GET /session, which anybody may ask for.
type signInWays struct {
	Open bool    `json:"open"` // nobody needs to
	OIDC *string `json:"oidc"` // who vouches for people; null for nobody
}

func (a *API) waysToSignIn(c echo.Context) error {
	if err := noQuery(c); err != nil {
		return err
	}
	ways := signInWays{Open: a.Keys.Open()}
	if a.SignOn != nil {
		ways.OIDC = &a.SignOn.Name
	}
	return c.JSON(http.StatusOK, ways)
}

// signIn gives a browser a session for a key.
func (a *API) signIn(c echo.Context) error {
	if err := noQuery(c); err != nil {
		return err
	}
	o, err := readObject(c.Request(), `{"key": "busu_…"}`)
	if err != nil {
		return err
	}
	o.require("key")
	key := o.text("key", maxKey)
	if o.finish(); o.faults.Count() > 0 {
		return o.faults.Err()
	}
	now := time.Now()
	caller, err := a.Keys.Caller(c.Request().Context(), key, now)
	if a.Keys.Open() && err == nil && caller.Key == nil {
		return document.Invalid("key", "is not one of this busu, which asks nobody for a key")
	}
	if err == nil && !caller.May(access.Read) {
		err = &forbiddenError{detail: "the dashboard takes a key with " + listRoles(access.WhoMay(access.Read))}
	}
	if err != nil {
		a.noteRefusal(c, homeOf(caller), caller.KeyID, access.PrefixOf(key), signInDetail{With: "key", Reason: reasonOf(err)})
		return err
	}
	s, cookie, err := a.Sessions.Begin(session.Session{Key: access.HashOf(key), Secure: a.Proxies.secure(c.Request())}, now)
	if err != nil {
		return err
	}
	keepSession(c, s, cookie, "")
	a.noteSession(c, caller, "session.begin", signInDetail{With: "key"})
	return c.JSON(http.StatusOK, a.identityOf(caller, &s))
}

// signOut ends the session that a browser has, if it has one.
func (a *API) signOut(c echo.Context) error {
	if err := noQuery(c); err != nil {
		return err
	}
	cookie, err := c.Cookie(sessionCookie)
	if err != nil {
		return c.NoContent(http.StatusNoContent)
	}
	dropCookie(c, sessionCookie, "")
	ctx, cancel := context.WithTimeout(c.Request().Context(), keysWithin)
	defer cancel()
	caller, one, err := a.Sessions.Caller(ctx, cookie.Value, time.Now())
	switch {
	case errors.Is(err, session.ErrEnded):
		return c.NoContent(http.StatusNoContent)
	case one.Began.IsZero(): // it cannot be read yet
		return errors.Join(errSignedOutHere, err)
	}
	if err := a.Sessions.End(ctx, one, a.SessionEnds); err != nil {
		return errors.Join(errSignedOutHere, err)
	}
	if err == nil {
		a.noteSession(c, caller, "session.end", signInDetail{})
	}
	return c.NoContent(http.StatusNoContent)
}

// keepSession gives a browser the cookie of a session. Answers to /session and
// /whoami name no path: browsers then send it below the folder that they asked,
// which is where the dashboard lies for them, whatever prefix a proxy has put
// before it.
func keepSession(c echo.Context, s session.Session, value, path string) {
	http.SetCookie(c.Response(), &http.Cookie{Name: sessionCookie, Value: value, Path: path, HttpOnly: true, Secure: s.Secure, SameSite: http.SameSiteStrictMode})
}

func dropCookie(c echo.Context, name, path string) {
	http.SetCookie(c.Response(), &http.Cookie{Name: name, Path: path, MaxAge: -1, HttpOnly: true, SameSite: http.SameSiteStrictMode})
}
