// Package telemetry counts what the process does, for Prometheus. It looks on
// from outside: as a decorator around the ledger, and by reading counters that
// the rooms keep anyway.
package telemetry

import (
	"cmp"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/release"
)

// NewRegistry makes a registry with the metrics that every process has.
func NewRegistry(process string) *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "busu_build_info", Help: "1, labelled with the version that runs.",
		ConstLabels: prometheus.Labels{"process": process, "version": release.Current().Version},
	})
	info.Set(1)
	r.MustRegister(info)
	return r
}

// ledger is what is decorated: see gateway.Ledger.
type ledger interface {
	Intend(c *event.CompletionRecorded) error
	Record(f event.Fact) error
}

// Ledger counts completions as they are recorded.
type Ledger struct {
	// TraceOf gives the trace that a request under way is told in, for examples
	// of how long requests took, or "". nil: there are none.
	TraceOf func(uuid.UUID) string

	next        ledger
	known       known
	completions *prometheus.CounterVec
	refused     *prometheus.CounterVec
	latency     *prometheus.HistogramVec
	ttft        *prometheus.HistogramVec
	failed      *prometheus.CounterVec
	fallbacks   *prometheus.CounterVec
	overhead    prometheus.Histogram
	tokens      *prometheus.CounterVec
	cost        *prometheus.CounterVec
	baseline    prometheus.Counter
	unpriced    *prometheus.CounterVec
	feedback    *prometheus.CounterVec
}

// NewLedger decorates next.
func NewLedger(r Registerer, next ledger) *Ledger {
	seconds := prometheus.ExponentialBuckets(.001, 2, 18)
	l := &Ledger{
		next: next,
		completions: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "busu_completions_total",
			Help: "Recorded requests."}, []string{"strategy", "model", "provider", "status", "cache"}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "busu_journal_refused_total",
			Help: "Intents or facts that the journal did not take."}, []string{"what"}),
		latency: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "busu_completion_seconds",
			Help: "From arrival to the answer, of answered requests.", Buckets: seconds}, []string{"model"}),
		ttft: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "busu_first_token_seconds",
			Help: "From arrival to the first token, of answered requests.", Buckets: seconds}, []string{"model"}),
		failed: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "busu_errors_total",
			Help: "Requests without an answer, by why."}, []string{"kind"}),
		fallbacks: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "busu_fallbacks_total",
			Help: "Times that the plan's next model was asked, by the model that had failed."}, []string{"model"}),
		overhead: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "busu_overhead_seconds",
			Help: "Latency without the time that providers took.", Buckets: prometheus.ExponentialBuckets(.00001, 2, 16)}),
		tokens: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "busu_tokens_total",
			Help: "Tokens by model and direction."}, []string{"model", "direction"}),
		cost: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "busu_cost_usd_total",
			Help: "Paid, in US dollars."}, []string{"model"}),
		baseline: prometheus.NewCounter(prometheus.CounterOpts{Name: "busu_baseline_cost_usd_total",
			Help: "What the same tokens would have cost on the baseline model, in US dollars."}),
		feedback: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "busu_feedback_total",
			Help: "Recorded verdicts on answers."}, []string{"verdict"}),
		unpriced: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "busu_unpriced_requests_total",
			Help: "Requests of models whose price nobody knows: missing from the sums of money."}, []string{"model"}),
	}
	r.MustRegister(l.completions, l.refused, l.latency, l.ttft, l.failed, l.fallbacks, l.overhead, l.tokens, l.cost, l.baseline, l.unpriced, l.feedback)
	for _, what := range []string{refusedIntent, refusedFact} {
		l.refused.WithLabelValues(what) // 0 is there from the start: a rate needs two values
	}
	for _, verdict := range []string{verdictGood, verdictBad} {
		l.feedback.WithLabelValues(verdict)
	}
	return l
}

// What the journal can refuse.
const (
	refusedIntent = "intent"
	refusedFact   = "fact"
)

// Intend passes on, and counts what is refused.
func (l *Ledger) Intend(c *event.CompletionRecorded) error {
	err := l.next.Intend(c)
	if err != nil {
		l.refused.WithLabelValues(refusedIntent).Inc()
	}
	return err
}

// Record passes on, and counts what was recorded.
func (l *Ledger) Record(f event.Fact) error {
	if err := l.next.Record(f); err != nil {
		l.refused.WithLabelValues(refusedFact).Inc()
		return err
	}
	switch f := f.(type) {
	case *event.CompletionRecorded:
		l.count(f)
	case *event.FeedbackRecorded:
		l.feedback.WithLabelValues(verdictOf(f)).Inc()
	}
	return nil
}

// What a verdict says of an answer.
const (
	verdictGood = "good"
	verdictBad  = "bad"
)

func verdictOf(f *event.FeedbackRecorded) string {
	if f.Bad() {
		return verdictBad
	}
	return verdictGood
}

const nanosPerDollar = 1e9

func (l *Ledger) count(c *event.CompletionRecorded) {
	s := l.seriesOf(c)
	s.completions.Inc()
	s.in.Add(float64(c.TokensIn))
	s.out.Add(float64(c.TokensOut))
	s.cost.Add(float64(c.CostNanos) / nanosPerDollar)
	l.baseline.Add(float64(c.BaselineCostNanos) / nanosPerDollar)
	for _, model := range c.Fallbacks {
		l.fallbacks.WithLabelValues(model).Inc()
	}
	if c.Failed() {
		l.failed.WithLabelValues(cmp.Or(c.ErrorKind, c.Status)).Inc()
	}
	if c.Unpriced {
		l.unpriced.WithLabelValues(c.Model).Inc()
	}
	if s.latency != nil {
		trace := l.exampleOf(c.ID)
		observe(s.latency, c.Latency().Seconds(), trace)
		observe(s.ttft, float64(c.TTFTUS)/1e6, trace)
		l.overhead.Observe(float64(c.OverheadUS) / 1e6)
	}
}

// exampleOf names the trace of a request that is told in one.
func (l *Ledger) exampleOf(request uuid.UUID) prometheus.Labels {
	if l.TraceOf == nil {
		return nil
	}
	if id := l.TraceOf(request); id != "" {
		return prometheus.Labels{"trace_id": id}
	}
	return nil
}

// observe counts a value, with an example where there is one.
func observe(into prometheus.Observer, seconds float64, example prometheus.Labels) {
	if with, ok := into.(prometheus.ExemplarObserver); ok && example != nil {
		with.ObserveWithExemplar(seconds, example)
		return
	}
	into.Observe(seconds)
}

// Registerer is what metrics are registered with.
type Registerer = prometheus.Registerer

// Labelled is r for metrics of one of several things of a kind, which a label
// names. The names must be few.
func Labelled(r Registerer, label, name string) Registerer {
	return prometheus.WrapRegistererWith(prometheus.Labels{label: name}, r)
}

// Gauge exports a value that is read when it is asked for.
func Gauge(r Registerer, name, help string, value func() float64) {
	r.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value))
}

// Counter exports a count that is read when it is asked for.
func Counter(r Registerer, name, help string, value func() float64) {
	r.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, value))
}
