package experiment

import (
	"fmt"
	"math"
	"time"

	"github.com/busuhq/busu/internal/stats"
)

// Traffic is what is known, before the start, of units as they will be observed.
type Traffic struct {
	UnitsPerDay float64           `json:"units_per_day"` // new ones, of the whole layer; 0: not known
	Requests    float64           `json:"requests"`      // of a unit, the mean
	Metrics     map[Metric]Spread `json:"metrics"`       // without quality, if nobody rates
}

// Spread is a metric's mean, and the variance that the mean of a single unit
// would have.
type Spread struct {
	Mean     float64 `json:"mean"`
	Variance float64 `json:"variance"`
}

// TrafficOf takes what units did in the past, such as the week before.
func TrafficOf(past Tally, unitsPerDay float64) Traffic {
	t := Traffic{UnitsPerDay: unitsPerDay, Requests: 1, Metrics: map[Metric]Spread{}}
	if past.Units > 0 {
		t.Requests = float64(past.Requests) / float64(past.Units)
	}
	for i, m := range metrics {
		s := past.Sums[i].moments()
		if v, ok := s.Variance(); ok && m != rated {
			t.Metrics[m] = Spread{s.Ratio(), v * float64(past.Units)}
		}
	}
	return t
}

// Guess is what people know of their traffic without having measured it.
type Guess struct {
	UnitsPerDay float64
	Good        float64 // share of good requests
	Requests    float64 // of a unit, the mean
	ICC         float64 // how alike the requests of a unit are
	Variation   float64 // of cost and latency, standard deviation over mean
	Rated       float64 // share of requests with feedback
	CostNanos   float64 // of a request
	LatencyUS   float64 // of a request
}

// UsualGuess is about users of whom nothing is known.
func UsualGuess() Guess {
	return Guess{Good: 0.9, Requests: 1, ICC: 0.1, Variation: 1.3, CostNanos: 1e6, LatencyUS: 1e6}
}

const (
	usualSlow      = 0.05 // a threshold at the 95th percentile
	usualQuality   = 0.8
	usualQualitySD = 0.3
)

// Traffic spells the guess out, with numbers of requests that are distributed
// geometrically.
func (g Guess) Traffic() Traffic {
	n := max(1, g.Requests)
	design := stats.DesignEffect(stats.Moments{Units: 1, N: n, NN: n * (2*n - 1)}, g.ICC) / n
	of := func(mean, variance float64) Spread { return Spread{mean, variance * design} }
	t := Traffic{UnitsPerDay: g.UnitsPerDay, Requests: n, Metrics: map[Metric]Spread{
		Good:    of(g.Good, g.Good*(1-g.Good)),
		Slow:    of(usualSlow, usualSlow*(1-usualSlow)),
		Cost:    of(g.CostNanos, square(g.CostNanos*g.Variation)),
		Latency: of(g.LatencyUS, square(g.LatencyUS*g.Variation)),
	}}
	if g.Rated > 0 {
		t.Metrics[Quality] = Spread{usualQuality, square(usualQualitySD) * design / g.Rated}
	}
	return t
}

func square(x float64) float64 { return x * x }

// Plan is what an experiment can be expected to find.
type Plan struct {
	MDE         float64  `json:"mde"`          // smallest effect found with the power 0.8, a share, dollars or milliseconds; 0: it is not known
	MDERelative float64  `json:"mde_relative"` // of the control's value
	Effect      float64  `json:"effect"`       // that is assumed for the following: a difference of shares, else relative
	PowerToWin  float64  `json:"power_to_win"` // that an arm with this effect, and alike in all guardrails, ends as the winner; 0 without MDE
	Suggested   *int     `json:"suggested_sample_size"`
	Days        *float64 `json:"expected_days"` // until the sample has matured, at most
	Warnings    []string `json:"warnings,omitempty"`
}

// wantedPower is what a sample size is chosen for.
const wantedPower = 0.8

// UsualEffect is what is assumed where nobody says what to expect: two points of
// good answers, a twentieth of quality, a fifth of cost or latency.
func UsualEffect(m Metric) float64 {
	switch m {
	case Good:
		return 0.02
	case Quality:
		return 0.05
	default:
		return 0.2
	}
}

