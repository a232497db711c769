package event_test

import (
	"encoding/json"
	"maps"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/busuhq/busu/internal/event"
)

// verdicts generates feedback that Validate accepts.
func verdicts() *rapid.Generator[*event.FeedbackRecorded] {
	key := rapid.StringOfN(rapid.Rune().Filter(func(r rune) bool { return r != 0 }), 1, 64, 1024)
	optional := rapid.OneOf(rapid.Just(""), key)
	return rapid.Custom(func(t *rapid.T) *event.FeedbackRecorded {
		f := event.NewFeedback(ids().Draw(t, "id"))
		f.Journal, f.Partition, f.Seq = key.Draw(t, "journal"), rapid.IntRange(0, 65535).Draw(t, "partition"), rapid.Int64Range(1, 1<<53).Draw(t, "seq")
		f.Project, f.KeyID, f.RequestID = key.Draw(t, "project"), optional.Draw(t, "key_id"), ids().Draw(t, "request_id")
		f.FeedbackID, f.Source, f.Comment = optional.Draw(t, "feedback_id"), optional.Draw(t, "source"), optional.Draw(t, "comment")
		f.Rating = rapid.IntRange(0, 5).Draw(t, "rating")
		if rapid.Bool().Draw(t, "is there") {
			f.Correct = new(rapid.Bool().Draw(t, "correct"))
		}
		if rapid.Bool().Draw(t, "is there") || f.Rating == 0 && f.Correct == nil {
			f.Score = new(rapid.Float64Range(0, 1).Draw(t, "score"))
		}
		return f
	})
}

func TestFeedbackConforms(t *testing.T) {
	t.Parallel()
	s := compileSchema(t, event.TypeFeedbackRecorded)
	rapid.Check(t, func(t *rapid.T) {
		fact := verdicts().Draw(t, "fact")
		if err := fact.Validate(); err != nil {
			t.Fatal(err)
		}
		body, err := event.Encode(fact)
		if err != nil {
			t.Fatal(err)
		}
		if err := conforms(s, body); err != nil {
			t.Fatalf("%s\n%v", body, err)
		}
		got, err := event.Decode(body)
		if err != nil || !reflect.DeepEqual(got, event.Fact(fact)) {
			t.Fatalf("decoded\n%+v, %v\nwant\n%+v", got, err, fact)
		}
	})
}

func published() *event.ModelPublished {
	m := event.NewModelPublished(golden()["typical"].ID)
	m.Seq, m.Project, m.Strategy, m.Snapshot, m.Verdicts, m.Weight, m.Lambda = 1, "default", "hybrid", 3, 100, 0.5, 12
	return m
}

// What the schemas refuse, Decode refuses too.
func TestSchemasAndDecodeRefuseTheSame(t *testing.T) {
	t.Parallel()
	feedback := event.NewFeedback(golden()["typical"].ID)
	feedback.Journal, feedback.Seq, feedback.Project, feedback.Rating = "j", 1, "default", 5
	feedback.RequestID = golden()["failed"].ID
	for _, c := range []struct {
		fact    event.Fact
		changes map[string]any
	}{
		{feedback, map[string]any{"v": 2, "project": "", "request_id": "5f0c1d2e-0000-4000-8000-000000000000", "rating": 6,
			"score": 1.5, "correct": "yes", "feedback_id": strings.Repeat("f", 1025), "comment": strings.Repeat("c", 4097), "source": "a\x00"}},
		{published(), map[string]any{"v": 2, "project": "", "strategy": "", "snapshot": 0, "verdicts": -1, "weight": 1.1, "lambda": -1}},
	} {
		kind := c.fact.Head().Type
		s := compileSchema(t, kind)
		body, err := event.Encode(c.fact)
		if err != nil {
			t.Fatal(err)
		}
		if err := conforms(s, body); err != nil {
			t.Fatal(err)
		}
		if got, err := event.Decode(body); err != nil || !reflect.DeepEqual(got, c.fact) {
			t.Fatalf("decoded %+v, %v", got, err)
		}
		for field, value := range c.changes {
			changed := maps.Clone(jsonValue(t, body).(map[string]any))
			changed[field] = value
			text, err := json.Marshal(changed)
			if err != nil {
				t.Fatal(err)
			}
			if conforms(s, text) == nil {
				t.Errorf("the schema of %s accepts %s = %v", kind, field, value)
			}
			if _, err := event.Decode(text); err == nil {
				t.Errorf("Decode accepts a %s with %s = %v", kind, field, value)
			}
		}
	}
	feedback.Rating = 0
	if body, err := event.Encode(feedback); err != nil || conforms(compileSchema(t, event.TypeFeedbackRecorded), body) == nil || feedback.Validate() == nil {
		t.Error("feedback that says nothing is accepted")
	}
}

func TestQuality(t *testing.T) {
	t.Parallel()
	yes, no, good, poor := true, false, 0.75, 0.49
	for _, c := range []struct {
		feedback event.FeedbackRecorded
		quality  float64
		bad      bool
	}{
		{event.FeedbackRecorded{Rating: 1}, 0, true},
		{event.FeedbackRecorded{Rating: 2}, 0.25, true},
		{event.FeedbackRecorded{Rating: 3}, 0.5, false},
		{event.FeedbackRecorded{Rating: 5}, 1, false},
		{event.FeedbackRecorded{Correct: &yes}, 1, false},
		{event.FeedbackRecorded{Correct: &no}, 0, true},
		{event.FeedbackRecorded{Score: &poor}, 0.49, true},
		{event.FeedbackRecorded{Score: &good, Rating: 1}, 0.75, true},
		{event.FeedbackRecorded{Correct: &no, Rating: 5}, 1, true},
	} {
		if q, bad := c.feedback.Quality(), c.feedback.Bad(); q != c.quality || bad != c.bad {
			t.Errorf("%+v: quality %v, bad %v; want %v, %v", c.feedback, q, bad, c.quality, c.bad)
		}
	}
}
