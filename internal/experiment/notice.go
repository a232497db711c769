package experiment

import (
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/webhook"
)

// KindStopped is the message that an experiment was ended by somebody; those of
// decisions have the types of their facts.
const KindStopped = "experiment.stopped"

// Notice is what the address of an experiment is told when it has ended. What is
// also in the fact of its decision has the same name there.
type Notice struct {
	ID         string  `json:"id"` // of the fact; also webhook-id
	Project    string  `json:"project"`
	Experiment string  `json:"experiment_id"`
	Name       string  `json:"name"`
	State      string  `json:"state"`   // decided or stopped
	Outcome    *string `json:"outcome"` // null where it was stopped
	Winner     *string `json:"winner"`  // an arm, or null
	Serves     string  `json:"serves"`  // the arm that answers from now on
	Summary    string  `json:"summary"` // for people, on one line

	*Verdict // nil where it was stopped
}

// Verdict is what a decision says beyond its outcome.
type Verdict struct {
	Reason       string  `json:"reason"`
	Verdict      string  `json:"verdict"` // one sentence
	PValue       float64 `json:"p_value"`
	AlwaysValidP float64 `json:"p_value_always_valid"`
	Units        int64   `json:"units"`
}

// DecidedNotice is the message that goes with the fact of a decision.
func (e *Experiment) DecidedNotice(f *event.ExperimentDecided) (webhook.Message, error) {
	s := Status{Experiment: *e}
	n := Notice{ID: f.ID.String(), Project: e.Project, Experiment: e.ID, Name: e.Name, State: StateDecided, Outcome: &f.Outcome,
		Verdict: &Verdict{Reason: f.Reason, Verdict: f.Verdict, PValue: f.PValue, AlwaysValidP: f.AlwaysValidP, Units: f.Units}}
	if f.Winner != "" {
		n.Winner = &f.Winner
		s.Winner = n.Winner
	}
	n.Serves = e.Arms[s.Stays()].Name
	n.Summary = fmt.Sprintf("Experiment %q has ended as %s. %s From now on %q serves.", e.Name, f.Outcome, f.Verdict, n.Serves)
	return webhook.NewMessage(f.ID, e.Project, f.Type, e.ID, e.NotifyURL, f.At, n)
}

// StoppedNotice is the message that somebody has ended an experiment without a
// verdict.
func (e *Experiment) StoppedNotice(id uuid.UUID, at time.Time) (webhook.Message, error) {
	n := Notice{ID: id.String(), Project: e.Project, Experiment: e.ID, Name: e.Name, State: StateStopped, Serves: e.Arms[Control].Name}
	n.Summary = fmt.Sprintf("Experiment %q was stopped before there was a verdict. From now on %q serves.", e.Name, n.Serves)
	return webhook.NewMessage(id, e.Project, KindStopped, e.ID, e.NotifyURL, at, n)
}
