package experiment

import "math"

// Sample counts units.
type Sample struct {
	Users   int64            `json:"users"`   // that entered
	Matured int              `json:"matured"` // and were analysed
	Target  int              `json:"target"`
	ByArm   map[string]int64 `json:"by_arm"` // that entered
	Strays  int64            `json:"strays"` // seen in more than one arm
	Late    int64            `json:"late"`   // that came to be known behind a look
}

// SRM is whether units were split as planned.
type SRM struct {
	PValue float64      `json:"p_value"`
	OK     bool         `json:"ok"`
	Split  []ArmOfSplit `json:"split"`
}

// ArmOfSplit is how many units of all entered an arm, and were due to.
type ArmOfSplit struct {
	Arm      string  `json:"arm"`
	Users    int64   `json:"users"`
	Share    float64 `json:"share"`
	Expected float64 `json:"expected"` // share
	Low      float64 `json:"low"`      // what is nothing out of the ordinary, at 99.9 %
	High     float64 `json:"high"`
}

func (e *Experiment) sample(s State, l Live) Sample {
	c := Sample{Matured: s.Units, Target: e.SampleSize, ByArm: map[string]int64{}, Strays: l.Strays, Late: s.Late}
	counts := l.exposed(e)
	for i, a := range e.Arms {
		c.ByArm[a.Name] = 0
		for _, phase := range counts {
			c.ByArm[a.Name] += phase[i]
			c.Users += phase[i]
		}
	}
	return c
}

// srm looks at all that entered; whether that is well stays as it was decided.
func (e *Experiment) srm(s State, l Live) SRM {
	counts := l.exposed(e)
	shares := make([][]float64, len(counts))
	for i := range counts {
		shares[i] = e.Phases[i].Shares
	}
	split := SplitOf(counts, shares, true)
	p := split.P
	if d := s.Decision; d != nil {
		split = d.Split
	} else {
		split.P = 1 // which may be looked at, but decides in the end only
	}
	return SRM{p, split.OK(), e.splitByArm(counts)}
}

// ordinary is how many standard errors a share may be off at 99.9 %: 1 −
// invalidBelow, two-sided.
const ordinary = 3.2905

func (e *Experiment) splitByArm(counts [][]int64) []ArmOfSplit {
	list := make([]ArmOfSplit, len(e.Arms))
	for i, a := range e.Arms {
		all, due, variance := 0.0, 0.0, 0.0
		for phase, by := range counts {
			units, share := 0.0, e.Phases[phase].Shares[i]
			for _, n := range by {
				units += float64(n)
			}
			list[i].Users += by[i]
			all += units
			due += units * share
			variance += units * share * (1 - share)
		}
		all = max(1, all)
		wide := ordinary * math.Sqrt(variance) / all
		list[i].Arm, list[i].Share, list[i].Expected = a.Name, float64(list[i].Users)/all, due/all
		list[i].Low, list[i].High = max(0, due/all-wide), min(1, due/all+wide)
	}
	return list
}
