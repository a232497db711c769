package redisdb

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// merger lets questions that come together share a round trip. One that comes
// while none is under way goes at once, alone. Those that come meanwhile go
// together when it is back: nothing waits for a timer, and the more come, the
// more share.
type merger struct {
	rdb redis.UniversalClient

	mu      sync.Mutex
	trips   int // under way
	waiting []*asked
}

// question asks Redis something, now or with a pipe. The reply is there when
// the round trip is over.
type question func(ctx context.Context, c redis.Cmdable) (reply func() ([]byte, time.Duration, error))

type asked struct {
	ctx      context.Context
	question question
	done     chan struct{} // closed when the rest is set
	body     []byte
	held     time.Duration
	err      error
}

// mostTrips is how many round trips are under way at once.
const mostTrips = 2

// mergedWithin bounds a shared round trip. Those who share it have deadlines of
// their own, and wait no longer.
const mergedWithin = time.Second

// ask returns the reply to a question.
func (m *merger) ask(ctx context.Context, q question) ([]byte, time.Duration, error) {
	m.mu.Lock()
	if m.trips < mostTrips {
		m.trips++
		m.mu.Unlock()
		defer m.next()
		return q(ctx, m.rdb)()
	}
	a := &asked{ctx: ctx, question: q, done: make(chan struct{})}
	m.waiting = append(m.waiting, a)
	m.mu.Unlock()
	select {
	case <-a.done:
		return a.body, a.held, a.err
	case <-ctx.Done():
		return nil, 0, context.Cause(ctx)
	}
}

// next lets those go who came meanwhile.
func (m *merger) next() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.waiting) == 0 {
		m.trips--
		return
	}
	together := m.waiting
	m.waiting = nil
	go m.send(together)
}

func (m *merger) send(together []*asked) {
	defer m.next()
	ctx, cancel := context.WithTimeout(context.Background(), mergedWithin)
	defer cancel()
	pipe := m.rdb.Pipeline()
	replies := make([]func() ([]byte, time.Duration, error), len(together))
	for i, a := range together {
		if a.ctx.Err() == nil { // somebody waits for it
			replies[i] = a.question(ctx, pipe)
		}
	}
	_, _ = pipe.Exec(ctx) // every reply has its error
	for i, a := range together {
		if replies[i] != nil {
			a.body, a.held, a.err = replies[i]()
		}
		close(a.done)
	}
}

// firstOf asks for the value of the first of keys that has one, or nil. The
// keys share a hash tag.
func firstOf(keys []string) question {
	return func(ctx context.Context, c redis.Cmdable) func() ([]byte, time.Duration, error) {
		if len(keys) == 1 {
			reply := c.Get(ctx, keys[0])
			return func() ([]byte, time.Duration, error) {
				body, err := reply.Bytes()
				if errors.Is(err, redis.Nil) {
					return nil, 0, nil
				}
				return body, 0, err
			}
		}
		reply := c.MGet(ctx, keys...)
		return func() ([]byte, time.Duration, error) {
			found, err := reply.Result()
			for _, v := range found {
				if body, ok := v.(string); ok {
					return []byte(body), 0, err
				}
			}
			return nil, 0, err
		}
	}
}
