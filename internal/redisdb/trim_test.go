package redisdb_test

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/rollup"
	"github.com/busuhq/busu/internal/storetest"
)

// With random holes in what persist has acknowledged.
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

// TestNothingIsTrimmedBeforeAnythingIsRead: a group that has had nothing stands
// before the first id that there can be.
func TestNothingIsTrimmedBeforeAnythingIsRead(t *testing.T) {
	t.Parallel()
	db, plain := open(t)
	if err := plain.XGroupCreateMkStream(t.Context(), "busu:completions:{0}", "persist", "0").Err(); err != nil {
		t.Fatal(err)
	}
	if err := db.Append(t.Context(), entries(0, 10)); err != nil {
		t.Fatal(err)
	}
	if n, err := db.Trim(t.Context(), lane, time.Now().Add(time.Hour), nil); err != nil || n != 0 {
		t.Errorf("%d entries, %v", n, err)
	}
}

// Nobody counts feedback: only what is stored, its age and outside groups
// decide.
func TestTrimOfFeedbackDoesNotWaitForTheAggregator(t *testing.T) {
	t.Parallel()
	db, plain := open(t)
	verdicts := event.Lane{Stream: event.Feedback}
	if got, err := db.Lease(t.Context(), 0, "one"); err != nil || !got {
		t.Fatal(err)
	}
	if err := db.ResetCheckpoint(t.Context(), 0, "one", rollup.Checkpoint{Position: "1-0"}); err != nil { // of completions
		t.Fatal(err)
	}
	sent := entries(0, 10)
	for i := range sent {
		sent[i].Lane = verdicts
	}
	if err := db.Append(t.Context(), sent); err != nil {
		t.Fatal(err)
	}
	c := db.NewConsumer(verdicts, "me")
	if err := c.Ack(t.Context(), read(t, c, 10)[:7]); err != nil {
		t.Fatal(err)
	}
	if n, err := db.Trim(t.Context(), verdicts, time.Now().Add(time.Hour), nil); err != nil || n != 7 {
		t.Errorf("%d of the 7 that are stored were removed: %v", n, err)
	}
	if left := plain.XLen(t.Context(), "busu:feedback:{0}").Val(); left != 3 {
		t.Errorf("%d entries are left of the 3 that are pending", left)
	}
}

// Where it was passed over, it is told.
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
	if err := db.ResetCheckpoint(t.Context(), 0, "one", rollup.Checkpoint{Position: given[4].ID}); err != nil {
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

// Another group holds nothing back.
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

// TestTrimDoesNotSearchWhatIsNew: to find nothing that is old, XREVRANGE goes
// through all of a stream.
func TestTrimDoesNotSearchWhatIsNew(t *testing.T) {
	t.Parallel()
	db, plain := openAt(t, storetest.RedisServer(t).URL) // whose statistics are of this test only
	notices := event.Lane{Stream: event.Decisions}
	if err := db.Append(t.Context(), append(entries(0, 10), event.Entry{Lane: notices, Body: []byte("{}")})); err != nil {
		t.Fatal(err)
	}
	c := db.NewConsumer(lane, "me")
	if err := c.Ack(t.Context(), read(t, c, 10)); err != nil {
		t.Fatal(err)
	}
	trim := func(horizon time.Time, want int64) (searches string) {
		n, err := db.Trim(t.Context(), lane, horizon, nil)
		if err := errors.Join(err, db.TrimNotices(t.Context(), notices, horizon)); err != nil || n != want {
			t.Errorf("%d of 10 were trimmed, want %d: %v", n, want, err)
		}
		_, searches, _ = strings.Cut(plain.Info(t.Context(), "commandstats").Val(), "cmdstat_xrevrange:calls=")
		searches, _, _ = strings.Cut(searches, ",")
		return searches
	}
	if n := trim(time.Now().Add(-time.Hour), 0); n != "" {
		t.Errorf("%s searches where nothing is old", n)
	}
	if n := trim(time.Now().Add(time.Hour), 9); n != "2" {
		t.Errorf("%q searches of two streams where all is old", n)
	}
}
