package redisdb_test

import (
	"testing"
	"time"

	"github.com/busuhq/busu/internal/redisdb"
	"github.com/busuhq/busu/internal/storetest"
)

// A Redis that hangs hands out entries with an answer that nobody waits for any
// more. They come again at once, and not when others may take them over.
func TestEntriesOfALostAnswerComeAgain(t *testing.T) {
	t.Parallel()
	server := storetest.RedisServer(t)
	db, err := redisdb.Open(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	c := db.NewConsumer(lane, "me")
	for range 2 { // has joined, and has none of its own
		if _, err := c.Read(t.Context(), time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Append(t.Context(), entries(0, 3)); err != nil {
		t.Fatal(err)
	}
	server.Stop(t)
	began := time.Now()
	if _, err := c.Read(t.Context(), began); err == nil {
		t.Fatal("a server that hangs answers")
	}
	if waited := time.Since(began); waited > 8*time.Second {
		t.Errorf("it waits %s for a server that hangs", waited)
	}
	server.Cont(t)
	for deadline := time.Now().Add(10 * time.Second); ; {
		got, err := c.Read(t.Context(), time.Now())
		if len(got) == 3 && err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("in 10 s it reads %d entries (%v)", len(got), err)
		}
	}
}
