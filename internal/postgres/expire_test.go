package postgres_test

import (
	"slices"
	"testing"
	"time"

	"github.com/busuhq/busu/internal/budget"
	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/learning"
	"github.com/busuhq/busu/internal/postgres"
	"github.com/busuhq/busu/internal/storetest"
	"github.com/busuhq/busu/internal/webhook"
)

// removeAll removes until nothing is left, and counts.
func removeAll(t *testing.T, remove func() (int64, error)) (all int64) {
	t.Helper()
	for {
		n, err := remove()
		if err != nil {
			t.Fatal(err)
		}
		if all += n; n == 0 {
			return all
		}
	}
}

// What comes when its day is gone goes when its time is over.
func TestLateRowsExpire(t *testing.T) {
	t.Parallel()
	url := storetest.Postgres(t)
	db, conn := open(t, url), connect(t, url)
	facts := routed(31, 200, 10*24*time.Hour)
	if _, err := db.Persist(t.Context(), facts); err != nil {
		t.Fatal(err)
	}
	completionsFrom, featuresFrom := now.AddDate(0, 0, -8), now.AddDate(0, 0, -3)
	var left, leftFeatures int
	for _, f := range facts {
		if !f.At.Before(completionsFrom) {
			left++
		}
		if !f.At.Before(featuresFrom) {
			leftFeatures++
		}
	}
	removed := removeAll(t, func() (int64, error) { return db.ExpireLate(t.Context(), completionsFrom, featuresFrom, 7) })
	if want := int64(400 - left - leftFeatures); removed != want || left == 200 || leftFeatures == 0 {
		t.Errorf("%d rows were removed, not %d", removed, want)
	}
	var n, m int
	if err := conn.QueryRow(t.Context(), `SELECT (SELECT count(*) FROM completions WHERE at >= $1), (SELECT count(*) FROM features WHERE at >= $2)`,
		completionsFrom, featuresFrom).Scan(&n, &m); err != nil || n != left || m != leftFeatures {
		t.Errorf("%d completions and %d features are left, not %d and %d: %v", n, m, left, leftFeatures, err)
	}
}

func TestFeedbackExpires(t *testing.T) {
	t.Parallel()
	url := storetest.Postgres(t)
	db, conn := open(t, url), connect(t, url)
	said := verdicts(32, 100)
	persistFeedback(t, db, said...)
	slices.SortFunc(said, func(a, b *event.FeedbackRecorded) int { return a.At.Compare(b.At) })
	before := said[40].At // times are random
	var old int64
	for _, f := range said {
		if f.At.Before(before) {
			old++
		}
	}
	if n := removeAll(t, func() (int64, error) { return db.ExpireFeedback(t.Context(), before, 9) }); n != old || n == 0 {
		t.Errorf("%d of %d were removed", n, old)
	}
	var left int64
	if err := conn.QueryRow(t.Context(), `SELECT count(*) FROM feedback WHERE at >= $1`, before).Scan(&left); err != nil || left != 100-old {
		t.Errorf("%d are left: %v", left, err)
	}
}

// Lessons go when they are old and a snapshot holds them, those about the price
// sooner; what comes next is numbered behind all that ever were.
func TestLessonsExpire(t *testing.T) {
	t.Parallel()
	url := storetest.Postgres(t)
	db, conn := open(t, url), connect(t, url)
	expire := func() int64 {
		return removeAll(t, func() (int64, error) {
			return db.ExpireLessons(t.Context(), time.Now().AddDate(0, 0, -91), time.Now().AddDate(0, 0, -7), 4)
		})
	}
	numbers := func() (ns []int64) {
		t.Helper()
		all, err := db.Lessons(t.Context(), 0, 1000)
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range all {
			ns = append(ns, l.N)
		}
		return ns
	}
	// Two hundred days, one lesson a day, every second one about the price.
	if _, err := conn.Exec(t.Context(), `
		INSERT INTO lessons (n, at, project, strategy, request_id, lesson)
		SELECT n, now() - (200 - n) * interval '1 day' - interval '1 hour', 'p', 'hybrid', CASE WHEN n % 2 = 0 THEN gen_random_uuid() END, 'x'
		FROM generate_series(1, 200) AS n`); err != nil {
		t.Fatal(err)
	}
	if n := expire(); n != 0 {
		t.Errorf("%d lessons went that no snapshot holds", n)
	}
	publish(t, db, taken("p", 1, 50, 1))
	if n := expire(); n != 50 || numbers()[0] != 51 {
		t.Errorf("%d of the fifty lessons that are held went, the first left is %d", n, numbers()[0])
	}
	publish(t, db, taken("p", 2, 200, 1))
	expire()
	left := numbers()
	var verdicts, prices int64
	for _, n := range left {
		if n%2 == 0 {
			verdicts++
		} else {
			prices++
		}
	}
	// Verdicts of the last 91 days: 110, 112 … 200; prices of seven: 195, 197, 199.
	if verdicts != 46 || prices != 3 || left[0] != 110 {
		t.Errorf("%d lessons of verdicts and %d about the price are left, from %d on", verdicts, prices, left[0])
	}

	// All are old: the last one stays.
	if _, err := conn.Exec(t.Context(), `UPDATE lessons SET at = at - interval '1 year'`); err != nil {
		t.Fatal(err)
	}
	if expire(); len(numbers()) != 1 {
		t.Errorf("%v are left", numbers())
	}
	if err := db.AppendLessons(t.Context(), []learning.Numbered{{Project: "p", Strategy: "hybrid", Lesson: []byte("x")}}); err != nil {
		t.Fatal(err)
	}
	if got := numbers(); got[len(got)-1] != 201 {
		t.Errorf("the next lesson makes them %v", got)
	}
}

