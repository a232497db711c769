package postgres_test

import (
	"testing"
	"time"

	"github.com/busuhq/busu/internal/learning"
	"github.com/busuhq/busu/internal/savings"
	"github.com/busuhq/busu/internal/storetest"
	"github.com/busuhq/busu/internal/system"
)

func TestState(t *testing.T) {
	t.Parallel()
	url := storetest.Postgres(t)
	db, conn := open(t, url), connect(t, url)
	s, err := db.State(t.Context())
	if err != nil || s.Schema.Version != s.Schema.Known || s.Schema.Known < 16 || s.Days.Ahead != -1 || s.Days.Until != "" || s.Days.Strayed {
		t.Fatalf("of an empty database: %+v (%v)", s, err)
	}
	today := time.Now().UTC().Truncate(24 * time.Hour)
	if err := db.EnsureDays(t.Context(), today.AddDate(0, 0, -2), 6); err != nil {
		t.Fatal(err)
	}
	if err := db.EnsureDays(t.Context(), today.AddDate(0, 0, 5), 1); err != nil { // behind a gap
		t.Fatal(err)
	}
	if held, err := db.Hold(t.Context(), "judges", "me", time.Minute); err != nil || !held {
		t.Fatal(held, err)
	}
	if held, err := db.Hold(t.Context(), "gone", "me", -time.Minute); err != nil || !held {
		t.Fatal(held, err)
	}
	if err := db.Publish(t.Context(), []learning.Snapshot{taken("one", 1, 3, 1), taken("one", 2, 4, 7)}); err != nil {
		t.Fatal(err)
	}
	for _, state := range []string{savings.GuardTripped, savings.GuardArmed, savings.GuardTripped} {
		if _, err := db.SetGuard(t.Context(), "one", state, savings.Evidence{Metric: savings.MetricGood, Days: 7, Margin: .02, Alpha: .05, RoutedUsers: 40, OtherUsers: 40, Difference: -.1, Bound: -.05, By: savings.ByOperator}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := db.Persist(t.Context(), completions(1, 1, time.Hour)); err != nil { // of a day that is not there
		t.Fatal(err)
	}
	if s, err = db.State(t.Context()); err != nil {
		t.Fatal(err)
	}
	if want := today.AddDate(0, 0, 3).Format(time.DateOnly); s.Days.Ahead != 3 || s.Days.Until != want || s.Days.Kept != 7 || !s.Days.Strayed {
		t.Errorf("days %+v, want them until %s", s.Days, want)
	}
	if len(s.Leases) != 1 || s.Leases[0].Name != "judges" || s.Leases[0].Owner != "me" || s.Leases[0].EndsMS < 50_000 || s.Leases[0].EndsMS > 60_000 {
		t.Errorf("leases %+v", s.Leases)
	}
	if len(s.Snapshots) != 1 || s.Snapshots[0].Number != 2 || s.Snapshots[0].Lambda != 7 || s.Snapshots[0].RolledBackTo != nil {
		t.Errorf("snapshots %+v", s.Snapshots)
	}
	if len(s.Guards) != 1 || s.Guards[0].State != savings.GuardTripped || s.Guards[0].Since == nil {
		t.Errorf("guards %+v", s.Guards)
	}
	var rows int
	if err := conn.QueryRow(t.Context(), `SELECT count(*) FROM actions`).Scan(&rows); err != nil || rows != 0 {
		t.Errorf("%d actions (%v)", rows, err)
	}
}

func TestActionsAreNoted(t *testing.T) {
	t.Parallel()
	url := storetest.Postgres(t)
	db := open(t, url)
	for _, by := range []string{"key", ""} {
		if err := db.Note(t.Context(), system.Action{Project: "default", By: by, Action: system.ActionReplay, Target: "1-0"}); err != nil {
			t.Fatal(err)
		}
	}
	var said string
	err := connect(t, url).QueryRow(t.Context(), `SELECT string_agg(concat_ws(' ', project, coalesce(by_whom, '-'), action, target), ', ' ORDER BY n) FROM actions`).Scan(&said)
	if want := "default key dead.replay 1-0, default - dead.replay 1-0"; err != nil || said != want {
		t.Errorf("noted is %q (%v), want %q", said, err, want)
	}
}

// TestAuditSince holds rows of a window against the rollups of the same one,
// and all that there is against the days.
func TestAuditSince(t *testing.T) {
	t.Parallel()
	db := open(t, storetest.Postgres(t))
	if err := db.EnsureDays(t.Context(), now.AddDate(0, 0, -3), 5); err != nil {
		t.Fatal(err)
	}
	facts := completions(7, 500, 48*time.Hour)
	if _, err := db.Persist(t.Context(), facts); err != nil {
		t.Fatal(err)
	}
	whole, err := db.Audit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	since := now.Add(-10 * time.Hour)
	var want int64
	for _, f := range facts {
		if !f.At.Before(since.Truncate(time.Minute)) {
			want++
		}
	}
	for _, merged := range []bool{false, true} {
		part, err := db.AuditSince(t.Context(), since)
		if err != nil {
			t.Fatal(err)
		}
		p, w := part.Project("default"), whole.Project("default")
		if p.Rows.Requests != want || want == 0 || want == 500 || p.Rows.CostNanos != p.Rollups.CostNanos || p.Rollups.Requests != want {
			t.Errorf("merged %t: rows %+v, rollups %+v, want %d", merged, p.Rows, p.Rollups, want)
		}
		if p.Ever.Requests != 500 || p.Ever.CostNanos != w.Ever.CostNanos {
			t.Errorf("merged %t: in all %+v, want %+v", merged, p.Ever, w.Ever)
		}
		if lane := part.Lane("journal", "completions/0"); lane.Rows != want || lane.Marked.Count() != 500 {
			t.Errorf("merged %t: the lane has %+v", merged, lane)
		}
		for n := 1; !merged && n > 0; {
			if n, err = db.MergeRollups(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
}
