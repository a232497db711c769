package replay

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
)

// Decision is one logged decision with what came of it: some members of the
// fact completion.recorded (schema/events), under its names, joined with the
// verdict on the answer. Money is in nano-dollars.
type Decision struct {
	ID            string            `json:"id"`
	UserID        string            `json:"user_id"`
	Strategy      string            `json:"strategy"`
	Holdout       bool              `json:"holdout"`
	PlannedModel  string            `json:"planned_model"`
	Propensity    float64           `json:"propensity"` // of planned_model; 0 where nothing was chosen
	Complexity    float64           `json:"complexity"`
	Candidates    []LoggedCandidate `json:"candidates"`
	BaselineModel string            `json:"baseline_model"`

	Model              string `json:"model"` // that served: a fallback is not the plan
	Status             string `json:"status"`
	Cache              string `json:"cache"`
	TokensIn           int64  `json:"tokens_in"`
	TokensInCached     int64  `json:"tokens_in_cached"`
	TokensInCacheWrite int64  `json:"tokens_in_cache_write"`
	TokensOut          int64  `json:"tokens_out"`
	CostNanos          int64  `json:"cost_nanos"`
	Unpriced           bool   `json:"unpriced"`

	Quality  *float64 `json:"quality"`  // the verdict, 0 … 1; nil: nobody gave one
	Features []byte   `json:"features"` // the prompt as strategies that learn saw it, by prompt.Append; see PredictBy
}

// LoggedCandidate is a model that the plan considered.
type LoggedCandidate struct {
	Model       string   `json:"model"`
	Quality     float64  `json:"quality"` // predicted
	Prior       *float64 `json:"prior"`   // predicted before anything was learned; nil: not logged
	CostNanos   int64    `json:"cost_nanos"`
	Probability float64  `json:"probability"` // of being planned
	Unpriced    bool     `json:"unpriced"`    // its price is not known, and cost_nanos says nothing
}

// Log is what ReadLog found.
type Log struct {
	Decisions []Decision // those that can be evaluated
	LeftOut   []LeftOut
}

// LeftOut counts the decisions that cannot be evaluated for one reason.
type LeftOut struct {
	Reason string `json:"reason"`
	Count  int    `json:"count"`
}

// Strategies of calls that no caller asked for.
const (
	strategyShadow = "shadow"
	strategyJudge  = "judge"
)

// Statuses and cache levels of the fact that decide whether a decision counts.
const (
	cacheMiss         = "miss"
	statusError       = "error"
	statusCanceled    = "canceled"
	statusInterrupted = "interrupted"
)

// ReadLog reads decisions, one JSON object a line. A line that is no such
// object is an error. One that can say nothing of a choice is left out and
// counted. by names the strategy whose decisions are wanted; "" means all.
func ReadLog(r io.Reader, by string) (Log, error) {
	var l Log
	d := json.NewDecoder(r)
	for n := 1; ; n++ {
		var decision Decision
		if err := d.Decode(&decision); errors.Is(err, io.EOF) {
			return l, nil
		} else if err != nil {
			return Log{}, fmt.Errorf("decision %d: %w", n, err)
		}
		if err := l.Add(decision, by); err != nil {
			return Log{}, fmt.Errorf("decision %d (%s): %w", n, decision.ID, err)
		}
	}
}

// Add takes a decision, or leaves it out and counts it. An error says that what
// is logged cannot be true. by is as of ReadLog.
func (l *Log) Add(d Decision, by string) error {
	reason, err := d.unusable(by)
	if err != nil {
		return err
	}
	if reason == "" {
		l.Decisions = append(l.Decisions, d)
		return nil
	}
	l.leaveOut(reason)
	return nil
}

func (l *Log) leaveOut(reason string) {
	for i := range l.LeftOut {
		if l.LeftOut[i].Reason == reason {
			l.LeftOut[i].Count++
			return
		}
	}
	l.LeftOut = append(l.LeftOut, LeftOut{Reason: reason, Count: 1})
}

// unusable says why a decision tells nothing of a choice, "" if it does.
func (d *Decision) unusable(by string) (reason string, err error) {
	switch {
	case d.Cache != "" && d.Cache != cacheMiss:
		return "answered from a cache", nil
	case d.Strategy == strategyShadow || d.Strategy == strategyJudge:
		return "asked in the background, beside a decision", nil
	case d.Propensity == 0:
		return "nothing was chosen: the request named its model", nil
	case d.Holdout:
		return "of the hold-out", nil
	case by != "" && d.Strategy != by:
		return "decided by another strategy", nil
	case d.Status == statusCanceled || d.Status == statusInterrupted:
		return "the caller left, or the process died", nil
	case d.Unpriced:
		return "its price is not known", nil
	case len(d.Candidates) == 0:
		return "without candidates", nil
	}
	return "", d.check()
}

// tolerance of probabilities that must add up.
const tolerance = 1e-6

func (d *Decision) check() error {
	sum, planned := 0.0, -1.0
	for _, c := range d.Candidates {
		if !isShare(c.Quality) || !isShare(c.Probability) || c.Prior != nil && !isShare(*c.Prior) || c.CostNanos < 0 {
			return fmt.Errorf("candidate %s: quality %v, probability %v or cost_nanos %v is out of range", c.Model, c.Quality, c.Probability, c.CostNanos)
		}
		if c.Model == d.PlannedModel {
			planned = c.Probability
		}
		sum += c.Probability
	}
	switch {
	case planned < 0:
		return fmt.Errorf("planned_model %q is none of the candidates", d.PlannedModel)
	case math.Abs(planned-d.Propensity) > tolerance:
		return fmt.Errorf("propensity is %v, but the planned candidate's probability %v", d.Propensity, planned)
	case math.Abs(sum-1) > tolerance*float64(len(d.Candidates)):
		return fmt.Errorf("the candidates' probabilities add up to %v, not to 1", sum)
	case d.Quality != nil && !isShare(*d.Quality):
		return fmt.Errorf("quality %v is not in 0 … 1", *d.Quality)
	case d.CostNanos < 0 || d.TokensIn < 0 || d.TokensOut < 0:
		return errors.New("tokens or cost_nanos are below 0")
	}
	return nil
}

func isShare(x float64) bool { return x >= 0 && x <= 1 } // false for NaN

// verdict is how good the answer was, where it is known. No answer at all is
// as bad as can be, whatever model was to give it.
func (d *Decision) verdict() (quality float64, ok bool) {
	switch {
	case d.Quality != nil:
		return *d.Quality, true
	case d.Status == statusError:
		return 0, true
	}
	return 0, false
}
