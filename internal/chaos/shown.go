package chaos

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/redisdb"
)

// shown watches that requests which the live snapshot has shown are not hidden
// again, whoever counts them, as long as Redis keeps what it has.
type shown struct {
	*watch
	redis *redisdb.DB

	mu     sync.Mutex
	losing int   // faults under way by which Redis may lose data
	losses int   // that have begun
	most   int64 // requests, since the last of them
	looks  int
	back   sample
}

const lookEvery = 50 * time.Millisecond

func watchShown(redis *redisdb.DB) *shown {
	s := &shown{redis: redis}
	s.watch = startWatch(lookEvery, s.look)
	return s
}

func (s *shown) look(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	s.mu.Lock()
	before := s.losses
	s.mu.Unlock()
	snapshot, err := s.redis.Live(ctx, event.DefaultProject)
	if err != nil || snapshot.Totals == nil {
		return // there is none, or Redis is being killed
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.losing > 0 || s.losses != before {
		return
	}
	n := snapshot.Totals.TotalRequests
	if s.looks++; n < s.most {
		s.back.add("from %d requests to %d", s.most, n)
	}
	s.most = n
}

// loss is called before Redis may lose data, and what it gives when it is back.
func (s *shown) loss() (over func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.losing++
	s.losses++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.losing--
		s.most = 0
	}
}

// nothingIsHidden tells what came of watching.
func (e *engine) nothingIsHidden(context.Context, []row) (Check, error) {
	e.shown.mu.Lock()
	defer e.shown.mu.Unlock()
	back := e.shown.back
	return Check{"live totals never go back, but when Redis lost data",
		fmt.Sprintf("%d snapshots, %d went back%s", e.shown.looks, back.n, back), back.n == 0 && e.shown.looks > 0}, nil
}
