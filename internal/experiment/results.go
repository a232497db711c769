package experiment

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/busuhq/busu/internal/stats"
)

// Results are an experiment as people see it: money in dollars, time in
// milliseconds, shares as such. Intervals are at 1 − alpha; while it runs they
// hold at all looks together.
type Results struct {
	ID       string   `json:"id"`
	Name     string   `json:"name"`
	State    string   `json:"state"`
	Outcome  *Outcome `json:"outcome"`
	Winner   *string  `json:"winner"`
	Verdict  string   `json:"verdict"`
	PValue   float64  `json:"p_value"`              // of a single look, which while it runs nobody may decide by
	AlwaysP  float64  `json:"p_value_always_valid"` // the least of all looks
	Interval Bounds   `json:"confidence_interval"`  // of the primary metric's difference, test − control
	Method   string   `json:"method"`

	Sample    Sample         `json:"sample"`
	SRM       SRM            `json:"srm"`
	Arms      []ArmResult    `json:"arms"`
	Metrics   []MetricResult `json:"metrics"`
	Power     float64        `json:"power"` // that what has matured has to find what the whole sample finds four times in five
	MDE       *float64       `json:"mde"`   // what it finds four times in five, in the primary metric's unit
	Projected *time.Time     `json:"projected_end"`
	Series    Series         `json:"series"`
	Degraded  []string       `json:"degraded"`
}

// States of an experiment.
const (
	StateRunning = "running"
	StateDecided = "decided"
	StateStopped = "stopped"
)

// Bounds are an interval; an end that nothing bounds is null.
type Bounds struct {
	Low  *float64 `json:"low"`
	High *float64 `json:"high"`
}

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
	PValue float64 `json:"p_value"`
	OK     bool    `json:"ok"`
}

// ArmResult is what the analysed units of an arm did.
type ArmResult struct {
	Arm          string   `json:"arm"`
	Strategy     string   `json:"strategy"` // or the model
	Share        float64  `json:"share"`
	Users        int64    `json:"users"`
	Requests     int64    `json:"requests"`
	AvgCostUSD   float64  `json:"avg_cost_usd"`   // of the calls that made the answers
	AvgPaidUSD   float64  `json:"avg_paid_usd"`   // really, with what caches saved
	AvgLatencyMS float64  `json:"avg_latency_ms"` // of what was answered
	Quality      *float64 `json:"quality_score"`  // null: nobody rated
	GoodRate     float64  `json:"good_rate"`
	RatingRate   float64  `json:"rating_rate"`
	AnsweredRate float64  `json:"answered_rate"`
	SlowRate     float64  `json:"slow_rate"`
	CachedRate   float64  `json:"cached_rate"`
	FallbackRate float64  `json:"fallback_rate"`
	DesignEffect float64  `json:"design_effect"` // of good, by how much clusters widen its variance
}

// MetricResult is an arm against the control in one metric. Low and High are the
// interval of Lift, which is relative.
type MetricResult struct {
	Name      Metric   `json:"name"`
	Arm       string   `json:"arm"`
	Control   float64  `json:"control"`
	Test      float64  `json:"test"`
	Diff      Estimate `json:"difference"` // test − control
	Lift      float64  `json:"lift"`
	Low       *float64 `json:"low"`
	High      *float64 `json:"high"`
	Better    string   `json:"better"`  // higher or lower
	Reading   string   `json:"reading"` // better, worse, holds or undecided
	Primary   bool     `json:"primary"`
	Guardrail bool     `json:"guardrail"`
	Margin    *float64 `json:"margin"`
	OK        *bool    `json:"ok"` // the guardrail is shown to hold; null: it is none, or not measured
}

// Series are for charts, a point for each look.
type Series struct {
	Difference []DifferencePoint `json:"difference"`
	Exposures  []ExposurePoint   `json:"exposures"`
}

// DifferencePoint is the primary metric's difference at a look, with the interval
// that holds at all looks together.
type DifferencePoint struct {
	At    time.Time `json:"at"`
	Units int       `json:"units"`
	Arm   string    `json:"arm"`
	Value float64   `json:"value"`
	Low   *float64  `json:"low"`
	High  *float64  `json:"high"`
	P     float64   `json:"p_value_always_valid"`
}

// ExposurePoint counts the units analysed at a look.
type ExposurePoint struct {
	At    time.Time        `json:"at"`
	ByArm map[string]int64 `json:"by_arm"`
}

// Live is what is known of an experiment beyond what was judged.
type Live struct {
	Exposed  [][]int64 `json:"exposed"` // units that entered, by phase and arm
	Strays   int64     `json:"strays"`  // units seen in more than one arm
	Stopped  bool      `json:"-"`       // by somebody
	Degraded []string  `json:"-"`       // what could not be read
}

