package idempotency

import (
	"context"
	"errors"
	"time"

	"github.com/sony/gobreaker/v2"
)

// Spared is a Store that is left alone for a while after it failed several
// times: every request with a key would wait for it otherwise, and get nothing.
type Spared struct {
	next    Store
	breaker *gobreaker.CircuitBreaker[[]byte]
}

var _ Store = (*Spared)(nil)

const (
	failuresInARow = 3
	leftAloneFor   = time.Second
)

// NewSpared decorates next.
func NewSpared(next Store) *Spared {
	return &Spared{next: next, breaker: gobreaker.NewCircuitBreaker[[]byte](gobreaker.Settings{
		Name: "idempotency", Timeout: leftAloneFor,
		ReadyToTrip: func(c gobreaker.Counts) bool { return c.ConsecutiveFailures >= failuresInARow },
		IsSuccessful: func(err error) bool {
			return err == nil || errors.Is(err, ErrInFlight) || errors.Is(err, ErrOtherRequest)
		},
		IsExcluded: func(err error) bool { return errors.Is(err, context.Canceled) }, // the caller left
	})}
}

// Begin implements Store.
func (s *Spared) Begin(ctx context.Context, key, fingerprint, token string) ([]byte, error) {
	return s.breaker.Execute(func() ([]byte, error) { return s.next.Begin(ctx, key, fingerprint, token) })
}

// Own implements Store.
func (s *Spared) Own(ctx context.Context, key, project, user string) error {
	_, err := s.breaker.Execute(func() ([]byte, error) { return nil, s.next.Own(ctx, key, project, user) })
	return err
}

// Renew implements Store.
func (s *Spared) Renew(ctx context.Context, key, token string) error {
	_, err := s.breaker.Execute(func() ([]byte, error) { return nil, s.next.Renew(ctx, key, token) })
	return err
}

// End implements Store.
func (s *Spared) End(ctx context.Context, key, token string, answer []byte) error {
	_, err := s.breaker.Execute(func() ([]byte, error) { return nil, s.next.End(ctx, key, token, answer) })
	return err
}
