package savings

import (
	"math"
	"time"

	"github.com/busuhq/busu/internal/pricing"
	"github.com/busuhq/busu/internal/stats"
)

// Window is a length of time, in whole days, whose last one is today.
type Window struct {
	Name string
	Days int
}

// Windows are those that can be asked for; the second one is the usual.
func Windows() []Window { return []Window{{"7d", 7}, {"30d", 30}, {"90d", 90}} }

// UsualWindow is meant where none is named.
const UsualWindow = "30d"

// Traffic is all that a group was sent in a window, compared or not.
type Traffic struct {
	Users, Requests, Unpriced int64
	CostNanos                 int64 // paid
	BaselineNanos             int64
}

// Expected is what plans expected, added up: of the model planned, the cheapest
// one, and the baseline, for the same requests.
type Expected struct {
	Requests                   int64
	Planned, Cheapest, Dearest Policy
}

// Policy is a cost in nano-dollars and a quality, over some requests.
type Policy struct {
	Nanos   int64
	Quality float64 // the sum
}

// Tally is what is known of a project in a window.
type Tally struct {
	Window   Window
	From     time.Time // the first day
	AsOf     time.Time // up to when rows are counted
	Start    int       // days from the first day with a hold-out to From
	Since    time.Time // the first request of a unit; zero without any
	Limit    float64   // of a unit's cost per request in nano-dollars, or infinite
	Routed   Group     // matured units
	Holdout  Group
	All      Traffic // routed, with those that have no user
	Kept     Traffic // of the hold-out
	Expected Expected

	PriceVersions []string
	Baselines     []string // those with the most requests first
	Guard         Guard
}

// Report is what routing saves.
type Report struct {
	Window  string    `json:"window"`
	From    time.Time `json:"from"`
	To      time.Time `json:"to"`
	Verdict string    `json:"verdict"`

	Baseline string   `json:"baseline_model"`
	Modelled Modelled `json:"modelled"`
	Proven   Proven   `json:"proven"`
	Good     Quality  `json:"good"`
	Quality  Quality  `json:"quality"`
	Rated    Rated    `json:"rated"`
	Latency  Latency  `json:"latency_ms"`
	Holdout  Holdout  `json:"holdout"`
	Policies []Fixed  `json:"policies"`
	Guard    Guard    `json:"guard"`

	Confidence    float64   `json:"confidence"`
	PriceVersions []string  `json:"price_versions"`
	Source        string    `json:"source"`
	AsOf          time.Time `json:"as_of"`
	Stale         bool      `json:"stale"`
}

// Modelled is what routed requests cost less than the price table says they
// would have on the baseline, with the same tokens.
type Modelled struct {
	Requests   int64         `json:"requests"`
	Unpriced   int64         `json:"unpriced_requests"`
	Cost       pricing.Nanos `json:"cost_usd"`
	Baseline   pricing.Nanos `json:"baseline_cost_usd"`
	Savings    pricing.Nanos `json:"savings_usd"`
	SavingsPct *float64      `json:"savings_pct"` // null without a cost
}

// States of what is compared.
const (
	StateTooFew    = "too_few"           // users in a group
	StateOpen      = "open"              // the interval has it both ways
	StateProven    = "proven"            // it saves
	StateDearer    = "dearer"            // it costs more, proven
	StateInside    = "inside"            // worse by less than the margin, or better, shown
	StateWorse     = "worse"             // worse by more than the margin, shown
	StateLopsided  = "lopsided"          // one group is rated more: what is good says nothing
	SourcePostgres = "postgres"          // where reports are read
	thisPeriod     = 30 * 24 * time.Hour // a month
)

// Proven compares what routed users and those of the hold-out were charged.
type Proven struct {
	State           string `json:"state"`
	RoutedUsers     int64  `json:"routed_users"` // compared
	HoldoutUsers    int64  `json:"holdout_users"`
	RoutedRequests  int64  `json:"routed_requests"`
	HoldoutRequests int64  `json:"holdout_requests"`

	PerRequest PerRequest     `json:"per_request_usd"`
	Raw        PerRequest     `json:"raw_per_request_usd"` // not winsorised; without an interval
	Limit      *pricing.Nanos `json:"winsorised_above_usd"`
	Pct        Range          `json:"savings_pct"`
	PerMonth   MoneyRange     `json:"per_month_usd"`
	Decisive   Decisive       `json:"decisive"`
}

// PerRequest is the mean charge of a request in both groups.
type PerRequest struct {
	Holdout pricing.Nanos  `json:"holdout"`
	Routed  pricing.Nanos  `json:"routed"`
	Savings pricing.Nanos  `json:"savings"`
	Low     *pricing.Nanos `json:"low"`
	High    *pricing.Nanos `json:"high"`
}