// Results puts together what was judged and what is known.
func (e *Experiment) Results(s State, l Live) Results {
	s = Resume(e, s).State()
	v := evidence{e: e, tallies: s.Tallies, units: s.Units, at: s.LastAt, leastP: s.LeastP}
	at := level{alpha: e.Alpha}
	if d := s.Decision; d != nil {
		v.final, v.at = d.Final, d.At
		at.single = v.single(d.Outcome)
	}
	about := v.foremost(s.Decision)
	r := Results{ID: e.ID, Name: e.Name, State: StateRunning, PValue: v.singleP()[about], AlwaysP: s.LeastP[about], Method: v.method(about, at),
		Sample: e.sample(s, l), SRM: e.srm(s, l), Arms: v.arms(), Metrics: v.metrics(at, s.Decision),
		Power: v.power(about), MDE: v.leastEffect(about), Projected: e.projected(s, l), Series: e.series(s), Degraded: l.Degraded}
	if r.Degraded == nil {
		r.Degraded = []string{}
	}
	for _, m := range r.Metrics {
		if m.Primary && m.Arm == e.Arms[about].Name {
			r.Interval = Bounds{m.Diff.Low, m.Diff.High}
		}
	}
	switch d := s.Decision; {
	case d != nil:
		r.State, r.Outcome, r.Winner, r.Verdict = StateDecided, &d.Outcome, d.Winner, d.Verdict
	case l.Stopped:
		r.State, r.Verdict = StateStopped, fmt.Sprintf("Stopped by hand when %s of %s %ss had matured, before there was a verdict.", grouped(int64(s.Units)), grouped(int64(e.SampleSize)), e.Unit)
	default:
		r.Verdict = v.soFar()
	}
	return r
}

// foremost is the arm that the numbers of the whole are about.
func (v *evidence) foremost(d *Decision) int {
	if d != nil {
		return max(1, v.e.ArmNamed(d.Arm))
	}
	return best(v.e, v.findings(false), nil).arm
}

// soFar says in a sentence where a running experiment stands.
func (v *evidence) soFar() string {
	level := v.e.early()
	stands := fmt.Sprintf("%s of %s %ss have matured; ", grouped(int64(v.units)), grouped(int64(v.e.SampleSize)), v.e.Unit)
	f := best(v.e, v.findings(false), nil)
	name := v.e.Arms[f.arm].Name
	switch {
	case !f.primary.sequential():
		return stands + "that is too few to look at."
	case f.wins(level) && !f.guardsHold(v.e):
		return stands + name + " is better, and it is not shown yet that its guardrails hold."
	case f.wins(level):
		return stands + name + " is better, and the shortest duration is not over."
	case f.loses(level):
		return stands + name + " is worse, and the shortest duration is not over."
	default:
		return stands + "no side is shown to be better yet."
	}
}

func (e *Experiment) sample(s State, l Live) Sample {
	c := Sample{Matured: s.Units, Target: e.SampleSize, ByArm: map[string]int64{}, Strays: l.Strays, Late: s.Late}
	for i, a := range e.Arms {
		for _, phase := range l.Exposed {
			c.ByArm[a.Name] += phase[i]
			c.Users += phase[i]
		}
	}
	return c
}

// srm looks at all that entered; whether that is well stays as it was decided.
func (e *Experiment) srm(s State, l Live) SRM {
	shares := make([][]float64, len(l.Exposed))
	for i := range l.Exposed {
		shares[i] = e.Phases[i].Shares
	}
	split := SplitOf(l.Exposed, shares, true)
	p := split.P
	if d := s.Decision; d != nil {
		split = d.Split
	} else {
		split.P = 1 // which may be looked at, but decides in the end only
	}
	return SRM{p, split.OK()}
}

func (v *evidence) arms() []ArmResult {
	list := make([]ArmResult, len(v.e.Arms))
	for i, a := range v.e.Arms {
		t := v.tallies.arm(i)
		of := func(total, n int64) float64 { return float64(total) / float64(max(1, n)) }
		list[i] = ArmResult{Arm: a.Name, Strategy: a.Does(), Share: v.e.Shares()[i], Users: t.Units, Requests: t.Requests,
			AvgCostUSD: of(t.CostNanos, t.Requests) / 1e9, AvgPaidUSD: of(t.PaidNanos, t.Requests) / 1e9, AvgLatencyMS: of(t.LatencyUS, t.Answered) / 1e3,
			GoodRate: of(t.Good, t.Requests), RatingRate: of(t.Rated, t.Requests), AnsweredRate: of(t.Answered, t.Requests),
			SlowRate: of(t.Slow, t.Requests), CachedRate: of(t.Cached, t.Requests), FallbackRate: of(t.FellBack, t.Requests),
			DesignEffect: stats.RealizedDesignEffect(t.Sums[Good.index()].moments())}
		if t.Rated > 0 {
			list[i].Quality = new(of(t.QualityMicros, t.Rated) / 1e6)
		}
	}
	return list
}

