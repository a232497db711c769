package postgres_test

import (
	"fmt"
	"io/fs"
	"reflect"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/eventtest"
	"github.com/busuhq/busu/internal/postgres"
	"github.com/busuhq/busu/internal/rollup"
	"github.com/busuhq/busu/internal/storetest"
	"github.com/busuhq/busu/schema"
)

var weekInFives = rollup.Span{Length: 7 * 24 * time.Hour, Step: 5 * time.Minute, By: rollup.KindModel, Top: 3}

// migratedUpTo gives a database as an earlier release had it.
func migratedUpTo(t *testing.T, version int64) (url string) {
	t.Helper()
	url = storetest.EmptyPostgres(t)
	files, err := fs.Sub(schema.Migrations, "migrations")
	if err != nil {
		t.Fatal(err)
	}
	config, err := pgx.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	std := stdlib.OpenDB(*config)
	defer std.Close()
	provider, err := goose.NewProvider(goose.DialectPostgres, std, files)
	if err == nil {
		_, err = provider.UpTo(t.Context(), version)
	}
	if err != nil {
		t.Fatal(err)
	}
	return url
}

// history is a week in steps of five minutes.
func history(t *testing.T, db *postgres.DB) rollup.History {
	t.Helper()
	h, err := db.History(t.Context(), event.DefaultProject, weekInFives, now)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// keptFives counts sums of five minutes, and those that are not what their
// minutes add up to although they are since the time from which on all should be.
func keptFives(t *testing.T, conn *pgx.Conn) (rows, older, different int) {
	t.Helper()
	const sums = `project, kind, name, sum(requests), sum(errors), sum(cost_nanos), sum(baseline_cost_nanos), sum(tokens_in), sum(tokens_out)`
	err := conn.QueryRow(t.Context(), `
		WITH since AS MATERIALIZED (SELECT since FROM rollups_five_minutes_since),
		     a AS (SELECT date_bin('5 minutes', minute, 'epoch') AS at, `+sums+` FROM rollups_minutes
		           WHERE minute >= (TABLE since) AND kind <> 'key' GROUP BY 1, 2, 3, 4),
		     b AS (SELECT minute AS at, `+sums+` FROM rollups_five_minutes WHERE minute >= (TABLE since) GROUP BY 1, 2, 3, 4)
		SELECT (SELECT count(*) FROM rollups_five_minutes), (SELECT count(*) FROM rollups_five_minutes WHERE minute < (TABLE since)),
			(SELECT count(*) FROM ((TABLE a EXCEPT TABLE b) UNION ALL (TABLE b EXCEPT TABLE a)) d)`).Scan(&rows, &older, &different)
	if err != nil {
		t.Fatal(err)
	}
	return rows, older, different
}

// Minutes of an earlier release come into the sums of five minutes bit by bit,
// as far back as anybody may ask, and history is whole at every step.
func TestMinutesOfEarlierReleasesGetFiveMinutes(t *testing.T) {
	t.Parallel()
	url := migratedUpTo(t, 24)
	conn := connect(t, url)
	const days = 9
	if _, err := conn.Exec(t.Context(), `
		INSERT INTO rollups_minutes (project, partition, minute, kind, name, requests, errors, cost_nanos, baseline_cost_nanos,
			tokens_in, tokens_out, latency, ttft, overhead)
		SELECT 'default', p, timestamptz '2026-11-23 12:34Z' - i * interval '1 minute', kind, name, 1 + i % 7, i % 2, i, 2 * i, 3, 4, '\x0101', '', ''
		FROM generate_series(0, $1::int * 1440) i, generate_series(0, 1) p, (VALUES ('all', ''), ('model', 'a'), ('key', 'k')) d (kind, name)`, days); err != nil {
		t.Fatal(err)
	}
	db := open(t, url)
	if _, err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	want, steps := history(t, db), 0
	if want.TotalRequests == 0 || len(want.Series) != 1 {
		t.Fatalf("before anything is filled in: %+v", want.Sums)
	}
	for {
		rows, err := db.KeepFiveMinutes(t.Context(), rollup.EarliestFrom(5*time.Minute, now))
		if err != nil {
			t.Fatal(err)
		}
		if got := history(t, db); !reflect.DeepEqual(got, want) {
			t.Errorf("after %d steps:\n got %+v\nwant %+v", steps, got.Sums, want.Sums)
		}
		if rows == 0 {
			break
		}
		if steps++; rows > 20_000+5*6 {
			t.Errorf("a step filled in %d rows", rows)
		}
	}
	rows, older, different := keptFives(t, conn)
	if steps < 3 || rows < 2*7*288 || older != 0 || different != 0 {
		t.Errorf("after %d steps there are %d rows, %d from before what is asked for, %d are not the sums of their minutes", steps, rows, older, different)
	}
	var first time.Time
	if err := conn.QueryRow(t.Context(), `SELECT min(minute) FROM rollups_five_minutes`).Scan(&first); err != nil || first.After(weekInFives.From(now)) {
		t.Errorf("they begin at %s: %v", first, err)
	}
}

// The sums of five minutes hold whoever merges, late facts and an earlier
// release among them, and however far back they are to reach.
func TestFiveMinutesAreTheSumsOfTheirMinutes(t *testing.T) {
	t.Parallel()
	url := storetest.Postgres(t)
	db, conn := open(t, url), connect(t, url)
	facts := append(completions(71, 600, 30*24*time.Hour), completions(72, 400, 20*time.Hour)...)
	for i, f := range facts {
		eventtest.Number("journal", int64(i+1), f)
		f.Partition, f.KeyID = i/100, fmt.Sprint("key-", i%3)
		if i%5 == 0 {
			f.Project = "another"
		}
	}
	check := func(when string, stored int) {
		t.Helper()
		want, err := rollup.NewHistory(weekInFives, piecesOf(event.DefaultProject, facts[:stored], weekInFives.Step), rollup.SourcePostgres, now)
		if got := history(t, db); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\n got %+v\nwant %+v (%v)", when, got.Sums, want.Sums, err)
		}
		if _, _, different := keptFives(t, conn); different != 0 {
			t.Errorf("%s: %d are not the sums of their minutes", when, different)
		}
	}
	for i, step := range []struct {
		name string
		do   func() error
	}{
		{"merging", func() error { _, err := db.MergeRollups(t.Context()); return err }},
		{"filling in two weeks", func() error { return keepFives(t, db, 14*24*time.Hour) }},
		{"merging late facts", func() error { _, err := db.MergeRollups(t.Context()); return err }},
		{"removing all but three days", func() error {
			err := keepFives(t, db, 3*24*time.Hour)
			if rows, older, _ := keptFives(t, conn); older != 0 || rows == 0 {
				t.Errorf("of %d that are left %d are too old", rows, older)
			}
			return err
		}},
		{"merging what is older", func() error { _, err := db.MergeRollups(t.Context()); return err }},
		{"an earlier release's merging", func() error { return mergeAsBefore(t, conn) }},
		{"merging after it", func() error { _, err := db.MergeRollups(t.Context()); return err }},
		{"filling in a week", func() error { return keepFives(t, db, 8*24*time.Hour) }},
		{"merging the rest", func() error { _, err := db.MergeRollups(t.Context()); return err }},
		{"filling in a month", func() error { return keepFives(t, db, 40*24*time.Hour) }},
	} {
		if _, err := db.Persist(t.Context(), facts[i*100:(i+1)*100]); err != nil {
			t.Fatal(err)
		}
		check("before "+step.name, (i+1)*100)
		if err := step.do(); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		check("after "+step.name, (i+1)*100)
	}
	var keys int
	if err := conn.QueryRow(t.Context(), `SELECT count(*) FROM rollups_five_minutes WHERE kind = 'key'`).Scan(&keys); err != nil || keys != 0 {
		t.Errorf("%d rows are of keys: %v", keys, err)
	}
	if rows, _, _ := keptFives(t, conn); rows == 0 {
		t.Error("there are none")
	}
}

func keepFives(t *testing.T, db *postgres.DB, length time.Duration) error {
	for rows := int64(1); rows > 0; {
		var err error
		if rows, err = db.KeepFiveMinutes(t.Context(), now.Add(-length)); err != nil {
			return err
		}
	}
	return nil
}

// mergeAsBefore merges what is new as releases did that knew no five minutes;
// no two rows of it have the same key.
func mergeAsBefore(t *testing.T, conn *pgx.Conn) error {
	_, err := conn.Exec(t.Context(), `WITH taken AS (DELETE FROM rollups_new RETURNING *) INSERT INTO rollups_minutes SELECT * FROM taken`)
	return err
}
