package postgres_test

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/busuhq/busu/internal/cache"
	"github.com/busuhq/busu/internal/cachetest"
	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/postgres"
	"github.com/busuhq/busu/internal/storetest"
)

func TestResponseCacheStore(t *testing.T) {
	t.Parallel()
	cachetest.TestStore(t, func(t *testing.T) cache.Store { return open(t, storetest.Postgres(t)).ResponseCache() })
}

func keepAnswers(t *testing.T, c *postgres.ResponseCache, items ...cache.Item) {
	t.Helper()
	if n, err := c.Keep(t.Context(), items, now); err != nil || n != len(items) {
		t.Fatalf("kept %d of %d: %v", n, len(items), err)
	}
}

// Analysts read what a row says without decoding the answer.
func TestRowSaysWhereAnAnswerCameFrom(t *testing.T) {
	t.Parallel()
	url := storetest.Postgres(t)
	c := open(t, url).ResponseCache()
	e, plain := cachetest.Entry("m"), cachetest.Entry("m")
	e.Holdout = true
	plain.UserID, plain.Experiments = "", nil
	item := cachetest.Item(t, "q", e)
	keepAnswers(t, c, item, cachetest.Item(t, "plain", plain))
	type row struct {
		Key, Entry                        []byte
		Model, Provider, Project          string
		User                              *string
		Request                           string
		Experiments                       []event.Arm
		Holdout                           bool
		TokensIn, TokensOut, Cost, Stayed int64
	}
	rows, err := connect(t, url).Query(t.Context(), `
		SELECT key, entry, model, provider, project, user_id, request_id::text, experiments, holdout, tokens_in, tokens_out, cost_nanos,
			extract(epoch FROM expires_at - at)::bigint
		FROM response_cache ORDER BY holdout DESC`)
	if err != nil {
		t.Fatal(err)
	}
	got, err := pgx.CollectRows(rows, pgx.RowToStructByPos[row])
	if err != nil {
		t.Fatal(err)
	}
	user := "ann"
	want := row{item.Key.Sum[:], item.Body, "m", "vendor", "default", &user, e.RequestID.String(), e.Experiments, true, 10, 7, 12_345, 60}
	if len(got) != 2 || !reflect.DeepEqual(got[0], want) || got[1].User != nil || got[1].Experiments != nil || got[1].Holdout {
		t.Errorf("got\n%+v\nwant\n%+v", got, want)
	}
}

// An answer that comes late does not take the place of a newer one.
func TestALateAnswerIsNotNewer(t *testing.T) {
	t.Parallel()
	c := open(t, storetest.Postgres(t)).ResponseCache()
	older, newer := cachetest.Item(t, "q", cachetest.Entry("m")), cachetest.Item(t, "q", cachetest.Entry("m"))
	older.Entry.At = newer.Entry.At.Add(-time.Second)
	keepAnswers(t, c, newer)
	keepAnswers(t, c, older)
	if body, err := c.Find(t.Context(), newer.Key, []string{"m"}); err != nil || !bytes.Equal(body, newer.Body) {
		t.Errorf("found %q, %v", body, err)
	}
}

// Whoever removes what has expired goes where it is: he does not look through
// what is kept, however often he has done it.
func TestDropExpiredLooksAtNothingElse(t *testing.T) {
	t.Parallel()
	url := storetest.Postgres(t)
	db, conn := open(t, url), connect(t, url)
	const kept, turns, expiring = 100_000, 20, 2000
	fillAnswers(t, conn, 0, kept, `now() + random() * interval '1 day' + interval '1 minute'`)
	for turn := range turns {
		fillAnswers(t, conn, kept+turn*expiring, expiring, `now() - interval '1 minute'`)
		if turn%5 == 0 {
			if _, err := conn.Exec(t.Context(), `ANALYZE response_cache`); err != nil {
				t.Fatal(err)
			}
		}
		if removed, err := db.ResponseCache().DropExpired(t.Context(), time.Now()); err != nil || removed != expiring {
			t.Fatalf("%d are removed: %v", removed, err)
		}
	}
	db.Close() // which makes its connections tell what they did
	var deleted, read int
	for deleted < turns*expiring {
		if err := conn.QueryRow(t.Context(), `SELECT n_tup_del, seq_tup_read FROM pg_stat_user_tables WHERE relname = 'response_cache'`).Scan(&deleted, &read); err != nil {
			t.Fatal(err)
		}
	}
	if read > kept {
		t.Errorf("%d rows were looked at, to remove %d", read, deleted)
	}
}

// fillAnswers stores n answers that differ from a number on.
func fillAnswers(t *testing.T, conn *pgx.Conn, from, n int, expires string) {
	t.Helper()
	if _, err := conn.Exec(t.Context(), `
		INSERT INTO response_cache (key, model, provider, project, request_id, holdout, tokens_in, tokens_out, cost_nanos, entry, at, expires_at)
		SELECT sha256(i::text::bytea), 'm', 'p', 'default', gen_random_uuid(), false, 1, 1, 1, repeat('x', 500)::bytea, now(), `+expires+`
		FROM generate_series($1::int, $2::int) i`, from, from+n-1); err != nil {
		t.Fatal(err)
	}
}

