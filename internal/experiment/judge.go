package experiment

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Judge takes matured units in canonical order, looks at every hundredth of the
// sample size, and decides once. It is not safe for concurrent use.
type Judge struct {
	e     *Experiment
	state State
	next  int // units at which the next look is taken
}

// State is all that a judge knows, so that another can go on where it stopped.
// JSON keeps its numbers exactly.
type State struct {
	Units    int       `json:"units"` // matured and counted
	LastAt   time.Time `json:"last_at"`
	LastUnit string    `json:"last_unit"` // its place among those that matured with it; "": before all of them
	Late     int64     `json:"late"`      // units that turned up behind those counted
	Tallies  Tallies   `json:"tallies"`
	LeastP   []float64 `json:"least_p"` // always-valid, by arm
	Looks    []Look    `json:"looks"`
	Decision *Decision `json:"decision,omitempty"`

	// For people to look at; no verdict depends on it.
	Entered []Entry     `json:"entered"`
	Strays  int64       `json:"strays"` // units of another arm's requests, too
	Parts   []Part      `json:"parts"`
	Took    []Durations `json:"took"` // answered requests, by arm
}

// Look is what was seen at a look, for charts.
type Look struct {
	Units int       `json:"units"`
	At    time.Time `json:"at"` // when its last unit matured
	Arms  []Point   `json:"arms"`
}

// Point is the primary metric's difference of an arm to the control, in the
// metric's own unit, with an interval that holds at all looks together.
type Point struct {
	Arm   string   `json:"arm"`
	N     int64    `json:"units"` // of the arm
	Diff  float64  `json:"diff"`
	Low   *float64 `json:"low"`
	High  *float64 `json:"high"`
	Lift  Estimate `json:"lift"`                 // relative
	P     float64  `json:"p_value_always_valid"` // the least so far
	Once  float64  `json:"p_value"`              // of this look alone
	Holds []Metric `json:"holds,omitempty"`      // guardrails that are shown to
}

// ErrLate is a unit that matured before one that was counted already. It is
// counted as late, and not analysed.
var ErrLate = errors.New("the unit matured before others that are counted already")

// NewJudge begins to judge an experiment that is valid, which may get further
// phases later.
func NewJudge(e *Experiment) *Judge {
	return Resume(e, State{})
}

// Resume goes on from a state; the zero one is the beginning.
func Resume(e *Experiment, s State) *Judge {
	s.LeastP = slices.Clone(s.LeastP)
	for len(s.LeastP) < len(e.Arms) {
		s.LeastP = append(s.LeastP, 1)
	}
	return &Judge{e: e, state: s, next: nextLook(s.Units, e.planned(), e.SampleSize)}
}

// State is what the judge knows by now. It shares memory with the judge.
func (j *Judge) State() State { return j.state }

// Decision is the verdict, or nil while there is none.
func (j *Judge) Decision() *Decision { return j.state.Decision }

// Add counts one more matured unit, and looks when it is time to. After a
// decision it does nothing.
func (j *Judge) Add(u *Unit) error {
	if j.state.Decision != nil {
		return nil
	}
	if u.MaturesAt.After(j.e.End()) {
		j.look(j.e.End(), true)
		return nil
	}
	if u.Arm < 0 || u.Arm >= len(j.e.Arms) || u.Phase < 0 || u.Phase >= len(j.e.Phases) {
		return fmt.Errorf("unit %q is of arm %d and phase %d, which experiment %s does not have", u.ID, u.Arm, u.Phase, j.e.ID)
	}
	if cmp.Or(u.MaturesAt.Compare(j.state.LastAt), cmp.Compare(u.place(), j.state.LastUnit)) <= 0 {
		j.state.Late++
		return ErrLate
	}
	j.state.Tallies.grow(u.Phase+1, len(j.e.Arms))
	j.state.Tallies[u.Phase][u.Arm].add(u, j.e.CUPED)
	j.state.describe(j.e, u)
	u.Counted = true
	j.state.Units++
	j.state.LastAt, j.state.LastUnit = u.MaturesAt.UTC(), u.place()
	if j.state.Units == j.next {
		j.look(j.state.LastAt, j.state.Units >= j.e.SampleSize)
	}
	return nil
}

// Feed counts those of the units, in any order, that have matured when all facts
// up to the watermark are known, and ends the experiment when its time is over.
// Units behind those already counted are late.
func (j *Judge) Feed(units []Unit, watermark time.Time) (*Decision, error) {
	if !slices.IsSortedFunc(units, inOrder) {
		units = slices.Clone(units)
		SortUnits(units)
	}
	for i := range units {
		if !units[i].Matured(watermark) {
			break
		}
		if err := j.Add(&units[i]); err != nil && !errors.Is(err, ErrLate) {
			return nil, err
		}
	}
	return j.Advance(watermark), nil
}

func inOrder(a, b Unit) int { return a.compare(&b) }

// SortUnits brings units into the order in which they are judged.
func SortUnits(units []Unit) { slices.SortFunc(units, inOrder) }

// Advance says that all units are counted that matured up to the watermark.
func (j *Judge) Advance(watermark time.Time) *Decision {
	if j.state.Decision == nil && !watermark.Before(j.e.End()) {
		j.look(j.e.End(), true)
	}
	return j.state.Decision
}

func (j *Judge) look(at time.Time, final bool) {
	v := evidence{e: j.e, tallies: j.state.Tallies, units: j.state.Units, at: at, final: final, leastP: j.state.LeastP}
	findings := v.findings(false)
	j.note(&v, findings)
	if r, decided := v.rule(findings); decided {
		j.state.Decision = v.decision(r)
		return
	}
	j.next = nextLook(j.state.Units, j.e.planned(), j.e.SampleSize)
}

// note keeps what a look showed.
func (j *Judge) note(v *evidence, findings []finding) {
	look := Look{Units: v.units, At: v.at, Arms: make([]Point, len(findings))}
	for i := range findings {
		f := &findings[i]
		j.state.LeastP[f.arm] = min(j.state.LeastP[f.arm], f.p)
		look.Arms[i] = Point{Arm: j.e.Arms[f.arm].Name, N: v.tallies.units(f.arm), Diff: f.primary.Diff, P: j.state.LeastP[f.arm],
			Low: bound(f.ranges.diff.Low), High: bound(f.ranges.diff.High), Lift: estimate(f.primary.Lift.Value, f.ranges.lift),
			Once: f.primary.fixed(), Holds: f.holding(j.e)}
	}
	j.state.Looks = append(j.state.Looks, look)
}
