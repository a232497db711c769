package event_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/busuhq/busu/internal/event"
)

func startedFact() *event.ExperimentStarted {
	s := event.NewExperimentStarted(uuid.MustParse("01a20939-9bdb-7c3d-a1b2-1234567890ab"))
	s.Seq, s.Project, s.Experiment, s.Name = 3, "default", "01a20939-9bdb-7c3d-a1b2-000000000001", "hybrid?"
	s.PrimaryMetric, s.SampleSize, s.Alpha = "good", 2000, .05
	s.Arms = []event.StartedArm{{Name: "control", Share: .5, Strategy: "complexity"}, {Name: "test", Share: .5, Model: "small"}}
	return s
}

func decidedFact(valid bool) *event.ExperimentDecided {
	d := event.NewExperimentDecided(uuid.MustParse("01a20939-9bdb-7c3d-a1b2-1234567890ab"), valid)
	d.Seq, d.Project, d.Experiment, d.Name = 4, "default", "01a20939-9bdb-7c3d-a1b2-000000000001", "hybrid?"
	d.Outcome, d.Winner, d.Reason, d.Verdict = "win", "test", "winner_early", "Test is better."
	d.PValue, d.AlwaysValidP, d.Units = .001, .02, 400
	return d
}

// What the worker writes is what the schema promises, and is read as it was.
func TestExperimentFactsConform(t *testing.T) {
	t.Parallel()
	for kind, facts := range map[string][]event.Fact{
		event.TypeExperimentStarted: {startedFact()},
		event.TypeExperimentDecided: {decidedFact(true), decidedFact(false)},
	} {
		s := compileSchema(t, kind)
		for _, f := range facts {
			body, err := event.Encode(f)
			if err != nil {
				t.Fatal(err)
			}
			if err := conforms(s, body); err != nil {
				t.Errorf("%s: %v", body, err)
			}
			if got, err := event.Decode(body); err != nil || !reflect.DeepEqual(got, f) {
				t.Errorf("%s is read as %+v, %v", body, got, err)
			}
		}
	}
}

func TestExperimentFactsAreRefused(t *testing.T) {
	t.Parallel()
	for _, change := range []struct {
		fact  event.Fact
		field string
		value any
	}{
		{startedFact(), "name", ""}, {startedFact(), "arms", []any{}}, {startedFact(), "sample_size", 0}, {startedFact(), "alpha", 2},
		{startedFact(), "at", time.Now()}, {startedFact(), "experiment_id", strings.Repeat("x", 1025)},
		{startedFact(), "arms", []any{map[string]any{"name": "a", "share": 1.5}, map[string]any{"name": "b", "share": .5}}},
		{decidedFact(true), "outcome", ""}, {decidedFact(true), "p_value", -1}, {decidedFact(true), "units", -1}, {decidedFact(false), "seq", 0},
		{decidedFact(false), "verdict", "a\x00b"}, {decidedFact(false), "type", "experiment.forgotten"},
	} {
		body, err := event.Encode(change.fact)
		if err != nil {
			t.Fatal(err)
		}
		v := jsonValue(t, body).(map[string]any)
		v[change.field] = change.value
		if body, err = json.Marshal(v); err != nil {
			t.Fatal(err)
		}
		if _, err := event.Decode(body); err == nil {
			t.Errorf("Decode accepts %s = %v", change.field, change.value)
		}
	}
}