// Plan says what the experiment can find among such traffic; effect 0 is
// UsualEffect. Guardrails are taken to be independent.
func (e *Experiment) Plan(t Traffic, effect float64) Plan {
	if effect == 0 {
		effect = UsualEffect(e.Primary)
	}
	d := e.design(t)
	p := Plan{Effect: effect, PowerToWin: d.powerToWin(float64(e.SampleSize), effect)}
	if found, ok := d.leastEffect(float64(e.SampleSize)); ok {
		p.MDE, p.MDERelative = found.Absolute*e.Primary.scale(), found.Relative
	}
	if n, ok := d.suggest(effect); ok {
		p.Suggested = &n
	}
	if perDay := t.UnitsPerDay * (e.Segment.To - e.Segment.From); perDay > 0 {
		const day = 24 * time.Hour
		days := float64(e.SampleSize)/perDay + e.Maturity().Hours()/24
		p.Days = new(min(days, float64(time.Duration(e.MaxDuration))/float64(day)))
		if days > *p.Days {
			p.Warnings = append(p.Warnings, fmt.Sprintf("at %.4g units a day, %d units take %.0f days: the final test is taken after max_duration with fewer", perDay, e.SampleSize, days))
		}
	}
	return e.warn(p, t)
}

func (e *Experiment) warn(p Plan, t Traffic) Plan {
	switch _, known := t.Metrics[e.Primary]; {
	case !known:
		p.Warnings = append(p.Warnings, fmt.Sprintf("nothing is known of %s: there can be no winner unless it is measured", e.Primary))
	case p.MDE == 0:
		p.Warnings = append(p.Warnings, fmt.Sprintf("%s does not vary in what is known of the traffic: what this sample can find is not known", e.Primary))
	}
	most := p.MDERelative
	if e.Primary.share() {
		most = p.MDE
	}
	if most > 2*UsualEffect(e.Primary) {
		p.Warnings = append(p.Warnings, "the smallest effect that this sample can be expected to find is more than twice a usual one: ask for more units")
	}
	if e.Unit == UnitRequest {
		p.Warnings = append(p.Warnings, "requests of one user are taken to be independent, which they are not: differences will be found that there are not")
	}
	return p
}

// design is what powers are computed from: the control against the smallest of
// the other arms.
type design struct {
	e            *Experiment
	t            Traffic
	control, arm float64 // shares
	alpha        float64
}

func (e *Experiment) design(t Traffic) design {
	b, _ := boundaryOf(e.Alpha)
	shares := e.Shares()
	d := design{e: e, t: t, control: shares[Control], arm: 1, alpha: b.Final / float64(len(shares)-1)}
	for _, share := range shares[1:] {
		d.arm = min(d.arm, share)
	}
	return d
}

// perArm is the size of two equal arms that would tell as much.
func (d design) perArm(n float64) float64 { return 2 * n / (1/d.control + 1/d.arm) }

// se is the standard error of the difference with n units in all.
func (d design) se(m Metric, n float64) float64 {
	return math.Sqrt(2 * d.t.Metrics[m].Variance / d.perArm(n))
}

// counts reports whether the primary metric is a share of units.
func (d design) counts() bool { return d.e.Primary == Good && d.t.Requests <= 1 }

func (d design) leastEffect(n float64) (stats.Effect, bool) {
	mean := d.t.Metrics[d.e.Primary].Mean
	if d.counts() {
		found, ok := stats.MDEProportions(mean, d.perArm(n), d.alpha, wantedPower)
		if !ok { // there is too little room above: what loss is found
			found, ok = stats.MDEProportions(1-mean, d.perArm(n), d.alpha, wantedPower)
			found.Relative = found.Absolute / mean
		}
		return found, ok
	}
	return stats.MDEMeans(mean, d.se(d.e.Primary, n), d.alpha, wantedPower)
}

// powerToWin is the power to find the effect, times that of every guardrail to
// be shown to hold where the arms are alike.
func (d design) powerToWin(n, effect float64) float64 {
	primary := d.t.Metrics[d.e.Primary]
	shift := effect
	if d.e.Primary.relative() {
		shift *= primary.Mean
	}
	power := stats.PowerShift(shift, d.se(d.e.Primary, n), d.alpha)
	if d.counts() && primary.Mean+effect <= 1 {
		power = stats.PowerProportions(primary.Mean, primary.Mean+effect, d.perArm(n), d.alpha)
	}
	b, _ := boundaryOf(d.e.Alpha)
	for _, m := range d.e.Guardrails() {
		spread, known := d.t.Metrics[m]
		if !known || spread.Variance == 0 {
			continue
		}
		margin := d.e.Margins.of(m)
		if m.relative() {
			margin *= spread.Mean
		}
		power *= stats.PowerShift(margin, d.se(m, n), b.Final)
	}
	return power
}

// suggest is the least sample size with the wanted power, and whether any has.
func (d design) suggest(effect float64) (int, bool) {
	if d.powerToWin(maxSampleSize, effect) < wantedPower {
		return 0, false
	}
	low, high := 1, maxSampleSize
	for low < high {
		if middle := low + (high-low)/2; d.powerToWin(float64(middle), effect) < wantedPower {
			low = middle + 1
		} else {
			high = middle
		}
	}
	least := int(math.Ceil(minPerArm / min(d.control, d.arm)))
	return max(low, least), true
}
