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
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	AsOf      time.Time `json:"as_of"` // when it was read
	StartedAt time.Time `json:"started_at"`
	Unit      UnitKind  `json:"unit"`
	Primary   Metric    `json:"primary_metric"`
	Alpha     float64   `json:"alpha"`
	Boundary  boundary  `json:"boundary"`

	State    string   `json:"state"`
	Outcome  *Outcome `json:"outcome"`
	Winner   *string  `json:"winner"`
	Verdict  string   `json:"verdict"`
	PValue   float64  `json:"p_value"`              // of a single look, which while it runs nobody may decide by
	AlwaysP  float64  `json:"p_value_always_valid"` // the least of all looks
	Interval Bounds   `json:"confidence_interval"`  // of the primary metric's difference, test − control
	Method   string   `json:"method"`
	Decided  *Decided `json:"decision"` // null: there is no verdict yet

	Sample    Sample          `json:"sample"`
	SRM       SRM             `json:"srm"`
	Arms      []ArmResult     `json:"arms"`
	Metrics   []MetricResult  `json:"metrics"`
	Power     float64         `json:"power"` // that what has matured has to find what the whole sample finds four times in five
	MDE       *float64        `json:"mde"`   // what it finds four times in five, in the primary metric's unit
	Projected *time.Time      `json:"projected_end"`
	Series    Series          `json:"series"`
	Segments  []SegmentResult `json:"segments"`
	Degraded  []string        `json:"degraded"`
}

