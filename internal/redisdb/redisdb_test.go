package redisdb_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/redisdb"
	"github.com/busuhq/busu/internal/storetest"
)

func TestMain(m *testing.M) {
	redisdb.Quiet()
	storetest.Main(m)
}

var lane = event.Lane{Stream: event.Completions}

// open gives the room and a plain client on the same database.
func open(t *testing.T) (*redisdb.DB, redis.UniversalClient) {
	t.Helper()
	return openAt(t, storetest.Redis(t))
}

func openAt(t *testing.T, url string) (*redisdb.DB, redis.UniversalClient) {
	t.Helper()
	db, err := redisdb.Open(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db, storetest.RedisClient(t, url)
}

func entries(from, n int) []event.Entry {
	var es []event.Entry
	for i := range n {
		es = append(es, event.Entry{Lane: lane, Body: fmt.Appendf(nil, "body %d", from+i)})
	}
	return es
}

func bodies(es []event.Entry) []string {
	var bs []string
	for _, e := range es {
		bs = append(bs, string(e.Body))
	}
	return bs
}

// read reads until there are n entries.
func read(t *testing.T, c *redisdb.Consumer, n int) []event.Entry {
	t.Helper()
	var all []event.Entry
	for len(all) < n {
		if t.Context().Err() != nil {
			t.Fatal("the test has ended")
		}
		es, err := c.Read(t.Context(), time.Now())
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, es...)
	}
	return all
}

func deadline(ctx context.Context) time.Time {
	d, _ := ctx.Deadline()
	return d
}

// A Redis that hangs or is gone is an error in time, never a wait without end.
func TestDeadlinesHold(t *testing.T) {
	t.Parallel()
	server := storetest.RedisServer(t)
	db, _ := openAt(t, server.URL)
	if err := db.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	server.Stop(t)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := db.Live(ctx, "default"); err == nil {
		t.Error("a hanging Redis answers")
	}
	if late := time.Since(deadline(ctx)); late > time.Second {
		t.Errorf("the deadline was missed by %s", late)
	}
	server.Cont(t)
	server.Kill(t)
	if err := db.Check(t.Context()); err == nil {
		t.Error("a dead Redis answers")
	}
	server.Restart(t)
	if err := db.Check(t.Context()); err != nil {
		t.Errorf("Redis is back: %v", err)
	}
}
