// Package cache gives answers again: from memory, then Redis, then PostgreSQL.
//
// A Key covers everything that changes the answer, and the tenant and arm that
// it belongs to. An Entry remembers which model answered, and is given to any
// question whose plan has that model. Only whole answers are kept.
//
// The levels beyond memory are asked within a short deadline, and not at all
// for a while after they failed. They are written to behind the request.
// Nothing here makes a request fail: without its levels a cache misses.
package cache

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/busuhq/busu/internal/event"
)

// Label says how a question matched the one that its answer was made for.
type Label string

// The labels.
const (
	Exact    Label = "exact"
	Similar  Label = "similar"   // they differ in case, white space and the like
	InFlight Label = "in_flight" // it was asked while the answer was being made: see package flight
)

// Hit is an answer given again.
type Hit struct {
	*Entry
	Level string // event.CacheMemory and so on
	Label Label
}

// Look is what looking for an answer brought. One without a hit is put when
// there is an answer, and released in any case.
type Look struct {
	Hit
	Found    bool
	Degraded bool          // a level that might have had the answer could not be asked
	Waited   time.Duration // for another process that was making it

	key       Key
	forgotten int64 // Cache.forgotten when it began
	evicted   int64 // Cache.evicted when it began
	lease     *lease
	leasing   *leasing
}

// Release ends a look without an answer, so that another process may make it.
// After Put, and without Leases, it does nothing.
func (l Look) Release() {
	if l.lease != nil {
		l.leasing.release(l.lease)
	}
}

// Options of a Cache. A level that is nil is not there.
type Options struct {
	MemoryBytes int64 // most that the level in memory takes
	Redis       Redis
	Leases      Leases // of Redis: makes one process at a time make an answer; nil: each may
	Postgres    Postgres
	TTL         time.Duration // in memory and Redis
	PostgresTTL time.Duration
	Shorter     map[string]time.Duration // by project: that answers to its questions live, where that is less
	Log         *slog.Logger
}

// Cache is the levels. It is safe for concurrent use. Run must run while it is
// used, or the levels beyond memory get nothing and stay away once they were.
type Cache struct {
	o        Options
	memory   *memory
	redis    *level // nil: not there
	postgres *level
	leasing  *leasing // nil: each process makes its own answers
	sweeps   chan sweep

	forgotten atomic.Int64 // users and projects that were, so far
	evicted   atomic.Int64 // single answers that were
	counts    counts
}

const (
	redisWithin    = 50 * time.Millisecond
	postgresWithin = 100 * time.Millisecond

	redisFilterBits    = 1 << 22 // at most, for 700,000 entries at 6 bits: 512 KiB, twice
	postgresFilterBits = 1 << 25 // at most, for 5,600,000: 4 MiB, twice
)

// New makes a cache.
func New(o Options) *Cache {
	c := &Cache{o: o, memory: newMemory(o.MemoryBytes), sweeps: make(chan sweep, mostSweeps)}
	if o.Redis != nil {
		c.redis = newLevel(event.CacheRedis, o.Redis, redisWithin, o.TTL, redisFilterBits, o.Log)
	}
	if o.Redis != nil && o.Leases != nil {
		c.redis.gathers = leasedFor
		c.leasing = newLeasing(o.Leases, c.redis)
	}
	if o.Postgres != nil {
		c.postgres = newLevel(event.CachePostgres, o.Postgres, postgresWithin, o.PostgresTTL, postgresFilterBits, o.Log)
	}
	return c
}

// Recall looks in memory only: for the answer of the first of models that has
// one.
func (c *Cache) Recall(k Key, models []string) (Hit, bool) {
	e := c.memory.get(&k.Sum, models, time.Now())
	if e == nil {
		return Hit{}, false
	}
	return c.hit(k, e, levelMemory), true
}

