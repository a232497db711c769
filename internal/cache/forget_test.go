package cache_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/busuhq/busu/internal/cache"
	"github.com/busuhq/busu/internal/cachetest"
	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/postgres"
	"github.com/busuhq/busu/internal/redisdb"
	"github.com/busuhq/busu/internal/storetest"
)

// fill stores what a test forgets: answers of two users and of nobody.
func fill(t *testing.T, levels ...cache.Store) map[string]*cache.Entry {
	t.Helper()
	all := map[string]*cache.Entry{}
	var items []cache.Item
	for _, who := range []string{"ann", "bob", ""} {
		e := cachetest.Entry("small")
		e.UserID = who
		all[who] = e
		items = append(items, cachetest.Item(t, "of "+who, e))
	}
	for _, l := range levels {
		if n, err := l.Keep(t.Context(), items, time.Now()); err != nil || n != len(items) {
			t.Fatalf("kept %d: %v", n, err)
		}
	}
	return all
}

// testForgetting forgets in one process and looks in others: one that has the
// answers in memory, one that does not. open gives each test its own levels.
// On a busy machine a real one may be left alone for a moment: then steps are
// repeated, as they are meant to be.
func testForgetting(t *testing.T, open func(*testing.T) (cache.Redis, cache.Postgres)) {
	for name, c := range map[string]struct {
		forget func(p process, all map[string]*cache.Entry) error
		left   string
	}{
		"request": {func(p process, all map[string]*cache.Entry) error {
			return p.Evict(p.t.Context(), event.DefaultProject, all["ann"].RequestID)
		}, "[of  of bob]"},
		"another project's request": {func(p process, all map[string]*cache.Entry) error {
			return p.Evict(p.t.Context(), "other", all["ann"].RequestID)
		}, "[of  of ann of bob]"},
		"user": {func(p process, _ map[string]*cache.Entry) error {
			_, err := p.ForgetUser(p.t.Context(), event.DefaultProject, "ann")
			return err
		}, "[of  of bob]"},
		"another project's user": {func(p process, _ map[string]*cache.Entry) error {
			_, err := p.ForgetUser(p.t.Context(), "other", "ann")
			return err
		}, "[of  of ann of bob]"},
		"project": {func(p process, _ map[string]*cache.Entry) error {
			_, err := p.Flush(p.t.Context(), event.DefaultProject)
			return err
		}, "[]"},
		"another project": {func(p process, _ map[string]*cache.Entry) error {
			_, err := p.Flush(p.t.Context(), "other")
			return err
		}, "[of  of ann of bob]"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			redis, postgres := open(t)
			all := fill(t, redis, postgres)
			begin := func() process { return start(t, cache.Options{Redis: redis, Postgres: postgres}) }
			one, two := begin(), begin()
			for _, p := range []process{one, two} {
				until(t, func() bool { return left(p) == "[of  of ann of bob]" })
			}
			until(t, func() bool { return c.forget(one, all) == nil })
			for name, p := range map[string]process{"the same": one, "another": two, "a new": begin()} {
				got, deadline := left(p), time.Now().Add(10*time.Second)
				for got != c.left && time.Now().Before(deadline) {
					time.Sleep(10 * time.Millisecond)
					got = left(p)
				}
				if got != c.left {
					t.Errorf("in %s process %s is left, want %s", name, got, c.left)
				}
			}
		})
	}
}

// left says whose answers a process finds.
func left(p process) string {
	var all []string
	for _, who := range []string{"", "ann", "bob"} {
		if p.look("of " + who).Found {
			all = append(all, "of "+who)
		}
	}
	return fmt.Sprint(all)
}

func TestForgetting(t *testing.T) {
	t.Parallel()
	testForgetting(t, func(*testing.T) (cache.Redis, cache.Postgres) { return cachetest.NewFake(), cachetest.NewFake() })
}

