package cache

import (
	"sync/atomic"

	"github.com/busuhq/busu/internal/event"
)

// The levels, in the order they are asked.
const (
	levelMemory = iota
	levelRedis
	levelPostgres
	levelCount
)

var levelNames = [levelCount]string{event.CacheMemory, event.CacheRedis, event.CachePostgres}

type counts struct {
	hits                      [levelCount]struct{ exact, similar atomic.Int64 }
	misses, stores, forgotten atomic.Int64
}

// hit counts a hit.
func (c *Cache) hit(k Key, e *Entry, level int) Hit {
	label, n := Exact, &c.counts.hits[level].exact
	if e.exact != k.Exact {
		label, n = Similar, &c.counts.hits[level].similar
	}
	n.Add(1)
	return Hit{Entry: e, Level: levelNames[level], Label: label}
}

// Stats counts what a Cache did.
type Stats struct {
	Hits      []HitStats
	Misses    int64
	Stores    int64 // answers kept
	Forgotten int64 // answers removed from memory on somebody's wish
	Evicted   int64 // answers removed from memory for room
	Bytes     int64 // in memory
	Entries   int64 // in memory
	Levels    []LevelStats
}

// HitStats counts hits of a level and a label.
type HitStats struct {
	Level string
	Label Label
	Hits  int64
}

// LevelStats counts what became of a level beyond memory.
type LevelStats struct {
	Level   string
	Asked   int64 // round trips
	Spared  int64 // round trips that would have brought nothing
	Errors  int64
	Kept    int64 // answers stored
	Dropped int64 // answers not stored: too many waited, or the level was away
	Away    bool  // it failed, and is left alone for a while
}

// Stats gives the counters.
func (c *Cache) Stats() Stats {
	s := Stats{Misses: c.counts.misses.Load(), Stores: c.counts.stores.Load(),
		Forgotten: c.counts.forgotten.Load(), Evicted: c.memory.evicted.Load()}
	s.Bytes, s.Entries = c.memory.usage()
	for i := range c.counts.hits {
		h := &c.counts.hits[i]
		s.Hits = append(s.Hits, HitStats{levelNames[i], Exact, h.exact.Load()}, HitStats{levelNames[i], Similar, h.similar.Load()})
	}
	for _, l := range []*level{c.redis, c.postgres} {
		if l != nil {
			s.Levels = append(s.Levels, l.stats())
		}
	}
	return s
}

func (l *level) stats() LevelStats {
	return LevelStats{Level: l.name, Asked: l.counts.asked.Load(), Spared: l.counts.spared.Load(), Errors: l.counts.errors.Load(),
		Kept: l.counts.kept.Load(), Dropped: l.counts.dropped.Load(), Away: l.away()}
}
