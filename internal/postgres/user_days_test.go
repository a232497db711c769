package postgres_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/postgres"
	"github.com/busuhq/busu/internal/savings"
	"github.com/busuhq/busu/internal/storetest"
)

// The release before counts whole days, and knows nothing of what is due: what
// it counted before the upgrade, and while its workers run beside new ones, is
// neither missing nor counted twice.
func TestCountingGoesOnAfterTheReleaseBefore(t *testing.T) {
	t.Parallel()
	url := migratedUpTo(t, 26)
	db, conn := open(t, url), connect(t, url)
	facts, verdicts := traffic(47, 2500)
	persist := func(from, to int) {
		t.Helper()
		if _, err := db.Persist(t.Context(), facts[from:to]); err != nil {
			t.Fatal(err)
		}
	}
	check := func(n int) {
		t.Helper()
		for _, project := range []string{event.DefaultProject, "another"} {
			got, err := db.Savings(t.Context(), project, savings.Windows()[2], now)
			if err != nil {
				t.Fatal(err)
			}
			checkTally(t, got, project, facts[:n], verdicts)
		}
	}
	persist(0, 1000)
	say(t, url, "j", facts[:1000], verdicts)
	countAsBefore(t, conn, facts[:1000], verdicts)
	if _, err := conn.Exec(t.Context(), `UPDATE completions SET persisted_at = persisted_at - interval '1 hour'`); err != nil {
		t.Fatal(err)
	}
	persist(1000, 1300)
	if _, err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	var due int64
	if err := conn.QueryRow(t.Context(), `SELECT count(*) FROM completions c JOIN counted_marks m USING (journal, partition)
		WHERE m.stream = 'completions' AND NOT c.seq <@ m.seqs`).Scan(&due); err != nil || due != 300 {
		t.Errorf("%d are due after the upgrade, %v", due, err)
	}
	say(t, url, "jj", facts[1000:], verdicts)
	count(t, db)
	check(1300)
	for to := 1600; to < len(facts); to += 600 {
		persist(to-300, to)
		countAsBefore(t, conn, facts[:to], verdicts)
		persist(to, to+300)
		count(t, db)
		check(to + 300)
	}
}

// countAsBefore leaves what the release before does: days as wholes, and what it
// does not know as it was.
func countAsBefore(t *testing.T, conn *pgx.Conn, facts []*event.CompletionRecorded, verdicts map[uuid.UUID][]said) {
	t.Helper()
	url := storetest.Postgres(t)
	twin := open(t, url)
	if _, err := twin.Persist(t.Context(), facts); err != nil {
		t.Fatal(err)
	}
	say(t, url, "j", facts, verdicts)
	count(t, twin)
	var rows json.RawMessage
	var columns, updates string
	if err := connect(t, url).QueryRow(t.Context(), `SELECT (SELECT jsonb_agg(to_jsonb(u)) FROM user_days u), string_agg(column_name, ', '),
			string_agg(format('%I = excluded.%I', column_name, column_name), ', ')
		FROM information_schema.columns WHERE table_name = 'user_days' AND column_name <> 'added'`).Scan(&rows, &columns, &updates); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(t.Context(), `INSERT INTO user_days (`+columns+`) SELECT `+columns+` FROM jsonb_populate_recordset(null::user_days, $1)
		ON CONFLICT (project, day, user_id, holdout, guarded) DO UPDATE SET `+updates, rows); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(t.Context(), `INSERT INTO counted VALUES (true, now()) ON CONFLICT (one) DO UPDATE SET until = excluded.until`); err != nil {
		t.Fatal(err)
	}
}

