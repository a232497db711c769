package experiment

import (
	"math"
	"slices"
	"time"

	"github.com/busuhq/busu/internal/stats"
)

// Outcome is how an experiment ends.
type Outcome string

// The outcomes. Only a win has a winner other than the control; where neither
// side wins there is none.
const (
	Win             Outcome = "win"
	Lose            Outcome = "lose"             // the control is better
	TradeOff        Outcome = "trade_off"        // better in one thing, worse in another
	Equivalent      Outcome = "equivalent"       // no difference that matters
	Inconclusive    Outcome = "inconclusive"     // too little to say
	InvalidSRM      Outcome = "invalid_srm"      // units were not split as planned
	InvalidFeedback Outcome = "invalid_feedback" // one arm got more feedback than the other
	StoppedHarm     Outcome = "stopped_harm"     // an arm was shown to do harm
)

// Reason says which rule led to an outcome.
type Reason string

// The reasons.
const (
	WinnerEarly       Reason = "winner_early"
	WinnerFinal       Reason = "winner_final"
	LoserEarly        Reason = "loser_early"
	LoserFinal        Reason = "loser_final"
	GuardrailWorse    Reason = "guardrail_worse"    // shown to be worse, not shown to be within its margin
	GuardrailUnproven Reason = "guardrail_unproven" // neither
	WithinMargins     Reason = "within_margins"
	NoDifference      Reason = "no_difference"
	TooFewUnits       Reason = "too_few_units"
	SplitMismatch     Reason = "split_mismatch"
	FeedbackMismatch  Reason = "feedback_mismatch"
	Harm              Reason = "harm"
)

// How sure one must be to call an experiment invalid.
const (
	srmConcentration = 500 // finds 53 to 47 within ten thousand units
	invalidBelow     = 0.001
)

// evidence is all that a verdict at a look depends on.
type evidence struct {
	e       *Experiment
	tallies Tallies
	units   int
	at      time.Time // of the look: when its last unit matured
	final   bool
	leastP  []float64 // always-valid, the least of all looks so far, by arm
}

// finding is what a look says of one arm.
type finding struct {
	arm     int
	primary comparison
	guards  []comparison
	always  stats.SequentialTest
	p       float64 // that decides, adjusted for the number of arms
	ranges  ranges  // of the primary metric
	guarded []ranges
}

// ruling is what follows from a look.
type ruling struct {
	outcome Outcome
	reason  Reason
	arm     int // that the outcome is about; the winner of a win
}

// rule decides, or says nothing yet. What it is shown at a look, the findings
// that hold at all looks together, is a function of the first units alone.
func (v *evidence) rule(findings []finding) (r ruling, decided bool) {
	if !v.split().OK() {
		return ruling{InvalidSRM, SplitMismatch, Control}, true
	}
	if arm, harmed := harmful(v.e, findings); harmed {
		return ruling{StoppedHarm, Harm, arm}, true
	}
	b, _ := boundaryOf(v.e.Alpha)
	if v.final && v.e.extended() {
		r, decided = v.ruleFinally(findings, b.Late), true
	} else if v.final {
		r, decided = v.ruleFinally(v.findings(true), b.Final), true
	} else if v.at.Sub(v.e.StartedAt) >= time.Duration(v.e.MinDuration) {
		r, decided = v.ruleEarly(findings)
	}
	if decided && v.feedback().P < invalidBelow {
		r = ruling{InvalidFeedback, FeedbackMismatch, Control}
	}
	return r, decided
}

// ruleEarly calls a winner when its always-valid p is below the level and every
// guardrail's confidence sequence is inside its margin, and the control the
// winner when all others are shown to be worse.
func (v *evidence) ruleEarly(findings []finding) (ruling, bool) {
	level := v.e.early()
	if f := best(v.e, findings, []func(*finding) bool{
		func(f *finding) bool { return f.wins(level) }, func(f *finding) bool { return f.guardsHold(v.e) }}); f != nil {
		return ruling{Win, WinnerEarly, f.arm}, true
	}
	if f := best(v.e, findings, []func(*finding) bool{func(f *finding) bool { return !f.loses(level) }}); f == nil {
		return ruling{Lose, LoserEarly, Control}, true
	}
	return ruling{}, false
}

