package httpapi

import (
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/busuhq/busu/internal/access"
	"github.com/busuhq/busu/internal/session"
)

// identity is the answer of GET /whoami: never what would let anybody be it.
type identity struct {
	By          string      `json:"by"` // as the audit log has it
	Role        access.Role `json:"role"`
	Project     string      `json:"project"`
	AllProjects bool        `json:"all_projects"`
	May         []string    `json:"may"`
	Open        bool        `json:"open"` // nobody needs a key

	Key         *identityKey `json:"key"`    // null for who has none of their own
	Person      *string      `json:"person"` // null for who did not come by OpenID Connect
	Models      []string     `json:"models"` // none: any; so the next two
	Strategies  []string     `json:"strategies"`
	Experiments []string     `json:"experiments"`
	ExpiresAt   *time.Time   `json:"expires_at"` // of the key

	Session *identitySession `json:"session"` // null for who sent a key
}

type identityKey struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Prefix string `json:"prefix"`
}

type identitySession struct {
	BeganAt time.Time `json:"began_at"`
	IdleAt  time.Time `json:"idle_at"` // when it ends if nothing more is heard
	EndsAt  time.Time `json:"ends_at"`
}

// whoami says what the caller is, and renews the session of a browser.
func (a *API) whoami(c echo.Context) error {
	if err := noQuery(c); err != nil {
		return err
	}
	one, signedIn := sessionOf(c)
	if !signedIn {
		return c.JSON(http.StatusOK, a.identityOf(callerOf(c), nil))
	}
	renewed, cookie := a.Sessions.Renew(one, time.Now())
	if cookie != "" {
		keepSession(c, renewed, cookie, "")
	}
	return c.JSON(http.StatusOK, a.identityOf(callerOf(c), &renewed))
}

func (a *API) identityOf(caller access.Caller, signedIn *session.Session) identity {
	who := identity{By: caller.By(a.Keys.Open()), Role: caller.Role, Project: caller.Project, AllProjects: caller.Anywhere, May: caller.Rights(),
		Open: a.Keys.Open() && caller.Key == nil, Models: []string{}, Strategies: []string{}, Experiments: []string{}}
	if caller.Person != "" {
		who.Person = &caller.Person
	}
	if k := caller.Key; k != nil {
		who.Key, who.ExpiresAt = &identityKey{k.ID, k.Name, k.Prefix}, k.ExpiresAt
		who.Models, who.Strategies, who.Experiments = k.Models, k.Strategies, k.Experiments
	}
	if s := signedIn; s != nil {
		who.Session = &identitySession{s.Began.UTC(), a.Sessions.IdleAt(*s).UTC(), a.Sessions.EndsAt(*s).UTC()}
	}
	return who
}
