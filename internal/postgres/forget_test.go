package postgres_test

import (
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/eventtest"
	"github.com/busuhq/busu/internal/experiment"
	"github.com/busuhq/busu/internal/postgres"
	"github.com/busuhq/busu/internal/reconcile"
	"github.com/busuhq/busu/internal/storetest"
)

// found lists the tables with a row in which a text is, in whatever column, as it
// is or as bytes.
func found(t *testing.T, conn *pgx.Conn, text string) (tables []string) {
	t.Helper()
	rows, err := conn.Query(t.Context(), `SELECT c.oid::regclass::text FROM pg_class c WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY 1`)
	if err != nil {
		t.Fatal(err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || len(all) < 20 {
		t.Fatalf("there are %d tables: %v", len(all), err)
	}
	for _, table := range all {
		var n int
		if err := conn.QueryRow(t.Context(), `SELECT count(*) FROM `+table+` AS r WHERE strpos(r::text, $1) > 0 OR strpos(r::text, $2) > 0`,
			text, hex.EncodeToString([]byte(text))).Scan(&n); err != nil {
			t.Fatal(err)
		}
		if n > 0 {
			tables = append(tables, table)
		}
	}
	return tables
}

// sums is what the ledger adds up to, and what is proven from it.
type sums struct {
	ledger   reconcile.Ledger
	days     []string
	progress []string
}

func sumsOf(t *testing.T, db *postgres.DB, conn *pgx.Conn) (s sums) {
	t.Helper()
	var err error
	if s.ledger, err = db.Audit(t.Context()); err != nil {
		t.Fatal(err)
	}
	list := func(sql string) []string {
		rows, err := conn.Query(t.Context(), sql)
		if err != nil {
			t.Fatal(err)
		}
		texts, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			t.Fatal(err)
		}
		return texts
	}
	s.days = list(`SELECT (to_jsonb(u) - '{user_id,quality_sum,observed_quality,planned_quality,cheapest_quality,dearest_quality}'::text[])::text
		|| round((quality_sum + 2 * observed_quality + 4 * planned_quality + 8 * cheapest_quality + 16 * dearest_quality)::numeric, 6) FROM user_days u ORDER BY 1`)
	s.progress = list(`SELECT progress::text FROM experiments WHERE progress IS NOT NULL ORDER BY id`)
	return s
}

// marked gives facts of one user marks wherever a caller may put something, and
// what was seen of the prompts.
func marked(facts []event.Fact, user string) (mine map[uuid.UUID]bool) {
	mine = map[uuid.UUID]bool{}
	for _, f := range facts {
		if c, ok := f.(*event.CompletionRecorded); ok && c.UserID == user {
			mine[c.ID] = true
			c.UserID, c.SessionID, c.CallerID = "mark-"+user, "mark-session", "mark-call"
			c.Metadata = map[string]string{"mark-key": "mark-value"}
			c.Features = []byte("mark-features")
			c.Strategy, c.Implicit = "hybrid", ""
		}
	}
	for _, f := range facts {
		if v, ok := f.(*event.FeedbackRecorded); ok && mine[v.RequestID] {
			v.Comment, v.Source, v.FeedbackID = "mark-comment", "mark-source", "mark-"+v.ID.String()
		}
	}
	return mine
}

// Nothing is left of a user, in no table, and all that was counted, judged and
// proven stays as it was: whatever is added up or judged again comes to the same.
func TestForgetLeavesOnlyWhatCounts(t *testing.T) {
	t.Parallel()
	url := storetest.Postgres(t)
	db, conn := open(t, url), connect(t, url)
	if err := db.EnsureDays(t.Context(), now.AddDate(0, 0, -12), 14); err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(5, 5))
	e := record("forgets")
	e.CUPED = true
	startExperiment(t, db, e)
	facts := enrolled(r, &e, 400, [2]float64{.6, .9})
	const users = 12
	for u := range users { // some enter at the very same moment
		marked(facts, fmt.Sprintf("user-%d", u))
	}
	persistAll(t, db, facts)
	beat := event.Heartbeat{Journal: "journal", At: now, RecordedUntil: now.Add(-time.Minute), Seqs: map[string]int64{}}
	for _, f := range facts {
		lane := event.Lane{Stream: f.Stream()}.String()
		beat.Seqs[lane] = max(beat.Seqs[lane], f.Head().Seq)
	}
	if err := db.KeepHeartbeats(t.Context(), []event.Heartbeat{beat}); err != nil {
		t.Fatal(err)
	}
	hear := func() {
		for more := true; more; {
			var err error
			if more, err = db.Hear(t.Context(), e.ID, now, 37, (*experiment.Hearing).Judge); err != nil {
				t.Fatal(err)
			}
		}
	}
	count := func() {
		if more, err := db.CountUserDays(t.Context(), 100_000, 24*time.Hour, time.Hour); err != nil || more {
			t.Fatal(more, err)
		}
	}
	if _, err := db.Hear(t.Context(), e.ID, now, 37, (*experiment.Hearing).Judge); err != nil { // half of it before
		t.Fatal(err)
	}
	join(t, db, later(), 100)
	count()
	if in := found(t, conn, "mark-"); !containsAll(in, "feedback", "experiment_units", "experiment_results", "user_days") {
		t.Fatalf("before, marks are in %v only", in)
	}
	before := sumsOf(t, db, conn)
	for u := range users {
		removed, err := db.Forget(t.Context(), e.Project, fmt.Sprintf("mark-user-%d", u))
		if err != nil || removed["completions"] == 0 || removed["experiment_units"] != 1 || removed["user_days"] == 0 {
			t.Fatalf("removed %v, %v", removed, err)
		}
		if _, err := db.Forget(t.Context(), "foreign", fmt.Sprintf("mark-user-%d", u)); err != nil {
			t.Fatal(err)
		}
	}
	if in := found(t, conn, "mark-"); len(in) > 0 {
		t.Errorf("marks are left in %v", in)
	}
	if again, err := db.Forget(t.Context(), e.Project, "mark-user-0"); err != nil || slices.ContainsFunc(values(again), func(n int64) bool { return n != 0 }) {
		t.Errorf("a second time %v is removed, %v", again, err)
	}
	count()
	after := sumsOf(t, db, conn)
	if !reflect.DeepEqual(before.ledger, after.ledger) || !slices.Equal(before.progress, after.progress) {
		t.Error("what is counted, or judged, is not what it was")
	}
	for i := range before.days {
		if len(after.days) != len(before.days) || before.days[i] != after.days[i] {
			t.Fatalf("of %d days are left %d: first %s, then %s", len(before.days), len(after.days), before.days[i], after.days[min(i, len(after.days)-1)])
		}
	}
	hear()
	recounted(t, db, e.ID, unitsOf(t, conn))
	var body string
	if err := conn.QueryRow(t.Context(), `SELECT progress->>'last_unit' FROM experiments`).Scan(&body); err != nil || uuid.Validate(body) != nil {
		t.Errorf("the judge stopped at %q: %v", body, err)
	}
	if want := judged(t, &e, facts); want.Units != unitsOf(t, conn) {
		t.Errorf("%d units were judged, with names there would be %d", unitsOf(t, conn), want.Units)
	}
}

