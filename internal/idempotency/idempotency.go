// Package idempotency lets a caller repeat a request safely: under the same
// key and with the same body it gets the answer that was made, and nothing is
// paid twice.
//
// A request that is under way holds its key by a lease, which is renewed while
// it works: a process that dies keeps others from the key for as long as the
// lease lasts, and not for a day.
package idempotency

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// How long a request that is under way keeps its key without a renewal, how
// often it renews, and how long an answer is kept.
const (
	Lease = 15 * time.Second
	Renew = 5 * time.Second
	Keep  = 24 * time.Hour
)

// Longest is how long a request with a key may be worked at.
const Longest = 10 * time.Minute

// MaxKey is the longest key, in bytes; MaxAnswer the longest answer that is
// kept: a longer one is not, and a repetition is a new request.
const (
	MaxKey    = 255
	MaxAnswer = 1 << 20
)

// ErrInFlight says that the first request with this key is still under way.
var ErrInFlight = errors.New("a request with this Idempotency-Key is under way")

// ErrOtherRequest says that the key belongs to another request.
var ErrOtherRequest = errors.New("this Idempotency-Key was used for another request")

// Store keeps what was answered, by key.
type Store interface {
	// Begin takes the lease on key for the holder of token, or gives the answer
	// that is kept. It fails with ErrInFlight or ErrOtherRequest, or when the
	// store cannot be reached.
	Begin(ctx context.Context, key, fingerprint, token string) (answer []byte, err error)
	// Own notes that what is kept under key goes with a user of a project.
	Own(ctx context.Context, key, project, user string) error
	// Renew makes the lease last on, as long as token still holds it.
	Renew(ctx context.Context, key, token string) error
	// End gives the lease up and keeps answer; nil keeps nothing, so that the
	// next request with the key is answered anew.
	End(ctx context.Context, key, token string, answer []byte) error
}

// Answer is what was sent.
type Answer struct {
	Status int               `json:"status"`
	Header map[string]string `json:"header"`
	Body   []byte            `json:"body"`
}

// Encode gives the bytes that a Store keeps, or nil where they are too many.
func (a Answer) Encode() []byte {
	if len(a.Body) > MaxAnswer {
		return nil
	}
	b, err := json.Marshal(a)
	if err != nil {
		return nil // cannot be: strings, numbers and bytes only
	}
	return b
}

// Decode reads what Encode has written.
func Decode(b []byte) (Answer, error) {
	var a Answer
	if err := json.Unmarshal(b, &a); err != nil {
		return Answer{}, fmt.Errorf("read a kept answer: %w", err)
	}
	return a, nil
}

// Fingerprint identifies a request by all that may differ: the route, what
// headers ask for, and the body.
func Fingerprint(parts ...[]byte) string {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d\n", len(p))
		h.Write(p)
	}
	return hex.EncodeToString(h.Sum(nil))
}