// Decided says when and how a verdict was reached.
type Decided struct {
	At     time.Time `json:"at"`    // when the last unit had matured that it took
	Units  int       `json:"units"` // that had matured
	Early  bool      `json:"early"` // before the sample was complete
	Reason Reason    `json:"reason"`
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

// ArmResult is what the analysed units of an arm did.
type ArmResult struct {
	Arm          string   `json:"arm"`
	Strategy     string   `json:"strategy"` // or the model
	Share        float64  `json:"share"`
	Users        int64    `json:"users"`
	Requests     int64    `json:"requests"`
	Good         int64    `json:"good"` // requests, as those that follow
	Answered     int64    `json:"answered"`
	Rated        int64    `json:"rated"`
	Slow         int64    `json:"slow"`
	Cached       int64    `json:"cached"`
	FellBack     int64    `json:"fell_back"`
	CostUSD      float64  `json:"cost_usd"` // in all
	PaidUSD      float64  `json:"paid_usd"`
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

	LatencyP50 *QuantileResult `json:"latency_p50_ms"` // of what was answered; null: nothing was
	LatencyP95 *QuantileResult `json:"latency_p95_ms"`
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
	Relative  bool     `json:"margin_relative"` // the margin is one of the lift, not of the difference
	OK        *bool    `json:"ok"`              // the guardrail is shown to hold; null: it is none, or not measured

	HoldsSince      *time.Time `json:"holds_since"`      // at every look from then on; null: at the last one it does not
	VarianceReduced *float64   `json:"variance_reduced"` // by what is known of before, a share; null: that is not used
}

// Live is what is known of an experiment beyond what was judged.
type Live struct {
	AsOf     time.Time `json:"-"`       // when it was read
	Entered  []Entry   `json:"entered"` // all units that entered
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
	b, _ := boundaryOf(e.Alpha)
	if b.Early = e.early(); e.extended() {
		b.Final = b.Early
	}
	r := Results{ID: e.ID, Name: e.Name, AsOf: l.AsOf.UTC(), StartedAt: e.StartedAt.UTC(), Unit: e.Unit, Primary: e.Primary, Alpha: e.Alpha, Boundary: b,
		State: StateRunning, PValue: v.singleP()[about], AlwaysP: s.LeastP[about], Method: v.method(about, at),
		Sample: e.sample(s, l), SRM: e.srm(s, l), Arms: v.arms(s.Took), Metrics: v.metrics(at, &s),
		Power: v.power(about), MDE: v.leastEffect(about), Projected: e.projected(s, l), Series: e.series(&s, &l), Segments: e.segments(&s), Degraded: l.Degraded}
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
		r.Decided = &Decided{d.At, d.Units, !d.Final, d.Reason}
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

func (v *evidence) arms(took []Durations) []ArmResult {
	list := make([]ArmResult, len(v.e.Arms))
	for i, a := range v.e.Arms {
		t := v.tallies.arm(i)
		of := func(total, n int64) float64 { return float64(total) / float64(max(1, n)) }
		list[i] = ArmResult{Arm: a.Name, Strategy: a.Does(), Share: v.e.Shares()[i], Users: t.Units, Requests: t.Requests,
			Good: t.Good, Answered: t.Answered, Rated: t.Rated, Slow: t.Slow, Cached: t.Cached, FellBack: t.FellBack,
			CostUSD: float64(t.CostNanos) / 1e9, PaidUSD: float64(t.PaidNanos) / 1e9, AvgCostUSD: of(t.CostNanos, t.Requests) / 1e9, AvgPaidUSD: of(t.PaidNanos, t.Requests) / 1e9, AvgLatencyMS: of(t.LatencyUS, t.Answered) / 1e3,
			GoodRate: of(t.Good, t.Requests), RatingRate: of(t.Rated, t.Requests), AnsweredRate: of(t.Answered, t.Requests),
			SlowRate: of(t.Slow, t.Requests), CachedRate: of(t.Cached, t.Requests), FallbackRate: of(t.FellBack, t.Requests),
			DesignEffect: stats.RealizedDesignEffect(t.Sums[Good.index()].moments())}
		if t.Rated > 0 {
			list[i].Quality = new(of(t.QualityMicros, t.Rated) / 1e6)
		}
		if i < len(took) {
			design := max(list[i].DesignEffect, stats.RealizedDesignEffect(t.Sums[Slow.index()].moments()))
			list[i].LatencyP50, list[i].LatencyP95 = took[i].Quantile(.5, 1-v.e.Alpha, design), took[i].Quantile(.95, 1-v.e.Alpha, design)
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

func scaledEstimate(e Estimate, by float64) Estimate {
	return Estimate{e.Value * by, scaled(e.Low, by), scaled(e.High, by)}
}

func better(m Metric) string {
	if m.HigherIsBetter() {
		return "higher"
	}
	return "lower"
}

// metrics are the readings as they are shown. Whether a guardrail holds is what
// the decision was taken by.
func (v *evidence) metrics(at level, s *State) []MetricResult {
	var list []MetricResult
	for _, r := range v.readings(at) {
		by := r.Metric.scale()
		m := MetricResult{Name: r.Metric, Arm: r.Arm, Control: r.Control * by, Test: r.Test * by,
			Diff: scaledEstimate(r.Diff, by), Lift: r.Lift.Value, Low: r.Lift.Low, High: r.Lift.High, Better: better(r.Metric),
			Primary: r.Primary, Guardrail: r.Guardrail, Relative: r.Metric.relative(), OK: r.OK, VarianceReduced: v.reduced(r.Metric, v.e.ArmNamed(r.Arm))}
		if r.Guardrail {
			m.Margin, m.HoldsSince = new(r.Margin), s.holdsSince(r.Metric, r.Arm)
		}
		if d := s.Decision; d != nil {
			if i := slices.IndexFunc(d.Readings, func(o Reading) bool { return o.Metric == r.Metric && o.Arm == r.Arm }); i >= 0 {
				m.OK = d.Readings[i].OK
			}
		}
		m.Reading = m.read()
		list = append(list, m)
	}
	return list
}

// read says what the interval shows that stands beside it: of the difference, or
// of the lift, which is the wider one.
func (m *MetricResult) read() string {
	low, high := m.Diff.Low, m.Diff.High
	if m.Relative {
		low, high = m.Low, m.High
	}
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

// holdsSince is the first of the looks from which on the guardrail was shown to
// hold at every one.
func (s *State) holdsSince(m Metric, arm string) (since *time.Time) {
	for i := len(s.Looks) - 1; i >= 0; i-- {
		at := slices.IndexFunc(s.Looks[i].Arms, func(p Point) bool { return p.Arm == arm })
		if at < 0 || !slices.Contains(s.Looks[i].Arms[at].Holds, m) {
			break
		}
		since = &s.Looks[i].At
	}
	return since
}

// reduced is the share of the difference's variance that is gone because of what
// is known of before, or nil.
func (v *evidence) reduced(m Metric, arm int) *float64 {
	if v.tallies.past(m, arm) == nil {
		return nil
	}
	plain := make(Tallies, len(v.tallies))
	for i, phase := range v.tallies {
		plain[i] = slices.Clone(phase)
		for j := range plain[i] {
			plain[i][j].Sums[m.index()].Past = nil
		}
	}
	with, without := v.tallies.compare(m, arm, 1-v.e.Alpha), plain.compare(m, arm, 1-v.e.Alpha)
	if !with.Testable || !without.Testable || without.SE == 0 {
		return nil
	}
	return new(max(0, 1-with.SE*with.SE/(without.SE*without.SE)))
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
