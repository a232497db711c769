package redisdb_test

import (
	"context"
	"fmt"
	"strconv"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/busuhq/busu/internal/cache"
	"github.com/busuhq/busu/internal/cachetest"
	"github.com/busuhq/busu/internal/redisdb"
	"github.com/busuhq/busu/internal/storetest"
)

// BenchmarkCacheHit measures a look-up of one key beside a plain GET of the
// same entry, by 32 callers at once: the ratio is what merging brings.
func BenchmarkCacheHit(b *testing.B) {
	url := storetest.Redis(b)
	db, err := redisdb.Open(url)
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	o, err := redis.ParseURL(url)
	if err != nil {
		b.Fatal(err)
	}
	plain := redis.NewClient(o)
	defer plain.Close()
	c := db.Cache(cacheTTL, 0)
	item := cachetest.Item(b, "q", cachetest.Entry("m"))
	if _, err := c.Keep(b.Context(), []cache.Item{item}, item.Entry.At); err != nil {
		b.Fatal(err)
	}
	key := plain.Keys(b.Context(), "busu:cache:answer:*").Val()[0]
	get := func(ctx context.Context) ([]byte, error) { return plain.Get(ctx, key).Bytes() }
	find := func(ctx context.Context) ([]byte, error) { return c.Find(ctx, item.Key, []string{"m"}) }
	findOfThree := func(ctx context.Context) ([]byte, error) { return c.Find(ctx, item.Key, []string{"k", "l", "m"}) }
	for _, way := range []struct {
		name string
		get  func(context.Context) ([]byte, error)
	}{{"plain", get}, {"merged", find}, {"merged of three", findOfThree}} {
		for _, callers := range []int{1, 16} { // for each of the processors
			b.Run(way.name+map[int]string{1: "", 16: " by many"}[callers], func(b *testing.B) {
				b.SetParallelism(callers)
				b.ReportAllocs()
				b.RunParallel(func(p *testing.PB) {
					for p.Next() {
						if body, err := way.get(b.Context()); err != nil || len(body) != len(item.Body) {
							b.Error(len(body), err)
						}
					}
				})
			})
		}
	}
}

// keptAtOnce is how many answers a batch of these measurements has, and keepers
// how many users have asked for them.
const (
	keptAtOnce = 32
	keepers    = 1000
)

// BenchmarkCacheKeep stores batches of answers of a thousand users of a project,
// and says what each answer takes of Redis.
func BenchmarkCacheKeep(b *testing.B) {
	url := storetest.Redis(b)
	keep := newKeeping(b, url)
	plain := storetest.RedisClient(b, url)
	used := func() float64 {
		info := plain.InfoMap(b.Context(), "cpu").Val()["CPU"]
		user, _ := strconv.ParseFloat(info["used_cpu_user"], 64)
		system, _ := strconv.ParseFloat(info["used_cpu_sys"], 64)
		return 1e6 * (user + system)
	}
	b.ReportAllocs()
	before := used()
	for b.Loop() {
		keep()
	}
	b.ReportMetric((used()-before)/float64(b.N)/keptAtOnce, "redis-µs/answer")
}

// TestAllocationsOfKeeping holds what each answer of a batch takes, with what
// makes it for the test, 9 of them.
func TestAllocationsOfKeeping(t *testing.T) {
	const most = 30 // of each answer: 21, on a cluster 26
	keep := newKeeping(t, storetest.Redis(t))
	if n := testing.AllocsPerRun(20, keep) / keptAtOnce; n > most {
		t.Errorf("%g allocations for each answer, more than %d", n, most)
	}
}

// newKeeping gives what keeps a batch of answers that were not there before.
func newKeeping(tb testing.TB, url string) (keep func()) {
	db, err := redisdb.Open(url)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = db.Close() })
	c := db.Cache(cacheTTL, 1<<40)
	body := make([]byte, 900)
	items := make([]cache.Item, keptAtOnce)
	n := 0
	return func() {
		for i := range items {
			n++
			e := cachetest.Entry("m")
			e.UserID = strconv.Itoa(n % keepers)
			items[i] = cache.Item{Key: cachetest.Key(tb, fmt.Sprint(n)), Entry: e, Body: body, Until: e.At.Add(cacheTTL)}
		}
		if kept, err := c.Keep(tb.Context(), items, items[0].Entry.At); err != nil || kept != len(items) {
			tb.Error(kept, err)
		}
	}
}
