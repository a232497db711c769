package experiment

import (
	"encoding/json"
	"time"
)

// Start is what callers ask for. Everything but the name, the arms and the
// sample size has a default.
type Start struct {
	Name            string     `json:"name"`
	ControlStrategy string     `json:"control_strategy,omitempty"`
	TestStrategy    string     `json:"test_strategy,omitempty"`
	Control         *ArmSpec   `json:"control,omitempty"`
	Test            *ArmSpec   `json:"test,omitempty"`
	TestShare       *float64   `json:"test_share,omitempty"`
	Arms            []ArmShare `json:"arms,omitempty"`

	SampleSize     int           `json:"sample_size"`
	Primary        Metric        `json:"primary_metric,omitempty"`
	Margins        *StartMargins `json:"margins,omitempty"`
	Alpha          *float64      `json:"alpha,omitempty"`
	Unit           UnitKind      `json:"unit,omitempty"`
	Observation    *Duration     `json:"observation,omitempty"`
	FeedbackWindow *Duration     `json:"feedback_window,omitempty"`
	MinDuration    *Duration     `json:"min_duration,omitempty"`
	MaxDuration    *Duration     `json:"max_duration,omitempty"`
	Layer          string        `json:"layer,omitempty"`
	LayerShare     *float64      `json:"layer_share,omitempty"`
	Learn          Learn         `json:"learn,omitempty"`
	NotifyURL      string        `json:"notify_url,omitempty"`
	SlowMS         *float64      `json:"slow_ms,omitempty"`
	CUPED          bool          `json:"cuped,omitempty"`
}

// ArmSpec is what an arm does.
type ArmSpec struct {
	Strategy   string                     `json:"strategy,omitempty"`
	Parameters map[string]json.RawMessage `json:"parameters,omitempty"`
	Model      string                     `json:"model,omitempty"`
}

// ArmShare is an arm with its name and share.
type ArmShare struct {
	Name  string  `json:"name"`
	Share float64 `json:"share"`
	ArmSpec
}

// StartMargins are those margins that somebody asked for.
type StartMargins struct {
	Good    *float64 `json:"good,omitempty"`
	Quality *float64 `json:"quality,omitempty"`
	Slow    *float64 `json:"slow,omitempty"`
}

// Defaults of what is not asked for.
const (
	defaultTestShare      = 0.5
	defaultAlpha          = 0.05
	defaultObservation    = 24 * time.Hour
	defaultFeedbackWindow = time.Hour
	defaultMinDuration    = 24 * time.Hour
	defaultMaxDuration    = 30 * 24 * time.Hour
)

// Given is what an experiment has that nobody asks for.
type Given struct {
	ID, Project, Salt string
	At                time.Time // the start
	Segment           Segment   // of the layer
	SlowUS            int64     // threshold, where none is asked for: last week's p95
}

// Experiment is the record with every default in place. Whether it may start is
// Validate's to say.
func (s Start) Experiment(g Given) Experiment {
	arms, shares := s.arms()
	e := Experiment{
		ID: g.ID, Project: g.Project, Name: s.Name, Salt: g.Salt, StartedAt: g.At,
		Arms: arms, Phases: []Phase{{From: g.At, Shares: shares}},
		Layer: s.Layer, Segment: g.Segment,
		Primary: or(s.Primary, Good), Alpha: given(s.Alpha, defaultAlpha), SampleSize: s.SampleSize,
		Margins: s.margins(), SlowUS: g.SlowUS, CUPED: s.CUPED,
		Unit:           or(s.Unit, UnitUser),
		Observation:    given(s.Observation, Duration(defaultObservation)),
		FeedbackWindow: given(s.FeedbackWindow, Duration(defaultFeedbackWindow)),
		MinDuration:    given(s.MinDuration, Duration(defaultMinDuration)),
		MaxDuration:    given(s.MaxDuration, Duration(defaultMaxDuration)),
		Learn:          or(s.Learn, LearnOwn), NotifyURL: s.NotifyURL,
	}
	if s.SlowMS != nil {
		e.SlowUS = int64(*s.SlowMS * 1000)
	}
	if s.Layer == "" {
		e.Segment = Segment{0, 1}
	}
	return e
}

func (s Start) arms() (arms []Arm, shares []float64) {
	if len(s.Arms) > 0 {
		for _, a := range s.Arms {
			arms = append(arms, Arm{Name: a.Name, Strategy: a.Strategy, Parameters: a.Parameters, Model: a.Model})
			shares = append(shares, a.Share)
		}
		return arms, shares
	}
	share := given(s.TestShare, defaultTestShare)
	return []Arm{armOf("control", s.Control, s.ControlStrategy), armOf("test", s.Test, s.TestStrategy)}, []float64{1 - share, share}
}

func armOf(name string, spec *ArmSpec, strategy string) Arm {
	if spec == nil {
		return Arm{Name: name, Strategy: strategy}
	}
	return Arm{Name: name, Strategy: spec.Strategy, Parameters: spec.Parameters, Model: spec.Model}
}

func (s Start) margins() Margins {
	m := DefaultMargins()
	if s.Margins != nil {
		m = Margins{given(s.Margins.Good, m.Good), given(s.Margins.Quality, m.Quality), given(s.Margins.Slow, m.Slow)}
	}
	return m
}

// or is v, or what stands for nothing.
func or[T ~string](v, otherwise T) T {
	if v == "" {
		return otherwise
	}
	return v
}

func given[T any](v *T, otherwise T) T {
	if v == nil {
		return otherwise
	}
	return *v
}
