package postgres_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/eventtest"
	"github.com/busuhq/busu/internal/learning"
	"github.com/busuhq/busu/internal/storetest"
)

// TestJudged: by model and hold-out, a request once however many verdicts it
// has, a user once however many requests; without what is older, waits, was not
// given, or is another project's.
func TestJudged(t *testing.T) {
	t.Parallel()
	url := storetest.Postgres(t)
	db, conn := open(t, url), connect(t, url)
	r := rand.New(rand.NewPCG(8, 8))
	facts := completions(8, 9, time.Hour)
	for i, f := range facts {
		f.Model, f.UserID, f.Holdout = "small", fmt.Sprint("user-", i%3), false
	}
	facts[3].Model, facts[4].Holdout, facts[5].Project = "large", true, "another"
	facts[8].ID = eventtest.ID(r, now.Add(-48*time.Hour))
	facts[8].At = event.TimeOf(facts[8].ID)
	if _, err := db.Persist(t.Context(), facts); err != nil {
		t.Fatal(err)
	}
	seq := int64(0)
	judge := func(on int, quality float64, at time.Time) {
		t.Helper()
		f := eventtest.Feedback(r, at, facts[on].ID)
		f.Project, f.Rating, f.Correct, f.Score = facts[on].Project, 0, nil, &quality
		seq++
		eventtest.Number("journal", seq, f)
		if _, err := db.Feedback().Persist(t.Context(), []*event.FeedbackRecorded{f}); err != nil {
			t.Fatal(err)
		}
	}
	for on, quality := range []float64{1, .5, 0, .25, 1, .1, .9, 1, .2} {
		at := now.Add(-time.Minute)
		if on == 8 {
			at = now.Add(-47 * time.Hour)
		}
		judge(on, quality, at)
	}
	judge(0, 0, now.Add(-time.Second)) // a second one: the mean counts
	if _, err := conn.Exec(t.Context(), `UPDATE feedback SET state = CASE WHEN request_id = $1 THEN 'refused' ELSE 'kept' END, implicit = request_id = $2`,
		facts[6].ID, facts[7].ID); err != nil {
		t.Fatal(err)
	}
	j, err := db.Judged(t.Context(), "default", now.Add(-24*time.Hour))
	if err != nil || len(j.Routed) != 2 || len(j.Holdout) != 1 {
		t.Fatalf("%+v (%v)", j, err)
	}
	small := j.Routed["small"] // requests 0, 1 and 2
	if small.Verdicts != 3 || small.Users != 3 || small.Mean < .333 || small.Mean > .334 || small.Bad != 2 || small.Low != nil {
		t.Errorf("small is found %+v", small)
	}
	if large, kept := j.Routed["large"], j.Holdout["small"]; large.Mean != .25 || kept.Mean != 1 || kept.Verdicts != 1 {
		t.Errorf("large is found %+v, small in the hold-out %+v", large, kept)
	}
}

func TestChoices(t *testing.T) {
	t.Parallel()
	db := open(t, storetest.Postgres(t))
	facts := completions(9, 30, time.Hour)
	for i, f := range facts {
		f.Strategy = []string{"hybrid", "hybrid", "complexity"}[i%3]
	}
	facts[0].Candidates, facts[1].Project = nil, "another"
	if _, err := db.Persist(t.Context(), facts); err != nil {
		t.Fatal(err)
	}
	all, err := db.Choices(t.Context(), "default", "hybrid", now.Add(-2*time.Hour), 100)
	if err != nil || len(all) != 18 {
		t.Fatalf("%d decisions (%v)", len(all), err)
	}
	if d := all[0]; d.Baseline != "large" || d.Planned == "" || len(d.Candidates) != 2 || d.Candidates[1].CostNanos != 900 {
		t.Errorf("the newest is %+v", d)
	}
	if some, err := db.Choices(t.Context(), "default", "hybrid", now.Add(-2*time.Hour), 2); err != nil || len(some) > 2 {
		t.Errorf("%d decisions of two (%v)", len(some), err)
	}
	if none, err := db.Choices(t.Context(), "default", "hybrid", now.Add(time.Hour), 100); err != nil || len(none) != 0 {
		t.Errorf("%d decisions of the future (%v)", len(none), err)
	}
}

func TestSnapshotsBefore(t *testing.T) {
	t.Parallel()
	db := open(t, storetest.Postgres(t))
	for n := range int64(5) {
		if err := db.Publish(t.Context(), []learning.Snapshot{taken("one", n+1, n, 1)}); err != nil {
			t.Fatal(err)
		}
	}
	l := learning.Learner{Project: "one", Strategy: "hybrid"}
	if got, err := db.SnapshotsBefore(t.Context(), l, 4, 2); err != nil || len(got) != 2 || got[0].Number != 3 || got[1].Number != 2 {
		t.Errorf("%+v (%v)", got, err)
	}
	if _, err := db.RollBack(t.Context(), l, 9); !errors.Is(err, learning.ErrNoSnapshot) {
		t.Errorf("to one that there is not: %v", err)
	}
}
