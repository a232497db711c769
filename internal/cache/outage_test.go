package cache_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/busuhq/busu/internal/cache"
	"github.com/busuhq/busu/internal/cachetest"
	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/redisdb"
	"github.com/busuhq/busu/internal/storetest"
)

// took is how long f takes on the clock of the bubble.
func took(f func()) time.Duration {
	began := time.Now()
	f()
	return time.Since(began)
}

// A level that hangs costs one deadline, for all who ask at once, and nothing
// after that until it answers again: also when nobody asks.
func TestAHangingLevelCostsOneDeadline(t *testing.T) {
	t.Parallel()
	for _, hangs := range []string{"redis", "postgres", "both"} {
		t.Run(hangs, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				redis, postgres := cachetest.NewFake(), cachetest.NewFake()
				p, other := start(t, cache.Options{Redis: redis, Postgres: postgres}), start(t, cache.Options{Redis: cachetest.NewFake(), Postgres: postgres})
				p.put("known", cachetest.Entry("small"))
				synctest.Wait()
				if hangs != "postgres" {
					redis.Be(cachetest.Hanging)
				}
				if hangs != "redis" {
					time.Sleep(1700 * time.Millisecond) // the poll ended just before
					postgres.Be(cachetest.Hanging)
				}
				var all sync.WaitGroup
				first := took(func() {
					for i := range 100 {
						all.Go(func() { p.expect(fmt.Sprint("q", i), "") })
						if hangs != "redis" {
							all.Go(func() { other.expect("known", "") })
						}
					}
					all.Wait()
				})
				if first > 150*time.Millisecond {
					t.Errorf("the first ones waited %s", first)
				}
				time.Sleep(3 * time.Second) // whatever the loops that ask find
				for i := range 200 {
					var l cache.Look
					if d := took(func() { l = p.expect(fmt.Sprint("r", i), "") }); d != 0 {
						t.Fatalf("%d waited %s", i, d)
					}
					if hangs != "postgres" && !l.Degraded {
						t.Fatalf("%d is not degraded", i)
					}
					if d := took(func() { l = other.look("known") }); hangs != "redis" && (d != 0 || l.Found || !l.Degraded) {
						t.Fatalf("%d waited %s: %+v", i, d, l)
					}
					time.Sleep(50 * time.Millisecond)
				}
				if l := p.expect("known", event.CacheMemory); l.Degraded {
					t.Error("a hit in memory is degraded")
				}
				redis.Be(cachetest.Up)
				postgres.Be(cachetest.Up)
				time.Sleep(3 * time.Second)
				if l := p.expect("new", ""); l.Degraded {
					t.Error("still degraded when it is back")
				}
				p.put("newer", cachetest.Entry("small"))
				synctest.Wait()
				start(t, cache.Options{Redis: redis}).expect("newer", event.CacheRedis)
			})
		})
	}
}

func TestLevelsThatAreDownAreMisses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		redis, postgres := cachetest.NewFake(), cachetest.NewFake()
		redis.Be(cachetest.Down)
		postgres.Be(cachetest.Down)
		p := start(t, cache.Options{Redis: redis, Leases: redis, Postgres: postgres})
		d := took(func() {
			for i := range 100 {
				if l := p.expect(fmt.Sprint(i), ""); !l.Degraded {
					t.Error("not degraded")
				}
				p.put(fmt.Sprint("p", i), cachetest.Entry("small"))
				p.expect(fmt.Sprint("p", i), event.CacheMemory)
			}
		})
		if d != 0 {
			t.Errorf("they waited %s", d)
		}
		for _, s := range p.Stats().Levels {
			if !s.Away || s.Dropped != 100 || s.Errors == 0 {
				t.Errorf("%+v", s)
			}
		}
	})
}

// Operators hear when a level fails and when it is back, once each; not that it
// is not there yet when everything starts.
func TestOutagesAreTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var told bytes.Buffer
		postgres := cachetest.NewFake()
		postgres.Be(cachetest.Down)
		p := start(t, cache.Options{Postgres: postgres, Log: slog.New(slog.NewTextHandler(&told, nil))})
		time.Sleep(5 * time.Second)
		postgres.Be(cachetest.Up)
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if told.Len() > 0 {
			t.Errorf("told at the start:\n%s", &told)
		}
		for range 2 {
			postgres.Be(cachetest.Down)
			time.Sleep(5 * time.Second)
			p.look("q")
			postgres.Be(cachetest.Up)
			time.Sleep(5 * time.Second)
		}
		synctest.Wait()
		if warned, back := strings.Count(told.String(), "level=WARN"), strings.Count(told.String(), "level=INFO"); warned != 2 || back != 2 {
			t.Errorf("told of two outages:\n%s", &told)
		}
	})
}

// The same with a real Redis that is stopped, killed and comes back.
func TestAStoppedRedis(t *testing.T) {
	t.Parallel()
	server := storetest.RedisServer(t)
	db, err := redisdb.Open(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	p := start(t, cache.Options{Redis: db.Cache(ttl, 0)})
	until(t, func() bool { return !p.look(fmt.Sprint(time.Now())).Degraded })
	p.put("q", cachetest.Entry("small"))

	for name, fail := range map[string]func(testing.TB){"stopped": server.Stop, "killed": server.Kill} {
		fail(t)
		var slow int
		for i := range 1000 {
			began := time.Now()
			p.look(fmt.Sprint(name, i))
			if time.Since(began) > 20*time.Millisecond {
				slow++
			}
			time.Sleep(time.Millisecond)
		}
		// One pays the deadline; the machine may hold up some more.
		if slow > 200 {
			t.Errorf("%s: %d of 1000 look-ups were slow", name, slow)
		}
		if l := p.look(name); !l.Degraded {
			t.Errorf("%s: not degraded", name)
		}
		if l := p.look("q"); !l.Found || l.Degraded {
			t.Errorf("%s: memory does not answer: %+v", name, l)
		}
		if name == "stopped" {
			server.Cont(t)
		} else {
			server.Restart(t)
		}
		until(t, func() bool { return !p.look(fmt.Sprint(time.Now())).Degraded })
	}
}

// until waits for a condition.
func until(t *testing.T, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it does not come about")
		}
	}
}