// MoneyRange is an amount with its interval; its ends are null while nothing
// bounds them.
type MoneyRange struct {
	Savings pricing.Nanos  `json:"savings"`
	Low     *pricing.Nanos `json:"low"`
	High    *pricing.Nanos `json:"high"`
}

// Range is a value with its interval; null while nothing is known.
type Range struct {
	Value *float64 `json:"value"`
	Low   *float64 `json:"low"`
	High  *float64 `json:"high"`
}

// Quality compares a share, or a mean of verdicts: routed − hold-out.
type Quality struct {
	State      string   `json:"state"`
	Routed     float64  `json:"routed"`
	Holdout    float64  `json:"holdout"`
	Difference float64  `json:"difference"`
	Low        *float64 `json:"low"`
	High       *float64 `json:"high"`
	Margin     float64  `json:"margin"`
	Decisive   Decisive `json:"decisive"`
}

// Decisive is how long it takes, at the traffic of the window, until an
// interval decides.
type Decisive struct {
	Days  *float64 `json:"in_days"`                   // 0: it does; null: never, or not to be told yet
	Share *float64 `json:"holdout_share_for_30_days"` // that would make it 30 days; null: none
}

// Rated is the share of requests with verdicts.
type Rated struct {
	Routed   float64 `json:"routed"`
	Holdout  float64 `json:"holdout"`
	Balanced bool    `json:"balanced"` // it is not shown to differ
}

// Latency is the mean of whole answers, compared units only.
type Latency struct {
	Routed  float64 `json:"routed"`
	Holdout float64 `json:"holdout"`
}

// Holdout is what the proof costs.
type Holdout struct {
	Share    float64       `json:"share"` // of compared users
	Users    int64         `json:"users"`
	Requests int64         `json:"requests"`
	Cost     pricing.Nanos `json:"cost_usd"`
	Extra    pricing.Nanos `json:"extra_cost_usd"` // than if they had been routed
	PerMonth pricing.Nanos `json:"extra_per_month_usd"`
}

// NewReport makes the report of a tally.
func NewReport(t Tally) Report {
	r := Report{Window: t.Window.Name, From: t.From, To: t.AsOf, AsOf: t.AsOf, Source: SourcePostgres, Confidence: Confidence,
		PriceVersions: append([]string{}, t.PriceVersions...), Guard: t.Guard}
	if len(t.Baselines) > 0 {
		r.Baseline = t.Baselines[0]
	}
	r.Modelled = modelled(t.All)
	r.Rated, r.Latency = t.rated(), t.latency()
	r.Proven = t.proven()
	r.Good, r.Quality = t.quality(t.Holdout.Good, t.Routed.Good), t.quality(t.Holdout.Quality, t.Routed.Quality)
	if !r.Rated.Balanced {
		r.Good.State, r.Quality.State = lopsided(r.Good.State), lopsided(r.Quality.State)
	}
	r.Holdout = t.holdout(r.Proven)
	r.Policies = Policies(t.Expected)
	r.Verdict = r.sentence()
	return r
}

// lopsided withholds that answers are no worse where one group rates more: the
// one with fewer ratings looks better. That they are worse is not withheld.
func lopsided(state string) string {
	if state == StateInside {
		return StateLopsided
	}
	return state
}

func modelled(t Traffic) Modelled {
	m := Modelled{Requests: t.Requests, Unpriced: t.Unpriced, Cost: pricing.Nanos(t.CostNanos), Baseline: pricing.Nanos(t.BaselineNanos)}
	m.Savings = m.Baseline - m.Cost
	if m.Baseline > 0 {
		m.SavingsPct = new(100 * float64(m.Savings) / float64(m.Baseline))
	}
	return m
}

func (t *Tally) latency() Latency {
	return Latency{Routed: t.Routed.Latency.Ratio() / 1000, Holdout: t.Holdout.Latency.Ratio() / 1000}
}

// ratedAlpha is as for a mismatch of samples: what it blocks is a verdict.
const ratedAlpha = 0.001

func (t *Tally) rated() Rated {
	s := compare(t.Holdout.Rated, t.Routed.Rated, Spend(ratedAlpha, t.Start))
	return Rated{Routed: t.Routed.Rated.Ratio(), Holdout: t.Holdout.Rated.Ratio(), Balanced: !s.known || s.Contains(0)}
}

