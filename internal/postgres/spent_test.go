package postgres_test

import (
	"testing"
	"time"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/eventtest"
	"github.com/busuhq/busu/internal/storetest"
)

// What is spent of a day is the same before and behind merging, whatever the
// project and partition.
func TestSpentOfADay(t *testing.T) {
	t.Parallel()
	db := open(t, storetest.Postgres(t))
	facts := completions(31, 400, 48*time.Hour)
	day := now.UTC().Truncate(24 * time.Hour)
	var want, others int64
	for i, f := range facts {
		eventtest.Number("journal", int64(i+1), f)
		f.Partition, f.Project = i%3, []string{event.DefaultProject, "another"}[i%2]
		if f.Strategy = []string{event.StrategyShadow, event.StrategyJudge, "hybrid", "complexity"}[i/2%4]; f.At.Before(day) {
			continue
		}
		if f.Background() {
			want += f.CostNanos
		} else {
			others += f.CostNanos
		}
	}
	if want == 0 || others == 0 {
		t.Fatal("the facts show nothing")
	}
	check := func(when string) {
		t.Helper()
		got, err := db.Spent(t.Context(), []string{event.StrategyShadow, event.StrategyJudge}, day)
		if err != nil || got != want {
			t.Errorf("%s: spent is %d (%v), not %d", when, got, err, want)
		}
	}
	if got, err := db.Spent(t.Context(), []string{event.StrategyShadow}, day); err != nil || got != 0 {
		t.Errorf("before anything is stored: %d, %v", got, err)
	}
	persist := func(facts []*event.CompletionRecorded) {
		t.Helper()
		if _, err := db.Persist(t.Context(), facts); err != nil {
			t.Fatal(err)
		}
	}
	persist(facts[:200])
	if _, err := db.MergeRollups(t.Context()); err != nil {
		t.Fatal(err)
	}
	persist(facts[200:])
	check("half is merged")
	if _, err := db.MergeRollups(t.Context()); err != nil {
		t.Fatal(err)
	}
	check("all is merged")
}
