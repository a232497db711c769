package redisdb

import (
	"context"
	"strconv"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// memory is what a server uses, and may use, in bytes.
type memory struct{ used, budget int64 }

func (m memory) fullness() float64 {
	if m.budget == 0 {
		return 0
	}
	return float64(m.used) / float64(m.budget)
}

// memory sums what all servers use and may use, and tells how full the fullest
// is; nothing where they do not say.
func (db *DB) memory(ctx context.Context) (all memory, fullest float64, err error) {
	var mu sync.Mutex // of the results
	err = db.each(ctx, func(ctx context.Context, server *redis.Client) error {
		m, err := memoryOf(ctx, server)
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		all.used, all.budget = all.used+m.used, all.budget+m.budget
		fullest = max(fullest, m.fullness())
		return nil
	})
	return all, fullest, err
}

func memoryOf(ctx context.Context, server *redis.Client) (m memory, err error) {
	info, err := server.InfoMap(ctx, "memory").Result()
	if err != nil {
		return m, ignoreUnknown(err)
	}
	m.used, _ = strconv.ParseInt(info["Memory"]["used_memory"], 10, 64)
	m.budget, _ = strconv.ParseInt(info["Memory"]["maxmemory"], 10, 64)
	if m.budget == 0 {
		m.budget = budgetIfNone
	}
	return m, nil
}

// clock tells how far Redis's clock is ahead of ours, and how long it takes to
// ask. Of a cluster it is the clock that is furthest off, and the longest time.
func (db *DB) clock(ctx context.Context) (ahead, took time.Duration, err error) {
	var mu sync.Mutex // of the results
	err = db.each(ctx, func(ctx context.Context, server *redis.Client) error {
		sent := time.Now()
		clock, err := server.Time(ctx).Result()
		if err != nil {
			return err
		}
		trip := time.Since(sent)
		off := clock.Sub(sent.Add(trip / 2))
		mu.Lock()
		defer mu.Unlock()
		took = max(took, trip)
		if off.Abs() >= ahead.Abs() {
			ahead = off
		}
		return nil
	})
	return ahead, took, err
}
