package httpapi

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/busuhq/busu/internal/access"
	"github.com/busuhq/busu/internal/session"
)

// signInDetail is what the audit log has of a sign-in beyond who it was.
type signInDetail struct {
	From   string `json:"from"`             // an address
	With   string `json:"with,omitempty"`   // key or oidc
	Reason string `json:"reason,omitempty"` // of a refusal
	More   int    `json:"more,omitempty"`   // refusals before it that are not on record
}

const (
	noteWithin = 2 * time.Second
	// mostRefusals is how many refusals a minute each process notes: anybody can
	// cause them, and the log is to stay readable and the database idle.
	mostRefusals = 20
)

// noteSession puts on record that somebody has signed in or out. Where that
// cannot be written, it is in the process's log: nobody is kept out for it.
func (a *API) noteSession(c echo.Context, caller access.Caller, action string, d signInDetail) {
	by := caller.By(false)
	a.noteAct(c, homeOf(caller), by, action, by, d)
}

// homeOf is the project whose audit log has what a caller does as such.
func homeOf(caller access.Caller) string {
	if caller.Anywhere || caller.Project == "" {
		return access.AllProjects
	}
	return caller.Project
}

// noteRefusal puts on record that somebody was not let in: who it would have
// been, as far as that is known.
func (a *API) noteRefusal(c echo.Context, project, by, subject string, d signInDetail) {
	more, ok := a.refused.count(time.Now())
	if !ok {
		return
	}
	d.More = more
	a.noteAct(c, project, by, "session.refuse", cmp.Or(subject, "somebody"), d)
}

func (a *API) noteAct(c echo.Context, project, by, action, subject string, d signInDetail) {
	if a.Audit == nil {
		return
	}
	d.From = a.Proxies.from(c.Request())
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.Request().Context()), noteWithin)
	defer cancel()
	if err := a.Audit.NoteAct(ctx, project, by, action, subject, d); err != nil {
		a.Log.Warn("an act is not in the audit log", "action", action, "by", by, "from", d.From, "err", err)
	}
}

// reasonOf is why a key was refused, in a few words.
func reasonOf(err error) string {
	switch {
	case errors.Is(err, access.ErrNoKey):
		return "unknown"
	case errors.Is(err, access.ErrEnded):
		return "ended"
	case errors.Is(err, access.ErrUnsure):
		return string(session.Away)
	default:
		return string(session.NoRole)
	}
}

// refused counts refusals, and says which are noted.
type refused struct {
	mu    sync.Mutex
	began time.Time // of this minute
	noted int       // in it
	more  int       // not noted since the last one that was
}

func (r *refused) count(now time.Time) (more int, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now.Sub(r.began) >= time.Minute {
		r.began, r.noted = now, 0
	}
	if r.noted >= mostRefusals {
		r.more++
		return 0, false
	}
	more, r.more = r.more, 0
	r.noted++
	return more, true
}
