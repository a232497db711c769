package postgres_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/replay"
	"github.com/busuhq/busu/internal/storetest"
)

// What is written is read by busu eval policy as it was decided.
func TestWriteDecisions(t *testing.T) {
	t.Parallel()
	url := storetest.Postgres(t)
	db := open(t, url)
	facts := completions(31, 40, time.Hour)
	stored := map[string]*event.CompletionRecorded{}
	for i, f := range facts {
		f.Strategy, f.Propensity, f.Cache, f.Status = "hybrid", 0.5, event.CacheMiss, event.StatusOK
		f.Unpriced = false
		f.Candidates[0].Prior, f.Candidates[0].Probability, f.Candidates[1].Probability = 0.25, 0.5, 0.5
		f.PlannedModel, f.Model = "small", "small"
		if i%2 == 0 {
			f.Features = []byte{1, 2, 3, byte(i)}
		}
		stored[f.ID.String()] = f
	}
	if _, err := db.Persist(t.Context(), facts); err != nil {
		t.Fatal(err)
	}
	said := facts[0]
	if _, err := connect(t, url).Exec(t.Context(), `
		INSERT INTO feedback (id, at, project, request_id, quality, bad, journal, partition, seq, state, implicit)
		SELECT gen_random_uuid(), now(), 'default', $1, q, false, 'j', 0, 1, state, implicit
		FROM (VALUES (0.75, 'learned', false), (0.1, 'waiting', false), (0.2, 'kept', true)) AS v (q, state, implicit)`, said.ID); err != nil {
		t.Fatal(err)
	}
	var lines bytes.Buffer
	n, err := db.WriteDecisions(t.Context(), &lines, event.DefaultProject, now.Add(-2*time.Hour), now.Add(time.Hour))
	if err != nil || n != 40 {
		t.Fatalf("%d were written, %v", n, err)
	}
	log, err := replay.ReadLog(&lines, "")
	if err != nil || len(log.Decisions) != 40 {
		t.Fatalf("%d of 40 are read, %v; left out are %v", len(log.Decisions), err, log.LeftOut)
	}
	for _, d := range log.Decisions {
		f := stored[d.ID]
		if d.UserID != f.UserID || d.Propensity != 0.5 || d.CostNanos != f.CostNanos || d.TokensIn != f.TokensIn || d.Complexity != f.Complexity ||
			!bytes.Equal(d.Features, f.Features) || *d.Candidates[0].Prior != 0.25 || d.BaselineModel != "large" {
			t.Errorf("decided was\n%+v, read\n%+v", f, d)
		}
		if got := d.Quality != nil && *d.Quality == 0.75; got != (f == said) {
			t.Errorf("the verdict on %s is %v", d.ID, d.Quality)
		}
	}
	if n, err := db.WriteDecisions(t.Context(), &lines, "other", now.Add(-2*time.Hour), now.Add(time.Hour)); err != nil || n != 0 {
		t.Errorf("another project has %d, %v", n, err)
	}
}
