package config

import (
	"fmt"
	"time"
)

// An answer that lives for less than half a minute is hardly ever asked for
// again; Redis, whose memory all processes share, keeps none for longer than
// five. What is to live longer lives in PostgreSQL.
const (
	minCacheTTL    = 30 * time.Second
	maxCacheTTL    = 5 * time.Minute
	maxPostgresTTL = 30 * day
	minCacheBytes  = 1 << 20
	maxCacheBytes  = 1 << 40
)

func defaultCache() Cache {
	return Cache{
		Enabled: true, TTL: maxCacheTTL, PostgresTTL: day,
		Scope: ScopeProject, SingleFlight: FlightProcess,
		MemoryBytes: 8 << 20, RedisBytes: 256 << 20,
	}
}

func (l *loader) cache(v value) {
	c := &l.cfg.Cache
	given := v.object(
		field{"enabled", func(v value) { v.flag(&c.Enabled) }},
		field{"ttl", func(v value) { cacheTTL(v, &c.TTL) }},
		field{"postgres_ttl", func(v value) { v.duration(&c.PostgresTTL, minCacheTTL, maxPostgresTTL) }},
		field{"scope", func(v value) { v.choice(&c.Scope, ScopeKey, ScopeProject, ScopeAll) }},
		field{"single_flight", func(v value) { v.choice(&c.SingleFlight, FlightProcess, FlightCluster) }},
		field{"similar", func(v value) { v.flag(&c.Similar) }},
		field{"memory_bytes", func(v value) { v.bytes(&c.MemoryBytes, minCacheBytes, maxCacheBytes) }},
		field{"redis_bytes", func(v value) { v.bytes(&c.RedisBytes, minCacheBytes, maxCacheBytes) }},
	)
	if at, ok := given["postgres_ttl"]; ok && c.PostgresTTL < c.TTL {
		at.wrong(fmt.Sprintf("%s is shorter than ttl, %s", at.path, formatDuration(c.TTL)), "raise it: PostgreSQL keeps answers at least as long as Redis")
	}
}

// cacheTTL reads a TTL; a 0 there once meant no cache.
func cacheTTL(v value, into *time.Duration) {
	if text, ok := v.literal(); ok && text == "0" {
		v.wrong(v.path+" is 0", "to turn the caches off, write enabled: false")
		return
	}
	v.duration(into, minCacheTTL, maxCacheTTL)
}
