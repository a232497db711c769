package postgres_test

import (
	"errors"
	"math/rand/v2"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/eventtest"
	"github.com/busuhq/busu/internal/postgres"
	"github.com/busuhq/busu/internal/rollup"
	"github.com/busuhq/busu/internal/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

var now = time.Date(2026, 11, 23, 12, 34, 56, 0, time.UTC)

func open(t testing.TB, url string) *postgres.DB {
	t.Helper()
	db, err := postgres.Open(t.Context(), postgres.Options{URL: url, Name: "test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	return db
}

func connect(t testing.TB, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(t.Context()) })
	return conn
}

func completions(seed uint64, n int, within time.Duration) []*event.CompletionRecorded {
	r := rand.New(rand.NewPCG(seed, 0))
	var fs []*event.CompletionRecorded
	for i := range n {
		f := eventtest.Completion(r, now.Add(-rand.N(within)))
		f.KeyID = []string{"", "key a", "key b"}[i%3]
		fs = append(fs, f)
	}
	eventtest.Number("journal", 1, fs...)
	return fs
}

func TestPersistTwiceStoresOnce(t *testing.T) {
	t.Parallel()
	url := storetest.Postgres(t)
	db := open(t, url)
	facts := completions(1, 500, 24*time.Hour)
	added, err := db.Persist(t.Context(), facts)
	if err != nil || len(added) != 500 {
		t.Fatalf("stored %d of 500: %v", len(added), err)
	}
	more := append(completions(2, 0, 1), facts[250:]...)
	if added, err = db.Persist(t.Context(), more); err != nil || len(added) != 0 {
		t.Fatalf("stored %d of them again: %v", len(added), err)
	}
	var rows, distinct int
	err = connect(t, url).QueryRow(t.Context(), `SELECT count(*), count(DISTINCT id) FROM completions`).Scan(&rows, &distinct)
	if err != nil || rows != 500 || distinct != 500 {
		t.Errorf("%d rows, %d ids: %v", rows, distinct, err)
	}
}

// Every column reads back what the fact said.
func TestRowSaysWhatTheFactSays(t *testing.T) {
	t.Parallel()
	url := storetest.Postgres(t)
	db := open(t, url)
	c := completions(3, 1, time.Hour)[0]
	c.KeyID, c.SessionID, c.CallerID, c.UserID = "key", "session", "theirs", ""
	c.Metadata = map[string]string{"team": "ü"}
	c.Experiments = []event.Arm{{Experiment: "e", Arm: "test"}}
	c.Fallbacks, c.Degraded = []string{"small"}, []string{"redis"}
	if _, err := db.Persist(t.Context(), []*event.CompletionRecorded{c}); err != nil {
		t.Fatal(err)
	}
	var got event.CompletionRecorded
	var user *string
	err := connect(t, url).QueryRow(t.Context(), `
		SELECT id, at, project, key_id, session_id, caller_id, user_id, metadata, experiments, candidates, fallbacks, degraded,
		       reason, propensity, cost_nanos, baseline_cost_nanos, latency_us, seq FROM completions`).
		Scan(&got.ID, &got.At, &got.Project, &got.KeyID, &got.SessionID, &got.CallerID, &user, &got.Metadata, &got.Experiments,
			&got.Candidates, &got.Fallbacks, &got.Degraded, &got.Reason, &got.Propensity, &got.CostNanos,
			&got.BaselineCostNanos, &got.LatencyUS, &got.Seq)
	if err != nil {
		t.Fatal(err)
	}
	if user != nil {
		t.Errorf("no user is stored as %q, not as NULL", *user)
	}
	want := event.CompletionRecorded{Header: event.Header{ID: c.ID, At: got.At, Seq: c.Seq}, Project: c.Project, KeyID: c.KeyID,
		SessionID: c.SessionID, CallerID: c.CallerID, Metadata: c.Metadata, Experiments: c.Experiments, Candidates: c.Candidates,
		Fallbacks: c.Fallbacks, Degraded: c.Degraded, Reason: c.Reason, Propensity: c.Propensity,
		CostNanos: c.CostNanos, BaselineCostNanos: c.BaselineCostNanos, LatencyUS: c.LatencyUS}
	if !reflect.DeepEqual(got, want) || !got.At.Equal(c.At) {
		t.Errorf("row\n%+v\nfact\n%+v", got, want)
	}
}

func TestViewGivesDollarsAndMilliseconds(t *testing.T) {
	t.Parallel()
	url := storetest.Postgres(t)
	db := open(t, url)
	c := completions(4, 1, time.Hour)[0]
	c.CostNanos, c.BaselineCostNanos, c.LatencyUS = 21_300, 880_000, 812_400
	if _, err := db.Persist(t.Context(), []*event.CompletionRecorded{c}); err != nil {
		t.Fatal(err)
	}
	var cost, saving, latency string
	err := connect(t, url).QueryRow(t.Context(), `SELECT cost_usd::text, savings_usd::text, latency_ms::text FROM requests`).Scan(&cost, &saving, &latency)
	if err != nil || cost != "0.000021300" || saving != "0.000858700" || latency != "812.400" {
		t.Errorf("cost %s, saving %s, latency %s: %v", cost, saving, latency, err)
	}
}

func TestMarksKnowWhatIsMissing(t *testing.T) {
	t.Parallel()
	url := storetest.Postgres(t)
	db := open(t, url)
	facts := completions(5, 100, time.Hour)
	lane := event.Lane{Stream: event.Completions}
	for _, step := range []struct {
		from, to int
		upTo     int64
	}{{50, 60, 0}, {0, 10, 10}, {20, 50, 10}, {15, 25, 10}, {10, 15, 60}, {0, 100, 100}} {
		if _, err := db.Persist(t.Context(), facts[step.from:step.to]); err != nil {
			t.Fatal(err)
		}
		marks, err := db.Persisted(t.Context(), "journal")
		if err != nil || marks[lane].UpTo() != step.upTo {
			t.Errorf("after %d to %d, stored is %s: want all up to %d (%v)", step.from, step.to, marks[lane], step.upTo, err)
		}
	}
	lost := completions(6, 1, time.Hour)[0]
	eventtest.Number("journal", 103, lost)
	for range 2 {
		if err := db.Discard(t.Context(), lost); err != nil {
			t.Fatal(err)
		}
	}
	if marks, err := db.Persisted(t.Context(), "journal"); err != nil || marks[lane].String() != "{[1,101),[103,104)}" {
		t.Errorf("with one that is buried: %s (%v)", marks[lane], err)
	}
	if marks, err := db.Persisted(t.Context(), "another"); err != nil || len(marks) != 0 {
		t.Errorf("an unknown journal has the marks %v (%v)", marks, err)
	}
}

func TestUnstorableIsTheDatasFault(t *testing.T) {
	t.Parallel()
	url := storetest.Postgres(t)
	db := open(t, url)
	facts := completions(6, 3, time.Hour)
	facts[1].Reason = "a\x00b"
	_, err := db.Persist(t.Context(), facts)
	if err == nil || !postgres.Unstorable(err) {
		t.Fatalf("a NUL gives %v, which is not unstorable", err)
	}
	var rows int
	if err := connect(t, url).QueryRow(t.Context(), `SELECT count(*) FROM completions`).Scan(&rows); err != nil || rows != 0 {
		t.Errorf("%d rows of the failed batch are left (%v)", rows, err)
	}
	if postgres.Unstorable(errors.New("connection refused")) {
		t.Error("a database that is away counts as unstorable data")
	}
	if postgres.Unstorable(&pgconn.PgError{Code: "23514"}) || !postgres.Unstorable(&pgconn.PgError{Code: "23514", ConstraintName: "positive"}) {
		t.Error("the bounds of a partition count as a constraint on the data, or a constraint does not")
	}
}

// Rows for which a day's partition was made in time go there, from several
// processes at once.
func TestDaysAreMadeOnce(t *testing.T) {
	t.Parallel()
	url := storetest.Postgres(t)
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			if err := open(t, url).EnsureDays(t.Context(), now, 3); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	db := open(t, url)
	facts := routed(7, 20, time.Minute)
	if _, err := db.Persist(t.Context(), facts); err != nil {
		t.Fatal(err)
	}
	var inDay, inDefault int
	for _, parent := range []string{"completions", "features"} {
		err := connect(t, url).QueryRow(t.Context(), `SELECT (SELECT count(*) FROM `+parent+`_20261123), (SELECT count(*) FROM `+parent+`_default)`).Scan(&inDay, &inDefault)
		if err != nil || inDay != 20 || inDefault != 0 {
			t.Errorf("%d %s in the day's partition, %d in the default one: %v", inDay, parent, inDefault, err)
		}
	}
	var storage string
	if err := connect(t, url).QueryRow(t.Context(), `SELECT attstorage FROM pg_attribute
		WHERE attrelid = 'features_20261123'::regclass AND attname = 'features'`).Scan(&storage); err != nil || storage != "e" {
		t.Errorf("features of a day are stored %q: %v", storage, err)
	}
}

// Rows that came before their day was made move into it.
func TestDayTakesItsRowsFromTheDefault(t *testing.T) {
	t.Parallel()
	url := storetest.Postgres(t)
	db, conn := open(t, url), connect(t, url)
	if _, err := db.Persist(t.Context(), routed(11, 50, 40*time.Hour)); err != nil {
		t.Fatal(err)
	}
	count := func(table string) (n int) {
		if err := conn.QueryRow(t.Context(), `SELECT count(*) FROM `+table).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := count("completions_default"); n != 50 {
		t.Fatalf("%d of 50 rows are in the default partition", n)
	}
	for range 2 {
		if err := db.EnsureDays(t.Context(), now.AddDate(0, 0, -2), 4); err != nil {
			t.Fatal(err)
		}
	}
	for _, parent := range []string{"completions", "features"} {
		if n, all := count(parent+"_default"), count(parent); n != 0 || all != 50 {
			t.Errorf("%d %s are left in the default partition, %d are there in all", n, parent, all)
		}
	}
	added, err := db.Persist(t.Context(), routed(11, 50, 40*time.Hour))
	if err != nil || len(added) > 50 {
		t.Errorf("after the move: %d added, %v", len(added), err)
	}
}

func TestOldDaysAreDropped(t *testing.T) {
	t.Parallel()
	url := storetest.Postgres(t)
	db, conn := open(t, url), connect(t, url)
	if err := db.EnsureDays(t.Context(), now.AddDate(0, 0, -5), 7); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Persist(t.Context(), routed(12, 300, 5*24*time.Hour)); err != nil {
		t.Fatal(err)
	}
	dropped, err := db.DropDays(t.Context(), now.AddDate(0, 0, -2), now.AddDate(0, 0, -1))
	if err != nil || len(dropped) != 3+4 {
		t.Fatalf("dropped %v: %v", dropped, err)
	}
	for parent, days := range map[string]int{"completions": 2, "features": 1} {
		var oldest time.Time
		if err := conn.QueryRow(t.Context(), `SELECT min(at) FROM `+parent).Scan(&oldest); err != nil ||
			!oldest.Truncate(24*time.Hour).Equal(now.AddDate(0, 0, -days).Truncate(24*time.Hour)) {
			t.Errorf("the oldest of %s that is left is of %s (%v)", parent, oldest, err)
		}
	}
	if dropped, err := db.DropDays(t.Context(), now.AddDate(0, 0, -2), now.AddDate(0, 0, -1)); err != nil || len(dropped) != 0 {
		t.Errorf("dropped %v again: %v", dropped, err)
	}
}

// SQL over rows and the live counters come to the same report.
func TestReportEqualsTheBook(t *testing.T) {
	t.Parallel()
	url := storetest.Postgres(t)
	db := open(t, url)
	facts := completions(8, 2000, 8*24*time.Hour)
	for i, f := range facts[:500] { // some that nobody waited for
		f.Strategy = []string{event.StrategyShadow, event.StrategyJudge}[i%2]
	}
	books := rollup.Books{}
	books.Fold(facts)
	book := books.Of(event.DefaultProject)
	book.Advance(now)
	if _, err := db.Persist(t.Context(), facts); err != nil {
		t.Fatal(err)
	}
	for _, w := range rollup.Windows() {
		got, err := db.Report(t.Context(), event.DefaultProject, w, now)
		if err != nil {
			t.Fatal(err)
		}
		cells := rollup.Cells{}
		book.AddWindow(w.Name, cells)
		want := rollup.NewReport(w, cells, rollup.SourcePostgres, now)
		if !reflect.DeepEqual(got, want) {
			t.Errorf("window %s:\nSQL  %+v\nbook %+v", w.Name, got, want)
		}
	}
	if other, err := db.Report(t.Context(), "another", rollup.Windows()[4], now); err != nil || other.TotalRequests != 0 {
		t.Errorf("another project sees %d requests (%v)", other.TotalRequests, err)
	}
}

func TestMigrate(t *testing.T) {
	t.Parallel()
	url := storetest.EmptyPostgres(t)
	var wait sync.WaitGroup
	for range 3 { // at once
		wait.Go(func() {
			if _, err := open(t, url).Migrate(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	db := open(t, url)
	if applied, err := db.Migrate(t.Context()); err != nil || len(applied) != 0 {
		t.Errorf("a second migration applied %v: %v", applied, err)
	}
}

// A build runs on a schema that later releases have only added to, and says
// what to do on one that has lost what it needs.
func TestMigrateOfANewerSchema(t *testing.T) {
	t.Parallel()
	url := storetest.Postgres(t)
	db, conn := open(t, url), connect(t, url)
	for _, c := range []struct {
		sql string
		is  error
	}{
		{`INSERT INTO goose_db_version (version_id, is_applied) VALUES (99998, true), (99999, true)`, nil},
		{`UPDATE schema_compatibility SET oldest = 99998`, postgres.ErrNewerSchema},
	} {
		if _, err := conn.Exec(t.Context(), c.sql); err != nil {
			t.Fatal(err)
		}
		if applied, err := db.Migrate(t.Context()); !errors.Is(err, c.is) || len(applied) > 0 {
			t.Errorf("after %s: applied %v, %v", c.sql, applied, err)
		}
	}
	if _, err := conn.Exec(t.Context(), `DROP TABLE schema_compatibility`); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Migrate(t.Context()); err == nil || errors.Is(err, postgres.ErrNewerSchema) {
		t.Errorf("a schema that does not say whom it bears gives %v", err)
	}
}
