package cache

import (
	"context"
	"sync"
	"time"

	"github.com/google/uuid"
)

// Redis is the level that processes share, and through which they tell each
// other what changes.
type Redis interface {
	Store
	// Changes returns what changed after a position. After "" it gives none, and
	// the position behind all that there are.
	Changes(ctx context.Context, after string) (Page, error)
}

// Page is a stretch of changes.
type Page struct {
	Changes  []Change
	Position string // behind them
	Gap      bool   // some before them are not to be had
	More     bool   // there are more behind them
}

// Change is what one process did that the others must know.
type Change struct {
	Kept     []uint64    // fingerprints of keys that entries were stored under
	Owner    Owner       // else: whose entries were forgotten
	Requests []uuid.UUID // or only those that these requests made
}

// Postgres is the level that keeps entries longest.
type Postgres interface {
	Store
	// Kept calls kept with the fingerprint of each entry that was stored since
	// a time, and may be in use. It returns the time to go on from.
	Kept(ctx context.Context, since time.Time, kept func(fp uint64)) (until time.Time, err error)
}

const (
	followEvery  = 200 * time.Millisecond
	followWithin = 500 * time.Millisecond
	pollEvery    = time.Second
	pollWithin   = 2 * time.Second
	loadWithin   = time.Minute // of all that there is
)

// Run writes to the levels beyond memory, learns what other processes do, and
// finds out when a level that was away is back, until ctx ends. Then it writes
// what is left.
func (c *Cache) Run(ctx context.Context) error {
	var loops sync.WaitGroup
	if c.redis != nil {
		loops.Go(func() { c.redis.write(ctx) })
		loops.Go(func() { c.follow(ctx) })
	}
	if c.postgres != nil {
		loops.Go(func() { c.postgres.write(ctx) })
		loops.Go(func() { c.poll(ctx) })
	}
	if c.redis != nil || c.postgres != nil {
		loops.Go(func() { c.sweep(ctx) })
	}
	if c.leasing != nil {
		loops.Go(func() { c.leasing.run(ctx) })
	}
	loops.Wait()
	return nil
}

// follow learns from Redis what other processes store and forget.
func (c *Cache) follow(ctx context.Context) {
	position, filter := "", c.redis.filter
	for ctx.Err() == nil {
		began := time.Now()
		var page Page
		_, err := c.redis.attempt(ctx, followWithin, func(ctx context.Context) (_ []byte, err error) {
			page, err = c.o.Redis.Changes(ctx, position)
			return nil, err
		})
		if err != nil {
			filter.lag()
			pause(ctx, retryAfter)
			continue
		}
		if page.Gap && position != "" {
			c.memory.forget(func(*Entry) bool { return true }) // one of them may have been to be forgotten
		}
		if page.Gap {
			filter.lose()
		}
		for _, change := range page.Changes {
			c.apply(change, began)
		}
		if position = page.Position; !page.More {
			filter.follow(began.UnixNano())
			pause(ctx, followEvery)
		}
	}
}

func (c *Cache) apply(change Change, now time.Time) {
	if change.Kept == nil {
		c.forgetHere(change.Requests, goneOf(change.Owner, change.Requests))
		return
	}
	for _, fp := range change.Kept {
		c.redis.filter.announce(fp, now)
	}
}

// poll learns what PostgreSQL keeps.
func (c *Cache) poll(ctx context.Context) {
	var since time.Time
	filter, within := c.postgres.filter, loadWithin
	for ctx.Err() == nil {
		now := time.Now()
		_, err := c.postgres.attempt(ctx, within, func(ctx context.Context) ([]byte, error) {
			until, err := c.o.Postgres.Kept(ctx, since, func(fp uint64) { filter.announce(fp, now) })
			if err == nil {
				since = until
			}
			return nil, err
		})
		if err != nil {
			filter.lag()
			pause(ctx, retryAfter)
			continue
		}
		filter.follow(forever)
		within = pollWithin
		pause(ctx, pollEvery)
	}
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