func TestDropExpired(t *testing.T) {
	t.Parallel()
	url := storetest.Postgres(t)
	c := open(t, url).ResponseCache()
	var items []cache.Item
	for i := range 2500 {
		items = append(items, cachetest.Item(t, fmt.Sprint(i), cachetest.Entry("m")))
		items[i].Until = now.Add(time.Duration(i) * time.Second)
	}
	keepAnswers(t, c, items...)
	var all sync.WaitGroup
	var removed [3]int64
	for i := range removed { // several workers at once
		all.Go(func() {
			var err error
			if removed[i], err = c.DropExpired(t.Context(), now.Add(2000*time.Second)); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	var left int
	var first time.Time
	err := connect(t, url).QueryRow(t.Context(), `SELECT count(*), min(expires_at) FROM response_cache`).Scan(&left, &first)
	if err != nil || left != 500 || !first.Equal(now.Add(2000*time.Second)) || removed[0]+removed[1]+removed[2] != 2000 {
		t.Errorf("removed %v, %d are left, the first until %s: %v", removed, left, first, err)
	}
}

// Whoever follows what is kept hears of everything that has not expired, also of
// what is stored again.
func TestKept(t *testing.T) {
	t.Parallel()
	c := open(t, storetest.Postgres(t)).ResponseCache()
	a, b, gone := cachetest.Item(t, "a", cachetest.Entry("m")), cachetest.Item(t, "b", cachetest.Entry("m")), cachetest.Item(t, "gone", cachetest.Entry("m"))
	gone.Until = time.Now().Add(-time.Second)
	kept := func(since time.Time) (fps []uint64, until time.Time) {
		t.Helper()
		until, err := c.Kept(t.Context(), since, func(fp uint64) { fps = append(fps, fp) })
		if err != nil {
			t.Fatal(err)
		}
		return fps, until
	}
	fps, until := kept(time.Time{})
	if len(fps) != 0 || time.Since(until) < 0 || time.Since(until) > time.Minute {
		t.Errorf("of an empty table: %v, go on from %s", fps, until)
	}
	keepAnswers(t, c, a, gone)
	if fps, until = kept(until); !slices.Equal(fps, []uint64{a.Key.Fingerprint()}) {
		t.Errorf("got %v", fps)
	}
	keepAnswers(t, c, b)
	if fps, _ = kept(until); !slices.Contains(fps, b.Key.Fingerprint()) {
		t.Errorf("got %v", fps)
	}
	if fps, _ = kept(time.Now().Add(time.Minute)); len(fps) != 0 {
		t.Errorf("of the future: %v", fps)
	}
	a.Entry.At = a.Entry.At.Add(time.Second)
	before := time.Now()
	for time.Since(before) < 10*time.Millisecond {
		time.Sleep(time.Millisecond)
	}
	keepAnswers(t, c, a)
	if fps, _ = kept(before); !slices.Equal(fps, []uint64{a.Key.Fingerprint()}) {
		t.Errorf("what was stored again is not told: %v", fps)
	}
}

// keptAtOnce is how many answers a batch of these measurements has.
const keptAtOnce = 32

// BenchmarkResponseCacheKeep stores batches of answers.
func BenchmarkResponseCacheKeep(b *testing.B) {
	keep := newKeeping(b)
	b.ReportAllocs()
	for b.Loop() {
		keep()
	}
}

// TestAllocationsOfKeeping holds what each answer of a batch takes, with what
// makes it for the test, 7 of them.
func TestAllocationsOfKeeping(t *testing.T) {
	const most = 36 // of each answer
	keep := newKeeping(t)
	if n := testing.AllocsPerRun(20, keep) / keptAtOnce; n > most {
		t.Errorf("%g allocations for each answer, more than %d", n, most)
	}
}

// newKeeping gives what keeps a batch of answers that were not there before.
func newKeeping(tb testing.TB) (keep func()) {
	db, err := postgres.Open(tb.Context(), postgres.Options{URL: storetest.Postgres(tb), Name: "bench"})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(db.Close)
	c := db.ResponseCache()
	body := make([]byte, 900)
	items := make([]cache.Item, keptAtOnce)
	n := 0
	return func() {
		for i := range items {
			n++
			e := cachetest.Entry("m")
			e.Experiments = nil
			items[i] = cache.Item{Key: cachetest.Key(tb, fmt.Sprint(n)), Entry: e, Body: body, Until: e.At.Add(time.Hour)}
		}
		if kept, err := c.Keep(tb.Context(), items, items[0].Entry.At); err != nil || kept != len(items) {
			tb.Error(kept, err)
		}
	}
}
