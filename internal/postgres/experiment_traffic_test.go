package postgres_test

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/eventtest"
	"github.com/busuhq/busu/internal/experiment"
	"github.com/busuhq/busu/internal/storetest"
)

// The past is what users did within the observation, the last week, without the
// hold-out.
func TestPast(t *testing.T) {
	t.Parallel()
	db := open(t, storetest.Postgres(t))
	r := rand.New(rand.NewPCG(9, 9))
	of := func(user string, ago time.Duration, latency int64, change func(*event.CompletionRecorded)) *event.CompletionRecorded {
		c := eventtest.Completion(r, now.Add(-ago))
		c.UserID, c.LatencyUS, c.TTFTUS, c.Status, c.ErrorKind = user, latency, latency, event.StatusOK, ""
		c.CostNanos, c.OriginCostNanos, c.Unpriced = 100, 300, false
		change(c)
		return c
	}
	plain := func(*event.CompletionRecorded) {}
	facts := []*event.CompletionRecorded{
		of("ada", 48*time.Hour, 1000, plain), of("ada", 47*time.Hour+time.Minute, 2000, func(c *event.CompletionRecorded) { c.Status = event.StatusCutOff }),
		of("ada", 40*time.Hour, 1000, plain), // beyond the observation
		of("bob", 24*time.Hour, 9000, func(c *event.CompletionRecorded) { c.Status, c.ErrorKind = event.StatusError, "timeout" }),
		of("eve", 8*24*time.Hour, 1000, plain), of("", time.Hour, 1000, plain),
		of("held", time.Hour, 1000, func(c *event.CompletionRecorded) { c.Holdout = true }),
		of("foreign", time.Hour, 1000, func(c *event.CompletionRecorded) { c.Project = "foreign" }),
	}
	eventtest.Number("journal", 1, facts...)
	if _, err := db.Persist(t.Context(), facts); err != nil {
		t.Fatal(err)
	}
	said := eventtest.Feedback(r, now.Add(-46*time.Hour), facts[0].ID)
	said.Rating, said.Correct, said.Score = 1, nil, nil
	eventtest.Number("journal", 1, said)
	persistFeedback(t, db, said)
	p, err := db.Past(t.Context(), event.DefaultProject, now, time.Hour)
	if err != nil || p.Within.Round(time.Second) != 48*time.Hour || p.SlowUS != 2000 {
		t.Fatalf("%+v, %v", p, err)
	}
	slices.SortFunc(p.Users, func(a, b experiment.Totals) int { return cmp.Compare(a.Requests, b.Requests) })
	want := []experiment.Totals{
		{Requests: 1, CostNanos: 300, PaidNanos: 100, Slow: 1},
		{Requests: 2, Answered: 2, Rated: 1, CostNanos: 600, PaidNanos: 200, LatencyUS: 3000},
	}
	if !slices.Equal(p.Users, want) {
		t.Errorf("users did\n%+v, not\n%+v", p.Users, want)
	}
	if p, err = db.Past(t.Context(), "nobody", now, time.Hour); err != nil || len(p.Users) != 0 || p.SlowUS != 0 {
		t.Errorf("of a project without requests: %+v, %v", p, err)
	}
}
