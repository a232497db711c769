package postgres_test

import (
	"testing"
	"time"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/postgres"
	"github.com/busuhq/busu/internal/storetest"
)

// beat is a heartbeat of a second ago that says seqs of completions.
func beat(journal string, ago time.Duration, seqs map[string]int64) event.Heartbeat {
	at := now.Add(-ago)
	return event.Heartbeat{Journal: journal, At: at, RecordedUntil: at.Add(-time.Second), Seqs: seqs}
}

func hear(t *testing.T, db *postgres.DB, beats ...event.Heartbeat) {
	t.Helper()
	if err := db.KeepHeartbeats(t.Context(), beats); err != nil {
		t.Fatal(err)
	}
}

func watermark(t *testing.T, db *postgres.DB) time.Time {
	t.Helper()
	until, err := db.Watermark(t.Context(), now)
	if err != nil {
		t.Fatal(err)
	}
	return until
}

func TestWatermarkWithoutJournals(t *testing.T) {
	t.Parallel()
	db := open(t, storetest.Postgres(t))
	if got, want := watermark(t, db), now.Add(-10*time.Minute); !got.Equal(want) {
		t.Errorf("it is %s, not %s", got, want)
	}
	hear(t, db, beat("long silent", 11*time.Minute, map[string]int64{"completions/0": 7}))
	if got, want := watermark(t, db), now.Add(-10*time.Minute); !got.Equal(want) {
		t.Errorf("with a silent one it is %s, not %s", got, want)
	}
}

// Nothing is certain until all that was numbered is stored or buried, in every
// lane of every journal that lives.
func TestWatermarkWaitsForWhatIsNumbered(t *testing.T) {
	t.Parallel()
	db := open(t, storetest.Postgres(t))
	facts := completions(1, 10, time.Hour)
	hear(t, db, beat("journal", 2*time.Second, map[string]int64{"completions/0": 10, "completions/1": 0}),
		beat("other", 5*time.Second, map[string]int64{"feedback/0": 1}))
	uncertain := func(what string) {
		t.Helper()
		if got := watermark(t, db); !got.IsZero() {
			t.Errorf("%s, and it is %s", what, got)
		}
	}
	uncertain("nothing is stored")
	if _, err := db.Persist(t.Context(), append(facts[:4:4], facts[5:]...)); err != nil {
		t.Fatal(err)
	}
	uncertain("one is missing in the middle")
	if err := db.Discard(t.Context(), facts[4]); err != nil {
		t.Fatal(err)
	}
	uncertain("feedback of another journal is missing")
	f := verdicts(2, 1)[0]
	f.Journal = "other"
	persistFeedback(t, db, f)
	if got, want := watermark(t, db), now.Add(-6*time.Second); !got.Equal(want) {
		t.Errorf("all is stored or buried, and it is %s, not that of the one that is behind, %s", got, want)
	}
	hear(t, db, beat("journal", time.Second, map[string]int64{"completions/0": 11}))
	uncertain("one more was numbered")
}

// A journal whose requests take long holds the watermark back; one that was
// given up does not, once all of it is stored.
func TestWatermarkOfJournals(t *testing.T) {
	t.Parallel()
	db := open(t, storetest.Postgres(t))
	long := beat("long", time.Second, nil)
	long.OpenIntents, long.RecordedUntil = 1, now.Add(-3*time.Minute)
	hear(t, db, beat("journal", 2*time.Second, map[string]int64{"completions/0": 1}), long)
	if _, err := db.Persist(t.Context(), completions(1, 1, time.Hour)); err != nil {
		t.Fatal(err)
	}
	if got := watermark(t, db); !got.Equal(long.RecordedUntil) {
		t.Errorf("a request has been under way since %s, and it is %s", long.RecordedUntil, got)
	}
	for _, id := range []string{"long", "journal"} {
		hear(t, db, event.Heartbeat{Journal: id, At: now.Add(-9 * time.Minute), RecordedUntil: now.Add(-9 * time.Minute)})
	}
	if got := watermark(t, db); !got.Equal(now) {
		t.Errorf("all journals were given up, and it is %s", got)
	}
	if _, err := db.Persist(t.Context(), completions(1, 1, time.Hour)); err != nil {
		t.Fatal(err)
	}
	hear(t, db, beat("given up", 9*time.Minute, map[string]int64{"completions/0": 3}),
		event.Heartbeat{Journal: "given up", At: now.Add(-9 * time.Minute), RecordedUntil: now.Add(-9 * time.Minute)})
	if got := watermark(t, db); !got.IsZero() {
		t.Errorf("a journal was given up with facts that are not stored yet, and it is %s", got)
	}
}

// Clocks of others may be ahead: what is certain is never after now.
func TestWatermarkIsNotAheadOfNow(t *testing.T) {
	t.Parallel()
	db := open(t, storetest.Postgres(t))
	hear(t, db, beat("ahead", -time.Hour, nil))
	if got := watermark(t, db); !got.Equal(now) {
		t.Errorf("it is %s", got)
	}
}
