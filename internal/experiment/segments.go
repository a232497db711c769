package experiment

import (
	"slices"

	"github.com/busuhq/busu/internal/prompt"
)

// Traits are what a unit is told apart by, to look around: its first request, and
// whether it had asked before.
type Traits struct {
	Asked
	Returning *bool `json:"returning,omitempty"` // asked something in the week before; nil: not known
	Cached    bool  `json:"cached"`              // the first answer came from a cache
}

// Part is what some of the units did in the primary metric.
type Part struct {
	By      string     `json:"by"`
	Value   string     `json:"value"`
	Tallies [][]Little `json:"tallies"` // by phase, then arm
}

// Little is a Tally of one metric.
type Little struct {
	Units int64 `json:"units"`
	Most  int64 `json:"most_requests"`
	Sums  Sums  `json:"sums"`
}

// What units are told apart by. Complexity, keys and being new are there before
// an arm has done anything, so that a difference within them is the arms'
// doing. Confidence and caches are the arms' own: who is where depends on the
// arm, and to compare there is to compare different people.
const (
	byComplexity = "complexity"
	byReturning  = "users"
	byKey        = "key"
	byConfidence = "confidence"
	byCache      = "cache"
)

const (
	mostKeys  = 8       // that are told apart
	otherKeys = "other" // all further ones
	mostParts = 3 + 2 + mostKeys + 1
)

// trait is one that a unit has.
type trait struct{ by, value string }

// all are the traits that a unit can have; those without a value it has not.
func (t *Traits) all() [5]trait {
	all := [5]trait{{byComplexity, "complex"}, {byReturning, ""}, {byKey, t.Key}, {byConfidence, t.Confidence}, {byCache, "miss"}}
	switch {
	case t.Complexity < prompt.ModerateFrom:
		all[0].value = "simple"
	case t.Complexity < prompt.ComplexFrom:
		all[0].value = "moderate"
	}
	switch {
	case t.Returning == nil:
	case *t.Returning:
		all[1].value = "returning"
	default:
		all[1].value = "new"
	}
	if t.Cached {
		all[4].value = "hit"
	}
	return all
}

// explore counts a unit in every part that it belongs to.
func (s *State) explore(e *Experiment, u *Unit) {
	if u.Traits == nil {
		return
	}
	for _, t := range u.Traits.all() {
		if t.value == "" {
			continue
		}
		part := s.part(t)
		for len(part.Tallies) <= u.Phase {
			part.Tallies = append(part.Tallies, make([]Little, len(e.Arms)))
		}
		little := &part.Tallies[u.Phase][u.Arm]
		little.Units++
		little.Most = max(little.Most, u.Requests)
		before := u.History
		if !e.CUPED {
			before = nil
		}
		little.Sums.add(e.Primary, &u.Totals, before)
	}
}

// part is the one of a trait, which may be new.
func (s *State) part(t trait) *Part {
	keys := 0
	for i := range s.Parts {
		if p := &s.Parts[i]; p.By == t.by {
			if p.Value == t.value {
				return p
			}
			keys++
		}
	}
	if (t.by == byKey || t.by == byConfidence) && keys >= mostKeys && t.value != otherKeys {
		return s.part(trait{t.by, otherKeys})
	}
	s.Parts = append(s.Parts, Part{By: t.by, Value: t.value})
	return &s.Parts[len(s.Parts)-1]
}

// SegmentResult is an arm against the control among some of the units, in the
// primary metric. It is for looking around: no verdict depends on it.
type SegmentResult struct {
	By          string     `json:"by"` // complexity, users, key; confidence, cache
	Value       string     `json:"value"`
	Arm         string     `json:"arm"`
	Exploratory bool       `json:"exploratory"` // always
	Effect      bool       `json:"effect"`      // who is in it was settled before any arm answered, so that the difference is an effect
	Users       PairCounts `json:"users"`
	Control     float64    `json:"control"`
	Test        float64    `json:"test"`
	Diff        *Estimate  `json:"difference"` // null where there is no effect to speak of
	Lift        *float64   `json:"lift"`
	Low         *float64   `json:"low"`
	High        *float64   `json:"high"`
	Reading     string     `json:"reading"` // better, worse or undecided; not_compared
}

// PairCounts are those of the control and of an arm.
type PairCounts struct {
	Control int64 `json:"control"`
	Test    int64 `json:"test"`
}

// segments compares parts with intervals that hold at all looks together, and
// in all parts that there can be together (Bonferroni).
func (e *Experiment) segments(s *State) []SegmentResult {
	list := []SegmentResult{}
	parts := slices.Clone(s.Parts)
	slices.SortStableFunc(parts, func(a, b Part) int { return a.rank() - b.rank() })
	for i := range parts {
		t := parts[i].tallies(e.Primary)
		for arm := 1; arm < len(e.Arms); arm++ {
			list = append(list, e.segment(&parts[i], t, arm))
		}
	}
	return list
}

func (e *Experiment) segment(p *Part, t Tallies, arm int) SegmentResult {
	b, _ := boundaryOf(e.Alpha)
	alpha := b.Early / float64(mostParts*(len(e.Arms)-1))
	by := e.Primary.scale()
	r := SegmentResult{By: p.By, Value: p.Value, Arm: e.Arms[arm].Name, Exploratory: true, Effect: p.effect(),
		Users: PairCounts{t.units(Control), t.units(arm)}, Reading: "not_compared"}
	one, other := t.arm(Control), t.arm(arm)
	r.Control, r.Test = one.Sums[e.Primary.index()].moments().Ratio()*by, other.Sums[e.Primary.index()].moments().Ratio()*by
	if !r.Effect {
		return r
	}
	c := t.compare(e.Primary, arm, 1-alpha)
	read := reading(&c, c.atLook(e.mixtureAt(alpha, arm), r.Users.Control+r.Users.Test))
	m := MetricResult{Diff: scaledEstimate(read.Diff, by), Low: read.Lift.Low, High: read.Lift.High, Better: better(e.Primary), Relative: e.Primary.relative()}
	r.Diff, r.Lift, r.Low, r.High, r.Reading = &m.Diff, &read.Lift.Value, read.Lift.Low, read.Lift.High, m.read()
	return r
}

// effect reports whether who is in the part was settled before any arm answered.
func (p *Part) effect() bool { return p.By != byConfidence && p.By != byCache }

// rank is the place in which parts are shown.
func (p *Part) rank() int {
	places := []trait{{byComplexity, "simple"}, {byComplexity, "moderate"}, {byComplexity, "complex"}, {byReturning, "new"}, {byReturning, "returning"},
		{byKey, ""}, {byConfidence, "high"}, {byConfidence, "medium"}, {byConfidence, "low"}, {byConfidence, ""}, {byCache, "miss"}, {byCache, "hit"}}
	exact := slices.Index(places, trait{p.By, p.Value})
	if exact >= 0 {
		return exact
	}
	return slices.Index(places, trait{p.By, ""})
}

// tallies are as of all metrics, of which only m was counted.
func (p *Part) tallies(m Metric) Tallies {
	t := make(Tallies, len(p.Tallies))
	for i, phase := range p.Tallies {
		t[i] = make([]Tally, len(phase))
		for arm, little := range phase {
			t[i][arm].Units, t[i][arm].Most = little.Units, little.Most
			t[i][arm].Sums[m.index()] = little.Sums
		}
	}
	return t
}
