package event_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/schema"
)

// written is what the files of testdata/v1/TYPE mean, for ever, as golden is
// for completions: processes of the release before, streams and archives hold
// them. Add files, also those of a new version, but never change one.
func written() map[string]event.Fact {
	id := uuid.MustParse("01a20939-9bdb-7c3d-a1b2-1234567890ab")
	request := uuid.MustParse("01a20939-a13c-7fff-bfff-ffffffffffff")
	head := func(kind, journal string, partition int, seq int64) event.Header {
		return event.Header{V: 1, Type: kind, ID: id, At: time.Date(2026, 11, 23, 16, 25, 0, 123e6, time.UTC), Journal: journal, Partition: partition, Seq: seq}
	}
	const journal, experiment = "019ab179-0000-7abc-8def-000000000001", "01a20939-9bdb-7c3d-a1b2-000000000001"
	return map[string]event.Fact{
		"feedback.recorded/everything": &event.FeedbackRecorded{Header: head(event.TypeFeedbackRecorded, journal, 3, 17), Project: "default",
			KeyID: "key_7f3a", RequestID: request, FeedbackID: "vote-1", Rating: 4, Correct: new(true), Score: new(0.75),
			Comment: "größer \"als\" gedacht", Source: "thumbs"},
		"feedback.recorded/rating": &event.FeedbackRecorded{Header: head(event.TypeFeedbackRecorded, journal, 0, 1), Project: "default", RequestID: request, Rating: 1},
		"feedback.recorded/zeros":  &event.FeedbackRecorded{Header: head(event.TypeFeedbackRecorded, journal, 0, 2), Project: "default", RequestID: request, Correct: new(false), Score: new(0.0)},
		"model.published/learned": &event.ModelPublished{Header: head(event.TypeModelPublished, "worker", 0, 5), Project: "default", Strategy: "hybrid",
			Snapshot: 3, Verdicts: 100, Weight: 0.5, Lambda: 12.25},
		"model.published/rolled-back": &event.ModelPublished{Header: head(event.TypeModelPublished, "worker", 0, 6), Project: "default", Strategy: "hybrid",
			Snapshot: 4, Verdicts: 100, RolledBackTo: 2},
		"guard.tripped/good": &event.GuardTripped{Header: head(event.TypeGuardTripped, "worker", 0, 7), Project: "default", Metric: "good", Days: 28,
			Routed: 0.71, Baseline: 0.8, RoutedUsers: 4000, BaselineUsers: 81, Difference: -0.09, Bound: -0.031, Margin: 0.02, Alpha: 0.025},
		"experiment.started/two-arms": &event.ExperimentStarted{Header: head(event.TypeExperimentStarted, "worker", 0, 8), Project: "default",
			Experiment: experiment, Name: "hybrid?", PrimaryMetric: "good", SampleSize: 2000, Alpha: .05,
			Arms: []event.StartedArm{{Name: "control", Share: .5, Strategy: "complexity"}, {Name: "test", Share: .5, Model: "small"}}},
		"experiment.decided/win": &event.ExperimentDecided{Header: head(event.TypeExperimentDecided, "worker", 0, 9), Project: "default",
			Experiment: experiment, Name: "hybrid?", Outcome: "win", Winner: "test", Reason: "winner_early", Verdict: "Test is better.",
			PValue: .001, AlwaysValidP: .02, Units: 400},
		"experiment.invalid/ratio": &event.ExperimentDecided{Header: head(event.TypeExperimentInvalid, "worker", 0, 10), Project: "default",
			Experiment: experiment, Name: "hybrid?", Outcome: "invalid", Reason: "sample_ratio", Verdict: "Users are not where they should be.",
			PValue: 1, AlwaysValidP: 1, Units: 400},
	}
}

func TestFactsOfEveryVersionAreRead(t *testing.T) {
	t.Parallel()
	want := written()
	paths, err := filepath.Glob("testdata/v*/*/*.json")
	if err != nil || len(paths) != len(want) {
		t.Errorf("%d files, %d expected (%v)", len(paths), len(want), err)
	}
	kinds := map[string]bool{event.TypeCompletionRecorded: true} // see golden
	for _, path := range paths {
		body, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		kind := filepath.Base(filepath.Dir(path))
		name := kind + "/" + strings.TrimSuffix(filepath.Base(path), ".json")
		kinds[kind] = true
		got, err := event.Decode(body)
		if err != nil || !reflect.DeepEqual(got, want[name]) {
			t.Errorf("%s: decoded\n%+v, %v\nwant\n%+v", name, got, err, want[name])
			continue
		}
		again, err := event.Encode(got)
		if err != nil || !reflect.DeepEqual(jsonValue(t, again), jsonValue(t, body)) {
			t.Errorf("%s: encoded again\n%s, %v\nwant\n%s", name, again, err, body)
		}
		described := kind
		if kind == event.TypeExperimentInvalid {
			described = event.TypeExperimentDecided
		}
		if err := conforms(compileSchema(t, described), body); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	documents, err := schema.Events.ReadDir("events")
	if err != nil || len(documents) < 6 {
		t.Fatalf("%d schemas, %v", len(documents), err)
	}
	for _, d := range documents {
		if kind := strings.TrimSuffix(d.Name(), ".v1.json"); !kinds[kind] {
			t.Errorf("no file holds a fact of %s", kind)
		}
	}
}

// Fields of a later release are passed over, so that processes of two releases
// can read the same streams while one replaces the other.
func TestFieldsOfALaterReleaseArePassedOver(t *testing.T) {
	t.Parallel()
	bodies := fixtures(t)
	for name := range written() {
		body, err := os.ReadFile(filepath.Join("testdata/v1", name+".json"))
		if err != nil {
			t.Fatal(err)
		}
		bodies[name] = body
	}
	for name, body := range bodies {
		var fields map[string]any
		if err := json.Unmarshal(body, &fields); err != nil {
			t.Fatal(err)
		}
		fields["from_the_future"] = map[string]any{"deep": []any{1, "two", nil}}
		later, err := json.Marshal(fields)
		if err != nil {
			t.Fatal(err)
		}
		got, err := event.Decode(later)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if want, err := event.Decode(body); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, not %+v (%v)", name, got, want, err)
		}
	}
}

// Heartbeats are no facts, but processes of two releases read each other's.
func TestHeartbeatsAreRead(t *testing.T) {
	t.Parallel()
	body, err := os.ReadFile("testdata/v1/heartbeat.txt")
	if err != nil {
		t.Fatal(err)
	}
	want := event.Heartbeat{Journal: "019ab179-0000-7abc-8def-000000000001", At: time.Date(2026, 11, 23, 16, 25, 1, 0, time.UTC),
		RecordedUntil: time.Date(2026, 11, 23, 16, 25, 0, 5e8, time.UTC), OpenIntents: 3, Seqs: map[string]int64{"completions/0": 4711, "feedback/0": 17}}
	var got event.Heartbeat
	if err := json.Unmarshal(body, &got); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("read %+v, %v, want %+v", got, err, want)
	}
}
