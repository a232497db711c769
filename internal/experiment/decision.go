package experiment

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/busuhq/busu/internal/stats"
)

// rulesVersion changes whenever the same units might be judged otherwise.
const rulesVersion = 1

// Decision is a verdict with all that it was reached from: a row of
// experiment_decisions. It is written once, and never changed.
type Decision struct {
	Experiment string  `json:"experiment_id"`
	Outcome    Outcome `json:"outcome"`
	Winner     *string `json:"winner"` // an arm, or null
	Reason     Reason  `json:"reason"`
	Verdict    string  `json:"verdict"` // one sentence
	Arm        string  `json:"arm"`     // that the numbers are about

	PValue       float64 `json:"p_value"`              // of a single look, adjusted for the number of arms
	AlwaysValidP float64 `json:"p_value_always_valid"` // the least of all looks
	Method       string  `json:"method"`

	Units    int       `json:"units"` // that had matured and were counted
	At       time.Time `json:"at"`    // of the look: when its last unit matured
	Final    bool      `json:"final"` // the one test at the end, or early
	Alpha    float64   `json:"alpha"`
	Boundary boundary  `json:"boundary"`

	Split    Split           `json:"srm"`
	Feedback feedbackBalance `json:"feedback_balance"`
	Readings []Reading       `json:"readings"`
	Tallies  Tallies         `json:"tallies"`
	LeastP   []float64       `json:"least_p"`

	Rules   string `json:"rules"` // SHA-256 of the experiment's record
	Version int    `json:"version"`
}

// Reading is an arm against the control in one metric, in the metric's own unit,
// with intervals that the decision was taken by.
type Reading struct {
	Metric    Metric   `json:"metric"`
	Arm       string   `json:"arm"`
	Control   float64  `json:"control"`
	Test      float64  `json:"test"`
	Diff      Estimate `json:"diff"` // test − control
	Lift      Estimate `json:"lift"` // relative
	P         float64  `json:"p_value"`
	Method    string   `json:"method"`
	Primary   bool     `json:"primary"`
	Guardrail bool     `json:"guardrail"`
	Margin    float64  `json:"margin,omitempty"` // of a guardrail
	OK        *bool    `json:"ok"`               // of a guardrail: shown to be inside its margin; null: not measured
}

// Estimate has an interval, an end of which is null where nothing bounds it.
type Estimate struct {
	Value float64  `json:"value"`
	Low   *float64 `json:"low"`
	High  *float64 `json:"high"`
}

func bound(x float64) *float64 {
	if math.Abs(x) == math.MaxFloat64 {
		return nil
	}
	return &x
}

// level is how intervals are to be taken: those of a single look, or those that
// hold at all looks together.
type level struct {
	single bool
	alpha  float64
}

// single reports whether an outcome was reached by a single look.
func (v *evidence) single(o Outcome) bool {
	return v.final && o != StoppedHarm && !v.e.extended()
}

// decision writes down a ruling.
func (v *evidence) decision(r ruling) *Decision {
	b, _ := boundaryOf(v.e.Alpha)
	about := r.arm
	if about == Control {
		about = best(v.e, v.findings(v.final), nil).arm
	}
	at := level{v.single(r.outcome), b.Early}
	if at.single {
		at.alpha = b.Final
	}
	d := &Decision{
		Experiment: v.e.ID, Outcome: r.outcome, Reason: r.reason, Arm: v.e.Arms[about].Name,
		PValue: v.singleP()[about], AlwaysValidP: v.leastP[about], Method: v.method(about, at),
		Units: v.units, At: v.at, Final: v.final, Alpha: v.e.Alpha, Boundary: b,
		Split: v.split(), Feedback: v.feedback(), Readings: v.readings(at), Tallies: v.tallies, LeastP: v.leastP,
		Rules: v.e.Hash(), Version: rulesVersion,
	}
	switch r.outcome {
	case Win:
		d.Winner = &v.e.Arms[r.arm].Name
	case Lose, StoppedHarm:
		d.Winner = &v.e.Arms[Control].Name
	}
	d.Verdict = sentence(v.e, d)
	return d
}

