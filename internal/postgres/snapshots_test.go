package postgres_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/learning"
	"github.com/busuhq/busu/internal/postgres"
	"github.com/busuhq/busu/internal/storetest"
)

// taken is a snapshot of a model that has learned nothing, at a price.
func taken(project string, number, lesson int64, lambda float64) learning.Snapshot {
	m := learning.New(nil, learning.Assumed())
	m.Controller.Lambda = lambda
	return learning.Take(m, project, "hybrid", number, lesson)
}

func TestSnapshotsAreReadAsPublished(t *testing.T) {
	t.Parallel()
	db := open(t, storetest.Postgres(t))
	first := taken("one", 1, 5, 10)
	second := taken("one", 2, 9, 11)
	second.ModelOf = 1
	other := taken("two", 1, 9, 20)
	if err := db.Publish(t.Context(), []learning.Snapshot{first}); err != nil {
		t.Fatal(err)
	}
	if err := db.Publish(t.Context(), []learning.Snapshot{second, other}); err != nil {
		t.Fatal(err)
	}
	latest, err := db.Latest(t.Context())
	if err != nil || len(latest) != 2 || latest[0].Number != 2 || latest[0].Lambda != 11 || latest[0].ModelOf != 1 || latest[0].Lesson != 9 || latest[1].Project != "two" {
		t.Fatalf("the latest are %+v, %v", latest, err)
	}
	s := latest[0]
	if s.Model, err = db.Model(t.Context(), s.Learner(), s.ModelOf); err != nil {
		t.Fatal(err)
	}
	if m, err := s.Restore(nil); err != nil || m.Controller.Lambda != 11 {
		t.Errorf("restored %+v, %v", m, err)
	}

	// A number is given once, and nothing of what comes with it is kept.
	err = db.Publish(t.Context(), []learning.Snapshot{taken("one", 3, 12, 1), taken("two", 1, 12, 1)})
	if !errors.Is(err, postgres.ErrSnapshotTaken) {
		t.Errorf("a number that is taken: %v", err)
	}
	run, err := db.Decisions(t.Context(), 0, 10)
	if err != nil || len(run.Bodies) != 3 || run.Last != 3 {
		t.Fatalf("%d decisions up to %d, %v; three snapshots were published", len(run.Bodies), run.Last, err)
	}
	for i, body := range run.Bodies {
		fact, err := event.Decode(body)
		if err != nil || fact.Head().Seq != int64(i+1) || fact.Head().Journal != event.WorkerJournal {
			t.Fatalf("decision %d is %+v, %v", i+1, fact, err)
		}
	}
	if run, err = db.Decisions(t.Context(), 2, 10); err != nil || len(run.Bodies) != 1 || run.Last != 3 {
		t.Errorf("behind the second there are %d, %v", len(run.Bodies), err)
	}
	if run, err = db.Decisions(t.Context(), 3, 10); err != nil || len(run.Bodies) != 0 || run.Last != 3 {
		t.Errorf("behind the last there are %d, %v", len(run.Bodies), err)
	}
}

func TestRollBack(t *testing.T) {
	t.Parallel()
	db := open(t, storetest.Postgres(t))
	for n := range int64(3) {
		if err := db.Publish(t.Context(), []learning.Snapshot{taken("one", n+1, 10*(n+1), float64(n+1))}); err != nil {
			t.Fatal(err)
		}
	}
	who := learning.Learner{Project: "one", Strategy: "hybrid"}
	s, err := db.RollBack(t.Context(), who, 1)
	if err != nil || s.Number != 4 || s.ModelOf != 1 || s.RolledBackTo != 1 || s.Lambda != 1 || s.Lesson != 30 {
		t.Fatalf("rolled back to %+v, %v", s, err)
	}
	latest, err := db.Latest(t.Context())
	if err != nil || latest[0].Number != 4 || latest[0].RolledBackTo != 1 {
		t.Errorf("the latest is %+v, %v", latest, err)
	}
	if _, err := db.RollBack(t.Context(), who, 99); err == nil {
		t.Error("a snapshot that is not there was gone back to")
	}
	all, err := db.Snapshots(t.Context(), who, 10)
	if err != nil || len(all) != 4 || all[0].Number != 4 {
		t.Errorf("listed are %+v, %v", all, err)
	}
}

