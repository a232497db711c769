package postgres_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/eventtest"
	"github.com/busuhq/busu/internal/learning"
	"github.com/busuhq/busu/internal/postgres"
	"github.com/busuhq/busu/internal/storetest"
	"github.com/busuhq/busu/internal/verdict"
)

// routed are facts of requests that a strategy that learns has routed.
func routed(seed uint64, n int, within time.Duration) []*event.CompletionRecorded {
	r := rand.New(rand.NewPCG(seed, 1))
	facts := completions(seed, n, within)
	for _, f := range facts {
		f.Strategy, f.Status, f.Cache, f.CacheMatch = "hybrid", event.StatusOK, event.CacheMiss, ""
		f.PlannedModel, f.Model, f.Propensity, f.Fallbacks = "small", "small", .8, nil
		f.Candidates = []event.Candidate{{Model: "small", Prior: .6, Probability: .8}, {Model: "large", Prior: .9, Probability: .2}}
		f.Features = fmt.Appendf(nil, "seen %d", r.Uint64())
	}
	return facts
}

// join joins what is due until nothing is, with the plain rule, and counts.
func join(t testing.TB, db *postgres.DB, at time.Time, most int) map[string]int {
	t.Helper()
	count := map[string]int{}
	for {
		n, err := db.Join(t.Context(), at, most, func(_ context.Context, cases []verdict.Case, until time.Time) []verdict.Ruling {
			rulings := verdict.RuleAll(cases, until, at)
			for i := range rulings {
				count[string(rulings[i].State)]++
			}
			return rulings
		})
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			return count
		}
	}
}

// later is after what is stored now is due.
func later() time.Time { return time.Now().Add(time.Second) }

func lessons(t testing.TB, db *postgres.DB) []learning.Numbered {
	t.Helper()
	all, err := db.Lessons(t.Context(), 0, 1e6)
	if err != nil {
		t.Fatal(err)
	}
	for i, l := range all {
		if l.N != int64(i+1) {
			t.Fatalf("lesson %d has the number %d", i+1, l.N)
		}
	}
	return all
}

// A verdict becomes the lesson that its request's row and features make.
func TestJoinMakesLessons(t *testing.T) {
	t.Parallel()
	db := open(t, storetest.Postgres(t))
	if err := db.EnsureDays(t.Context(), now.AddDate(0, 0, -5), 7); err != nil {
		t.Fatal(err)
	}
	facts := routed(1, 300, 4*24*time.Hour) // over days that have partitions
	if _, err := db.Persist(t.Context(), facts); err != nil {
		t.Fatal(err)
	}
	said := verdicts(2, 300)
	for i, f := range said {
		f.RequestID = facts[i].ID
	}
	persistFeedback(t, db, said...)
	if got := join(t, db, later(), 70); got["learned"] != 300 {
		t.Errorf("they became %v", got)
	}
	taught := lessons(t, db)
	if len(taught) != 300 {
		t.Fatalf("there are %d lessons", len(taught))
	}
	var got, want []string
	for i, l := range taught {
		lesson, err := learning.DecodeLesson(l.Lesson)
		if err != nil || l.Project != event.DefaultProject || l.Strategy != "hybrid" {
			t.Fatalf("%+v: %v", l, err)
		}
		got = append(got, fmt.Sprintf("%+v", *lesson.Verdict))
		want = append(want, fmt.Sprintf("%+v", learning.Judged{Model: "small", Quality: said[i].Quality(), Prior: .6, Propensity: .8,
			Candidates: []string{"small", "large"}, Predicted: facts[i].Candidates[0].Quality, Baseline: "large", Features: facts[i].Features}))
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("the lessons are\n%s\nnot\n%s", got[0], want[0])
	}
	shown, err := db.FeedbackOf(t.Context(), event.DefaultProject, facts[7].ID)
	if err != nil || len(shown) != 1 || shown[0].State != "learned" || shown[0].Note != nil {
		t.Errorf("shown is %+v: %v", shown, err)
	}
}

// What comes before its request waits for it, and then teaches; what comes again
// changes nothing, however often.
func TestJoinWaitsForTheRequest(t *testing.T) {
	t.Parallel()
	db := open(t, storetest.Postgres(t))
	facts := routed(3, 1, time.Minute)
	said := verdicts(4, 1000)
	for i, f := range said {
		f.ID, f.RequestID = eventtest.ID(rand.New(rand.NewPCG(uint64(i), 0)), time.Now()), facts[0].ID
		f.At = event.TimeOf(f.ID)
	}
	persistFeedback(t, db, said[0])
	if got := join(t, db, later(), 10); got["waiting"] != 1 {
		t.Errorf("before its request it is %v", got)
	}
	if got := join(t, db, time.Now(), 10); len(got) != 0 {
		t.Errorf("it is looked at again at once: %v", got)
	}
	if _, err := db.Persist(t.Context(), facts); err != nil {
		t.Fatal(err)
	}
	if got := join(t, db, later().Add(time.Minute), 10); got["learned"] != 1 {
		t.Errorf("behind its request it is %v", got)
	}
	persistFeedback(t, db, said...)
	if got := join(t, db, later(), 300); got["kept"] != 999 || len(lessons(t, db)) != 1 {
		t.Errorf("999 more are %v, with %d lessons", got, len(lessons(t, db)))
	}
	shown, err := db.FeedbackOf(t.Context(), event.DefaultProject, facts[0].ID)
	if err != nil || len(shown) != 1000 || shown[500].State != "kept" && deref(shown[500].Note) != "already judged" {
		t.Errorf("%d are shown: %v", len(shown), err)
	}
}

