package postgres_test

import (
	"context"
	"testing"
	"time"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/eventtest"
	"github.com/busuhq/busu/internal/postgres"
	"github.com/busuhq/busu/internal/rollup"
	"github.com/busuhq/busu/internal/storetest"
)

// Whoever reads finds the same while old minutes are added up, also beside those
// who store, merge and add up; in the end a day that is over is one row of each
// name, whatever comes late.
func TestOldMinutesAreAddedUp(t *testing.T) {
	t.Parallel()
	url := storetest.Postgres(t)
	db := open(t, url)
	before := now.AddDate(0, 0, -35)
	spread := func(facts []*event.CompletionRecorded) []*event.CompletionRecorded {
		for i, f := range facts {
			f.Project, f.Partition = []string{event.DefaultProject, "another"}[i%2], i%3
		}
		return facts
	}
	facts := spread(completions(62, 1500, 60*24*time.Hour))
	merging := mergeMeanwhile(t, url, func(ctx context.Context, db *postgres.DB, _ int) error {
		_, err := db.ExpireMinutes(ctx, before, 50)
		return err
	})
	for i := 0; i < len(facts); i += 100 {
		if _, err := db.Persist(t.Context(), facts[i:i+100]); err != nil {
			t.Fatal(err)
		}
	}
	merging()
	checkAddedUp(t, url, facts, before)

	late := completions(63, 200, 60*24*time.Hour)
	eventtest.Number("late", 1, late...)
	if _, err := db.Persist(t.Context(), spread(late)); err != nil {
		t.Fatal(err)
	}
	checkAddedUp(t, url, append(facts, late...), before)
}

// checkAddedUp merges and adds up the rest, and holds what is left against facts.
func checkAddedUp(t *testing.T, url string, facts []*event.CompletionRecorded, before time.Time) {
	t.Helper()
	db, conn := open(t, url), connect(t, url)
	for n := 1; n > 0; {
		var err error
		if n, err = db.MergeRollups(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for rows := int64(1); rows > 0; {
		var err error
		if rows, err = db.KeepFiveMinutes(t.Context(), rollup.EarliestFrom(5*time.Minute, now)); err != nil {
			t.Fatal(err)
		}
	}
	if removeAll(t, func() (int64, error) { return db.ExpireMinutes(t.Context(), before, 7) }) == 0 {
		t.Error("nothing was to be added up")
	}
	checkAudit(t, db)

	day := before.Truncate(24 * time.Hour)
	byPartition := map[int][]*event.CompletionRecorded{}
	for _, f := range facts {
		byPartition[f.Partition] = append(byPartition[f.Partition], f)
	}
	var wantDays, wantMinutes int
	for partition, facts := range byPartition {
		for slot := range rollup.Sum(facts, 24*time.Hour) {
			if slot.Start < day.Unix() {
				wantDays++
			}
		}
		for slot := range rollup.Sum(facts, time.Minute) {
			if slot.Start >= day.Unix() {
				wantMinutes++
			}
		}
		_, rebuilt := rebuild(t, db, partition)
		want := rollup.Books{}
		want.Fold(facts)
		checkTotals(t, rebuilt, want)
	}
	var days, minutes, different int
	var fives bool
	err := conn.QueryRow(t.Context(), `
		WITH kept AS (SELECT * FROM rollups_minutes WHERE kind <> 'key'),
		     a AS (SELECT date_trunc('day', minute, 'UTC') AS day, project, kind, name, sum(requests), sum(errors), sum(cost_nanos),
		                  sum(baseline_cost_nanos), sum(tokens_in), sum(tokens_out) FROM kept GROUP BY 1, 2, 3, 4),
		     b AS (SELECT day, project, kind, name, requests, errors, cost_nanos, baseline_cost_nanos, tokens_in, tokens_out
		           FROM rollups_days WHERE kind <> 'key')
		SELECT (SELECT count(*) FROM kept WHERE minute < $1), (SELECT count(*) FROM kept WHERE minute >= $1),
		       (SELECT count(*) FROM ((TABLE a EXCEPT TABLE b) UNION ALL (TABLE b EXCEPT TABLE a)) AS d),
		       (SELECT since < 'infinity' FROM rollups_five_minutes_since)`, day).Scan(&days, &minutes, &different, &fives)
	if err != nil || days != wantDays || minutes != wantMinutes || different != 0 || !fives {
		t.Errorf("%d rows of days that are over and %d of minutes, want %d and %d; %d days are not the sums of theirs, five minutes are kept: %t (%v)",
			days, minutes, wantDays, wantMinutes, different, fives, err)
	}
}

// BenchmarkExpireMinutes adds up the minutes of a tenant's day: 22 names, of
// which each has something in every minute, beside years that are added up.
func BenchmarkExpireMinutes(b *testing.B) {
	url := storetest.Postgres(b)
	db, conn := open(b, url), connect(b, url)
	const insert = `
		INSERT INTO rollups_minutes (project, partition, minute, kind, name, requests, errors, cost_nanos, baseline_cost_nanos,
			tokens_in, tokens_out, latency, ttft, overhead)
		SELECT 'default', 0, minute, 'kind ' || n % 11, 'name ' || n, 60, 1, n, n, 1, 1, latency, latency, latency
		FROM generate_series(1, 22) n, generate_series($1::timestamptz, $2::timestamptz, $3::interval) minute, decode(repeat('01', 40), 'hex') latency`
	day := now.Truncate(24 * time.Hour)
	if _, err := conn.Exec(b.Context(), insert, day.AddDate(-3, 0, 0), day, 24*time.Hour); err != nil {
		b.Fatal(err)
	}
	var rows int64
	for b.Loop() {
		b.StopTimer()
		if _, err := conn.Exec(b.Context(), insert, day.Add(time.Minute), day.Add(24*time.Hour-time.Minute), time.Minute); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		for {
			n, err := db.ExpireMinutes(b.Context(), day.Add(24*time.Hour), 1000)
			if err != nil {
				b.Fatal(err)
			}
			if n == 0 {
				break
			}
			rows += n
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(rows), "µs/row")
}
