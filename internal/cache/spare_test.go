package cache_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/busuhq/busu/internal/cache"
	"github.com/busuhq/busu/internal/cachetest"
	"github.com/busuhq/busu/internal/event"
)

// A miss costs no round trip when the question was looked up moments ago, nor,
// once a process knows what is there, when the answer cannot be.
func TestAMissCostsNoRoundTripWhereItNeedNot(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		redis, postgres := cachetest.NewFake(), cachetest.NewFake()
		one, two := start(t, cache.Options{Redis: redis, Postgres: postgres}), start(t, cache.Options{Redis: redis, Postgres: postgres})
		synctest.Wait()
		asked := func(f func()) int {
			t.Helper()
			before := redis.Finds()
			f()
			if postgres.Finds() != 0 {
				t.Error("PostgreSQL was asked for what it does not have")
			}
			return redis.Finds() - before
		}
		if n := asked(func() { one.expect("q", "") }); n != 1 {
			t.Errorf("%d round trips for a new question", n)
		}
		if n := asked(func() {
			for range 100 {
				one.expect("q", "")
			}
		}); n != 0 {
			t.Errorf("%d round trips for the same question again", n)
		}
		two.put("q", cachetest.Entry("small"))
		time.Sleep(time.Second)
		if n := asked(func() { one.expect("q", event.CacheRedis) }); n != 1 {
			t.Errorf("%d round trips for an answer", n)
		}

		time.Sleep(ttl)
		if n := asked(func() {
			for i := range 1000 {
				one.expect(fmt.Sprint("new", i), "")
			}
		}); n > 5 {
			t.Errorf("%d round trips for 1000 new questions", n)
		}
		two.put("another", cachetest.Entry("small"))
		time.Sleep(time.Second)
		if n := asked(func() { one.expect("another", event.CacheRedis) }); n != 1 {
			t.Errorf("%d round trips for an answer", n)
		}
		time.Sleep(time.Millisecond) // when nobody is about to look
		two.put("later", cachetest.Entry("small"))
		synctest.Wait()
		redis.Lose() // before one was told
		time.Sleep(time.Second)
		if n := asked(func() { one.expect("new", "") }); n != 1 {
			t.Errorf("%d round trips after a gap", n)
		}
		one.expect("later", event.CacheRedis)
	})
}

// What PostgreSQL has from long ago is known from the start.
func TestWhatPostgresHasIsKnownFromTheStart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		postgres := cachetest.NewFake()
		start(t, cache.Options{Postgres: postgres}).put("q", cachetest.Entry("small"))
		time.Sleep(ttl)
		two := start(t, cache.Options{Postgres: postgres})
		synctest.Wait()
		before := postgres.Finds()
		two.expect("q", event.CachePostgres)
		for i := range 100 {
			two.expect(fmt.Sprint(i), "")
		}
		if n := postgres.Finds() - before; n != 1 {
			t.Errorf("%d round trips", n)
		}
	})
}