// A verdict on a second model's answer teaches the strategy that planned the
// first, once that is stored.
func TestJoinTeachesWhomTheSecondAnswerStandsBeside(t *testing.T) {
	t.Parallel()
	db := open(t, storetest.Postgres(t))
	facts := routed(7, 2, time.Minute)
	first, second := facts[0], facts[1]
	first.Strategy = "learning"
	second.Strategy, second.OriginID = event.StrategyShadow, first.ID
	said := verdicts(8, 1)
	said[0].ID, said[0].RequestID = eventtest.ID(rand.New(rand.NewPCG(8, 0)), time.Now()), second.ID
	said[0].At = event.TimeOf(said[0].ID)
	if _, err := db.Persist(t.Context(), facts[1:]); err != nil {
		t.Fatal(err)
	}
	persistFeedback(t, db, said...)
	if got := join(t, db, later(), 10); got["waiting"] != 1 {
		t.Errorf("before the first answer is stored it is %v", got)
	}
	if _, err := db.Persist(t.Context(), facts[:1]); err != nil {
		t.Fatal(err)
	}
	if got := join(t, db, later().Add(time.Minute), 10); got["learned"] != 1 {
		t.Errorf("then it is %v", got)
	}
	if all := lessons(t, db); len(all) != 1 || all[0].Strategy != "learning" {
		t.Errorf("the lessons are %+v", all)
	}
}

// What a second answer says against its model without a judge is weighed against
// the verdicts that the same learner got.
func TestSecondAnswersCountWithTheirLearner(t *testing.T) {
	t.Parallel()
	db := open(t, storetest.Postgres(t))
	facts := routed(9, 12, time.Minute)
	second := facts[11]
	second.Strategy, second.OriginID, second.Implicit = event.StrategyShadow, facts[0].ID, event.ImplicitEmpty
	if _, err := db.Persist(t.Context(), facts); err != nil {
		t.Fatal(err)
	}
	said := verdicts(10, 11)
	for i, f := range said {
		f.RequestID = facts[i].ID
	}
	persistFeedback(t, db, said...)
	if got := join(t, db, later(), 20); got["learned"] != 11 {
		t.Fatalf("verdicts on first answers are %v", got)
	}
	if got := join(t, db, later().Add(verdict.ImplicitWait+time.Minute), 20); got["learned"] != 1 {
		t.Errorf("beside 11 verdicts, one that nobody gave on a second answer is %v", got)
	}
}

// What the row says reaches the rule.
func TestJoinKnowsTheAnswer(t *testing.T) {
	t.Parallel()
	url := storetest.Postgres(t)
	db := open(t, url)
	facts := routed(5, 4, time.Hour)
	origin := eventtest.ID(rand.New(rand.NewPCG(9, 9)), now)
	facts[0].Cache, facts[0].CacheMatch, facts[0].OriginID = event.CacheRedis, "exact", origin
	facts[1].Fallbacks, facts[1].Model = []string{"small"}, "large"
	facts[2].Project = "other"
	facts[3].Features = nil
	if _, err := db.Persist(t.Context(), facts); err != nil {
		t.Fatal(err)
	}
	said := verdicts(6, 5) // the last one on a request that there is not
	for i, f := range facts {
		said[i].RequestID = f.ID
	}
	persistFeedback(t, db, said...)
	until := now.Add(-5 * time.Second)
	hear(t, db, event.Heartbeat{Journal: "journal", At: until.Add(time.Second), RecordedUntil: until, Seqs: map[string]int64{"completions/0": 4, "feedback/0": 5}})
	_, err := db.Join(t.Context(), later(), 10, func(_ context.Context, cases []verdict.Case, _ time.Time) []verdict.Ruling {
		if len(cases) != 5 {
			t.Fatalf("%d cases", len(cases))
		}
		for _, c := range cases {
			i := slices.IndexFunc(said, func(f *event.FeedbackRecorded) bool { return f.ID == c.Feedback.ID })
			if !reflect.DeepEqual(c.Feedback, said[i]) {
				t.Errorf("the verdict is %+v, not %+v", c.Feedback, said[i])
			}
			if i == 4 {
				if c.Answer != nil || c.Taught {
					t.Errorf("there is an answer: %+v", c.Answer)
				}
				continue
			}
			f := facts[i]
			want := &event.CompletionRecorded{Project: f.Project, Strategy: f.Strategy, PlannedModel: f.PlannedModel, BaselineModel: f.BaselineModel, Propensity: f.Propensity,
				Model: f.Model, Status: f.Status, Cache: f.Cache, OriginID: f.OriginID, Fallbacks: f.Fallbacks, Features: f.Features}
			want.ID = f.ID
			if f.Features != nil {
				want.Candidates = f.Candidates
			}
			if !reflect.DeepEqual(c.Answer, want) {
				t.Errorf("the answer is %+v, not %+v", c.Answer, want)
			}
		}
		return make([]verdict.Ruling, 4)
	})
	if err == nil {
		t.Error("a case went without a ruling")
	}
	if _, err := db.Join(t.Context(), now, 10, nil); err != nil { // before anything is due
		t.Error(err)
	}
	var waiting int
	if err := connect(t, url).QueryRow(t.Context(), `SELECT count(*) FROM feedback WHERE state = 'waiting'`).Scan(&waiting); err != nil || waiting != 5 {
		t.Errorf("%d wait after a step that failed: %v", waiting, err)
	}
}

