package session

import (
	"crypto/rand"
	"time"

	"github.com/busuhq/busu/internal/access"
)

// Attempt is a sign-in that is under way at an identity provider: what ties the
// browser that comes back to the one that was sent. It is kept in a cookie of
// that browser, sealed.
type Attempt struct {
	State    string    `json:"state"`    // comes back in the address
	Nonce    string    `json:"nonce"`    // comes back in what the provider signs
	Verifier string    `json:"verifier"` // PKCE: only who has it can use the code
	Began    time.Time `json:"began"`
}

// AttemptLasts is how long somebody may take to sign in.
const AttemptLasts = 10 * time.Minute

const attemptPurpose = "busu sign-in 1"

// Attempt begins one, and gives its cookie.
func (s *Sessions) Attempt(now time.Time) (Attempt, string, error) {
	seal, _ := s.shared.now()
	if seal == nil {
		return Attempt{}, "", access.ErrUnsure
	}
	a := Attempt{State: rand.Text(), Nonce: rand.Text(), Verifier: rand.Text() + rand.Text(), Began: now}
	return a, seal.Close(attemptPurpose, a), nil
}

// Attempted reads the cookie of an attempt; ErrEnded where it is none that goes
// on.
func (s *Sessions) Attempted(cookie string, now time.Time) (Attempt, error) {
	seal, _ := s.shared.now()
	if seal == nil {
		return Attempt{}, access.ErrUnsure
	}
	var a Attempt
	if !seal.Open(attemptPurpose, cookie, &a) || now.Sub(a.Began) >= AttemptLasts {
		return Attempt{}, ErrEnded
	}
	return a, nil
}

// Refusal is why a person was not let in.
type Refusal struct {
	Reason Reason
	Name   string // of the person; "" where nobody has vouched for it
	Err    error  // for the log
}

// Reason is a refusal in a word, for the page that shows it.
type Reason string

// The reasons.
const (
	Stale  Reason = "stale"   // the attempt took too long, or is another browser's
	Failed Reason = "failed"  // what the provider says cannot be believed
	Denied Reason = "denied"  // the provider, or the person, has said no
	NoRole Reason = "no-role" // the person is known, and may do nothing here
	Away   Reason = "away"    // the provider, or PostgreSQL, does not answer
)

func (r *Refusal) Error() string { return "not signed in: " + string(r.Reason) + ": " + r.Err.Error() }
func (r *Refusal) Unwrap() error { return r.Err }
