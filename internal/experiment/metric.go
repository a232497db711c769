package experiment

// Metric is what arms are compared by. Each is a ratio of totals over units.
type Metric string

// The metrics of an experiment.
const (
	Good    Metric = "good"    // share of requests that were good
	Quality Metric = "quality" // mean of what feedback said, 0 … 1, over requests with feedback
	Cost    Metric = "cost"    // mean nano-dollars per request
	Latency Metric = "latency" // mean microseconds per answered request
	Slow    Metric = "slow"    // share of requests slower than the threshold

	// rated is the share of requests with feedback. No arm is better by it; but
	// the arm with fewer verdicts looks better, for fewer answers are called bad.
	rated Metric = "rated"
)

// Metrics that can be primary.
func primaryMetrics() []Metric { return []Metric{Good, Quality, Cost, Latency} }

// metrics is the order in which tallies hold them.
var metrics = [...]Metric{Good, Quality, Cost, Latency, Slow, rated}

// index is the place of a metric in a tally.
func (m Metric) index() int {
	for i, other := range metrics {
		if m == other {
			return i
		}
	}
	return -1
}

// HigherIsBetter is the direction of the metric.
func (m Metric) HigherIsBetter() bool { return m == Good || m == Quality }

// share reports whether the metric counts requests that are so or not.
func (m Metric) share() bool { return m == Good || m == Slow || m == rated }

// bounded reports whether what a request has in the metric lies within 0 and 1.
func (m Metric) bounded() bool { return m.share() || m == Quality }

// relative reports whether the metric's margin is a share of the control's
// value; otherwise it is a difference of shares.
func (m Metric) relative() bool { return !m.share() }

// Margins are how much worse an arm may be and still win. 1 lets everything
// pass.
type Margins struct {
	Good    float64 `json:"good"`    // difference of shares
	Quality float64 `json:"quality"` // relative
	Slow    float64 `json:"slow"`    // difference of shares
}

// DefaultMargins are used where nothing was asked for.
func DefaultMargins() Margins { return Margins{Good: 0.02, Quality: 0.02, Slow: 0.02} }

// equivalentCost is the margin for cost and latency, relative: arms closer than
// that are called equivalent in them.
const equivalentCost = 0.02

// margin of a metric.
func (m Margins) of(metric Metric) float64 {
	switch metric {
	case Good:
		return m.Good
	case Quality:
		return m.Quality
	case Slow:
		return m.Slow
	default:
		return equivalentCost
	}
}

// Guardrails are the metrics that must not get worse by more than their margin
// for an arm to win.
func (e *Experiment) Guardrails() []Metric {
	var list []Metric
	for _, m := range []Metric{Good, Quality, Slow} {
		if m != e.Primary && (m != Slow || e.SlowUS > 0) && e.Margins.of(m) < 1 {
			list = append(list, m)
		}
	}
	return list
}
