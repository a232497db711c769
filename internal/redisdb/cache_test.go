package redisdb_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"github.com/busuhq/busu/internal/cache"
	"github.com/busuhq/busu/internal/cachetest"
	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/redisdb"
	"github.com/busuhq/busu/internal/storetest"
)

const cacheTTL = 5 * time.Minute

func TestCacheStore(t *testing.T) {
	t.Parallel()
	cachetest.TestStore(t, func(t *testing.T) cache.Store {
		db, _ := open(t)
		return db.Cache(cacheTTL, 1<<30)
	})
}

// busu up runs on a Redis in its own process where it finds no other.
func TestCacheStoreInProcess(t *testing.T) {
	t.Parallel()
	cachetest.TestStore(t, func(t *testing.T) cache.Store {
		server := miniredis.RunT(t)
		db, err := redisdb.Open("redis://" + server.Addr())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { db.Close() })
		go func() { // it does not notice time passing
			for last := time.Now(); t.Context().Err() == nil; time.Sleep(10 * time.Millisecond) {
				server.FastForward(time.Since(last))
				last = time.Now()
			}
		}()
		return db.Cache(cacheTTL, 1<<30)
	})
}

func keepAnswers(t *testing.T, c *redisdb.Cache, items ...cache.Item) int {
	t.Helper()
	n, err := c.Keep(t.Context(), items, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// In a Redis that others share, answers never take more than their budget,
// whoever stores them; and what has expired makes room.
func TestCacheKeepsToItsBudget(t *testing.T) {
	t.Parallel()
	db, plain := open(t)
	const budget, ttl = 200_000, 2 * time.Second
	caches := []*redisdb.Cache{db.Cache(ttl, budget), db.Cache(ttl, budget)}
	fill := func(name string) (kept int) {
		for i := range 100 { // two and a half times what fits
			e := cachetest.Entry("m")
			e.Response.Text = string(bytes.Repeat([]byte("x"), 4000))
			item := cachetest.Item(t, fmt.Sprint(name, i), e)
			item.Until = time.Now().Add(ttl)
			kept += keepAnswers(t, caches[i%2], item)
		}
		return kept
	}
	first := fill("first")
	if first < 25 || first > budget/4000 {
		t.Errorf("%d answers of 5 KB were kept in %d bytes", first, budget)
	}
	var stored int64
	for _, key := range storetest.Keys(t, plain, "busu:cache:*") {
		stored += plain.MemoryUsage(t.Context(), key).Val()
	}
	if stored == 0 || stored > budget {
		t.Errorf("they take %d bytes of %d", stored, budget)
	}
	for deadline := time.Now().Add(20 * time.Second); fill("later") == 0; {
		if time.Now().After(deadline) {
			t.Fatal("what has expired makes no room")
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// Nothing stays behind: every key has an end, but for the stream of changes,
// which is short.
func TestCacheKeysEnd(t *testing.T) {
	t.Parallel()
	db, plain := open(t)
	c := db.Cache(cacheTTL, 1<<20)
	for i := range 10 {
		keepAnswers(t, c, cachetest.Item(t, fmt.Sprint(i), cachetest.Entry("m")))
	}
	if _, _, err := c.Claim(t.Context(), cachetest.Key(t, "x"), []string{"m"}, "me", time.Second); err != nil {
		t.Fatal(err)
	}
	keys := storetest.Keys(t, plain, "*")
	for _, key := range keys {
		if key == "busu:cache:changes" {
			continue
		}
		if ttl := plain.PTTL(t.Context(), key).Val(); ttl <= 0 || ttl > cacheTTL*9/8 {
			t.Errorf("%s ends after %s", key, ttl)
		}
	}
	if len(keys) < 15 { // of answers, a project, requests, what they take, changes, a lease
		t.Errorf("only %d keys: %q", len(keys), keys)
	}
	for i := range 10_000 {
		keepAnswers(t, c, cachetest.Item(t, fmt.Sprint(i%10), cachetest.Entry("m")))
	}
	if n := plain.XLen(t.Context(), "busu:cache:changes").Val(); n > 5000 {
		t.Errorf("%d changes", n)
	}
}

// Many answers are forgotten as a few are: all of a user's, and no others;
// those of requests whose ids tell no time, too.
func TestCacheForgetsAmongMany(t *testing.T) {
	t.Parallel()
	db, plain := open(t)
	c := db.Cache(cacheTTL, 0)
	const each = 2500 // of a user: more than go in one round trip, and than expire at the same time
	until := time.Now().Add(time.Minute)
	of := func(project, user string, n int) cache.Item {
		e := cachetest.Entry("m")
		e.Project, e.UserID = project, user
		if n%2 == 0 {
			e.RequestID = uuid.New()
		}
		item := cachetest.Item(t, fmt.Sprint(project, user, n), e)
		item.Until = until.Add(time.Duration(n/1800) * time.Millisecond)
		return item
	}
	var last cache.Item
	for n := range each {
		last = of(event.DefaultProject, "bob", n)
		keepAnswers(t, c, of(event.DefaultProject, "ann", n), last, of("another", "ann", n))
	}
	for n, step := range []struct {
		gone cache.Gone
		want int64
	}{
		{cache.Gone{Project: event.DefaultProject, UserID: "ann"}, each},
		{cache.Gone{Project: event.DefaultProject, UserID: "ann"}, 0},
		{cache.Gone{Project: event.DefaultProject, Requests: []uuid.UUID{uuid.Must(uuid.NewV7()), last.Entry.RequestID}}, 1},
		{cache.Gone{Project: event.DefaultProject, Requests: []uuid.UUID{uuid.Must(uuid.NewV7()), last.Entry.RequestID}}, 0},
		{cache.Gone{Project: event.DefaultProject}, each - 1},
		{cache.Gone{Project: "another"}, each},
	} {
		if removed, err := c.Forget(t.Context(), step.gone); err != nil || removed != step.want {
			t.Errorf("step %d: %d were forgotten, want %d: %v", n, removed, step.want, err)
		}
	}
	if left := storetest.Keys(t, plain, "busu:cache:answer:*"); len(left) > 0 {
		t.Errorf("%d answers are left", len(left))
	}
}

func changes(t *testing.T, c *redisdb.Cache, after string) cache.Page {
	t.Helper()
	page, err := c.Changes(t.Context(), after)
	if err != nil {
		t.Fatal(err)
	}
	return page
}

func TestCacheTellsWhatChanges(t *testing.T) {
	t.Parallel()
	db, plain := open(t)
	c := db.Cache(cacheTTL, 0)
	start := changes(t, c, "")
	if !start.Gap || len(start.Changes) != 0 || start.Position == "" {
		t.Errorf("at the start: %+v", start)
	}
	a, b := cachetest.Item(t, "a", cachetest.Entry("m")), cachetest.Item(t, "b", cachetest.Entry("m"))
	keepAnswers(t, c, a, b)
	byRequest := cache.Gone{Project: event.DefaultProject, Requests: []uuid.UUID{a.Entry.RequestID, b.Entry.RequestID}}
	byUser := cache.Gone{Project: event.DefaultProject, UserID: "ann"}
	for _, g := range []cache.Gone{byRequest, byUser} {
		if _, err := c.Forget(t.Context(), g); err != nil {
			t.Fatal(err)
		}
	}
	page := changes(t, c, start.Position)
	want := []cache.Change{
		{Kept: []uint64{a.Key.Fingerprint(), b.Key.Fingerprint()}},
		{Owner: byRequest.Owner(), Requests: byRequest.Requests},
		{Owner: byUser.Owner()},
	}
	if fmt.Sprint(page.Changes) != fmt.Sprint(want) || page.Gap || page.More {
		t.Errorf("got %+v, want %+v", page, want)
	}
	if again := changes(t, c, page.Position); len(again.Changes) != 0 || again.Position != page.Position || again.Gap {
		t.Errorf("behind all of it: %+v", again)
	}
	if late := changes(t, c, ""); late.Position != page.Position {
		t.Errorf("the end is %s, want %s", late.Position, page.Position)
	}

	for i := range 1500 {
		keepAnswers(t, c, cachetest.Item(t, fmt.Sprint(i), cachetest.Entry("m")))
	}
	if many := changes(t, c, page.Position); !many.More || many.Gap || len(changes(t, c, many.Position).Changes) != 500 {
		t.Errorf("%d of 1500 changes, more %v, gap %v", len(many.Changes), many.More, many.Gap)
	}
	for i := range 5000 {
		keepAnswers(t, c, cachetest.Item(t, fmt.Sprint(i), cachetest.Entry("m")))
	}
	if gap := changes(t, c, page.Position); !gap.Gap {
		t.Errorf("changes were trimmed, and there is no gap: %d changes", len(gap.Changes))
	}
	end := changes(t, c, "").Position
	storetest.Flush(t, plain)
	if flushed := changes(t, c, end); flushed.Gap || flushed.Position != end {
		t.Errorf("after everything was lost: %+v", flushed)
	}
	plain.XAdd(t.Context(), &redis.XAddArgs{Stream: "busu:cache:changes", ID: "1-1", Values: []any{"kept", ""}})
	if older := changes(t, c, end); !older.Gap || older.Position != "1-1" {
		t.Errorf("of a clock that was set back: %+v", older)
	}
}

func TestCacheLease(t *testing.T) {
	t.Parallel()
	db, _ := open(t)
	c := db.Cache(cacheTTL, 0)
	k, models := cachetest.Key(t, "q"), []string{"m", "n"}
	claim := func(owner string, lasts time.Duration) (body []byte, held time.Duration) {
		t.Helper()
		body, held, err := c.Claim(t.Context(), k, models, owner, lasts)
		if err != nil {
			t.Fatal(err)
		}
		return body, held
	}
	if body, held := claim("one", time.Minute); body != nil || held != 0 {
		t.Fatalf("%q, held for %s", body, held)
	}
	if _, held := claim("one", time.Minute); held != 0 {
		t.Errorf("its owner does not have it: held for %s", held)
	}
	if _, held := claim("two", time.Minute); held <= 50*time.Second || held > time.Minute {
		t.Errorf("another got it, or is told %s", held)
	}
	if err := errors.Join(c.Release(t.Context(), k, "two"), c.Extend(t.Context(), k, "two", time.Hour)); err != nil {
		t.Fatal(err)
	}
	if _, held := claim("two", time.Minute); held <= 0 || held > time.Minute {
		t.Errorf("another gave it back or extended it: held for %s", held)
	}
	if err := c.Extend(t.Context(), k, "one", 2*time.Minute); err != nil {
		t.Fatal(err)
	}
	if _, held := claim("two", time.Minute); held <= time.Minute {
		t.Errorf("it was not extended: %s", held)
	}
	if err := c.Release(t.Context(), k, "one"); err != nil {
		t.Fatal(err)
	}
	if _, held := claim("two", 200*time.Millisecond); held != 0 {
		t.Errorf("it was not given back: %s", held)
	}
	for { // its holder crashes
		_, held := claim("three", time.Minute)
		if held == 0 {
			break
		}
		if held > 200*time.Millisecond {
			t.Fatalf("held for %s", held)
		}
		time.Sleep(held)
	}
	item := cachetest.Item(t, "q", cachetest.Entry("n"))
	item.Lease = "three"
	keepAnswers(t, c, item)
	if body, _ := claim("four", time.Minute); !bytes.Equal(body, item.Body) {
		t.Errorf("got %q", body)
	}
	if _, err := c.Forget(t.Context(), cache.Gone{Project: event.DefaultProject}); err != nil {
		t.Fatal(err)
	}
	if _, held := claim("four", time.Minute); held != 0 {
		t.Errorf("the lease did not go back with the answer: %s", held)
	}
}

// Those who look at once share round trips, and each gets what it asked for.
func TestLookupsShareRoundTrips(t *testing.T) {
	t.Parallel()
	db, _ := open(t)
	c := db.Cache(cacheTTL, 0)
	bodies := map[string][]byte{}
	for i := range 50 {
		for _, model := range []string{"m", "n"} {
			item := cachetest.Item(t, fmt.Sprint("q", i), cachetest.Entry(model))
			bodies[fmt.Sprint("q", i, model)] = item.Body
			keepAnswers(t, c, item)
		}
	}
	var all sync.WaitGroup
	var wrong atomic.Int64
	for worker := range 64 {
		all.Go(func() {
			for i := range 100 {
				n := (i + worker) % 60 // some are not there
				models := [][]string{{"m"}, {"n", "m"}, {"o", "m"}, {"o"}}[(i+worker)%4]
				body, err := c.Find(t.Context(), cachetest.Key(t, fmt.Sprint("q", n)), models)
				want := bodies[fmt.Sprint("q", n, models[0])]
				if want == nil && len(models) > 1 {
					want = bodies[fmt.Sprint("q", n, models[1])]
				}
				if err != nil || !bytes.Equal(body, want) {
					wrong.Add(1)
				}
			}
		})
	}
	all.Wait()
	if wrong.Load() > 0 {
		t.Errorf("%d of 6400 were wrong", wrong.Load())
	}
}

// A look-up that hangs costs what its caller allows, and those that wait for it
// no more than that.
func TestLookupsEndInTime(t *testing.T) {
	t.Parallel()
	server := storetest.RedisServer(t)
	db, _ := openAt(t, server.URL)
	c := db.Cache(cacheTTL, 0)
	if _, err := c.Find(t.Context(), cachetest.Key(t, "q"), []string{"m"}); err != nil {
		t.Fatal(err)
	}
	server.Stop(t)
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			defer cancel()
			_, err := c.Find(ctx, cachetest.Key(t, "q"), []string{"m"})
			if late := time.Since(deadline(ctx)); err == nil || late > time.Second {
				t.Errorf("%v, %s late", err, late)
			}
		})
	}
	all.Wait()
	server.Cont(t)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for {
		if _, err := c.Find(ctx, cachetest.Key(t, "q"), []string{"m"}); err == nil {
			break
		} else if ctx.Err() != nil {
			t.Fatal(err)
		}
	}
}
