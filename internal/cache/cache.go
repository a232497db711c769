// Package cache gives answers again: from memory, then Redis, then PostgreSQL.
//
// A Key covers everything that changes the answer, and the tenant and arm that
// it belongs to. An Entry remembers which model answered, and is given to any
// question whose plan has that model. Only whole answers are kept.
//
// The levels beyond memory are asked within a short deadline, and not at all
// for a while after they failed. Nothing here makes a request fail: without
// its levels a cache misses.
package cache

import (
	"context"
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

// Look is what looking for an answer brought. Every one is put or released.
type Look struct {
	Hit
	Found    bool
	Degraded bool // a level that might have had the answer could not be asked

	key       Key
	forgotten int64 // Cache.forgotten when it began
}

// Options of a Cache.
type Options struct {
	MemoryBytes int64         // most that the level in memory takes
	TTL         time.Duration // in memory and Redis
}

// Cache is the levels. It is safe for concurrent use.
type Cache struct {
	o         Options
	memory    *memory
	forgotten atomic.Int64 // users and projects that were, so far
	counts    counts
}

// New makes a cache.
func New(o Options) *Cache {
	return &Cache{o: o, memory: newMemory(o.MemoryBytes)}
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

// Get looks in memory and then in the levels beyond. A Look without a hit is
// to be put when there is an answer, and released in any case.
func (c *Cache) Get(_ context.Context, k Key, models []string) Look {
	look := Look{key: k, forgotten: c.forgotten.Load()}
	if look.Hit, look.Found = c.Recall(k, models); !look.Found {
		c.counts.misses.Add(1)
	}
	return look
}

// hit counts a hit.
func (c *Cache) hit(k Key, e *Entry, level int) Hit {
	label := Exact
	if e.exact != k.Exact {
		label = Similar
		c.counts.hits[level].similar.Add(1)
	} else {
		c.counts.hits[level].exact.Add(1)
	}
	return Hit{Entry: e, Level: levelNames[level], Label: label}
}

// Put keeps the answer to what was looked for, and reports whether it may be
// given again. It does not wait for the levels beyond memory. What was asked
// before its user or project was forgotten is not kept.
func (c *Cache) Put(l Look, e Entry) bool {
	stale := func() bool { return c.forgotten.Load() != l.forgotten }
	if !l.key.storable(&e.Response) || stale() {
		return false
	}
	e.exact = l.key.Exact
	c.memory.put(&l.key.Sum, &e, e.At.Add(c.o.TTL), stale)
	c.counts.stores.Add(1)
	return true
}

// The levels, in the order they are asked.
const (
	levelMemory = iota
	levelRedis
	levelPostgres
	levelCount
)

var levelNames = [levelCount]string{event.CacheMemory, event.CacheRedis, event.CachePostgres}

type counts struct {
	hits           [levelCount]struct{ exact, similar atomic.Int64 }
	misses, stores atomic.Int64
}