// Get looks in memory and then in the levels beyond, for the answer of the
// first of models that has one. With Leases it may wait for another process,
// which is making that answer, as long as ctx lets it.
func (c *Cache) Get(ctx context.Context, k Key, models []string) Look {
	look := Look{key: k, forgotten: c.forgotten.Load(), evicted: c.evicted.Load(), leasing: c.leasing}
	if look.Hit, look.Found = c.Recall(k, models); look.Found {
		return look
	}
	c.getRedis(ctx, &look, models)
	if !look.Found {
		c.getPostgres(ctx, &look, models)
	}
	if !look.Found {
		c.counts.misses.Add(1)
	}
	return look
}

func (c *Cache) getRedis(ctx context.Context, look *Look, models []string) {
	if c.redis == nil {
		return
	}
	var e *Entry
	var err error
	if c.leasing != nil {
		e, look.lease, look.Waited, err = c.leasing.claim(ctx, look.key, models)
	} else {
		e, err = c.redis.find(ctx, look.key, models, time.Now())
	}
	c.found(look, levelRedis, e, err)
}

func (c *Cache) getPostgres(ctx context.Context, look *Look, models []string) {
	if c.postgres == nil {
		return
	}
	now := time.Now()
	e, err := c.postgres.find(ctx, look.key, models, now)
	if c.found(look, levelPostgres, e, err); look.Found && c.redis != nil && !c.isStale(look) {
		c.share(look, Item{Key: look.key, Entry: e, Body: e.Encode(nil), Until: c.until(e, c.o.TTL, now)})
	}
}

// found notes what a level beyond memory brought, and keeps it in memory.
func (c *Cache) found(look *Look, level int, e *Entry, err error) {
	now := time.Now()
	look.Degraded = look.Degraded || err != nil && !errors.Is(err, errLeft)
	if e == nil || !c.until(e, c.lives(), now).After(now) {
		return
	}
	look.Hit, look.Found = c.hit(look.key, e, level), true
	c.memory.put(&look.key.Sum, e, c.until(e, c.o.TTL, now), func() bool { return c.isStale(look) })
}

// isStale reports whether something was forgotten since look began: what it
// found may have been among that.
func (c *Cache) isStale(look *Look) bool {
	return c.forgotten.Load() != look.forgotten || c.evicted.Load() != look.evicted
}

// lives is how long an answer may be given.
func (c *Cache) lives() time.Duration {
	if c.postgres == nil {
		return c.o.TTL
	}
	return max(c.o.TTL, c.o.PostgresTTL)
}

// until is the end of a stay that begins now, within the life of an answer.
func (c *Cache) until(e *Entry, stay time.Duration, now time.Time) time.Time {
	life := c.lives()
	if shorter, ok := c.o.Shorter[e.Project]; ok {
		life = min(life, shorter)
	}
	end, whole := now.Add(stay), e.At.Add(life)
	if whole.Before(end) {
		return whole
	}
	return end
}

// Put keeps the answer to what was looked for, and reports whether it may be
// given again. It does not wait for the levels beyond memory. What was asked
// before a user or project was forgotten is not kept: it may be theirs.
func (c *Cache) Put(l Look, e Entry) bool {
	stale := func() bool { return c.forgotten.Load() != l.forgotten }
	now := time.Now()
	if l.Found || !l.key.storable(&e.Response) || stale() {
		return false
	}
	e.exact = l.key.Exact
	item := Item{Key: l.key, Entry: &e, Until: c.until(&e, c.o.TTL, now)}
	if !item.Until.After(now) {
		return false // its project keeps none for so long
	}
	e.own()
	c.memory.put(&l.key.Sum, &e, item.Until, stale)
	if c.redis != nil || c.postgres != nil {
		item.Body = e.Encode(make([]byte, 0, e.encodedSize()))
	}
	if c.redis != nil {
		c.share(&l, item)
	}
	if c.postgres != nil {
		item.Until = c.until(&e, c.o.PostgresTTL, now)
		c.postgres.keep(item)
	}
	c.counts.stores.Add(1)
	return true
}

// share hands an item to Redis, with the lease that was taken for it.
func (c *Cache) share(l *Look, item Item) {
	if l.lease != nil && c.leasing.takeOff(l.lease) {
		item.Lease = l.lease.owner
	}
	c.redis.keep(item)
}