// ruleFinally is the one test at the end, or where the experiment was extended
// what holds at all looks together.
func (v *evidence) ruleFinally(findings []finding, level float64) ruling {
	for i := range v.e.Arms {
		if v.tallies.units(i) < minPerArm {
			return ruling{Inconclusive, TooFewUnits, i}
		}
	}
	are := func(all ...func(*finding) bool) *finding { return best(v.e, findings, all) }
	wins := func(f *finding) bool { return f.wins(level) }
	open := func(f *finding) bool { return !f.loses(level) }
	differs := func(f *finding) bool { return !f.within(v.e) || !f.guardsHold(v.e) }
	if f := are(func(f *finding) bool { return !f.primary.enough }); f != nil {
		return ruling{Inconclusive, TooFewUnits, f.arm}
	}
	if f := are(wins, func(f *finding) bool { return f.guardsHold(v.e) }); f != nil {
		return ruling{Win, WinnerFinal, f.arm}
	}
	if f := are(wins, (*finding).guardWorse); f != nil {
		return ruling{TradeOff, GuardrailWorse, f.arm}
	}
	if f := are(wins); f != nil {
		return ruling{Inconclusive, GuardrailUnproven, f.arm}
	}
	if are(open) == nil {
		return ruling{Lose, LoserFinal, Control}
	}
	if f := are(open, differs); f != nil {
		return ruling{Inconclusive, NoDifference, f.arm}
	}
	return ruling{Equivalent, WithinMargins, are(open).arm}
}

// best is the arm that gains most in the primary metric among those that are
// all that, or nil.
func best(e *Experiment, findings []finding, are []func(*finding) bool) (found *finding) {
	most := 0.0
	for i := range findings {
		f := &findings[i]
		if slices.ContainsFunc(are, func(is func(*finding) bool) bool { return !is(f) }) {
			continue
		}
		gain := f.primary.Diff
		if !e.Primary.HigherIsBetter() {
			gain = -gain
		}
		if found == nil || gain > most {
			found, most = f, gain
		}
	}
	return found
}

func (f *finding) wins(level float64) bool  { return f.p < level && f.primary.better() }
func (f *finding) loses(level float64) bool { return f.p < level && !f.primary.better() }

// guardsHold reports whether all guardrails that can be measured are shown to be
// inside their margins.
func (f *finding) guardsHold(e *Experiment) bool {
	for i := range f.guards {
		if f.guards[i].measured() && !f.holds(e, i) {
			return false
		}
	}
	return true
}

// holds reports whether the i-th guardrail is shown to be inside its margin.
func (f *finding) holds(e *Experiment, i int) bool {
	g := &f.guards[i]
	return g.gain(f.guarded[i]).Low > -e.Margins.of(g.metric)
}

// holding are the guardrails that are shown to be inside their margins.
func (f *finding) holding(e *Experiment) (list []Metric) {
	for i := range f.guards {
		if f.holds(e, i) {
			list = append(list, f.guards[i].metric)
		}
	}
	return list
}

// guardWorse reports whether a guardrail is shown to be worse, by however little.
func (f *finding) guardWorse() bool {
	for i := range f.guards {
		if g := &f.guards[i]; g.measured() && g.gain(f.guarded[i]).High < 0 {
			return true
		}
	}
	return false
}

// within reports whether the primary metric is shown to differ by no more than
// its margin.
func (f *finding) within(e *Experiment) bool {
	margin := e.Margins.of(e.Primary)
	i := f.primary.gain(f.ranges)
	return i.Low > -margin && i.High < margin
}

