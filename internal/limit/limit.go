// Package limit keeps how many requests and tokens keys have in a minute, in as
// many processes as there are, without a round trip per request.
//
// It is the generic cell rate algorithm, in units instead of times: a limit is
// a level that requests lower and time raises, at its rate, up to what it
// allows in a minute. Each process holds a share of a limit, which is a part of
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
	Requests Kind = "requests"
	Tokens   Kind = "tokens"
)

// Bucket is what a limit counts: something of a key's.
type Bucket struct {
	Key  string // its id
	Kind Kind
}

// Limits are how much a key may have in a minute. 0: as much as it likes.
type Limits struct {
	Key              string // its id
	Requests, Tokens int64
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

// ExceededError says that a request comes too soon after others.
type ExceededError struct {
	Bucket
	Standings
	RetryAfter time.Duration // until there may be room
}

func (e *ExceededError) Error() string {
	return fmt.Sprintf("key %s has had its %d %s a minute", e.Key, e.of(e.Kind).PerMinute, e.Kind)
}

// UnavailableError says that it cannot be known whether a limit has room.
type UnavailableError struct {
	Bucket
	RetryAfter time.Duration
}

func (e *UnavailableError) Error() string {
	return fmt.Sprintf("how many %s key %s has had cannot be known now", e.Kind, e.Key)
}

// standing is that of a limit of which some is left.
func standing(perMinute int64, left float64) Standing {
	limit := float64(perMinute)
	left = min(max(left, 0), limit)
	return Standing{PerMinute: perMinute, Remaining: int64(left), Reset: seconds((limit - math.Floor(left)) / limit * 60)}
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
