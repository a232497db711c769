package event

import (
	"cmp"
	"fmt"

	"github.com/google/uuid"
)

// ExperimentStarted is the fact that users are assigned to arms from now on.
type ExperimentStarted struct {
	Header

	Project       string       `json:"project"`
	Experiment    string       `json:"experiment_id"`
	Name          string       `json:"name"`
	Arms          []StartedArm `json:"arms"` // the first is the control
	PrimaryMetric string       `json:"primary_metric"`
	SampleSize    int64        `json:"sample_size"` // units, in all arms
	Alpha         float64      `json:"alpha"`
}

// StartedArm is one side of an experiment that has started.
type StartedArm struct {
	Name     string  `json:"name"`
	Share    float64 `json:"share"` // of the units
	Strategy string  `json:"strategy,omitempty"`
	Model    string  `json:"model,omitempty"` // in place of a strategy
}

// NewExperimentStarted begins the fact with an id that was made for it.
func NewExperimentStarted(id uuid.UUID) *ExperimentStarted {
	return &ExperimentStarted{Header: decided(TypeExperimentStarted, id)}
}

func decided(kind string, id uuid.UUID) Header {
	return Header{V: Version, Type: kind, ID: id, At: TimeOf(id), Journal: WorkerJournal}
}

// Stream is Decisions.
func (s *ExperimentStarted) Stream() Stream { return Decisions }

// Key is the project.
func (s *ExperimentStarted) Key() string { return s.Project }

// Validate says whether the fact is whole.
func (s *ExperimentStarted) Validate() error {
	if err := s.validate(TypeExperimentStarted); err != nil {
		return err
	}
	if s.Project == "" || s.Experiment == "" || s.Name == "" || s.PrimaryMetric == "" || len(s.Arms) < 2 || s.SampleSize < 1 || !isShare(s.Alpha) {
		return fmt.Errorf("project %q, experiment %q, name %q, metric %q, %d arms, sample size %d, alpha %g: missing or out of range",
			s.Project, s.Experiment, s.Name, s.PrimaryMetric, len(s.Arms), s.SampleSize, s.Alpha)
	}
	err := short(s.Journal, s.Project, s.Experiment, s.Name, s.PrimaryMetric)
	for _, a := range s.Arms {
		if a.Name == "" || !isShare(a.Share) {
			return fmt.Errorf("arm %q with the share %g: missing or out of range", a.Name, a.Share)
		}
		err = cmp.Or(err, short(a.Name, a.Strategy, a.Model))
	}
	return err
}

// ExperimentDecided is the fact that an experiment has its verdict, which never
// changes; its type is experiment.invalid where the verdict is that it says
// nothing.
type ExperimentDecided struct {
	Header

	Project      string  `json:"project"`
	Experiment   string  `json:"experiment_id"`
	Name         string  `json:"name"`
	Outcome      string  `json:"outcome"`
	Winner       string  `json:"winner,omitempty"` // an arm
	Reason       string  `json:"reason"`           // the rule that led to it
	Verdict      string  `json:"verdict"`          // one sentence
	PValue       float64 `json:"p_value"`
	AlwaysValidP float64 `json:"p_value_always_valid"`
	Units        int64   `json:"units"` // that were analysed
}

// NewExperimentDecided begins the fact with an id that was made for it.
func NewExperimentDecided(id uuid.UUID, valid bool) *ExperimentDecided {
	kind := TypeExperimentDecided
	if !valid {
		kind = TypeExperimentInvalid
	}
	return &ExperimentDecided{Header: decided(kind, id)}
}

// Stream is Decisions.
func (d *ExperimentDecided) Stream() Stream { return Decisions }

// Key is the project.
func (d *ExperimentDecided) Key() string { return d.Project }

// Validate says whether the fact is whole.
func (d *ExperimentDecided) Validate() error {
	kind := TypeExperimentDecided
	if d.Type == TypeExperimentInvalid {
		kind = TypeExperimentInvalid
	}
	if err := d.validate(kind); err != nil {
		return err
	}
	if d.Project == "" || d.Experiment == "" || d.Name == "" || d.Outcome == "" || d.Reason == "" || d.Verdict == "" || d.Units < 0 {
		return fmt.Errorf("project %q, experiment %q, name %q, outcome %q, reason %q, units %d: missing or out of range",
			d.Project, d.Experiment, d.Name, d.Outcome, d.Reason, d.Units)
	}
	if !isShare(d.PValue) || !isShare(d.AlwaysValidP) {
		return fmt.Errorf("p %g or %g is out of range", d.PValue, d.AlwaysValidP)
	}
	return short(d.Journal, d.Project, d.Experiment, d.Name, d.Outcome, d.Winner, d.Reason, d.Verdict)
}

// short says that texts can be stored and indexed.
func short(texts ...string) error {
	for _, s := range texts {
		if len(s) > maxKey {
			return fmt.Errorf("a text is longer than %d bytes: %d", maxKey, len(s))
		}
	}
	return storable(texts...)
}