// harmful finds an arm with a guardrail that is shown to be worse than its margin
// allows.
func harmful(e *Experiment, findings []finding) (arm int, is bool) {
	for i := range findings {
		f := &findings[i]
		for j := range f.guards {
			g := &f.guards[j]
			if g.sequential() && g.gain(f.guarded[j]).High < -e.Margins.of(g.metric) {
				return f.arm, true
			}
		}
	}
	return 0, false
}

// findings looks at every arm, either with intervals and p-values that hold at
// all looks together, or finally with those of a single one.
func (v *evidence) findings(final bool) []finding {
	b, _ := boundaryOf(v.e.Alpha)
	list := make([]finding, 0, len(v.e.Arms)-1)
	ps := make([]float64, 0, len(v.e.Arms)-1)
	guards := v.e.Guardrails()
	for arm := 1; arm < len(v.e.Arms); arm++ {
		f := finding{arm: arm, primary: v.tallies.compare(v.e.Primary, arm, 1-b.Final), always: stats.SequentialTest{P: 1}}
		mixture, units := v.e.mixture(arm), v.tallies.units(Control)+v.tallies.units(arm)
		if f.primary.sequential() {
			f.always = mixture.Test(f.primary.statistic, 1, units)
		}
		show := func(c *comparison) ranges { return c.atLook(mixture, units) }
		f.p = f.always.P
		if final {
			f.p = f.primary.fixed()
			show = func(c *comparison) ranges { return c.atEnd(1 - b.Final) }
		}
		f.ranges = show(&f.primary)
		for _, m := range guards {
			g := v.tallies.compare(m, arm, 1-b.Final)
			f.guards, f.guarded = append(f.guards, g), append(f.guarded, show(&g))
		}
		list, ps = append(list, f), append(ps, f.p)
	}
	if len(list) > 1 {
		for i, p := range stats.Holm(ps) {
			list[i].p = p
		}
	}
	return list
}

// Split says how far units were split as planned.
type Split struct {
	LogE float64 `json:"log_e"`   // evidence against the plan that may be looked at always
	P    float64 `json:"p_value"` // of chi-square, which is for one look; 1 where it was not asked
}

// OK is false when units were not split as planned.
func (s Split) OK() bool { return s.LogE < -math.Log(invalidBelow) && s.P >= invalidBelow }

// SplitOf holds counts of units by phase and arm against the shares. Phases are
// independent of each other. Only once, in the end, chi-square is asked, too.
func SplitOf(counts [][]int64, shares [][]float64, once bool) Split {
	s := Split{P: 1}
	if once {
		s.P = stats.SampleRatioStrata(counts, shares).P
	}
	for i := range counts {
		s.LogE += stats.SampleRatioBayesFactor(counts[i], shares[i], srmConcentration)
	}
	return s
}

// split counts all that entered: what matured was exposed the same time before,
// whatever it did.
func (v *evidence) split() Split {
	counts, shares := make([][]int64, len(v.tallies)), make([][]float64, len(v.tallies))
	for i, phase := range v.tallies {
		counts[i], shares[i] = make([]int64, len(phase)), v.e.Phases[i].Shares
		for j := range phase {
			counts[i][j] = phase[j].Units
		}
	}
	return SplitOf(counts, shares, v.final)
}

// feedbackBalance is whether all arms got feedback equally often.
type feedbackBalance struct {
	P   float64 `json:"p_value"`
	Arm int     `json:"arm"` // that differs most from the control
}

func (v *evidence) feedback() feedbackBalance {
	b := feedbackBalance{P: 1, Arm: 1}
	for arm := 1; arm < len(v.e.Arms); arm++ {
		c := v.tallies.compare(rated, arm, 1-invalidBelow)
		if p := c.fixed(); p < b.P {
			b = feedbackBalance{p, arm}
		}
	}
	return b
}
