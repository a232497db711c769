package redisdb_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/redisdb"
	"github.com/busuhq/busu/internal/rollup"
	"github.com/busuhq/busu/internal/system"
)

func process(id string) system.Process {
	return system.Process{ID: id, Role: "api", Host: "node", UptimeMS: 1000, StartedAt: time.Now().UTC().Truncate(time.Millisecond),
		Checks:  []system.Check{{Name: "redis", OK: true, Since: time.Now().UTC().Truncate(time.Millisecond)}},
		Journal: &system.Journal{ID: "j" + id, Bytes: 10, MaxBytes: 100, Backlog: 3, OldestMS: 50}}
}

func TestProcessesComeAndGo(t *testing.T) {
	t.Parallel()
	db, plain := open(t)
	one, two := process("one"), process("two")
	for _, p := range []system.Process{one, two, two} {
		if err := db.Announce(t.Context(), p); err != nil {
			t.Fatal(err)
		}
	}
	if err := plain.HSet(t.Context(), "busu:processes", "odd", stamp(plain.Time(t.Context()).Val())+" {").Err(); err != nil {
		t.Fatal(err)
	}
	all, err := db.Processes(t.Context())
	if err != nil || len(all) != 2 {
		t.Fatalf("there are %+v (%v)", all, err)
	}
	for _, p := range all {
		if p.UptimeMS < 1000 || p.UptimeMS != 1000+p.HeardMS || p.Journal.OldestMS != 50+p.HeardMS || len(p.Checks) != 1 {
			t.Errorf("it is said to be %+v", p)
		}
	}
	if p, err := db.Pipeline(t.Context(), 1, time.Now()); err != nil || p.JournalBytes != 20 || p.JournalMaxBytes != 200 || p.JournalBacklog != 6 {
		t.Errorf("in all journals there is %+v (%v)", p, err)
	}
	if err := db.Withdraw(t.Context(), "one"); err != nil {
		t.Fatal(err)
	}
	if all, err = db.Processes(t.Context()); err != nil || len(all) != 1 || all[0].ID != "two" {
		t.Errorf("left are %+v (%v)", all, err)
	}
	if ttl := plain.TTL(t.Context(), "busu:processes").Val(); ttl <= 0 || ttl > 15*time.Second {
		t.Errorf("they live for %s", ttl)
	}
}

// TestState: of each partition apart, of both streams, and of who has what.
func TestState(t *testing.T) {
	t.Parallel()
	db, plain := open(t)
	if s, err := db.State(t.Context(), 2); err != nil || len(s.Streams) != 5 || s.DeadLetters.Count != 0 || len(s.Leases) != 0 || s.UsedBytes == 0 {
		t.Fatalf("of an empty Redis: %+v (%v)", s, err)
	}
	second := event.Lane{Stream: event.Feedback, Partition: 1}
	if err := db.Append(t.Context(), append(entries(0, 1200), event.Entry{Lane: second, Body: []byte("x")})); err != nil {
		t.Fatal(err)
	}
	c := db.NewConsumer(lane, "me")
	if err := c.Ack(t.Context(), read(t, c, 1000)[:400]); err != nil {
		t.Fatal(err)
	}
	checkpoint := rollup.Checkpoint{Position: plain.XRange(t.Context(), "busu:completions:{0}", "-", "+").Val()[1199].ID}
	for _, take := range []func() (bool, error){
		func() (bool, error) { return db.Lead(t.Context(), "leads") },
		func() (bool, error) { return db.Lease(t.Context(), 0, "counts") },
		func() (bool, error) { return true, db.ResetCheckpoint(t.Context(), 0, "counts", checkpoint) },
		func() (bool, error) { return true, db.Announce(t.Context(), process("here")) },
	} {
		if ok, err := take(); err != nil || !ok {
			t.Fatal(ok, err)
		}
	}
	s, err := db.State(t.Context(), 2)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]system.Stream{}
	for _, stream := range s.Streams {
		got[stream.Key] = stream
	}
	first, other := got["busu:completions:{0}"], got["busu:feedback:{1}"]
	if first.Entries != 1200 || first.Unread != 200 || first.Pending != 600 || first.OldestMS <= 0 || first.UncountedMS != 0 || first.MemoryBytes < 1000 {
		t.Errorf("the first is %+v", first)
	}
	if other.Entries != 1 || other.Unread != 0 || other.Partition != 1 || other.Stream != "feedback" { // no group reads it yet
		t.Errorf("the other is %+v", other)
	}
	if len(s.Leases) != 2 || s.Leases[0].Owner != "leads" || s.Leases[1].Name != "aggregator/0" || s.Leases[1].Owner != "counts" || s.Leases[1].EndsMS <= 0 {
		t.Errorf("leases %+v", s.Leases)
	}
	if len(s.Processes) != 1 || s.Processes[0].ID != "here" || s.ClockMS > 5000 || s.ClockMS < -5000 {
		t.Errorf("processes %+v, clock %g", s.Processes, s.ClockMS)
	}
}

