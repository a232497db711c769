package redisdb_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/eventtest"
	"github.com/busuhq/busu/internal/redisdb"
	"github.com/busuhq/busu/internal/rollup"
	"github.com/busuhq/busu/internal/storetest"
)

func TestMain(m *testing.M) {
	redisdb.Quiet()
	storetest.Main(m)
}

var lane = event.Lane{Stream: event.Completions}

// open gives the room and a plain client on the same database.
func open(t *testing.T) (*redisdb.DB, *redis.Client) {
	t.Helper()
	url := storetest.Redis(t)
	db, err := redisdb.Open(url)
	if err != nil {
		t.Fatal(err)
	}
	o, err := redis.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	plain := redis.NewClient(o)
	t.Cleanup(func() {
		if err := errors.Join(db.Close(), plain.Close()); err != nil {
			t.Error(err)
		}
	})
	return db, plain
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

func TestTailGivesAllInOrder(t *testing.T) {
	t.Parallel()
	db, plain := open(t)
	if err := db.Append(t.Context(), entries(0, 300)); err != nil {
		t.Fatal(err)
	}
	first, err := db.Tail(t.Context(), lane, "", 200)
	if err != nil || len(first) != 200 {
		t.Fatalf("%d entries: %v", len(first), err)
	}
	rest, err := db.Tail(t.Context(), lane, first[199].ID, 200)
	if err != nil || !slices.Equal(bodies(append(first, rest...)), bodies(entries(0, 300))) {
		t.Fatalf("read %v: %v", bodies(append(first, rest...)), err)
	}
	if none, err := db.Tail(t.Context(), lane, rest[99].ID, 1); err != nil || len(none) != 0 {
		t.Fatalf("behind the end there is %v: %v", none, err)
	}
	if n := plain.XLen(t.Context(), "busu:completions:{0}").Val(); n != 300 {
		t.Errorf("the public stream holds %d entries", n)
	}
}

// What was read and not acknowledged comes again, under the same name after a
// restart, before anything new.
func TestConsumerGetsItsOwnAgain(t *testing.T) {
	t.Parallel()
	db, _ := open(t)
	if err := db.Append(t.Context(), entries(0, 2500)); err != nil {
		t.Fatal(err)
	}
	before := db.NewConsumer(lane, "me")
	got := read(t, before, 2000)
	if err := before.Ack(t.Context(), got[:500]); err != nil {
		t.Fatal(err)
	}
	again := read(t, db.NewConsumer(lane, "me"), 2000)
	if !slices.Equal(bodies(again), bodies(entries(500, 2000))) {
		t.Errorf("after a restart %d entries from %q to %q", len(again), again[0].Body, again[len(again)-1].Body)
	}
}

// What comes again says how often it came before.
func TestDeliveriesAreCounted(t *testing.T) {
	t.Parallel()
	db, _ := open(t)
	if err := db.Append(t.Context(), entries(0, 3)); err != nil {
		t.Fatal(err)
	}
	for before := range int64(4) {
		for _, e := range read(t, db.NewConsumer(lane, "me"), 3) {
			if e.Deliveries != before {
				t.Errorf("%s was delivered %d times before, it says %d", e.ID, before, e.Deliveries)
			}
		}
	}
}

func TestDismissTakesOnlyWhoHoldsNothing(t *testing.T) {
	t.Parallel()
	db, plain := open(t)
	if n, err := db.Dismiss(t.Context(), lane, 0); err != nil || n != 0 {
		t.Errorf("without a stream: %d, %v", n, err)
	}
	if err := db.Append(t.Context(), entries(0, 1001)); err != nil {
		t.Fatal(err)
	}
	read(t, db.NewConsumer(lane, "holds"), 1000)
	done := db.NewConsumer(lane, "done")
	if err := done.Ack(t.Context(), read(t, done, 1)); err != nil {
		t.Fatal(err)
	}
	if n, err := db.Dismiss(t.Context(), lane, time.Hour); err != nil || n != 0 {
		t.Errorf("%d busy consumers were dismissed: %v", n, err)
	}
	names := func() (names []string) {
		for _, c := range plain.XInfoConsumers(t.Context(), "busu:completions:{0}", "persist").Val() {
			names = append(names, c.Name)
		}
		return names
	}
	for deadline := time.Now().Add(10 * time.Second); slices.Contains(names(), "done") && time.Now().Before(deadline); {
		if _, err := db.Dismiss(t.Context(), lane, time.Millisecond); err != nil {
			t.Fatal(err)
		}
	}
	if left := names(); !slices.Equal(left, []string{"holds"}) {
		t.Errorf("the consumers that are left are %v", left)
	}
}

func TestDeadLettersGoBack(t *testing.T) {
	t.Parallel()
	db, plain := open(t)
	if err := db.Append(t.Context(), entries(0, 3)); err != nil {
		t.Fatal(err)
	}
	c := db.NewConsumer(lane, "me")
	for i, e := range read(t, c, 3) {
		if err := c.Bury(t.Context(), e, fmt.Sprint("reason ", i)); err != nil {
			t.Fatal(err)
		}
	}
	letters, err := db.DeadLetters(t.Context(), "", 2)
	if err != nil || len(letters) != 2 || letters[1].Reason != "reason 1" || letters[1].Body != "body 1" {
		t.Fatalf("dead letters: %+v, %v", letters, err)
	}
	if rest, err := db.DeadLetters(t.Context(), letters[1].ID, 10); err != nil || len(rest) != 1 {
		t.Errorf("the rest: %+v, %v", rest, err)
	}
	if one, err := db.DeadLetter(t.Context(), letters[1].ID); err != nil || one != letters[1] {
		t.Errorf("one: %+v, %v", one, err)
	}
	if err := db.Replay(t.Context(), letters[1].ID); err != nil {
		t.Fatal(err)
	}
	if err := db.Replay(t.Context(), letters[1].ID); !errors.Is(err, redisdb.ErrNone) {
		t.Errorf("replayed twice: %v", err)
	}
	if got := bodies(read(t, c, 1)); !slices.Equal(got, []string{"body 1"}) {
		t.Errorf("the replayed entry reads %v", got)
	}
	if n := plain.XLen(t.Context(), "busu:dead").Val(); n != 2 {
		t.Errorf("%d dead letters are left", n)
	}
}

func TestTwoConsumersShare(t *testing.T) {
	t.Parallel()
	db, _ := open(t)
	if err := db.Append(t.Context(), entries(0, 2000)); err != nil {
		t.Fatal(err)
	}
	one, other := read(t, db.NewConsumer(lane, "one"), 1000), read(t, db.NewConsumer(lane, "other"), 1000)
	all := bodies(append(one, other...))
	slices.Sort(all)
	if all = slices.Compact(all); len(all) != 2000 {
		t.Errorf("two consumers got %d different entries of 2000", len(all))
	}
}

func TestGroupIsMadeAgainFromTheBeginning(t *testing.T) {
	t.Parallel()
	db, plain := open(t)
	c := db.NewConsumer(lane, "me")
	if err := db.Append(t.Context(), entries(0, 10)); err != nil {
		t.Fatal(err)
	}
	read(t, c, 10)
	if err := plain.FlushDB(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	if err := db.Append(t.Context(), entries(10, 5)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(t.Context(), time.Now()); err == nil {
		t.Error("a lost group goes unnoticed")
	}
	if got := bodies(read(t, c, 5)); !slices.Equal(got, bodies(entries(10, 5))) {
		t.Errorf("after the group was lost: %v", got)
	}
}

func TestBuryKeepsTheBytesAndAcknowledges(t *testing.T) {
	t.Parallel()
	db, plain := open(t)
	if err := db.Append(t.Context(), entries(0, 1)); err != nil {
		t.Fatal(err)
	}
	c := db.NewConsumer(lane, "me")
	e := read(t, c, 1)[0]
	if err := c.Bury(t.Context(), e, "no JSON"); err != nil {
		t.Fatal(err)
	}
	dead := plain.XRange(t.Context(), "busu:dead", "-", "+").Val()
	want := map[string]any{"event": "body 0", "reason": "no JSON", "stream": "busu:completions:{0}", "id": e.ID}
	if len(dead) != 1 || !reflect.DeepEqual(dead[0].Values, want) {
		t.Errorf("dead letters: %v", dead)
	}
	if n := plain.XPending(t.Context(), "busu:completions:{0}", "persist").Val().Count; n != 0 {
		t.Errorf("%d entries are still pending", n)
	}
}

// Trimming never removes what persist has not acknowledged, with random holes.
func TestTrimNeverTakesWhatIsNotStored(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	for round := range 20 {
		db, plain := open(t)
		if err := db.Append(t.Context(), entries(0, 200)); err != nil {
			t.Fatal(err)
		}
		c := db.NewConsumer(lane, "me")
		given := read(t, c, 200)
		if err := db.Append(t.Context(), entries(200, 50)); err != nil {
			t.Fatal(err)
		}
		var acked, kept []event.Entry
		for _, e := range given {
			if r.Float64() < .97 {
				acked = append(acked, e)
			} else {
				kept = append(kept, e)
			}
		}
		if err := c.Ack(t.Context(), acked); err != nil {
			t.Fatal(err)
		}
		if _, err := db.Trim(t.Context(), lane, time.Now().Add(time.Hour), nil); err != nil {
			t.Fatal(err)
		}
		left := plain.XRange(t.Context(), "busu:completions:{0}", "-", "+").Val()
		ids := map[string]bool{}
		for _, m := range left {
			ids[m.ID] = true
		}
		for _, e := range kept {
			if !ids[e.ID] {
				t.Fatalf("round %d: %s was pending and is gone", round, e.ID)
			}
		}
		if len(kept) > 0 && left[0].ID != kept[0].ID || len(left) < 50 {
			t.Errorf("round %d: %d entries are left from %s on, the lowest pending is %s", round, len(left), left[0].ID, kept[0].ID)
		}
	}
}

// The aggregator holds trimming back; where it was passed over, it is told.
func TestTrimWaitsForTheAggregator(t *testing.T) {
	t.Parallel()
	db, plain := open(t)
	c := db.NewConsumer(lane, "me")
	if err := db.Append(t.Context(), entries(0, 10)); err != nil {
		t.Fatal(err)
	}
	given := read(t, c, 10)
	if err := c.Ack(t.Context(), given); err != nil {
		t.Fatal(err)
	}
	if got, err := db.Lease(t.Context(), 0, "one"); err != nil || !got {
		t.Fatal(err)
	}
	if err := db.SaveCheckpoint(t.Context(), 0, "one", rollup.Checkpoint{Position: given[4].ID}); err != nil {
		t.Fatal(err)
	}
	if n, err := db.Trim(t.Context(), lane, time.Now().Add(time.Hour), nil); err != nil || n != 4 {
		t.Errorf("%d of the 4 entries before the aggregator's last were removed: %v", n, err)
	}
	for _, position := range []string{given[4].ID, given[3].ID} {
		if behind, err := db.Gap(t.Context(), lane, position); err != nil || behind != "" {
			t.Errorf("behind %s, where nothing is missing, a gap up to %s is seen (%v)", position, behind, err)
		}
	}
	for _, position := range []string{given[1].ID, ""} {
		behind, err := db.Gap(t.Context(), lane, position)
		if err != nil || behind == "" {
			t.Fatalf("behind %q no gap is seen (%v)", position, err)
		}
		left, err := db.Tail(t.Context(), lane, behind, 100)
		if err != nil || !slices.Equal(bodies(left), bodies(entries(4, 6))) {
			t.Errorf("behind the gap there is %v (%v)", bodies(left), err)
		}
		if again, err := db.Gap(t.Context(), lane, behind); err != nil || again != "" {
			t.Errorf("behind the gap there is another (%v)", err)
		}
	}
	if n := plain.XLen(t.Context(), "busu:completions:{0}").Val(); n != 6 {
		t.Errorf("%d entries are left", n)
	}
}

// A group that was named holds trimming back; another one does not.
func TestTrimWaitsForNamedGroups(t *testing.T) {
	t.Parallel()
	db, plain := open(t)
	c := db.NewConsumer(lane, "me")
	if err := db.Append(t.Context(), entries(0, 10)); err != nil {
		t.Fatal(err)
	}
	given := read(t, c, 10)
	if err := c.Ack(t.Context(), given); err != nil {
		t.Fatal(err)
	}
	for group, at := range map[string]string{"named": given[6].ID, "pending": given[9].ID, "not named": given[1].ID} {
		if err := plain.XGroupCreate(t.Context(), "busu:completions:{0}", group, at).Err(); err != nil {
			t.Fatal(err)
		}
	}
	if err := plain.XGroupSetID(t.Context(), "busu:completions:{0}", "pending", given[2].ID).Err(); err != nil {
		t.Fatal(err)
	}
	plain.XReadGroup(t.Context(), &redis.XReadGroupArgs{Group: "pending", Consumer: "x", Streams: []string{"busu:completions:{0}", ">"}, Count: 3, Block: -1})
	future := time.Now().Add(time.Hour)
	if n, err := db.Trim(t.Context(), lane, future, []string{"named", "pending", "missing"}); err != nil || n != 3 {
		t.Errorf("%d of the 3 entries that nobody named waits for were removed: %v", n, err)
	}
	if n, err := db.Trim(t.Context(), lane, future, []string{"named"}); err != nil || n != 3 {
		t.Errorf("%d of 3 more were removed: %v", n, err)
	}
	if n, err := db.Trim(t.Context(), lane, future, nil); err != nil || n != 3 {
		t.Errorf("%d of 3 more were removed: %v", n, err)
	}
}

func TestTrimKeepsTheRetention(t *testing.T) {
	t.Parallel()
	db, plain := open(t)
	c := db.NewConsumer(lane, "me")
	if err := db.Append(t.Context(), entries(0, 10)); err != nil {
		t.Fatal(err)
	}
	if err := c.Ack(t.Context(), read(t, c, 10)); err != nil {
		t.Fatal(err)
	}
	if n, err := db.Trim(t.Context(), lane, time.Now().Add(-time.Minute), nil); err != nil || n != 0 {
		t.Errorf("%d fresh entries were removed: %v", n, err)
	}
	if n, err := db.Trim(t.Context(), event.Lane{Stream: event.Completions, Partition: 7}, time.Now(), nil); err != nil || n != 0 {
		t.Errorf("a stream that is not there: %d, %v", n, err)
	}
	if n := plain.XLen(t.Context(), "busu:completions:{0}").Val(); n != 10 {
		t.Errorf("%d entries are left", n)
	}
}

func TestCheckpointIsSavedByItsOwnerOnly(t *testing.T) {
	t.Parallel()
	db, _ := open(t)
	lease := func(owner string, want bool) {
		t.Helper()
		if got, err := db.Lease(t.Context(), 0, owner); err != nil || got != want {
			t.Errorf("%s has the lease: %t (%v)", owner, got, err)
		}
	}
	lease("one", true)
	lease("other", false)
	lease("one", true)
	r := rand.New(rand.NewPCG(3, 4))
	at := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	books := rollup.Books{}
	for range 50 {
		books.Fold([]*event.CompletionRecorded{eventtest.Completion(r, at)})
	}
	c := rollup.Checkpoint{Position: "5-0", Seqs: map[string]event.Ranges{"a": {{First: 1, Last: 7}, {First: 9, Last: 9}}}}
	if _, err := db.LoadCheckpoint(t.Context(), 0); !errors.Is(err, redisdb.ErrNone) {
		t.Errorf("before anything is saved: %v", err)
	}
	for key, cell := range books.Of(event.DefaultProject).Changed() {
		c.Cells = append(c.Cells, rollup.ProjectCell{Project: "default", Key: key, Cell: cell})
	}
	if err := db.SaveCheckpoint(t.Context(), 0, "other", c); !errors.Is(err, redisdb.ErrNotOwner) {
		t.Errorf("another could save: %v", err)
	}
	if err := db.SaveCheckpoint(t.Context(), 0, "one", c); err != nil {
		t.Fatal(err)
	}
	got, err := db.LoadCheckpoint(t.Context(), 0)
	if err != nil || got.Position != "5-0" || !slices.Equal(got.Seqs["a"], c.Seqs["a"]) || !sameCells(got.Cells, c.Cells) {
		t.Errorf("loaded %+v: %v", got, err)
	}
	gone := rollup.Checkpoint{Position: "6-0"}
	for _, pc := range c.Cells {
		gone.Cells = append(gone.Cells, rollup.ProjectCell{Project: pc.Project, Key: pc.Key})
	}
	if err := db.SaveCheckpoint(t.Context(), 0, "one", gone); err != nil {
		t.Fatal(err)
	}
	if got, err := db.LoadCheckpoint(t.Context(), 0); err != nil || len(got.Cells) != 0 || len(got.Seqs["a"]) != 2 {
		t.Errorf("after all cells went: %+v, %v", got, err)
	}
	fresh := rollup.Checkpoint{Position: "7-0", Seqs: map[string]event.Ranges{"b": {{First: 1, Last: 1}}}, Cells: c.Cells[:1]}
	if err := db.ResetCheckpoint(t.Context(), 0, "one", fresh); err != nil {
		t.Fatal(err)
	}
	if got, err := db.LoadCheckpoint(t.Context(), 0); err != nil || len(got.Seqs) != 1 || !sameCells(got.Cells, fresh.Cells) {
		t.Errorf("after a reset: %+v, %v", got, err)
	}
	if err := db.Release(t.Context(), 0, "one"); err != nil {
		t.Fatal(err)
	}
	lease("other", true)
}

func sameCells(a, b []rollup.ProjectCell) bool {
	index := map[string]rollup.Cell{}
	for _, c := range a {
		index[c.Project+fmt.Sprint(c.Key)] = *c.Cell
	}
	for _, c := range b {
		if !reflect.DeepEqual(index[c.Project+fmt.Sprint(c.Key)], *c.Cell) {
			return false
		}
	}
	return len(a) == len(b)
}

func TestPublishAndPipeline(t *testing.T) {
	t.Parallel()
	db, plain := open(t)
	if _, err := db.Live(t.Context(), "default"); !errors.Is(err, redisdb.ErrNone) {
		t.Errorf("before anything is published: %v", err)
	}
	if p, err := db.Pipeline(t.Context(), 1, time.Now()); err != nil || p != (rollup.Pipeline{}) {
		t.Errorf("an empty pipeline measures %+v: %v", p, err)
	}
	if err := db.Append(t.Context(), entries(0, 1200)); err != nil {
		t.Fatal(err)
	}
	c := db.NewConsumer(lane, "me")
	given := read(t, c, 1000)
	if err := c.Ack(t.Context(), given[:400]); err != nil {
		t.Fatal(err)
	}
	p, err := db.Pipeline(t.Context(), 1, time.Now().Add(time.Minute))
	if err != nil || p.StreamEntries != 1200 || p.Unread != 200 || p.Pending != 600 || p.OldestMS < 60_000 {
		t.Errorf("the pipeline measures %+v: %v", p, err)
	}
	w := rollup.Windows()[0]
	report := rollup.NewReport(w, rollup.Cells{}, rollup.SourceRedis, time.Now())
	if err := db.Publish(t.Context(), "default", rollup.NewSnapshot(report, nil, &p), []rollup.Report{report}); err != nil {
		t.Fatal(err)
	}
	if s, err := db.Live(t.Context(), "default"); err != nil || *s.Pipeline != p {
		t.Errorf("live: %+v, %v", s, err)
	}
	if got, err := db.Report(t.Context(), "default", w); err != nil || !got.AsOf.Equal(report.AsOf) {
		t.Errorf("report: %+v, %v", got, err)
	}
	if ttl := plain.TTL(t.Context(), "metrics:latest").Val(); ttl <= 0 || ttl > 30*time.Second {
		t.Errorf("metrics:latest lives for %s", ttl)
	}
	if _, err := db.Live(t.Context(), "another"); !errors.Is(err, redisdb.ErrNone) {
		t.Errorf("another project's snapshot: %v", err)
	}
}

func deadline(ctx context.Context) time.Time {
	d, _ := ctx.Deadline()
	return d
}

// A Redis that hangs or is gone is an error in time, never a wait without end.
func TestDeadlinesHold(t *testing.T) {
	t.Parallel()
	server := storetest.RedisServer(t)
	db, err := redisdb.Open(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
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
