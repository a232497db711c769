// Package experiment compares strategies on real users: who sees which arm,
// what counts of what they did, and when there is enough of it for a verdict
// that looking every day cannot have made up.
//
// Nothing here reads a clock, a network or a store. A unit (the user) enters
// with its first request and matures once; a Judge looks at matured units in
// one order, at fixed numbers of them. So its verdict is a function of the
// units alone, whoever counted them and however fast.
package experiment

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/busuhq/busu/internal/document"
)

// Experiment is the record of what is compared and by which rules. None of the
// rules changes once it has started; shares change by adding a phase.
type Experiment struct {
	ID      string `json:"id"`
	Project string `json:"project"`
	Name    string `json:"name"`

	Arms   []Arm   `json:"arms"`   // two or more; the first is the control
	Phases []Phase `json:"phases"` // at least one, in order of time
	Salt   string  `json:"salt"`   // random, of this experiment only

	Layer   string  `json:"layer,omitempty"` // experiments of one layer share no user; "" is none
	Segment Segment `json:"segment"`         // the part of its layer that is this experiment's

	Primary    Metric  `json:"primary_metric"`
	Margins    Margins `json:"margins"`
	Alpha      float64 `json:"alpha"`                         // .1, .05 or .01
	SampleSize int     `json:"sample_size"`                   // units in all, all arms
	Planned    int     `json:"planned_sample_size,omitempty"` // before something had been seen, and it was extended; 0: it was not
	SlowUS     int64   `json:"slow_us"`                       // a request that takes longer is slow; 0: nothing is
	CUPED      bool    `json:"cuped"`                         // what units cost, took and were rated before is taken out of what they do now

	Unit           UnitKind `json:"unit"`
	Observation    Duration `json:"observation"`     // after its first request, a unit's requests count
	FeedbackWindow Duration `json:"feedback_window"` // and after that, feedback on them for so much longer
	MinDuration    Duration `json:"min_duration"`    // before it nobody wins early
	MaxDuration    Duration `json:"max_duration"`    // after it the final test is taken with what there is

	Learn     Learn     `json:"learn"`
	NotifyURL string    `json:"notify_url,omitempty"`
	StartedAt time.Time `json:"started_at"`
}

// Arm is one side: a strategy with its parameters, or a fixed model.
type Arm struct {
	Name       string                     `json:"name"`
	Strategy   string                     `json:"strategy,omitempty"`
	Parameters map[string]json.RawMessage `json:"parameters,omitempty"` // of the strategy: see Parameters
	Model      string                     `json:"model,omitempty"`
}

// Does says what an arm does, in a few words.
func (a Arm) Does() string {
	if a.Model != "" {
		return "model " + a.Model
	}
	return a.Strategy
}

// Phase is a time in which the shares of the arms stayed the same. What is
// exposed in different phases is compared within each and then put together:
// when the share of an arm grows while everything gets worse, a plain average
// blames the arm.
type Phase struct {
	From   time.Time `json:"from"`
	Shares []float64 `json:"shares"` // in the order of the arms; they sum to 1
}

// Segment is a part of [0, 1).
type Segment struct {
	From float64 `json:"from"`
	To   float64 `json:"to"`
}

// UnitKind says what is assigned to an arm.
type UnitKind string

// What can be assigned. Requests are not independent of each other, so a
// comparison by request finds differences that there are not.
const (
	UnitUser    UnitKind = "user"
	UnitSession UnitKind = "session"
	UnitRequest UnitKind = "request"
)

// Learn says what strategies that learn do during the experiment.
type Learn string

// Arms start from a common snapshot, and learn from their own traffic, or not.
const (
	LearnOwn    Learn = "own"
	LearnPinned Learn = "pinned"
)

// Control is the index of the control among the arms.
const Control = 0

// ArmNamed is the index of the arm with this name, or -1.
func (e *Experiment) ArmNamed(name string) int {
	return slices.IndexFunc(e.Arms, func(a Arm) bool { return a.Name == name })
}

// Shares are those of the last phase.
func (e *Experiment) Shares() []float64 { return e.Phases[len(e.Phases)-1].Shares }

// PhaseAt is the index of the phase that t falls into; 0 before the first.
func (e *Experiment) PhaseAt(t time.Time) int {
	for i := len(e.Phases) - 1; i > 0; i-- {
		if !t.Before(e.Phases[i].From) {
			return i
		}
	}
	return 0
}

// Ramp adds a phase with other shares from a time on.
func (e *Experiment) Ramp(from time.Time, shares []float64) error {
	if last := e.Phases[len(e.Phases)-1].From; !from.After(last) {
		return document.Invalid("at", "is %s, which is not after the last change at %s: ramp from a later time on",
			from.Format(time.RFC3339), last.Format(time.RFC3339))
	}
	if err := checkShares(shares, len(e.Arms)); err != nil {
		return err
	}
	e.Phases = append(e.Phases, Phase{From: from, Shares: slices.Clone(shares)})
	return nil
}

// Maturity is how long after its exposure a unit's totals are final.
func (e *Experiment) Maturity() time.Duration {
	return time.Duration(e.Observation) + time.Duration(e.FeedbackWindow)
}

// End is when the final test is taken at the latest.
func (e *Experiment) End() time.Time { return e.StartedAt.Add(time.Duration(e.MaxDuration)).UTC() }

// Duration is a time.Duration that JSON holds as Go writes it: 24h0m0s.
type Duration time.Duration

// MarshalText implements encoding.TextMarshaler.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf("%q is no duration: write it like 90s, 24h or 1h30m", text)
	}
	*d = Duration(parsed)
	return nil
}