// TestUncounted: what the aggregator has not come to has an age.
func TestUncounted(t *testing.T) {
	t.Parallel()
	db, _ := open(t)
	if err := db.Append(t.Context(), entries(0, 2)); err != nil {
		t.Fatal(err)
	}
	all, err := db.Streams(t.Context(), 1, time.Now().Add(time.Minute))
	if err != nil || all[0].UncountedMS < 59_000 || all[0].OldestMS != 0 || all[1].UncountedMS != 0 {
		t.Errorf("%+v (%v)", all, err)
	}
}

func bury(t *testing.T, plain redis.UniversalClient, body, entry string) string {
	t.Helper()
	id, err := plain.XAdd(t.Context(), &redis.XAddArgs{Stream: "busu:dead", Values: []any{
		"event", body, "reason", "because\x00 of " + entry, "stream", "busu:completions:{0}", "id", entry}}).Result()
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// TestDeadPages have every letter once, the newest first, without their bytes.
func TestDeadPages(t *testing.T) {
	t.Parallel()
	db, plain := open(t)
	if page, err := db.DeadPage(t.Context(), "", 10); err != nil || page.Letters == nil || len(page.Letters) != 0 || page.NextCursor != nil {
		t.Errorf("without any: %+v (%v)", page, err)
	}
	var ids []string
	for i := range 7 {
		ids = append([]string{bury(t, plain, strings.Repeat("ü", 400)+"\xff", fmt.Sprintf("%d-0", i))}, ids...)
	}
	var found []string
	for cursor, more := "", true; more; {
		page, err := db.DeadPage(t.Context(), cursor, 3)
		if err != nil || page.Count != 7 {
			t.Fatalf("%+v (%v)", page, err)
		}
		for _, d := range page.Letters {
			found = append(found, d.ID)
			if d.Bytes != 801 || d.Preview != strings.Repeat("ü", 256) || d.Reason != "because of "+*d.Entry || d.At.IsZero() {
				t.Errorf("one is %+v", d)
			}
		}
		if more = page.NextCursor != nil; more {
			cursor = *page.NextCursor
		}
	}
	if !reflect.DeepEqual(found, ids) {
		t.Errorf("found %v, want %v", found, ids)
	}
	d, err := db.CountDead(t.Context(), time.Now().Add(time.Minute))
	if err != nil || d.Count != 7 || d.OldestMS < 59_000 {
		t.Errorf("counted %+v (%v)", d, err)
	}
}

// TestLargeDeadLetters end a page early, and none is left out.
func TestLargeDeadLetters(t *testing.T) {
	t.Parallel()
	db, plain := open(t)
	for i := range 5 {
		bury(t, plain, strings.Repeat("x", 5<<20), fmt.Sprintf("%d-0", i))
	}
	seen := 0
	for cursor := ""; ; {
		page, err := db.DeadPage(t.Context(), cursor, 100)
		if err != nil || len(page.Letters) == 0 || len(page.Letters) > 2 {
			t.Fatalf("a page of %d (%v)", len(page.Letters), err)
		}
		if seen += len(page.Letters); page.NextCursor == nil {
			break
		}
		cursor = *page.NextCursor
	}
	if seen != 5 {
		t.Errorf("seen are %d", seen)
	}
}

func TestOneDeadLetter(t *testing.T) {
	t.Parallel()
	db, plain := open(t)
	text, bytes := bury(t, plain, `{"v":9}`, "-"), bury(t, plain, "\xff\xfe", "1-0")
	d, err := db.DeadWhole(t.Context(), text)
	if err != nil || d.Body == nil || *d.Body != `{"v":9}` || d.Base64 != nil || d.Entry != nil || d.Bytes != 7 {
		t.Errorf("the text is %+v (%v)", d, err)
	}
	if d, err = db.DeadWhole(t.Context(), bytes); err != nil || d.Body != nil || string(d.Base64) != "\xff\xfe" || d.Preview != "" {
		t.Errorf("the bytes are %+v (%v)", d, err)
	}
	if err := db.Discard(t.Context(), text); err != nil {
		t.Fatal(err)
	}
	for _, again := range []error{db.Discard(t.Context(), text), db.Replay(t.Context(), text)} {
		if !errors.Is(again, redisdb.ErrNone) {
			t.Errorf("after it is gone: %v", again)
		}
	}
	if _, err := db.DeadWhole(t.Context(), text); !errors.Is(err, redisdb.ErrNone) {
		t.Errorf("after it is gone: %v", err)
	}
	if n := plain.XLen(t.Context(), "busu:dead").Val(); n != 1 {
		t.Errorf("left are %d", n)
	}
}
