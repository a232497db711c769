package experiment

import (
	"math"
	"time"
)

// Series are for charts. They are made of what was kept at looks.
type Series struct {
	Difference []DifferencePoint `json:"difference"` // a point for each look and arm
	Boundary   []BoundaryPoint   `json:"boundary"`   // of each arm, on to the planned sample
	Exposures  []ExposurePoint   `json:"exposures"`  // all units that had entered, step by step
	StepMS     int64             `json:"step_ms"`    // of exposures
}

// DifferencePoint is the primary metric's difference at a look, and relative,
// with intervals that hold at all looks together.
type DifferencePoint struct {
	At       time.Time `json:"at"`
	Units    int       `json:"units"` // matured, of all arms
	Arm      string    `json:"arm"`
	Value    float64   `json:"value"`
	Low      *float64  `json:"low"`
	High     *float64  `json:"high"`
	Lift     float64   `json:"lift"`
	LiftLow  *float64  `json:"lift_low"`
	LiftHigh *float64  `json:"lift_high"`
	P        float64   `json:"p_value_always_valid"` // the least so far
	Once     float64   `json:"p_value"`              // of this look alone, by which nobody may decide
}

// BoundaryPoint is what the difference has to be beyond for the interval to
// exclude zero, in both directions. Ahead of what has matured it takes units to
// vary as they did.
type BoundaryPoint struct {
	Units int     `json:"units"`
	Arm   string  `json:"arm"`
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
	Ahead bool    `json:"ahead"`
}

// ExposurePoint counts the units that had entered when a step was over.
type ExposurePoint struct {
	At    time.Time        `json:"at"`
	ByArm map[string]int64 `json:"by_arm"`
}

func (e *Experiment) series(s *State, l *Live) Series {
	r := Series{Difference: []DifferencePoint{}, Boundary: []BoundaryPoint{}, Exposures: e.exposures(l), StepMS: e.Step().Milliseconds()}
	by := e.Primary.scale()
	for _, look := range s.Looks {
		for _, p := range look.Arms {
			r.Difference = append(r.Difference, DifferencePoint{look.At, look.Units, p.Arm, p.Diff * by, scaled(p.Low, by), scaled(p.High, by),
				p.Lift.Value, p.Lift.Low, p.Lift.High, p.P, p.Once})
		}
	}
	for arm := 1; arm < len(e.Arms); arm++ {
		r.Boundary = append(r.Boundary, e.boundary(s, arm)...)
	}
	return r
}

// pointsAhead is how many points of the boundary are drawn on the way to the
// planned sample.
const pointsAhead = 20

// boundary is half as wide as the interval at each look; after the last one its
// standard error falls with the root of the units, and its factor with the
// mixture.
func (e *Experiment) boundary(s *State, arm int) (list []BoundaryPoint) {
	by := e.Primary.scale()
	add := func(units int, half float64, ahead bool) {
		list = append(list, BoundaryPoint{units, e.Arms[arm].Name, -half * by, half * by, ahead})
	}
	last, half := 0, 0.0
	for _, look := range s.Looks {
		if p := look.Arms[arm-1]; p.Low != nil && p.High != nil {
			last, half = look.Units, (*p.High-*p.Low)/2
			add(last, half, false)
		}
	}
	if last == 0 || last >= e.SampleSize {
		return list
	}
	mixture, share := e.mixture(arm), e.Shares()[Control]+e.Shares()[arm]
	factor := func(units float64) float64 {
		return math.Sqrt(mixture.Test(0, 1, max(1, int64(units*share))).Critical / units)
	}
	begin := factor(float64(last))
	for i := 1; i <= pointsAhead; i++ {
		units := last + (e.SampleSize-last)*i/pointsAhead
		if units > last {
			add(units, half*factor(float64(units))/begin, true)
		}
	}
	return list
}

// exposures add up, step by step, from the first unit on. Steps in which nobody
// entered have no point.
func (e *Experiment) exposures(l *Live) []ExposurePoint {
	list := []ExposurePoint{}
	sums := make([]int64, len(e.Arms))
	for i, n := range l.Entered {
		for arm, units := range n.ByArm {
			sums[arm] += units
		}
		end := n.At.Truncate(e.Step()).Add(e.Step())
		if i+1 < len(l.Entered) && l.Entered[i+1].At.Before(end) {
			continue // of another phase, or counted more finely
		}
		if end.After(l.AsOf) && !l.AsOf.IsZero() {
			end = l.AsOf.UTC()
		}
		p := ExposurePoint{end, map[string]int64{}}
		for arm, units := range sums {
			p.ByArm[e.Arms[arm].Name] = units
		}
		list = append(list, p)
	}
	return list
}
