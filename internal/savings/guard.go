package savings

import (
	"time"

	"github.com/busuhq/busu/internal/stats"
)

// States of a guard.
const (
	GuardArmed   = "armed"
	GuardTripped = "tripped"
)

// ProbeShare is the share of users who are routed on while a guard has tripped:
// without any, nothing could be learned of whether it may be armed again.
const ProbeShare = 0.1

// GuardAlpha is the probability that a guard ever trips though nothing is
// worse, from the moment when it is armed; both of its metrics share it. It is
// that of arming again too early as well.
const GuardAlpha = 0.05

// Guard is what a project's guard is.
type Guard struct {
	State    string     `json:"state"`
	At       *time.Time `json:"at"`       // since when; null: it was always armed
	Evidence *Evidence  `json:"evidence"` // null: it was always armed
}

// Evidence is what made a guard what it is: a comparison, or an operator.
type Evidence struct {
	By          string  `json:"by"`               // monitor or operator
	Metric      string  `json:"metric,omitempty"` // good or quality
	Days        int     `json:"days,omitempty"`   // that it looked at
	Routed      float64 `json:"routed,omitempty"`
	Baseline    float64 `json:"baseline,omitempty"`
	RoutedUsers int64   `json:"routed_users,omitempty"`
	OtherUsers  int64   `json:"baseline_users,omitempty"`
	Difference  float64 `json:"difference,omitempty"` // routed − baseline
	Bound       float64 `json:"bound,omitempty"`      // of it: from above when it tripped, from below when it was armed
	Margin      float64 `json:"margin,omitempty"`
	Alpha       float64 `json:"alpha,omitempty"` // of the bound
}

// Who decides.
const (
	ByMonitor  = "monitor"
	ByOperator = "operator"
)

// Names of the metrics that a guard watches.
const (
	MetricGood    = "good"
	MetricQuality = "quality"
)

// Watched is what a guard looks at: units from the day Start after it became
// what it is. While it is armed the others are the hold-out; while it has
// tripped the routed are the probe, and the others all whom the baseline
// answers.
type Watched struct {
	Days   int // in the window
	Start  int
	Routed Group
	Others Group
}

// look compares both metrics, of which either may have too few users. The bound
// is the upper one of the difference for harm, else the lower one.
func (w *Watched) look(harm bool) (found []Evidence) {
	alpha := Spend(GuardAlpha/2, w.Start)
	for _, m := range []struct {
		name           string
		others, routed stats.Moments
	}{{MetricGood, w.Others.Good, w.Routed.Good}, {MetricQuality, w.Others.Quality, w.Routed.Quality}} {
		s := compare(m.others, m.routed, alpha)
		if !s.known {
			continue
		}
		e := Evidence{By: ByMonitor, Metric: m.name, Days: w.Days, Routed: m.routed.Ratio(), Baseline: m.others.Ratio(), RoutedUsers: m.routed.Units,
			OtherUsers: m.others.Units, Difference: s.diff, Margin: Margin, Alpha: alpha}
		if e.Bound = s.mixture.LowerSequence(s.diff, s.se, s.units); harm {
			e.Bound = s.mixture.UpperSequence(s.diff, s.se, s.units)
		}
		found = append(found, e)
	}
	return found
}

// Trip says whether looks show that routed answers are worse by more than the
// margin, in either metric, and what shows it. Looks of several windows may be
// taken as often as one likes: each start has its part of the error.
func Trip(looks ...Watched) (Evidence, bool) {
	for _, w := range looks {
		for _, e := range w.look(true) {
			if e.Bound < -e.Margin {
				return e, true
			}
		}
	}
	return Evidence{}, false
}

// Recover says whether a look shows that the probe's answers are not worse by
// the margin: in good ones, and in quality where there are verdicts.
func Recover(looks ...Watched) (Evidence, bool) {
	for _, w := range looks {
		found := w.look(false)
		good := len(found) > 0 && found[0].Metric == MetricGood
		for _, e := range found {
			good = good && e.Bound > -e.Margin
		}
		if good {
			return found[0], true
		}
	}
	return Evidence{}, false
}
