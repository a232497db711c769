package experiment

import (
	"cmp"
	"slices"
	"time"
)

// Entry counts the units that entered in one phase within one step of time.
type Entry struct {
	At    time.Time `json:"at"` // when the step begins
	Phase int       `json:"phase"`
	ByArm []int64   `json:"by_arm"`
}

const day = 24 * time.Hour

// Step is how finely it is counted when units enter: in a few hundred steps
// until the experiment ends at the latest.
func (e *Experiment) Step() time.Duration {
	switch longest := time.Duration(e.MaxDuration); {
	case longest <= 6*time.Hour:
		return time.Minute
	case longest <= 14*day:
		return time.Hour
	default:
		return day
	}
}

// describe keeps what people look at of a unit that is counted.
func (s *State) describe(e *Experiment, u *Unit) {
	s.Entered = enter(s.Entered, Entry{At: u.ExposedAt.UTC().Truncate(e.Step()), Phase: u.Phase}, u.Arm, len(e.Arms), 1)
	s.Strays += count(u.Stray > 0)
	s.explore(e, u)
	for len(s.Took) < len(e.Arms) {
		s.Took = append(s.Took, Durations{})
	}
	for _, us := range u.TookUS {
		s.Took[u.Arm].Add(us)
	}
}

// enter counts units of an arm in the entry like this one, of a list in the order
// of time. The newest are found first.
func enter(list []Entry, like Entry, arm, arms int, units int64) []Entry {
	i := len(list)
	for i > 0 && list[i-1].compare(like) > 0 {
		i--
	}
	if i > 0 && list[i-1].compare(like) == 0 {
		list[i-1].ByArm[arm] += units
		return list
	}
	like.ByArm = make([]int64, arms)
	like.ByArm[arm] = units
	return slices.Insert(list, i, like)
}

func (n Entry) compare(o Entry) int { return cmp.Or(n.At.Compare(o.At), cmp.Compare(n.Phase, o.Phase)) }

// Enter adds units that are not counted by the judge yet to those that are.
func (l *Live) Enter(e *Experiment, at time.Time, phase, arm int, units int64) {
	l.Entered = enter(l.Entered, Entry{At: at.UTC().Truncate(e.Step()), Phase: phase}, arm, len(e.Arms), units)
}

// Begin takes over what the judge has counted.
func (l *Live) Begin(s *State) {
	l.Strays += s.Strays
	for _, n := range s.Entered {
		n.ByArm = slices.Clone(n.ByArm)
		l.Entered = append(l.Entered, n)
	}
}

// coarser has the steps of the experiment as it is now: they may have been finer
// before it was extended.
func (e *Experiment) coarser(list []Entry) (all []Entry) {
	for _, n := range list {
		for arm, units := range n.ByArm {
			all = enter(all, Entry{At: n.At.Truncate(e.Step()), Phase: n.Phase}, arm, len(e.Arms), units)
		}
	}
	return all
}

// exposed are the units that entered, by phase and arm.
func (l *Live) exposed(e *Experiment) [][]int64 {
	counts := make([][]int64, len(e.Phases))
	for i := range counts {
		counts[i] = make([]int64, len(e.Arms))
	}
	for _, n := range l.Entered {
		for arm, units := range n.ByArm {
			counts[n.Phase][arm] += units
		}
	}
	return counts
}