// scale is what a metric's own unit is multiplied by to be shown.
func (m Metric) scale() float64 {
	switch m {
	case Cost:
		return 1e-9
	case Latency:
		return 1e-3
	default:
		return 1
	}
}

func scaled(x *float64, by float64) *float64 {
	if x == nil {
		return nil
	}
	return new(*x * by)
}

// metrics are the readings as they are shown. Whether a guardrail holds is what
// the decision was taken by.
func (v *evidence) metrics(at level, d *Decision) []MetricResult {
	var list []MetricResult
	for _, r := range v.readings(at) {
		by := r.Metric.scale()
		m := MetricResult{Name: r.Metric, Arm: r.Arm, Control: r.Control * by, Test: r.Test * by,
			Diff: Estimate{r.Diff.Value * by, scaled(r.Diff.Low, by), scaled(r.Diff.High, by)},
			Lift: r.Lift.Value, Low: r.Lift.Low, High: r.Lift.High, Better: "lower",
			Primary: r.Primary, Guardrail: r.Guardrail, OK: r.OK}
		if r.Metric.HigherIsBetter() {
			m.Better = "higher"
		}
		if r.Guardrail {
			m.Margin = new(r.Margin)
		}
		if d != nil {
			i := slices.IndexFunc(d.Readings, func(o Reading) bool { return o.Metric == r.Metric && o.Arm == r.Arm })
			m.OK = d.Readings[i].OK
		}
		m.Reading = m.read()
		list = append(list, m)
	}
	return list
}

// read says what the interval shows.
func (m *MetricResult) read() string {
	low, high := m.Diff.Low, m.Diff.High
	switch {
	case low != nil && *low > 0 && m.Better == "higher", high != nil && *high < 0 && m.Better == "lower":
		return "better"
	case low != nil && *low > 0, high != nil && *high < 0:
		return "worse"
	case m.OK != nil && *m.OK:
		return "holds"
	default:
		return "undecided"
	}
}

// Explore compares a part of the units, such as those of one segment. It is for
// looking around: of many parts, some differ by chance.
func (e *Experiment) Explore(t Tallies) []MetricResult {
	v := evidence{e: e, tallies: t}
	return v.metrics(level{alpha: e.Alpha}, nil)
}

// power of the units so far, for what the whole sample finds with wantedPower.
func (v *evidence) power(arm int) float64 {
	b, _ := boundaryOf(v.e.Alpha)
	whole, ok := stats.MDEMeans(0, 1, b.Final, wantedPower)
	units := float64(v.tallies.units(Control) + v.tallies.units(arm))
	planned := float64(v.e.SampleSize) * (v.e.Shares()[Control] + v.e.Shares()[arm])
	if !ok || units == 0 {
		return 0
	}
	return stats.PowerShift(whole.Absolute*math.Sqrt(min(1, units/planned)), 1, b.Final)
}

func (v *evidence) leastEffect(arm int) *float64 {
	b, _ := boundaryOf(v.e.Alpha)
	c := v.tallies.compare(v.e.Primary, arm, 1-v.e.Alpha)
	found, ok := stats.MDEMeans(c.RatioA, c.SE, b.Final, wantedPower)
	if !ok || !c.enough {
		return nil
	}
	return new(found.Absolute * v.e.Primary.scale())
}

// projected is when the sample has matured if units go on to come as they did.
func (e *Experiment) projected(s State, l Live) *time.Time {
	if s.Decision != nil || l.Stopped {
		return nil
	}
	end := e.End()
	if took := s.LastAt.Sub(e.StartedAt.Add(e.Maturity())); s.Units > 0 && took > 0 {
		left := float64(e.SampleSize-s.Units) / float64(s.Units) * float64(took)
		if at := s.LastAt.Add(time.Duration(min(left, float64(e.MaxDuration)))); at.Before(end) {
			end = at
		}
	}
	return &end
}

func (e *Experiment) series(s State) Series {
	r := Series{Difference: []DifferencePoint{}, Exposures: []ExposurePoint{}}
	by := e.Primary.scale()
	for _, look := range s.Looks {
		exposed := ExposurePoint{At: look.At, ByArm: map[string]int64{e.Arms[Control].Name: int64(look.Units)}}
		for _, p := range look.Arms {
			r.Difference = append(r.Difference, DifferencePoint{look.At, look.Units, p.Arm, p.Diff * by, scaled(p.Low, by), scaled(p.High, by), p.P})
			exposed.ByArm[p.Arm] = p.N
			exposed.ByArm[e.Arms[Control].Name] -= p.N
		}
		r.Exposures = append(r.Exposures, exposed)
	}
	return r
}
