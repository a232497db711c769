package postgres_test

import (
	"context"
	"math/rand/v2"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/eventtest"
	"github.com/busuhq/busu/internal/postgres"
	"github.com/busuhq/busu/internal/rollup"
	"github.com/busuhq/busu/internal/storetest"
)

// What is rebuilt from the database is what folding the facts gives, to the
// last integer, whoever stored them, in whatever batches, however often, and
// merged or not.
func TestRebuildEqualsTheBooks(t *testing.T) {
	t.Parallel()
	url := storetest.Postgres(t)
	facts := append(completions(9, 1500, 8*24*time.Hour), completions(10, 500, 4*time.Minute)...)
	for i, f := range facts {
		eventtest.Number("journal", int64(i+1), f)
		if i%5 == 0 {
			f.Project = "another"
		}
	}
	stored := slices.Clone(facts[:1990])
	rand.New(rand.NewPCG(1, 1)).Shuffle(len(stored), func(i, j int) { stored[i], stored[j] = stored[j], stored[i] })
	var workers sync.WaitGroup
	for w := range 4 {
		workers.Go(func() {
			db := open(t, url)
			for i := w * 250; i < len(stored); i += 333 { // overlapping
				if _, err := db.Persist(t.Context(), stored[i:min(i+400, len(stored))]); err != nil {
					t.Error(err)
				}
			}
		})
	}
	merging := mergeMeanwhile(t, url, fivesMoved)
	workers.Wait()
	merging()
	db := open(t, url)
	if _, err := db.Persist(t.Context(), stored); err != nil {
		t.Fatal(err)
	}
	checkRebuilt(t, db, facts[:1990])
	if _, err := db.MergeRollups(t.Context()); err != nil {
		t.Fatal(err)
	}
	checkRebuilt(t, db, facts[:1990])
	var rows, keys int
	err := connect(t, url).QueryRow(t.Context(),
		`SELECT count(*), count(DISTINCT (project, partition, minute, kind, name)) FROM rollups`).Scan(&rows, &keys)
	if err != nil || rows != keys {
		t.Errorf("%d rows of %d keys are left after merging: %v", rows, keys, err)
	}
}

// fivesMoved lets five minutes reach back further and less far in turns.
func fivesMoved(ctx context.Context, db *postgres.DB, turn int) error {
	_, err := db.KeepFiveMinutes(ctx, now.AddDate(0, 0, []int{-1, -8}[turn%2]))
	return err
}

// mergeMeanwhile merges rollups in two processes, does something else with them
// in turns, and holds them against the rows, until it is told to stop.
func mergeMeanwhile(t *testing.T, url string, also func(context.Context, *postgres.DB, int) error) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	var processes sync.WaitGroup
	for range 2 {
		processes.Go(func() {
			db := open(t, url)
			for turn := 0; ctx.Err() == nil; turn++ {
				if _, err := db.MergeRollups(t.Context()); err != nil {
					t.Error(err)
				}
				if err := also(t.Context(), db, turn); err != nil {
					t.Error(err)
				}
				checkAudit(t, db)
			}
		})
	}
	return func() {
		cancel()
		processes.Wait()
	}
}

// checkAudit holds rollups against rows.
func checkAudit(t *testing.T, db *postgres.DB) {
	t.Helper()
	l, err := db.Audit(t.Context())
	if err != nil {
		t.Error(err)
		return
	}
	for _, project := range []string{event.DefaultProject, "another"} {
		if p := l.Project(project); !reflect.DeepEqual(p.Rows, p.Rollups) || !reflect.DeepEqual(p.Rows, p.Ever) {
			t.Errorf("rows of %s add up to %+v, rollups of their time to %+v and all rollups to %+v", project, p.Rows, p.Rollups, p.Ever)
		}
	}
}

// checkRebuilt holds what is rebuilt against facts, which seqs from 1 on are.
func checkRebuilt(t *testing.T, db *postgres.DB, facts []*event.CompletionRecorded) {
	t.Helper()
	c, rebuilt := rebuild(t, db, 0)
	if c.Seqs["journal"].String() != "{[1,1991)}" || c.Position != "" {
		t.Errorf("it counts %s up to %q", c.Seqs["journal"], c.Position)
	}
	want := rollup.Books{}
	want.Fold(facts)
	for _, project := range []string{event.DefaultProject, "another"} {
		want.Of(project).Advance(now)
		rebuilt.Of(project).Advance(now)
		for _, w := range rollup.Windows() {
			a, b := rollup.Cells{}, rollup.Cells{}
			rebuilt.Of(project).AddWindow(w.Name, a)
			want.Of(project).AddWindow(w.Name, b)
			if !reflect.DeepEqual(rollup.NewReport(w, a, "", now), rollup.NewReport(w, b, "", now)) {
				t.Errorf("%s of %s:\nrebuilt %+v\nfolded  %+v", w.Name, project, rollup.NewReport(w, a, "", now), rollup.NewReport(w, b, "", now))
			}
		}
	}
	checkTotals(t, rebuilt, want)
}

// rebuild gives what is rebuilt of a partition, as it is and in books.
func rebuild(t *testing.T, db *postgres.DB, partition int) (rollup.Checkpoint, rollup.Books) {
	t.Helper()
	c, err := db.Rebuild(t.Context(), partition, now)
	if err != nil {
		t.Fatal(err)
	}
	books := rollup.Books{}
	for _, cell := range c.Cells {
		books.Of(cell.Project).Restore(cell.Key, *cell.Cell)
	}
	return c, books
}

