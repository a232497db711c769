package postgres_test

import (
	"reflect"
	"testing"
	"time"

	"github.com/busuhq/busu/internal/reconcile"
	"github.com/busuhq/busu/internal/rollup"
	"github.com/busuhq/busu/internal/storetest"
)

// A project that keeps less has nothing older, others have all, and the ledger
// still adds up: also while rows go, and when some come that are older.
func TestExpireProject(t *testing.T) {
	t.Parallel()
	url := storetest.Postgres(t)
	db, conn := open(t, url), connect(t, url)
	if err := db.EnsureDays(t.Context(), now.AddDate(0, 0, -5), 7); err != nil {
		t.Fatal(err)
	}
	facts := routed(11, 900, 4*24*time.Hour)
	var short, old, of int
	keep := now.Add(-30 * time.Hour)
	since := keep.UTC().Truncate(24 * time.Hour)
	for i, f := range facts {
		if f.Project = "long"; i%3 > 0 {
			f.Project = "short"
			if short++; f.At.Before(since) {
				old++
			}
		}
	}
	late := facts[:100]
	if _, err := db.Persist(t.Context(), facts[100:]); err != nil {
		t.Fatal(err)
	}
	if more, err := db.CountUserDays(t.Context(), 100_000, 24*time.Hour, time.Hour); err != nil || more {
		t.Fatal(more, err)
	}
	agree := func() {
		t.Helper()
		l, err := db.Audit(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for name, p := range l.Projects {
			p.Rows.Latency, p.Rollups.Latency = nil, nil
			if !reflect.DeepEqual(p.Rows, p.Rollups) {
				t.Errorf("%s: rows %+v, rollups %+v", name, p.Rows, p.Rollups)
			}
		}
		for _, lane := range reconcile.Compare(l, map[string]rollup.Sums{}).Lanes {
			if lane.Problem != "" && lane.Missing == 0 {
				t.Errorf("%+v", lane)
			}
		}
	}
	expire := func() (removed int64) {
		t.Helper()
		for {
			n, err := db.ExpireProject(t.Context(), "short", keep, keep, 37)
			if err != nil || n > 3*37 {
				t.Fatalf("%d in a step, %v", n, err)
			}
			if agree(); n == 0 {
				return removed
			}
			removed += n
		}
	}
	if expire() == 0 || old < 200 {
		t.Fatal("there was nothing to expire")
	}
	if _, err := db.Persist(t.Context(), late); err != nil {
		t.Fatal(err)
	}
	agree()
	expire()
	const rows = `SELECT count(*) FROM completions WHERE project = $1`
	for project, want := range map[string]int{"short": short - old, "long": len(facts) - short} {
		if err := conn.QueryRow(t.Context(), rows, project).Scan(&of); err != nil || of != want {
			t.Errorf("%s has %d rows, %v, want %d", project, of, err, want)
		}
	}
	for _, none := range []string{
		`SELECT count(*) FROM features f WHERE NOT EXISTS (SELECT FROM completions c WHERE c.id = f.id)`,
		`SELECT count(*) FROM user_days WHERE project = 'short' AND day < '` + since.Format(time.DateOnly) + `'`,
	} {
		if err := conn.QueryRow(t.Context(), none).Scan(&of); err != nil || of != 0 {
			t.Errorf("%s: %d, %v", none, of, err)
		}
	}
	if err := conn.QueryRow(t.Context(), `SELECT count(*) FROM user_days WHERE project = 'long'`).Scan(&of); err != nil || of == 0 {
		t.Errorf("others have %d days of users, %v", of, err)
	}
	if n, err := db.ExpireProject(t.Context(), "short", keep.AddDate(0, 0, -2), keep, 10); err != nil || n != 0 {
		t.Errorf("with a longer retention %d, %v", n, err)
	}
	agree()
}
