// Package limit keeps how many requests and tokens keys and their users have in
// a minute, and how many requests at once, in as many processes as there are,
// without a round trip per request.
//
// Rates are kept by the generic cell rate algorithm, in units instead of times:
// a limit is a level that requests lower and time raises, at its rate, up to
// what it allows in a minute. Each process holds a share of a limit, which is a part of
// its rate and of its room, from a desk that all processes share; the desk
// keeps what nobody holds. Shares follow what is asked for, and never exceed
// the whole together:
//
//	Σ shares ≤ 1, and Σ levels ≤ what a minute allows
//
// so that all of them let no more pass in any time than what a minute allows,
// and the rate in that time; beyond that, each lets one request pass into debt
// that is larger than the room of its share. Levels rise by themselves: whatever
// is lost, nothing stays shut.
//
// Of how many requests may be under way at once, each process leases some, and
// lets as many pass. What nobody holds is counted anew each time, as the limit
// less what processes say they hold: there is no counter that could be wrong.
// Where none is left, others give back what they do not use, and a request is
// refused once all of them have said that they have none to spare.
//
// Of users there are many. Each process lets them have its part of one half of
// their limits without a word; only the other half, for those who want more in
// one place, is shared like a key's limit. See users.
package limit

import (
	"fmt"
	"math"
	"time"
)

// Kind is what is counted.
type Kind string

// The kinds.
const (
	Requests    Kind = "requests"
	Tokens      Kind = "tokens"
	Concurrency Kind = "concurrency"
)

const kinds = 3

// kindAt lists them.
func kindAt(i int) Kind { return [kinds]Kind{Requests, Tokens, Concurrency}[i] }

// Bucket is what a limit counts: something of a key's, or of one of its users.
type Bucket struct {
	Key  string // its id
	User string // a hash; "": the key's own
	Kind Kind
}

// Most is how many requests and tokens there may be in a minute, and how many
// requests at once. 0: as many as they like.
type Most struct{ Requests, Tokens, Concurrency int64 }

func (m *Most) of(k Kind) int64 {
	switch k {
	case Tokens:
		return m.Tokens
	case Concurrency:
		return m.Concurrency
	default:
		return m.Requests
	}
}

// Limits are how much a key may have, and each of its users.
type Limits struct {
	Key     string // its id
	Own     Most
	User    string // who asks; all who are not named are one
	PerUser Most
}

// Standing is how a limit stands, as far as this process knows.
type Standing struct {
	PerMinute int64 // 0: there is no limit
	Remaining int64 // that may come at once
	Reset     time.Duration
}

// Standings are those of a key.
type Standings struct{ Requests, Tokens Standing }

func (s *Standings) of(k Kind) *Standing {
	if k == Tokens {
		return &s.Tokens
	}
	return &s.Requests
}

// tell takes how a limit of a kind stands, unless another is nearer.
func (s *Standings) tell(k Kind, stands Standing) {
	if was := s.of(k); was.PerMinute == 0 || stands.Remaining < was.Remaining {
		*was = stands
	}
}

// ExceededError says that a request comes too soon after others, or beside them.
type ExceededError struct {
	Bucket
	Standings
	Most       int64
	RetryAfter time.Duration // until there may be room
}

func (e *ExceededError) Error() string {
	if e.Kind == Concurrency {
		return fmt.Sprintf("%s has %d requests under way", e.whose(), e.Most)
	}
	return fmt.Sprintf("%s has had its %d %s a minute", e.whose(), e.Most, e.Kind)
}

func (b *Bucket) whose() string {
	if b.User != "" {
		return "a user of key " + b.Key
	}
	return "key " + b.Key
}

// UnavailableError says that it cannot be known whether a limit has room.
type UnavailableError struct {
	Bucket
	RetryAfter time.Duration
}

func (e *UnavailableError) Error() string {
	return fmt.Sprintf("how the limit of %s of %s stands cannot be known now", e.Kind, e.whose())
}

// standing is that of a limit of which some is left.
func standing(perMinute int64, left float64) Standing {
	limit := float64(perMinute)
	left = min(max(left, 0), limit)
	return Standing{PerMinute: perMinute, Remaining: int64(left), Reset: seconds((limit - math.Floor(left)) / limit * 60)}
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
