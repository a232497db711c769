package experiment

import (
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
)

var (
	// ErrNameTaken says that another experiment of the project has the name.
	ErrNameTaken = errors.New("another experiment of the project has this name")
	// ErrRunning says that an experiment has not ended.
	ErrRunning = errors.New("the experiment is running")
	// ErrUnknown says that the project has no such experiment.
	ErrUnknown = errors.New("the project has no such experiment")
)

// Started is an experiment that has just begun, with what it can be expected to
// find.
type Started struct {
	Status
	Plan
}

// Status is a record with what has become of it.
type Status struct {
	Experiment
	State   string     `json:"state"` // running, decided or stopped
	Outcome *Outcome   `json:"outcome"`
	Winner  *string    `json:"winner"` // an arm, or null
	EndedAt *time.Time `json:"ended_at"`

	ArchivedAt *time.Time `json:"archived_at"` // since when it is out of sight; null: it is not
}

// Stays is the arm that serves when the experiment has ended: the winner; where
// there is none, the control, which is how things were.
func (s *Status) Stays() int {
	if s.Winner != nil {
		return max(Control, s.ArmNamed(*s.Winner))
	}
	return Control
}

// Hearing is one sitting of a judge: what has matured since the last one.
type Hearing struct {
	Experiment *Experiment
	Watermark  time.Time // up to which all facts are known
	Evidence   []Evidence
	All        bool // that matured up to the watermark is there

	State State  // before, and after Judge
	Units []Unit // in the judge's order, after Judge
}

// Evidence is all that is known of one unit.
type Evidence struct {
	Results   []Result // at least one
	Said      map[uuid.UUID][]Opinion
	History   *Totals // of the week before the exposure; nil: there was nothing, or it is not used
	Returning *bool   // there was something; nil: not known
}

// Unit sums the evidence up.
func (known *Evidence) Unit(e *Experiment) Unit {
	u := e.Gather(known.Results, known.Said)
	u.History, u.Traits.Returning = known.History, known.Returning
	return u
}

// Judge sums the units up, and looks where it is time to. What it comes to does
// not depend on how the evidence is divided into hearings.
func (h *Hearing) Judge() error {
	h.Units = make([]Unit, len(h.Evidence))
	for i := range h.Evidence {
		h.Units[i] = h.Evidence[i].Unit(h.Experiment)
		if u := &h.Units[i]; !u.Matured(h.Watermark) {
			return fmt.Errorf("unit %q matures at %s, behind the watermark %s", u.ID, u.MaturesAt, h.Watermark)
		}
	}
	SortUnits(h.Units)
	j := Resume(h.Experiment, h.State)
	var err error
	if h.All {
		_, err = j.Feed(h.Units, h.Watermark)
	} else if n := len(h.Units); n > 0 { // up to the last of them nothing is missing
		_, err = j.Feed(h.Units, h.Units[n-1].MaturesAt)
	}
	h.State = j.State()
	return err
}