// The same on real stores.
func TestForgettingForReal(t *testing.T) {
	t.Parallel()
	testForgetting(t, func(t *testing.T) (cache.Redis, cache.Postgres) {
		redis, err := redisdb.Open(storetest.Redis(t))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { redis.Close() })
		pg, err := postgres.Open(t.Context(), postgres.Options{URL: storetest.Postgres(t)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(pg.Close)
		return redis.Cache(ttl, 1<<30), pg.ResponseCache()
	})
}

func TestForgettingNamesAUser(t *testing.T) {
	t.Parallel()
	if _, err := cache.New(cache.Options{}).ForgetUser(t.Context(), event.DefaultProject, ""); err == nil {
		t.Error("all who name no user were forgotten")
	}
}

// It is told what was removed, level by level: also what came late.
func TestForgettingIsCounted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		redis, postgres := cachetest.NewFake(), cachetest.NewFake()
		fill(t, postgres)
		one := start(t, cache.Options{Redis: redis, Postgres: postgres})
		synctest.Wait()
		one.put("q", cachetest.Entry("small"))
		time.Sleep(time.Second)
		go func() {
			time.Sleep(time.Second) // another process is late
			fill(t, redis)
		}()
		removed, err := one.ForgetUser(t.Context(), event.DefaultProject, "ann")
		want := map[string]int64{event.CacheMemory: 1, event.CacheRedis: 2, event.CachePostgres: 2}
		if err != nil || !maps.Equal(removed, want) {
			t.Errorf("removed %v, want %v: %v", removed, want, err)
		}
	})
}

// What a user's request that was under way brings is not kept once the user
// was forgotten, by whichever process.
func TestAnswersUnderWayAreNotKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		redis := cachetest.NewFake()
		one, two := start(t, cache.Options{Redis: redis}), start(t, cache.Options{Redis: redis})
		synctest.Wait()
		l := one.look("q")
		if _, err := two.ForgetUser(t.Context(), event.DefaultProject, "ann"); err != nil {
			t.Fatal(err)
		}
		if one.Put(l, *cachetest.Entry("small")) {
			t.Error("kept")
		}
		time.Sleep(time.Second)
		l = one.look("q")
		if err := two.Evict(t.Context(), event.DefaultProject, uuid.New()); err != nil { // of no concern
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if !one.Put(l, *cachetest.Entry("small")) {
			t.Error("not kept")
		}
	})
}

// With an error some may be left, and it says so; what can be forgotten is.
func TestForgettingSaysWhenItFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		redis, postgres := cachetest.NewFake(), cachetest.NewFake()
		p := start(t, cache.Options{Redis: redis, Postgres: postgres})
		e := cachetest.Entry("small")
		p.put("q", e)
		synctest.Wait()
		for name, f := range map[string]*cachetest.Fake{"redis": redis, "postgres": postgres} {
			for _, mode := range []cachetest.Mode{cachetest.Down, cachetest.Hanging} {
				f.Be(mode)
				if err := p.Evict(t.Context(), e.Project, e.RequestID); err == nil {
					t.Errorf("%s: no error", name)
				}
				f.Be(cachetest.Up)
			}
		}
		if _, ok := p.Recall(cachetest.Key(t, "q"), models); ok || redis.Entries()+postgres.Entries() != 0 {
			t.Errorf("in memory %v, %d and %d are left", ok, redis.Entries(), postgres.Entries())
		}
	})
}

// slowFake is a Fake whose answers to look-ups are a while on their way.
type slowFake struct{ *cachetest.Fake }

func (s slowFake) Find(ctx context.Context, k cache.Key, models []string) ([]byte, error) {
	body, err := s.Fake.Find(ctx, k, models)
	time.Sleep(20 * time.Millisecond)
	return body, err
}

// An answer that was on its way from Redis when it was forgotten is not put into
// memory behind its back.
func TestWhatWasForgottenDoesNotComeBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		redis := cachetest.NewFake()
		one, two := start(t, cache.Options{Redis: redis}), start(t, cache.Options{Redis: slowFake{redis}})
		e := cachetest.Entry("small")
		one.put("q", e)
		synctest.Wait()
		var looking sync.WaitGroup
		looking.Go(func() { two.look("q") })
		time.Sleep(10 * time.Millisecond)
		if err := two.Evict(t.Context(), e.Project, e.RequestID); err != nil {
			t.Fatal(err)
		}
		looking.Wait()
		if _, ok := two.Recall(cachetest.Key(t, "q"), models); ok {
			t.Error("it is in memory")
		}
	})
}

// lateFake is a Fake that is slow to store.
type lateFake struct{ *cachetest.Fake }