// What is counted costs what is due, and not what else there is.
func TestCountingLooksAtNothingElse(t *testing.T) {
	t.Parallel()
	url := storetest.Postgres(t)
	db, conn := open(t, url), connect(t, url)
	begun := now.Truncate(24 * time.Hour)
	if err := db.EnsureDays(t.Context(), begun, 1); err != nil {
		t.Fatal(err)
	}
	facts := completions(3, 1000, time.Hour)
	for i, f := range facts {
		f.UserID, f.Strategy, f.Holdout = fmt.Sprint("user ", i%500), "hybrid", i%500 < 50
	}
	if _, err := db.Persist(t.Context(), facts[:1]); err != nil {
		t.Fatal(err)
	}
	_, err := conn.Exec(t.Context(), `
		INSERT INTO completions SELECT copy.* FROM completions c, generate_series(1, 100000) i, LATERAL jsonb_populate_record(c, jsonb_build_object(
			'id', overlay(c.id::text placing lpad(to_hex(i), 12, '0') from 25), 'user_id', 'other ' || i % 10000, 'seq', 10000 + i)) AS copy`)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(t.Context(), `UPDATE journal_marks SET persisted = persisted + '{[10001,110001)}'`); err != nil {
		t.Fatal(err)
	}
	count(t, db)
	if _, err := conn.Exec(t.Context(), `ANALYZE`); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Persist(t.Context(), facts[1:]); err != nil {
		t.Fatal(err)
	}
	db.Close() // which makes its connections tell what they did
	read := func(users int) (looked int) {
		for counted := 0; counted < users; {
			if err := conn.QueryRow(t.Context(), `SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0)), sum(n_tup_ins) FILTER (WHERE relname = 'user_days')
				FROM pg_stat_user_tables WHERE relname = 'user_days' OR starts_with(relname, 'completions')`).Scan(&looked, &counted); err != nil {
				t.Fatal(err)
			}
		}
		return looked
	}
	before := read(10_000)
	db = open(t, url)
	count(t, db)
	db.Close()
	if looked := read(10_499) - before; looked < 999 || looked > 5000 {
		t.Errorf("for 999 requests of 499 users %d rows were looked at, of 101,000", looked)
	}
}

// BenchmarkCountUserDays counts requests of a day, of ten times fewer users, who
// come again and again.
func BenchmarkCountUserDays(b *testing.B) {
	db := open(b, storetest.Postgres(b))
	const atOnce = 5_000
	requests := 0
	for b.Loop() {
		b.StopTimer()
		facts := completions(uint64(requests), atOnce, time.Hour)
		for i, f := range facts {
			f.UserID, f.Strategy, f.Journal = fmt.Sprint("user ", i%(atOnce/10)), "hybrid", fmt.Sprint("journal ", requests)
		}
		if _, err := db.Persist(b.Context(), facts); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		if more, err := db.CountUserDays(b.Context(), atOnce, 24*time.Hour, time.Hour); err != nil || more {
			b.Fatal(more, err)
		}
		requests += atOnce
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(requests), "µs/request")
}

// Requests are counted once while others are stored, in bits and pieces, by
// several at once.
func TestCountingWhileStoring(t *testing.T) {
	t.Parallel()
	url := storetest.Postgres(t)
	dbs := []*postgres.DB{open(t, url), open(t, url), open(t, url)}
	facts, _ := traffic(53, 9000)
	for i, f := range facts {
		f.UserID = fmt.Sprint("user-", i%(3+i%2000))
	}
	var storing, counting sync.WaitGroup
	for i, db := range dbs {
		storing.Go(func() {
			for batch := range slices.Chunk(facts[i*len(facts)/3:(i+1)*len(facts)/3], 1+13*i) {
				if _, err := db.Persist(t.Context(), batch); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	stored := make(chan struct{})
	for i, db := range dbs {
		counting.Go(func() {
			for more, last := true, false; more || !last; {
				select {
				case <-stored:
					last = !more
				default:
				}
				var err error
				if more, err = db.CountUserDays(t.Context(), 7+200*i, observed, waited); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	storing.Wait()
	close(stored)
	counting.Wait()
	count(t, dbs[0])
	l, err := dbs[0].Audit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for name, p := range l.Projects {
		if p.Counted.Requests != p.Decided.Requests || p.Counted.CostNanos != p.Decided.CostNanos || p.Decided.Requests == 0 {
			t.Errorf("%s: %+v are counted, of %+v", name, p.Counted, p.Decided)
		}
	}
}

// Requests that move to the partition of their day meanwhile are counted, too.
func TestCountingWhileDaysAreMade(t *testing.T) {
	t.Parallel()
	url := storetest.Postgres(t)
	db, other := open(t, url), open(t, url)
	facts := completions(59, 3*80, time.Hour)
	for day := range 80 {
		some := facts[3*day : 3*day+3]
		for i, f := range some {
			f.Strategy, f.Holdout, f.UserID = "hybrid", false, fmt.Sprint("user ", i)
			f.ID = at(f.ID, now.AddDate(0, 0, -day))
			f.At = event.TimeOf(f.ID)
		}
		if _, err := db.Persist(t.Context(), some); err != nil {
			t.Fatal(err)
		}
		var both sync.WaitGroup
		both.Go(func() { count(t, db) })
		both.Go(func() {
			if err := other.EnsureDays(t.Context(), some[0].At, 1); err != nil {
				t.Error(err)
			}
		})
		both.Wait()
	}
	l, err := db.Audit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if p := l.Project(event.DefaultProject); p.Decided.Requests != int64(len(facts)) || p.Counted.Requests != p.Decided.Requests {
		t.Errorf("%d are counted, of %d of %d", p.Counted.Requests, p.Decided.Requests, len(facts))
	}
}
