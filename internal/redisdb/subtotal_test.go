package redisdb_test

import (
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/eventtest"
	"github.com/busuhq/busu/internal/redisdb"
	"github.com/busuhq/busu/internal/rollup"

	"github.com/busuhq/busu/internal/storetest"
)

// checkpoint is one of n facts, with its subtotal.
func checkpoint(seed uint64, n int, after, position string) rollup.Checkpoint {
	r := rand.New(rand.NewPCG(seed, 0))
	books := rollup.Books{}
	for range n {
		f := eventtest.Completion(r, time.Now())
		f.Project = []string{"default", "a:b"}[r.IntN(2)]
		books.Fold([]*event.CompletionRecorded{f})
	}
	subtotal := books.Subtotal(time.Now().UTC())
	return rollup.Checkpoint{After: after, Position: position, Subtotal: &subtotal}
}

func lead(t *testing.T, db *redisdb.DB, owner string, want bool) {
	t.Helper()
	if leads, err := db.Lead(t.Context(), owner); err != nil || leads != want {
		t.Errorf("%s leads: %t (%v)", owner, leads, err)
	}
}

func TestSubtotalsAreSavedWithTheirCheckpoint(t *testing.T) {
	t.Parallel()
	db, _ := open(t)
	want := map[int]rollup.Checkpoint{0: checkpoint(1, 30, "", "1-0"), 2: checkpoint(2, 40, "", "2-0")}
	for partition, c := range want {
		if _, err := db.Lease(t.Context(), partition, "me"); err != nil {
			t.Fatal(err)
		}
		if err := db.ResetCheckpoint(t.Context(), partition, "me", c); err != nil {
			t.Fatal(err)
		}
		bare := rollup.Checkpoint{After: c.Position, Position: "9-0"}
		if err := db.SaveCheckpoint(t.Context(), partition, "me", bare); err != nil {
			t.Fatal(err)
		}
		bare.Subtotal, bare.After = checkpoint(3, 5, "", "").Subtotal, "9-0"
		if err := db.SaveCheckpoint(t.Context(), partition, "other", bare); !errors.Is(err, redisdb.ErrNotOwner) {
			t.Errorf("another could save: %v", err)
		}
	}
	got, err := db.Subtotals(t.Context(), 3)
	if err != nil || len(got) != 2 {
		t.Fatalf("%d of two: %v", len(got), err)
	}
	for i, c := range []rollup.Checkpoint{want[0], want[2]} {
		if !got[i].At.Equal(c.Subtotal.At) || !sameCells(got[i].Sums, c.Subtotal.Sums) {
			t.Errorf("subtotal %d is not what was saved", i)
		}
	}
}

// Redis was emptied, or came back as it was before: changes to what it does not
// have any more must not be saved.
func TestChangesAreSavedBehindWhatTheyChange(t *testing.T) {
	t.Parallel()
	db, plain := open(t)
	lease := func() {
		if got, err := db.Lease(t.Context(), 0, "me"); err != nil || !got {
			t.Fatal(got, err)
		}
	}
	lease()
	if err := db.SaveCheckpoint(t.Context(), 0, "me", checkpoint(1, 1, "", "1-0")); !errors.Is(err, redisdb.ErrNotOwner) {
		t.Errorf("changes to nothing were saved: %v", err)
	}
	if err := db.ResetCheckpoint(t.Context(), 0, "me", rollup.Checkpoint{}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []rollup.Checkpoint{checkpoint(1, 1, "", "1-0"), checkpoint(1, 2, "1-0", "2-0")} {
		if err := db.SaveCheckpoint(t.Context(), 0, "me", c); err != nil {
			t.Fatal(err)
		}
	}
	late := checkpoint(1, 3, "2-0", "3-0")
	if err := plain.Set(t.Context(), "busu:aggregate:{0}:position", "1-0", 0).Err(); err != nil {
		t.Fatal(err)
	}
	if err := db.SaveCheckpoint(t.Context(), 0, "me", late); !errors.Is(err, redisdb.ErrNotOwner) {
		t.Errorf("changes to what was lost were saved: %v", err)
	}
	storetest.Flush(t, plain)
	lease()
	if err := db.SaveCheckpoint(t.Context(), 0, "me", late); !errors.Is(err, redisdb.ErrNotOwner) {
		t.Errorf("changes to what was emptied were saved: %v", err)
	}
	if got, err := db.Subtotals(t.Context(), 1); err != nil || len(got) != 0 {
		t.Errorf("%d subtotals are there: %v", len(got), err)
	}
}

func TestOnlyWhoLeadsPublishes(t *testing.T) {
	t.Parallel()
	db, plain := open(t)
	put := func(owner string, requests int64) error {
		w := rollup.Windows()[0]
		cells := rollup.Cells{}
		cells.Add(rollup.Dim{Kind: rollup.KindAll}, rollup.Cell{Requests: requests})
		report := rollup.NewReport(w, cells, rollup.SourceRedis, time.Now())
		return db.Publish(t.Context(), owner, "a", rollup.NewSnapshot(report, &report.Sums, nil), []rollup.Report{report})
	}
	if err := put("one", 1); !errors.Is(err, redisdb.ErrNotLeading) {
		t.Errorf("who never led published: %v", err)
	}
	lead(t, db, "one", true)
	lead(t, db, "other", false)
	lead(t, db, "one", true)
	// The clock was a minute ahead when the lease was given.
	if err := plain.PExpire(t.Context(), "{metrics:latest}:publisher", time.Minute).Err(); err != nil {
		t.Fatal(err)
	}
	lead(t, db, "other", true)
	if err := db.Resign(t.Context(), "other"); err != nil {
		t.Error(err)
	}
	lead(t, db, "one", true)
	if ttl := plain.PTTL(t.Context(), "{metrics:latest}:publisher").Val(); ttl <= 0 || ttl > 2*time.Second {
		t.Errorf("the lease lasts %s", ttl)
	}
	if err := put("one", 2); err != nil {
		t.Error(err)
	}
	if err := db.Resign(t.Context(), "other"); err != nil {
		t.Error(err)
	}
	lead(t, db, "other", false)
	if err := db.Resign(t.Context(), "one"); err != nil {
		t.Error(err)
	}
	if err := put("one", 3); !errors.Is(err, redisdb.ErrNotLeading) {
		t.Errorf("who resigned published: %v", err)
	}
	lead(t, db, "other", true)
	if err := put("one", 4); !errors.Is(err, redisdb.ErrNotLeading) {
		t.Errorf("who led before published: %v", err)
	}
	if s, err := db.Live(t.Context(), "a"); err != nil || s.Totals.TotalRequests != 2 {
		t.Errorf("published is %+v: %v", s.Totals, err)
	}
	if r, err := db.Report(t.Context(), "a", rollup.Windows()[0]); err != nil || r.TotalRequests != 2 {
		t.Errorf("published is %+v: %v", r.Sums, err)
	}
}