func TestPruneKeepsWhatIsNeeded(t *testing.T) {
	t.Parallel()
	url := storetest.Postgres(t)
	db := open(t, url)
	for n := int64(1); n <= 30; n++ {
		s := taken("one", n, n, 1)
		if n > 3 {
			s.ModelOf = 3 // whose model must stay
		}
		if err := db.Publish(t.Context(), []learning.Snapshot{s}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := connect(t, url).Exec(t.Context(), `UPDATE snapshots SET at = now() - interval '1 day' - snapshot * interval '1 second'`); err != nil {
		t.Fatal(err)
	}
	if _, err := db.PruneSnapshots(t.Context(), 5); err != nil {
		t.Fatal(err)
	}
	all, err := db.Snapshots(t.Context(), learning.Learner{Project: "one", Strategy: "hybrid"}, 100)
	if err != nil {
		t.Fatal(err)
	}
	var numbers []int64
	for _, s := range all {
		numbers = append(numbers, s.Number)
	}
	if want := []int64{30, 29, 28, 27, 26, 3}; !slices.Equal(numbers, want) {
		t.Errorf("left are %v, want %v", numbers, want)
	}
}

// Lessons of writers that run at once are numbered without a gap.
func TestLessonsAreNumbered(t *testing.T) {
	t.Parallel()
	db := open(t, storetest.Postgres(t))
	var all sync.WaitGroup
	for w := range 4 {
		all.Go(func() {
			for i := range 10 {
				l := []learning.Numbered{{Project: fmt.Sprint(w), Strategy: "hybrid", Lesson: []byte{byte(i)}}, {Project: fmt.Sprint(w), Strategy: "learning", Lesson: []byte{byte(i)}}}
				if err := db.AppendLessons(t.Context(), l); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	lessons, err := db.Lessons(t.Context(), 20, 1000)
	if err != nil || len(lessons) != 60 {
		t.Fatalf("%d lessons are behind the 20th, %v; 60 should be", len(lessons), err)
	}
	for i, l := range lessons {
		if l.N != int64(21+i) {
			t.Fatalf("lesson %d has the number %d", 21+i, l.N)
		}
	}
}

func TestLease(t *testing.T) {
	t.Parallel()
	db := open(t, storetest.Postgres(t))
	hold := func(owner string, lasts time.Duration, want bool) {
		t.Helper()
		if held, err := db.Hold(t.Context(), "x", owner, lasts); err != nil || held != want {
			t.Errorf("%s holds it: %v, %v; want %v", owner, held, err, want)
		}
	}
	hold("a", time.Minute, true)
	hold("b", time.Minute, false)
	hold("a", time.Millisecond, true)
	time.Sleep(5 * time.Millisecond) // the lease itself is time
	hold("b", time.Minute, true)
	hold("a", time.Minute, false)
	if err := db.Yield(t.Context(), "x", "a"); err != nil {
		t.Fatal(err)
	}
	hold("a", time.Minute, false)
	if err := db.Yield(t.Context(), "x", "b"); err != nil {
		t.Fatal(err)
	}
	hold("a", time.Minute, true)
}

// Decisions are drawn evenly, with the number that they were drawn from.
func TestDecidedDrawsDecisions(t *testing.T) {
	t.Parallel()
	db := open(t, storetest.Postgres(t))
	facts := completions(21, 300, 4*time.Minute)
	inside := map[string]int64{}
	from, to := now.Add(-3*time.Minute), now.Add(-time.Minute)
	for i, f := range facts {
		f.Strategy, f.Cache = []string{"hybrid", "learning", "complexity"}[i%3], []string{event.CacheMiss, event.CacheMemory}[i%2]
		if f.Strategy != "complexity" && f.Cache == event.CacheMiss && !f.At.Before(from) && f.At.Before(to) {
			inside[f.Strategy]++
		}
	}
	if _, err := db.Persist(t.Context(), facts); err != nil {
		t.Fatal(err)
	}
	drawn, of, err := db.Decided(t.Context(), from, to, 8)
	if err != nil {
		t.Fatal(err)
	}
	count := map[string]int{}
	for i, f := range drawn {
		count[f.Strategy]++
		if of[i] != inside[f.Strategy] || len(f.Candidates) != 2 || f.BaselineModel != "large" || f.At.Before(from) || !f.At.Before(to) {
			t.Errorf("drawn %+v of %d; %v were decided", f, of[i], inside)
		}
	}
	if count["hybrid"] != 8 || count["learning"] != 8 || len(count) != 2 {
		t.Errorf("drawn were %v", count)
	}
}