// Several processes join, and lessons of other kinds come between: each verdict
// is ruled once, and lessons are gapless in the order of commits.
func TestManyJoinAtOnce(t *testing.T) {
	t.Parallel()
	db := open(t, storetest.Postgres(t))
	facts := routed(7, 400, time.Hour)
	if _, err := db.Persist(t.Context(), facts); err != nil {
		t.Fatal(err)
	}
	said := verdicts(8, 400)
	for i, f := range said {
		f.RequestID = facts[i].ID
	}
	persistFeedback(t, db, said...)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	at := later()
	var all sync.WaitGroup
	var mu sync.Mutex
	ruled := map[uuid.UUID]int{}
	done := func() bool { mu.Lock(); defer mu.Unlock(); return len(ruled) == 400 }
	for range 4 {
		all.Go(func() {
			for ctx.Err() == nil && !done() {
				_, err := db.Join(ctx, at, 7, func(_ context.Context, cases []verdict.Case, until time.Time) []verdict.Ruling {
					mu.Lock()
					defer mu.Unlock()
					for _, c := range cases {
						ruled[c.Feedback.ID]++
					}
					return verdict.RuleAll(cases, until, at)
				})
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	all.Go(func() {
		for ctx.Err() == nil && !done() {
			if err := db.AppendLessons(ctx, []learning.Numbered{{Project: "p", Strategy: "learning", Lesson: []byte("x")}}); err != nil {
				t.Error(err)
				return
			}
		}
	})
	all.Go(func() { // a reader never sees a gap
		for ctx.Err() == nil && !done() {
			lessons(t, db)
		}
	})
	all.Wait()
	for id, n := range ruled {
		if n != 1 {
			t.Errorf("%s was ruled %d times", id, n)
		}
	}
	var taught int
	for _, l := range lessons(t, db) {
		if l.Strategy == "hybrid" {
			taught++
		}
	}
	if taught != 400 {
		t.Errorf("%d lessons of 400 verdicts", taught)
	}
}

// BenchmarkJoin joins ten thousand verdicts with a million-row day behind them.
func BenchmarkJoin(b *testing.B) {
	const n = 10_000
	url := storetest.Postgres(b)
	db, err := postgres.Open(b.Context(), postgres.Options{URL: url, Name: "benchmark"})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(db.Close)
	if err := db.EnsureDays(b.Context(), now.AddDate(0, 0, -60), 62); err != nil {
		b.Fatal(err)
	}
	conn, err := pgx.Connect(b.Context(), url)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = conn.Close(context.Background()) })
	facts := routed(1, n, 30*time.Minute)
	for batch := range slices.Chunk(facts, 1000) {
		if _, err := db.Persist(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
	}
	for round := 0; b.Loop(); round++ {
		b.StopTimer()
		if _, err := conn.Exec(b.Context(), `DELETE FROM lessons; DELETE FROM feedback`); err != nil {
			b.Fatal(err)
		}
		said := verdicts(uint64(round)+2, n)
		for i, f := range said {
			f.RequestID = facts[i].ID
		}
		b.StartTimer()
		for batch := range slices.Chunk(said, 1000) {
			if _, err := db.Feedback().Persist(b.Context(), batch); err != nil {
				b.Fatal(err)
			}
		}
		stored := b.Elapsed()
		if got := join(b, db, later(), 2000); got["learned"] != n {
			b.Fatalf("they became %v", got)
		}
		b.ReportMetric(float64(n)/(b.Elapsed()-stored).Seconds(), "joined/s")
	}
	b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "applied/s")
}
