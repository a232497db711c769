package httpapi

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/busuhq/busu/internal/access"
	"github.com/busuhq/busu/internal/session"
)

const (
	routeSignOn   = routeSession + "/oidc"
	routeCallback = routeSignOn + "/callback"
	attemptCookie = "busu-sign-in"
	signOnWithin  = 15 * time.Second
)

// IdentityProvider vouches for people.
type IdentityProvider interface {
	// Ask is where a browser goes to sign in.
	Ask(ctx context.Context, a session.Attempt) (address string, err error)
	// Vouch gives who has come back with an answer to what was asked, or a
	// *session.Refusal.
	Vouch(ctx context.Context, answer url.Values, a session.Attempt) (access.Person, error)
}

// SignOn is where people sign in who have no key.
type SignOn struct {
	Name     string // as people know it
	Callback string // the address of /session/oidc/callback, as browsers see it
	Provider IdentityProvider
}

// folder is where the dashboard lies, in the form of the path that browsers give
// to cookies without one: "/", or a prefix without a slash at its end.
func (s *SignOn) folder() string {
	u, err := url.Parse(s.Callback)
	if err != nil {
		return "/"
	}
	if prefix := strings.TrimSuffix(u.Path, routeCallback); prefix != "" {
		return prefix
	}
	return "/"
}

func (s *SignOn) secure() bool { return strings.HasPrefix(s.Callback, "https:") }

var errNoSignOn = &unknownError{what: "sign-on", detail: "this busu knows no identity provider: oidc in busu.yaml names one"}

// beginSignOn sends a browser to where people sign in.
func (a *API) beginSignOn(c echo.Context) error {
	if a.SignOn == nil {
		return errNoSignOn
	}
	if err := noQuery(c); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(c.Request().Context(), signOnWithin)
	defer cancel()
	attempt, cookie, err := a.Sessions.Attempt(time.Now())
	if err != nil {
		return a.refuse(c, &session.Refusal{Reason: session.Away, Err: err}, "../")
	}
	address, err := a.SignOn.Provider.Ask(ctx, attempt)
	if err != nil {
		return a.refuse(c, &session.Refusal{Reason: session.Away, Err: err}, "../")
	}
	// The browser comes back from another website, so this cookie is not strict.
	http.SetCookie(c.Response(), &http.Cookie{Name: attemptCookie, Value: cookie, Path: a.attemptPath(), MaxAge: int(session.AttemptLasts.Seconds()),
		HttpOnly: true, Secure: a.SignOn.secure(), SameSite: http.SameSiteLaxMode})
	return c.Redirect(http.StatusSeeOther, address)
}

func (a *API) attemptPath() string {
	return strings.TrimSuffix(a.SignOn.folder(), "/") + routeSession
}

// endSignOn takes a browser back that was sent to sign in, and shows it the
// dashboard, signed in or with why it is not.
func (a *API) endSignOn(c echo.Context) error {
	if a.SignOn == nil {
		return errNoSignOn
	}
	person, err := a.vouch(c)
	if err != nil {
		return a.refuse(c, err, "../../")
	}
	now := time.Now()
	begun, cookie, err := a.Sessions.Begin(session.Session{Person: &person, Secure: a.SignOn.secure()}, now)
	if err != nil {
		return a.refuse(c, &session.Refusal{Reason: session.Away, Name: person.Name, Err: err}, "../../")
	}
	keepSession(c, begun, cookie, a.SignOn.folder())
	a.noteSession(c, person.Caller(), "session.begin", signInDetail{With: "oidc"})
	return c.Redirect(http.StatusSeeOther, "../../#/")
}

func (a *API) vouch(c echo.Context) (access.Person, error) {
	stale := func(err error) (access.Person, error) {
		return access.Person{}, &session.Refusal{Reason: session.Stale, Err: err}
	}
	cookie, err := c.Cookie(attemptCookie)
	if err != nil {
		return stale(err)
	}
	dropCookie(c, attemptCookie, a.attemptPath())
	attempt, err := a.Sessions.Attempted(cookie.Value, time.Now())
	switch {
	case errors.Is(err, access.ErrUnsure):
		return access.Person{}, &session.Refusal{Reason: session.Away, Err: err}
	case err != nil:
		return stale(err)
	}
	answer, err := url.ParseQuery(c.Request().URL.RawQuery)
	if err != nil {
		return stale(err)
	}
	ctx, cancel := context.WithTimeout(c.Request().Context(), signOnWithin)
	defer cancel()
	return a.SignOn.Provider.Vouch(ctx, answer, attempt)
}

// refuse shows the dashboard, which says in its own words why somebody is not
// signed in: nothing of what came from outside is shown.
func (a *API) refuse(c echo.Context, err error, up string) error {
	var why *session.Refusal
	if !errors.As(err, &why) {
		why = &session.Refusal{Reason: session.Failed, Err: err}
	}
	a.Log.Warn("a person is not signed in", "request_id", idOf(c), "reason", why.Reason, "err", why.Err)
	by := ""
	if why.Name != "" {
		by = access.Caller{Person: why.Name}.By(false)
	}
	a.noteRefusal(c, access.AllProjects, by, by, signInDetail{With: "oidc", Reason: string(why.Reason)})
	return c.Redirect(http.StatusSeeOther, up+"#/?refused="+string(why.Reason))
}