func (t *Tally) proven() Proven {
	s := compareLogs(t.Holdout.Cost, t.Routed.Cost, Spend(1-Confidence, t.Start))
	p := Proven{State: StateTooFew, RoutedUsers: t.Routed.Users(), HoldoutUsers: t.Holdout.Users(),
		RoutedRequests: int64(t.Routed.Cost.N), HoldoutRequests: int64(t.Holdout.Cost.N),
		PerRequest: perRequest(t.Holdout.Cost, t.Routed.Cost), Raw: perRequest(t.Holdout.RawCost, t.Routed.RawCost)}
	if !math.IsInf(t.Limit, 0) {
		p.Limit = new(nanos(t.Limit))
	}
	perMonth := float64(t.All.Requests) * float64(thisPeriod) / float64(t.length())
	p.PerMonth.Savings = nanos(perMonth * float64(p.PerRequest.Savings))
	holdout, routed := t.Holdout.Cost.Ratio(), t.Routed.Cost.Ratio()
	if holdout > 0 {
		p.Pct.Value = new(100 * (1 - routed/holdout))
	}
	if !s.known {
		p.Decisive = t.wait(LeastUsers, s.units)
		return p
	}
	switch p.State = StateOpen; {
	case s.High < 0:
		p.State = StateProven
	case s.Low > 0:
		p.State = StateDearer
	}
	// What routed users were charged is taken as it was: the error is in what
	// the baseline would have been.
	low, high := routed*math.Expm1(-s.High), routed*math.Expm1(-s.Low)
	p.PerRequest.Low, p.PerRequest.High = new(nanos(low)), new(nanos(high))
	p.PerMonth.Low, p.PerMonth.High = new(nanos(perMonth*low)), new(nanos(perMonth*high))
	p.Pct.Low, p.Pct.High = new(finite(-100*math.Expm1(s.High))), new(finite(-100*math.Expm1(s.Low)))
	if needed, ok := s.until(math.Abs(s.diff)); ok {
		p.Decisive = t.wait(needed, s.units)
	}
	return p
}

// finite keeps what nothing bounds out of JSON's reach of infinity.
func finite(x float64) float64 { return min(max(x, -math.MaxFloat64), math.MaxFloat64) }

func perRequest(holdout, routed stats.Moments) PerRequest {
	p := PerRequest{Holdout: nanos(holdout.Ratio()), Routed: nanos(routed.Ratio())}
	p.Savings = p.Holdout - p.Routed
	return p
}

// quality compares what answers are worth. Until it decides, it is expected to
// when there is no difference.
func (t *Tally) quality(holdout, routed stats.Moments) Quality {
	s := compare(holdout, routed, Spend(1-Confidence, t.Start))
	q := Quality{State: StateTooFew, Routed: routed.Ratio(), Holdout: holdout.Ratio(), Margin: Margin}
	q.Difference = q.Routed - q.Holdout
	if !s.known {
		return q
	}
	q.Low, q.High = new(s.Low), new(s.High)
	switch {
	case s.Low > -Margin:
		q.State, q.Decisive.Days = StateInside, new(0.0)
	case s.High < -Margin:
		q.State, q.Decisive.Days = StateWorse, new(0.0)
	default:
		q.State = StateOpen
		if needed, ok := s.until(Margin); ok {
			q.Decisive = t.wait(needed, s.units)
		}
	}
	return q
}

// wait is how long it takes until a comparison is worth so many users.
func (t *Tally) wait(needed float64, have int64) (d Decisive) {
	a, b := float64(t.Holdout.Users()), float64(t.Routed.Users())
	days := t.AsOf.Sub(t.Since).Hours() / 24
	if t.Since.IsZero() || have < 1 || !(days > 0) {
		return d
	}
	d.Days = new(max(needed-float64(have), 0) / float64(have) * days)
	// The share s of all new users gives s(1−s) of them a day.
	wanted := needed / (30 * (a + b) / days)
	if wanted <= 0.25 {
		d.Share = new((1 - math.Sqrt(1-4*wanted)) / 2)
	}
	return d
}

// length is how much of the window has passed since there was traffic.
func (t *Tally) length() time.Duration {
	from := t.From
	if t.Since.After(from) {
		from = t.Since
	}
	return max(t.AsOf.Sub(from), time.Minute)
}

func (t *Tally) holdout(p Proven) Holdout {
	h := Holdout{Users: t.Kept.Users, Requests: t.Kept.Requests, Cost: pricing.Nanos(t.Kept.CostNanos)}
	if all := p.HoldoutUsers + p.RoutedUsers; all > 0 {
		h.Share = float64(p.HoldoutUsers) / float64(all)
	}
	h.Extra = nanos(float64(h.Requests) * float64(p.Raw.Savings))
	h.PerMonth = nanos(float64(h.Extra) * float64(thisPeriod) / float64(t.length()))
	return h
}

// nanos rounds an amount to what money has room for.
func nanos(x float64) pricing.Nanos {
	const most = 1 << 62
	return pricing.Nanos(math.Round(min(max(x, -most), most)))
}
