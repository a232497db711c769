package experiment

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/busuhq/busu/internal/event"
)

func TestNotices(t *testing.T) {
	t.Parallel()
	e := valid()
	e.NotifyURL = "https://example.com/hook"
	id := uuid.MustParse("019b0e4e-2b8a-7c3e-9d53-5a0f1c9f5b11")
	decided := func(outcome Outcome, winner string) *event.ExperimentDecided {
		f := event.NewExperimentDecided(id, outcome != InvalidSRM)
		f.Project, f.Experiment, f.Name, f.Outcome, f.Winner = e.Project, e.ID, e.Name, string(outcome), winner
		f.Reason, f.Verdict, f.PValue, f.AlwaysValidP, f.Units = "primary", "Test is better.", .01, .02, 2000
		return f
	}
	for _, c := range []struct {
		fact   *event.ExperimentDecided
		kind   string
		serves string
	}{
		{decided(Win, "test"), "experiment.decided", "test"},
		{decided(Lose, "control"), "experiment.decided", "control"},
		{decided(Inconclusive, ""), "experiment.decided", "control"},
		{decided(InvalidSRM, ""), "experiment.invalid", "control"},
	} {
		m, err := e.DecidedNotice(c.fact)
		if err != nil {
			t.Fatal(err)
		}
		if m.ID != id || m.Kind != c.kind || m.Subject != e.ID || m.URL != e.NotifyURL || m.Project != e.Project {
			t.Errorf("the message is %+v", m)
		}
		var told struct {
			Type      string
			Timestamp time.Time
			Data      map[string]any
		}
		if err := json.Unmarshal(m.Body, &told); err != nil {
			t.Fatal(err)
		}
		if told.Type != c.kind || !told.Timestamp.Equal(c.fact.At) || told.Data["serves"] != c.serves || told.Data["summary"] !=
			`Experiment "`+e.Name+`" has ended as `+c.fact.Outcome+`. Test is better. From now on "`+c.serves+`" serves.` {
			t.Errorf("%s is told as %s", c.fact.Outcome, m.Body)
		}
		// What is on busu:decisions is told alike, but for its place there.
		var fact map[string]any
		body, err := json.Marshal(c.fact)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(body, &fact); err != nil {
			t.Fatal(err)
		}
		for name, value := range fact {
			switch name {
			case "v", "type", "at", "journal", "partition", "seq":
				continue
			}
			if told.Data[name] != value {
				t.Errorf("%s is %v, the fact says %v", name, told.Data[name], value)
			}
		}
	}
	m, err := e.StoppedNotice(id, start)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"type":"experiment.stopped","timestamp":"` + start.Format(time.RFC3339) + `","data":{"id":"` + id.String() + `","project":"` + e.Project + `","experiment_id":"` + e.ID +
		`","name":"` + e.Name + `","state":"stopped","outcome":null,"winner":null,"serves":"control","summary":"Experiment \"` + e.Name +
		`\" was stopped before there was a verdict. From now on \"control\" serves."}}`
	if m.Kind != KindStopped || string(m.Body) != want {
		t.Errorf("stopped is told as\n%s, want\n%s", m.Body, want)
	}
}
