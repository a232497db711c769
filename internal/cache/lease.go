package cache

import (
	"context"
	"sync"
	"time"

	"github.com/google/uuid"
)

// Leases let one process at a time make the answer to a question. They are
// kept beside the answers, so that one round trip gives an answer or a lease.
type Leases interface {
	// Claim returns the answer as Find does. Without one it takes the lease
	// for owner, or returns how long another's will last if that one is gone.
	Claim(ctx context.Context, k Key, models []string, owner string, lasts time.Duration) (body []byte, held time.Duration, err error)
	// Extend makes owner's lease last, from now on, also one that has ended, unless
	// it is another's by now.
	Extend(ctx context.Context, k Key, owner string, lasts time.Duration) error
	// Release gives owner's lease back.
	Release(ctx context.Context, k Key, owner string) error
}

const (
	leaseFor   = 3 * time.Second // what the crash of its holder costs those who wait
	extendEach = leaseFor / 3
	firstLook  = 10 * time.Millisecond
	lastLook   = 200 * time.Millisecond
)

// leasing keeps the leases that this process holds.
type leasing struct {
	leases Leases
	redis  *level

	mu   sync.Mutex
	held map[*lease]bool
	done []*lease      // to be given back
	wake chan struct{} // holds one when there is something done
}

// lease is the right to make an answer.
type lease struct {
	key   Key
	owner string
}

func newLeasing(leases Leases, redis *level) *leasing {
	return &leasing{leases: leases, redis: redis, held: map[*lease]bool{}, wake: make(chan struct{}, 1)}
}

// claim waits for another process's answer or for the lease, and says how long.
// Where Redis fails it brings neither, and the answer is made without.
func (s *leasing) claim(ctx context.Context, k Key, models []string) (_ *Entry, _ *lease, waited time.Duration, _ error) {
	l := &lease{key: k, owner: uuid.NewString()}
	for look := firstLook; ; look = min(2*look, lastLook) {
		var held time.Duration
		body, err := s.redis.ask(ctx, func(ctx context.Context) (body []byte, err error) {
			body, held, err = s.leases.Claim(ctx, k, models, l.owner, leaseFor)
			return body, err
		})
		switch {
		case err != nil:
			return nil, nil, waited, err
		case body != nil:
			return s.redis.decode(body), nil, waited, nil
		case held <= 0:
			s.mu.Lock()
			defer s.mu.Unlock()
			s.held[l] = true
			return nil, l, waited, nil
		}
		began := time.Now()
		select {
		case <-ctx.Done():
			return nil, nil, waited, errLeft
		case <-time.After(min(look, held)):
		}
		waited += time.Since(began)
	}
}

// takeOff gives the lease to who stores the answer: it goes back with that. It
// reports false when there is none any more.
func (s *leasing) takeOff(l *lease) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	held := s.held[l]
	delete(s.held, l)
	return held
}

// release gives a lease back, soon.
func (s *leasing) release(l *lease) {
	if !s.takeOff(l) {
		return
	}
	s.mu.Lock()
	s.done = append(s.done, l)
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// run keeps leases up while their answers are being made, and gives back those
// without one. A lease that cannot be reached ends by itself.
func (s *leasing) run(ctx context.Context) {
	tick := time.NewTicker(extendEach)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			s.giveBack(context.WithoutCancel(ctx))
			return
		case <-s.wake:
			s.giveBack(ctx)
		case <-tick.C:
			s.extend(ctx)
		}
	}
}

func (s *leasing) giveBack(ctx context.Context) {
	s.mu.Lock()
	done := s.done
	s.done = nil
	s.mu.Unlock()
	s.each(ctx, done, func(ctx context.Context, l *lease) error { return s.leases.Release(ctx, l.key, l.owner) })
}

func (s *leasing) extend(ctx context.Context) {
	s.mu.Lock()
	var held []*lease
	for l := range s.held {
		held = append(held, l)
	}
	s.mu.Unlock()
	s.each(ctx, held, func(ctx context.Context, l *lease) error { return s.leases.Extend(ctx, l.key, l.owner, leaseFor) })
}

func (s *leasing) each(ctx context.Context, leases []*lease, f func(context.Context, *lease) error) {
	for _, l := range leases {
		_, err := s.redis.ask(ctx, func(ctx context.Context) ([]byte, error) { return nil, f(ctx, l) })
		if err != nil {
			return // Redis is away
		}
	}
}
