package redisdb

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// merger lets look-ups that come together share a round trip. One that comes
// while none is under way goes at once, alone. Those that come meanwhile go
// together when it is back: nothing waits for a timer, and the more come, the
// more share.
type merger struct {
	rdb *redis.Client

	mu      sync.Mutex
	busy    bool
	waiting []*lookup
}

type lookup struct {
	ctx  context.Context
	keys []string
	done chan struct{} // closed when body and err are set
	body []byte
	err  error
}

// mergedWithin bounds a shared round trip. Those who share it have deadlines of
// their own, and wait no longer.
const mergedWithin = time.Second

// get returns the value of the first of keys that has one, or nil. The keys
// share a hash tag.
func (m *merger) get(ctx context.Context, keys []string) ([]byte, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	m.mu.Lock()
	if !m.busy {
		m.busy = true
		m.mu.Unlock()
		defer m.next()
		return values(ctx, m.rdb, keys)()
	}
	l := &lookup{ctx: ctx, keys: keys, done: make(chan struct{})}
	m.waiting = append(m.waiting, l)
	m.mu.Unlock()
	select {
	case <-l.done:
		return l.body, l.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// next lets those go who came meanwhile.
func (m *merger) next() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.busy = len(m.waiting) > 0; m.busy {
		together := m.waiting
		m.waiting = nil
		go m.send(together)
	}
}

func (m *merger) send(together []*lookup) {
	defer m.next()
	ctx, cancel := context.WithTimeout(context.Background(), mergedWithin)
	defer cancel()
	pipe := m.rdb.Pipeline()
	replies := make([]func() ([]byte, error), len(together))
	for i, l := range together {
		if l.ctx.Err() == nil { // somebody waits for it
			replies[i] = values(ctx, pipe, l.keys)
		}
	}
	_, _ = pipe.Exec(ctx) // every reply has its error
	for i, l := range together {
		if replies[i] != nil {
			l.body, l.err = replies[i]()
		}
		close(l.done)
	}
}

// values asks for keys, now or with the pipe; the reply is there then.
func values(ctx context.Context, c redis.Cmdable, keys []string) func() ([]byte, error) {
	if len(keys) == 1 {
		reply := c.Get(ctx, keys[0])
		return func() ([]byte, error) {
			body, err := reply.Bytes()
			if errors.Is(err, redis.Nil) {
				return nil, nil
			}
			return body, err
		}
	}
	reply := c.MGet(ctx, keys...)
	return func() ([]byte, error) {
		found, err := reply.Result()
		for _, v := range found {
			if body, ok := v.(string); ok {
				return []byte(body), err
			}
		}
		return nil, err
	}
}
