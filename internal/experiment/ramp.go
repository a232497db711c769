package experiment

import (
	"errors"
	"time"

	"github.com/busuhq/busu/internal/document"
)

// ErrEnded says that an experiment does not run any more.
var ErrEnded = errors.New("the experiment has ended")

// Ramp is how callers ask for other shares.
type Ramp struct {
	Shares    []float64  `json:"shares,omitempty"`     // in the order of the arms
	TestShare *float64   `json:"test_share,omitempty"` // in their place, where there are two arms
	At        *time.Time `json:"at,omitempty"`         // by default as soon as all gateways have heard
	Note      string     `json:"note,omitempty"`       // why
}

// Change is what is kept of a change beside who made it.
type Change struct {
	Note   string `json:"note,omitempty"`
	Before any    `json:"before,omitempty"`
	After  any    `json:"after,omitempty"`
}

const (
	// rampLead is how long before its beginning a phase is known: gateways read
	// once a second what has changed, and who entered before.
	rampLead  = 10 * time.Second
	maxAhead  = 10 * time.Minute
	maxPhases = 20
	// rampWithin is the part of the sample, one in so many, after which shares
	// stay. Who goes on looking could else let a phase weigh little or much by
	// what it has shown. By Brownian motion, where an operator ramps as suits
	// best, and by a factor of up to 250 in information, winners in place of
	// 4.6 % are found in 5.1 % of experiments that have none; within a tenth in
	// 5.5 %, at any time in 8.3 %, and in 7.8 % if information may fall.
	rampWithin = 20
)

// RampTo adds the phase that is asked for now, when so many units have matured
// and been shown. What cannot be is a *document.InvalidError that names the field.
func (e *Experiment) RampTo(r Ramp, now time.Time, matured int) error {
	shares, field, err := e.rampShares(r)
	if err != nil {
		return err
	}
	from := now.Add(rampLead)
	if r.At != nil {
		from = *r.At
	}
	from = from.UTC().Truncate(time.Millisecond)
	switch {
	case from.Before(now.Add(rampLead).Truncate(time.Millisecond)) || from.After(now.Add(maxAhead)):
		return document.Invalid("at", "is %s, must be %s to %s ahead, so that every gateway has heard of it: leave it out to begin as soon as may be",
			from.Format(time.RFC3339), rampLead, maxAhead)
	case !from.Before(e.End()):
		return document.Invalid("at", "is %s, when the experiment is over", from.Format(time.RFC3339))
	case len(e.Phases) == maxPhases:
		return document.Invalid(field, "were changed %d times, which is all there is", maxPhases-1)
	case matured*rampWithin > e.planned():
		return document.Invalid(field, "cannot change any more: %d units have matured, more than one in %d of the sample, and what they showed would choose how much they weigh. Stop the experiment, or start another one with these shares",
			matured, rampWithin)
	case matured > 0 && e.lessInformed(shares):
		return document.Invalid(field, "would have the arms differ more in size than now, and %d units have matured: what they showed would choose how much they weigh. Bring the shares nearer to each other, or stop the experiment", matured)
	}
	return e.Ramp(from, shares)
}

// rampShares are those that are asked for, and the name of their field.
func (e *Experiment) rampShares(r Ramp) (shares []float64, field string, err error) {
	shares, field = r.Shares, "shares"
	switch {
	case r.TestShare != nil && r.Shares != nil:
		return nil, "", document.Invalid("test_share", "cannot go together with shares: give one of them")
	case r.TestShare == nil && r.Shares == nil:
		return nil, "", document.Invalid("shares", "are missing: give one for each of the %d arms, or test_share", len(e.Arms))
	case r.TestShare != nil && len(e.Arms) != 2:
		return nil, "", document.Invalid("test_share", "says too little of %d arms: give shares", len(e.Arms))
	case r.TestShare != nil:
		shares, field = []float64{1 - *r.TestShare, *r.TestShare}, "test_share"
	}
	if err := checkShares(shares, len(e.Arms)); err != nil {
		return nil, "", document.Invalid(field, "%s", err)
	}
	return shares, field, nil
}

// lessInformed reports whether a comparison would learn less from a unit than
// it does now: its information is that of the harmonic mean of two shares.
func (e *Experiment) lessInformed(shares []float64) bool {
	of := func(s []float64, arm int) float64 { return s[Control] * s[arm] / (s[Control] + s[arm]) }
	for arm := 1; arm < len(shares); arm++ {
		if of(shares, arm) < of(e.Shares(), arm)-1e-9 {
			return true
		}
	}
	return false
}
