package cache_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/busuhq/busu/internal/cache"
	"github.com/busuhq/busu/internal/cachetest"
	"github.com/busuhq/busu/internal/redisdb"
	"github.com/busuhq/busu/internal/storetest"
)

// BenchmarkRecall is a hit in memory, without its key (BenchmarkKey).
func BenchmarkRecall(b *testing.B) {
	c := cache.New(cache.Options{MemoryBytes: 8 << 20, TTL: ttl})
	k := cachetest.Key(b, "q")
	c.Put(c.Get(b.Context(), k, models), *cachetest.Entry("large"))
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := c.Recall(k, models); !ok {
			b.Fatal("no hit")
		}
	}
}

// BenchmarkGet asks Redis for answers that memory does not keep, and for none
// that a plain GET asks for, by many callers at once: what the way to Redis
// costs in all, beside the round trip.
func BenchmarkGet(b *testing.B) {
	url := storetest.Redis(b)
	db, err := redisdb.Open(url)
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	c := cache.New(cache.Options{Redis: db.Cache(ttl, 0), TTL: ttl, Log: slog.New(slog.DiscardHandler)})
	items := make([]cache.Item, 64)
	for i := range items {
		items[i] = cachetest.Item(b, fmt.Sprint(i), cachetest.Entry("small"))
	}
	if _, err := db.Cache(ttl, 0).Keep(b.Context(), items, items[0].Entry.At); err != nil {
		b.Fatal(err)
	}
	o, err := redis.ParseURL(url)
	if err != nil {
		b.Fatal(err)
	}
	plain := redis.NewClient(o)
	defer plain.Close()
	name := plain.Keys(b.Context(), "busu:cache:answer:*").Val()[0]
	for _, way := range []struct {
		name string
		get  func(ctx context.Context, n int) bool
	}{
		{"plain GET", func(ctx context.Context, _ int) bool { return plain.Get(ctx, name).Err() == nil }},
		{"hit in Redis", func(ctx context.Context, n int) bool { return c.Get(ctx, items[n%len(items)].Key, models[:1]).Found }},
	} {
		b.Run(way.name, func(b *testing.B) {
			b.SetParallelism(16)
			b.ReportAllocs()
			b.RunParallel(func(p *testing.PB) {
				for n := 0; p.Next(); n++ {
					if !way.get(b.Context(), n) {
						b.Error("no hit")
					}
				}
			})
		})
	}
	k := cachetest.Key(b, "none")
	b.Run("miss, looked up before", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			c.Get(b.Context(), k, models[:1])
		}
	})
}
