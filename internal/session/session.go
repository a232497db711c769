// Package session is how a browser stays signed in without keeping a key: it
// holds a cookie that only busu can read and write, and that names the key that
// was shown, or the person that an identity provider vouched for.
//
// Nothing of a session is stored but that it was ended. What seals cookies is
// common to all processes, so each of them knows every session, and a restart
// ends none. What its holder may do is asked anew with every request: a session
// can do what its key can do then, and dies with it.
package session

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/busuhq/busu/internal/access"
)

// Session is what a cookie holds.
type Session struct {
	ID     uuid.UUID `json:"id"`
	Began  time.Time `json:"began"`
	Sealed time.Time `json:"sealed"` // when the cookie was written: what is idle is so since
	Secure bool      `json:"secure"` // the cookie goes over TLS only

	// One of the two is who signed in.
	Key    access.Hash    `json:"key,omitzero"`     // of the key that was shown; the zero one for a person
	Person *access.Person `json:"person,omitempty"` // nil for a key
	Terms  string         `json:"terms,omitempty"`  // under which a person was let in: see Sessions.Terms
}

// ErrEnded says that a cookie is none of a session that goes on.
var ErrEnded = errors.New("the session has ended")

// Bounds of what may be configured.
const (
	LeastIdle    = time.Minute
	MostLifetime = 30 * 24 * time.Hour
)

// renewAfter is how old a cookie gets before its browser is given another one.
const renewAfter = time.Minute

// Sessions knows who is signed in. What it knows of ended ones is a moment old:
// see Follow. Its exported fields are set once, before it is used. It is safe
// for concurrent use.
type Sessions struct {
	Keys     *access.Keys
	Idle     time.Duration // a cookie that was not renewed for so long is not taken any more
	Lifetime time.Duration // nor is one of a session that began so long ago
	// Terms are what persons are let in under, in a few bytes. Under other terms
	// they sign in again.
	Terms string

	shared shared
}

// Begin signs in who has shown a key, or a person. It gives the cookie.
func (s *Sessions) Begin(begun Session, now time.Time) (Session, string, error) {
	seal, _ := s.shared.now()
	if seal == nil {
		return Session{}, "", access.ErrUnsure
	}
	begun.ID, begun.Began, begun.Sealed = uuid.Must(uuid.NewV7()), now, now
	if begun.Person != nil {
		begun.Terms = s.Terms
	}
	return begun, seal.Close(purpose, begun), nil
}

// Caller finds out who sends a cookie, at a time. ErrEnded and what
// access.Keys says of ended keys are certain; access.ErrUnsure is not.
func (s *Sessions) Caller(ctx context.Context, cookie string, now time.Time) (access.Caller, Session, error) {
	one, err := s.Open(cookie, now)
	if err != nil {
		return access.Caller{}, one, err
	}
	if one.Person != nil {
		return one.Person.Caller(), one, nil
	}
	caller, err := s.Keys.Holder(ctx, one.Key, now)
	return caller, one, err
}

// Open reads a cookie and reports whether its session goes on, whatever its
// holder may do.
func (s *Sessions) Open(cookie string, now time.Time) (Session, error) {
	seal, known := s.shared.now()
	if seal == nil {
		return Session{}, access.ErrUnsure
	}
	var one Session
	if !seal.Open(purpose, cookie, &one) {
		return Session{}, ErrEnded
	}
	switch {
	case now.Sub(one.Sealed) >= s.Idle, now.Sub(one.Began) >= s.Lifetime, known.ended[one.ID]:
		return one, ErrEnded
	case one.Person != nil && one.Terms != s.Terms:
		return one, ErrEnded
	case now.Sub(known.read) > s.Keys.Grace: // it may have been ended elsewhere
		return one, access.ErrUnsure
	}
	return one, nil
}

// Renew gives the browser another cookie where it is time for one; "" where it
// is not.
func (s *Sessions) Renew(one Session, now time.Time) (Session, string) {
	seal, _ := s.shared.now()
	if seal == nil || now.Sub(one.Sealed) < min(renewAfter, s.Idle/4) {
		return one, ""
	}
	one.Sealed = now
	return one, seal.Close(purpose, one)
}

// End ends a session here at once, and elsewhere as soon as that is written
// down. When that fails it is ended here only.
func (s *Sessions) End(ctx context.Context, one Session, in Records) error {
	end := End{ID: one.ID, Until: one.Began.Add(MostLifetime)}
	s.shared.learn(end)
	return in.EndSession(ctx, end)
}

// EndsAt is when a session ends, if it goes on until then; IdleAt when it ends
// if nothing more is heard of its browser.
func (s *Sessions) EndsAt(one Session) time.Time { return one.Began.Add(s.Lifetime) }

// IdleAt is described at EndsAt.
func (s *Sessions) IdleAt(one Session) time.Time {
	if at := one.Sealed.Add(s.Idle); at.Before(s.EndsAt(one)) {
		return at
	}
	return s.EndsAt(one)
}