func publish(t *testing.T, db *postgres.DB, s learning.Snapshot) {
	t.Helper()
	if err := db.Publish(t.Context(), []learning.Snapshot{s}); err != nil {
		t.Fatal(err)
	}
}

// Messages go when they are old and have ended, with their attempts; those that
// wait stay.
func TestWebhooksExpire(t *testing.T) {
	t.Parallel()
	url := storetest.Postgres(t)
	db, conn := open(t, url), connect(t, url)
	for _, name := range []string{"delivered", "failed", "waiting"} {
		stopped(t, db, name)
	}
	for _, c := range claimed(t, db, time.Now(), 10, time.Minute) {
		next := webhook.Next{State: webhook.Delivered}
		switch c.URL {
		case "https://example.com/failed":
			next.State = webhook.Failed
		case "https://example.com/waiting":
			next = webhook.Next{State: webhook.Waiting, At: time.Now()}
		}
		if err := db.RecordAttempt(t.Context(), c.ID, webhook.Attempt{Number: c.Number, At: time.Now()}, next); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		before time.Time
		want   int64
	}{{time.Now().Add(-time.Hour), 0}, {time.Now().Add(time.Hour), 2}} {
		if n := removeAll(t, func() (int64, error) { return db.ExpireWebhooks(t.Context(), c.before, 1) }); n != c.want {
			t.Errorf("before %s %d messages went, not %d", c.before, n, c.want)
		}
	}
	var left []string
	var attempts int
	if err := conn.QueryRow(t.Context(), `SELECT (SELECT array_agg(url) FROM webhooks), (SELECT count(*) FROM webhook_attempts)`).Scan(&left, &attempts); err != nil ||
		!slices.Equal(left, []string{"https://example.com/waiting"}) || attempts != 1 {
		t.Errorf("left are %v with %d attempts: %v", left, attempts, err)
	}
}

// Alerts and refusals go by when their periods began.
func TestAlertsExpire(t *testing.T) {
	t.Parallel()
	db := open(t, storetest.Postgres(t))
	b := budget.Budget{Scope: budget.Project, Name: "acme", Period: budget.Day, Limit: 1000}
	r := budget.Reached{Watched: budget.Watched{Project: "acme", Budget: b}, Began: b.Period.Start(now), Thresholds: []int{50, 80, 100}, Spent: 1000}
	if _, err := db.RecordAlert(t.Context(), r, ""); err != nil {
		t.Fatal(err)
	}
	if err := db.NoteRefusals(t.Context(), []budget.Refused{{Account: b.Account(now), Limit: 1000}}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		before time.Time
		want   int64
	}{{r.Began, 0}, {r.Began.Add(time.Second), 4}} {
		if n := removeAll(t, func() (int64, error) { return db.ExpireAlerts(t.Context(), c.before, 2) }); n != c.want {
			t.Errorf("before %s %d rows went, not %d", c.before, n, c.want)
		}
	}
}

// Of keys go the old minutes, not the hours, and budgets that are not over have
// spent the same as before.
func TestMinutesOfKeysExpire(t *testing.T) {
	t.Parallel()
	url := storetest.Postgres(t)
	db, conn := open(t, url), connect(t, url)
	key, _ := newKey("acme")
	if _, err := db.CreateKey(t.Context(), key, "somebody"); err != nil {
		t.Fatal(err)
	}
	facts := completions(61, 300, 60*24*time.Hour)
	for _, f := range facts {
		f.KeyID, f.Project = key.ID, "acme"
	}
	if _, err := db.Persist(t.Context(), facts); err != nil {
		t.Fatal(err)
	}
	if _, err := db.MergeRollups(t.Context()); err != nil {
		t.Fatal(err)
	}
	before := now.AddDate(0, 0, -35)
	counts := func() (old, kept, hours int64) {
		t.Helper()
		if err := conn.QueryRow(t.Context(), `
			SELECT count(*) FILTER (WHERE minute < $1), count(*) FILTER (WHERE minute >= $1), (SELECT count(*) FROM rollups_hours)
			FROM rollups_minutes WHERE kind = 'key'`, before).Scan(&old, &kept, &hours); err != nil {
			t.Fatal(err)
		}
		return old, kept, hours
	}
	account := budget.Budget{Scope: budget.Key, Name: key.ID, Period: budget.Month}.Account(now)
	mark := map[budget.Account]int64{account: now.AddDate(0, 0, -20).Unix() / 60}
	spent, err := db.StoredBefore(t.Context(), mark)
	if err != nil || spent[account] == 0 {
		t.Fatal(spent, err)
	}
	old, kept, hours := counts()
	removeAll(t, func() (int64, error) { return db.ExpireMinutes(t.Context(), before, 7) })
	if o, k, h := counts(); o != 0 || old == 0 || k != kept || h != hours || k == 0 {
		t.Errorf("left are %d old and %d other minutes of keys and %d hours; before there were %d, %d and %d", o, k, h, old, kept, hours)
	}
	if again, err := db.StoredBefore(t.Context(), mark); err != nil || again[account] != spent[account] {
		t.Errorf("before the mark were spent %s, and now %s: %v", spent[account], again[account], err)
	}
}