func (l lateFake) Keep(ctx context.Context, items []cache.Item, now time.Time) (int, error) {
	time.Sleep(900 * time.Millisecond)
	return l.Fake.Keep(ctx, items, now)
}

// What another process was just storing when it was forgotten goes too: at the
// latest a moment later, and before a user counts as forgotten.
func TestWhatIsBeingStoredIsForgottenToo(t *testing.T) {
	t.Parallel()
	for _, user := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			redis := cachetest.NewFake()
			one, two := start(t, cache.Options{Redis: redis}), start(t, cache.Options{Redis: lateFake{redis}})
			synctest.Wait()
			e := cachetest.Entry("small")
			two.put("q", e)
			synctest.Wait() // it is being stored
			if user {
				if _, err := one.ForgetUser(t.Context(), e.Project, e.UserID); err != nil {
					t.Fatal(err)
				}
			} else {
				if err := one.Evict(t.Context(), e.Project, e.RequestID); err != nil {
					t.Fatal(err)
				}
				time.Sleep(2 * time.Second)
			}
			if n := redis.Entries(); n != 0 {
				t.Errorf("user %v: %d entries are left", user, n)
			}
		})
	}
}

// What this process was just storing is gone when Evict returns.
func TestWhatWeAreStoringIsForgottenAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		redis := cachetest.NewFake()
		p := start(t, cache.Options{Redis: lateFake{redis}})
		synctest.Wait()
		e := cachetest.Entry("small")
		p.put("q", e)
		synctest.Wait() // it is being stored
		if err := p.Evict(t.Context(), e.Project, e.RequestID); err != nil || redis.Entries() != 0 {
			t.Errorf("%d entries are left: %v", redis.Entries(), err)
		}
		time.Sleep(time.Second)
		if redis.Entries() != 0 {
			t.Error("it was stored behind")
		}
	})
}

// Other processes know within a second; where the machine is busy, at one of
// several times.
func TestOthersKnowWithinASecond(t *testing.T) {
	t.Parallel()
	redis, err := redisdb.Open(storetest.Redis(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { redis.Close() })
	level := redis.Cache(ttl, 0)
	one, two := start(t, cache.Options{Redis: level}), start(t, cache.Options{Redis: level})
	var took []time.Duration
	for range 10 {
		e := fill(t, level)["ann"]
		until(t, func() bool { return left(two) == "[of  of ann of bob]" })
		until(t, func() bool { return one.Evict(t.Context(), e.Project, e.RequestID) == nil })
		began := time.Now()
		until(t, func() bool { _, ok := two.Recall(cachetest.Key(t, "of ann"), models); return !ok })
		if took = append(took, time.Since(began)); took[len(took)-1] < time.Second {
			return
		}
	}
	t.Errorf("it took %v", took)
}

// While answers are made and looked up everywhere, a user who was forgotten is
// gone everywhere.
func TestForgettingUnderLoad(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		redis, postgres := cachetest.NewFake(), cachetest.NewFake()
		var all []process
		for range 3 {
			all = append(all, start(t, cache.Options{Redis: redis, Postgres: postgres}))
		}
		var load sync.WaitGroup
		ctx, stop := context.WithCancel(t.Context())
		for n, p := range all {
			load.Go(func() {
				r := rand.New(rand.NewPCG(uint64(n), 0))
				for ctx.Err() == nil {
					l := p.look(fmt.Sprint(r.IntN(50)))
					time.Sleep(time.Duration(r.IntN(30)) * time.Millisecond) // the call
					if e := cachetest.Entry("small"); !l.Found {
						e.UserID = fmt.Sprint("u", r.IntN(3))
						p.Put(l, *e)
					}
				}
			})
		}
		time.Sleep(time.Second)
		stop()
		load.Wait()
		if _, err := all[0].ForgetUser(t.Context(), event.DefaultProject, "u1"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		found := map[string]int{}
		for _, p := range append(all, start(t, cache.Options{Redis: redis, Postgres: postgres})) {
			for q := range 50 {
				if l := p.look(fmt.Sprint(q)); l.Found {
					found[l.UserID]++
				}
			}
		}
		if found["u1"] != 0 || found["u0"] == 0 || found["u2"] == 0 {
			t.Errorf("found are %v", found)
		}
	})
}