// singleP are the p-values of one look at the primary metric, by arm, adjusted
// for their number.
func (v *evidence) singleP() []float64 {
	ps := make([]float64, len(v.e.Arms)-1)
	for i := range ps {
		c := v.tallies.compare(v.e.Primary, i+1, 1-v.e.Alpha)
		ps[i] = c.fixed()
	}
	return append([]float64{1}, stats.Holm(ps)...)
}

// method names the test that an arm's primary metric was put to.
func (v *evidence) method(arm int, at level) string {
	c := v.tallies.compare(v.e.Primary, arm, 1-v.e.Alpha)
	if at.single {
		c.fixed() // may have to take another
	} else {
		c.method = "always-valid " + c.method
	}
	if v.e.Unit == UnitRequest {
		c.method += ", requests taken to be independent (naive)"
	}
	return c.method
}

// readings are all arms in all metrics.
func (v *evidence) readings(at level) []Reading {
	var list []Reading
	guards := v.e.Guardrails()
	for arm := 1; arm < len(v.e.Arms); arm++ {
		mixture, units := v.e.mixture(arm), v.tallies.units(Control)+v.tallies.units(arm)
		for _, m := range []Metric{Good, Quality, Cost, Latency, Slow} {
			if m == Slow && v.e.SlowUS == 0 {
				continue
			}
			c := v.tallies.compare(m, arm, 1-at.alpha)
			shown := c.atLook(mixture, units)
			if at.single {
				shown = c.atEnd(1 - at.alpha)
			}
			r := reading(&c, shown)
			r.Arm, r.Primary = v.e.Arms[arm].Name, m == v.e.Primary
			if slices.Contains(guards, m) {
				r.Guardrail, r.Margin = true, v.e.Margins.of(m)
				if c.measured() {
					r.OK = new(c.gain(shown).Low > -r.Margin)
				}
			}
			list = append(list, r)
		}
	}
	return list
}

func reading(c *comparison, shown ranges) Reading {
	p := c.fixed() // may have to take another method
	r := Reading{Metric: c.metric, Control: c.RatioA, Test: c.RatioB, P: p, Method: c.method,
		Diff: estimate(c.Diff, shown.diff), Lift: estimate(c.Lift.Value, shown.lift)}
	if c.strata > 0 && !c.Testable { // constants: they differ, but by no test
		r.Diff.Value = c.RatioB - c.RatioA
	}
	return r
}

func estimate(value float64, i stats.Interval) Estimate {
	return Estimate{value, bound(i.Low), bound(i.High)}
}

// Hash identifies the rules that an experiment is judged by.
func (e *Experiment) Hash() string {
	record, err := json.Marshal(e)
	if err != nil {
		panic(err) // a record that came out of JSON, or was validated, goes into it
	}
	return fmt.Sprintf("%x", sha256.Sum256(record))
}

// ErrOtherwise is a decision that its own numbers do not lead to.
var ErrOtherwise = errors.New("the same numbers lead to another decision")

// Recompute reaches the decision again from the numbers it was written down
// with, and says whether all of it is the same.
func Recompute(e *Experiment, d *Decision) error {
	v := evidence{e: e, tallies: d.Tallies, units: d.Units, at: d.At, final: d.Final, leastP: d.LeastP}
	r, decided := v.rule(v.findings(false))
	if !decided {
		return fmt.Errorf("%w: none", ErrOtherwise)
	}
	again, err := json.Marshal(v.decision(r))
	if err != nil {
		return err
	}
	written, err := json.Marshal(d)
	if err != nil {
		return err
	}
	if !bytes.Equal(again, written) {
		return fmt.Errorf("%w: %s and not %s", ErrOtherwise, again, written)
	}
	return nil
}