func values(m map[string]int64) (all []int64) {
	for _, n := range m {
		all = append(all, n)
	}
	return all
}

func containsAll(in []string, parts ...string) bool {
	for _, part := range parts {
		if !slices.ContainsFunc(in, func(s string) bool { return strings.HasPrefix(s, part) }) {
			return false
		}
	}
	return true
}

// What comes of requests from before is nobody's, whenever and through whatever
// process it comes, while the user is forgotten too; a user who comes again is
// somebody.
func TestForgottenFactsComeLate(t *testing.T) {
	t.Parallel()
	url := storetest.Postgres(t)
	conn := connect(t, url)
	dbs := []*postgres.DB{open(t, url), open(t, url), open(t, url)}
	if err := dbs[0].EnsureDays(t.Context(), now.AddDate(0, 0, -2), 4); err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(8, 8))
	e := record("late")
	startExperiment(t, dbs[0], e)
	facts := enrolled(r, &e, 30, [2]float64{.6, .9})
	for u := range 10 {
		marked(facts, fmt.Sprintf("user-%d", u))
	}
	want := map[event.Stream]int{}
	for _, f := range facts { // and calls in the background, with what was seen of the prompt
		c, ok := f.(*event.CompletionRecorded)
		if want[f.Stream()]++; !ok || !strings.HasPrefix(c.UserID, "mark-") {
			continue
		}
		second := eventtest.Completion(r, c.At.Add(time.Second))
		second.Strategy, second.UserID, second.OriginID, second.Features, second.Experiments = event.StrategyShadow, "", c.ID, []byte("mark-features"), nil
		second.Journal, second.Seq = "shadows", int64(want[event.Completions])
		facts = append(facts, second)
		want[event.Completions]++
	}
	r.Shuffle(len(facts), func(i, j int) { facts[i], facts[j] = facts[j], facts[i] })
	early, rest := facts[:len(facts)/3], facts[len(facts)/3:]
	for i, db := range dbs { // each knows of nobody
		persistAll(t, db, early[i*len(early)/3:(i+1)*len(early)/3])
	}
	for u := range 5 {
		if _, err := dbs[0].Forget(t.Context(), e.Project, fmt.Sprintf("mark-user-%d", u)); err != nil {
			t.Fatal(err)
		}
	}
	var all sync.WaitGroup
	for i, db := range dbs {
		all.Go(func() {
			for batch := range slices.Chunk(rest[i*len(rest)/3:(i+1)*len(rest)/3], 7) {
				persistAll(t, db, batch)
			}
		})
	}
	all.Go(func() {
		for u := 5; u < 10; u++ {
			if _, err := dbs[u%3].Forget(t.Context(), e.Project, fmt.Sprintf("mark-user-%d", u)); err != nil {
				t.Error(err)
			}
			if _, err := dbs[u%3].CountUserDays(t.Context(), 100_000, time.Hour, time.Hour); err != nil {
				t.Error(err)
			}
			join(t, dbs[u%3], later(), 10)
		}
	})
	all.Wait()
	for u := range 10 {
		if _, err := dbs[0].Forget(t.Context(), "foreign", fmt.Sprintf("mark-user-%d", u)); err != nil {
			t.Fatal(err)
		}
	}
	persistAll(t, dbs[1], facts) // again
	for db := range 3 {
		if _, err := dbs[db].CountUserDays(t.Context(), 100_000, time.Hour, time.Hour); err != nil {
			t.Fatal(err)
		}
	}
	if in := found(t, conn, "mark-"); len(in) > 0 {
		t.Errorf("marks are in %v", in)
	}
	for stream, n := range want {
		var stored int
		sql := `SELECT count(*) FROM completions`
		if stream == event.Feedback {
			sql = `SELECT count(*) FROM feedback WHERE NOT implicit`
		}
		if err := conn.QueryRow(t.Context(), sql).Scan(&stored); err != nil || stored != n {
			t.Errorf("of %d %s %d are stored, %v", n, stream, stored, err)
		}
	}
	back := eventtest.Completion(r, time.Now().Add(2*time.Hour))
	back.UserID, back.Journal, back.Seq = "mark-user-3", "back", 1
	persistAll(t, dbs[2], []event.Fact{back})
	if in := found(t, conn, "mark-user-3"); len(in) == 0 {
		t.Error("who comes again is nobody")
	}
	if n, err := dbs[0].ExpireForgotten(t.Context(), time.Now().Add(time.Hour), 1000); err != nil || n == 0 {
		t.Errorf("%d notes expired, %v", n, err)
	}
	persistAll(t, dbs[2], []event.Fact{back})
}