func checkTotals(t *testing.T, rebuilt, want rollup.Books) {
	t.Helper()
	for _, project := range []string{event.DefaultProject, "another"} {
		a, b := rollup.Cells{}, rollup.Cells{}
		rebuilt.Of(project).AddTotals(a)
		want.Of(project).AddTotals(b)
		if rollup.NewSums(a) != rollup.NewSums(b) {
			t.Errorf("totals of %s: rebuilt %+v, folded %+v", project, rollup.NewSums(a), rollup.NewSums(b))
		}
	}
}

// What has come together while nobody merged is merged bit by bit.
func TestMergingTakesAsMuchAsItCan(t *testing.T) {
	t.Parallel()
	url := storetest.Postgres(t)
	db, conn := open(t, url), connect(t, url)
	const rows = 120_000
	_, err := conn.Exec(t.Context(), `
		INSERT INTO rollups_new (project, partition, minute, kind, name, requests, errors, cost_nanos, baseline_cost_nanos,
			tokens_in, tokens_out, latency, ttft, overhead)
		SELECT 'default', i % 3, '2026-11-23 12:00Z', 'all', '', 1, 0, i, i, 1, 1, '\x0101', '', '' FROM generate_series(1, $1::int) i`, rows)
	if err != nil {
		t.Fatal(err)
	}
	merged, steps := 0, 0
	for n := 1; n > 0; steps++ {
		if n, err = db.MergeRollups(t.Context()); err != nil {
			t.Fatal(err)
		}
		merged += n
	}
	var left, requests, cost int
	var sketch string
	err = conn.QueryRow(t.Context(), `SELECT count(*), sum(requests), sum(cost_nanos), min(latency::text) FROM rollups`).Scan(&left, &requests, &cost, &sketch)
	if err != nil || merged != rows || steps != 7 || left != 3 || requests != rows || cost != rows*(rows+1)/2 || sketch != `\x01c0b802` {
		t.Errorf("%d of %d rows were merged in %d steps: %d are left, with %d requests, %d nanos, sketch %s (%v)",
			merged, rows, steps, left, requests, cost, sketch, err)
	}
}

// Merging looks through what is new once, however much it is: who has merged a
// few rows at a time keeps no plan that compares each with all others.
func TestMergingManyCostsNoMoreThanEach(t *testing.T) {
	t.Parallel()
	url := storetest.Postgres(t)
	db, conn := open(t, url), connect(t, url)
	rows := 0
	for _, n := range append(slices.Repeat([]int{2}, 10), 5000) { // the tenth time, a plan is kept
		if _, err := conn.Exec(t.Context(), `
			INSERT INTO rollups_new (project, partition, minute, kind, name, requests, errors, cost_nanos, baseline_cost_nanos,
				tokens_in, tokens_out, latency, ttft, overhead)
			SELECT 'default', 0, '2026-11-23 12:00Z', 'all', '', 1, 0, 1, 1, 1, 1, '', '', '' FROM generate_series(1, $1::int)`, n); err != nil {
			t.Fatal(err)
		}
		if merged, err := db.MergeRollups(t.Context()); err != nil || merged != n {
			t.Fatalf("%d of %d were merged: %v", merged, n, err)
		}
		rows += n
	}
	db.Close() // which makes its connections tell what they did
	var deleted, read int
	for deleted < rows {
		if err := conn.QueryRow(t.Context(), `SELECT n_tup_del, seq_tup_read FROM pg_stat_user_tables WHERE relname = 'rollups_new'`).Scan(&deleted, &read); err != nil {
			t.Fatal(err)
		}
		if t.Context().Err() != nil {
			t.Fatal(t.Context().Err())
		}
	}
	if read > rows {
		t.Errorf("%d rows were read for %d that were merged", read, rows)
	}
}

// A backlog that was merged leaves no room behind that everybody reads through.
func TestABacklogGivesItsRoomBack(t *testing.T) {
	t.Parallel()
	url := storetest.Postgres(t)
	db, conn := open(t, url), connect(t, url)
	size := func() (bytes int64) {
		t.Helper()
		if err := conn.QueryRow(t.Context(), `SELECT pg_relation_size('rollups_new')`).Scan(&bytes); err != nil {
			t.Fatal(err)
		}
		return bytes
	}
	_, err := conn.Exec(t.Context(), `
		INSERT INTO rollups_new (project, partition, minute, kind, name, requests, errors, cost_nanos, baseline_cost_nanos,
			tokens_in, tokens_out, latency, ttft, overhead)
		SELECT 'default', 0, '2026-11-23 12:00Z', 'all', '', 1, 0, i, i, 1, 1, '\x0101', '', '' FROM generate_series(1, 300000) i`)
	if err != nil || size() < 32<<20 {
		t.Fatalf("the backlog is of %d bytes only: %v", size(), err)
	}
	if _, err := conn.Exec(t.Context(), `DELETE FROM rollups_new`); err != nil {
		t.Fatal(err)
	}
	if err := db.ShrinkRollups(t.Context()); err != nil || size() > 1<<20 {
		t.Errorf("%d bytes are left: %v", size(), err)
	}
}
