package chaos

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/busuhq/busu/internal/redisdb"
)

// lag watches how far storing falls behind while things go wrong.
type lag struct {
	*watch
	redis *redisdb.DB
	blind atomic.Bool // ages cannot be told now

	mu     sync.Mutex
	oldest time.Duration // that an entry of the stream was not stored for
	unread int64         // the most entries that were neither read nor stored
}

const watchEvery = 200 * time.Millisecond

func watchLag(redis *redisdb.DB) *lag {
	l := &lag{redis: redis}
	l.watch = startWatch(watchEvery, l.look)
	return l
}

func (l *lag) look(ctx context.Context) {
	if l.blind.Load() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	p, err := l.redis.Pipeline(ctx, partitions, time.Now())
	if err != nil {
		return // it is being killed
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.oldest = max(l.oldest, time.Duration(p.OldestMS*float64(time.Millisecond)))
	l.unread = max(l.unread, p.Unread+p.Pending)
}

func (l *lag) most() (oldest time.Duration, waiting int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.oldest, l.unread
}
