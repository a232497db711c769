package telemetry

import (
	"maps"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/busuhq/busu/internal/event"
)

// series are what facts that share their labels are counted in. One look finds
// all of them: counting takes 0.17 µs, and took 0.38 with a look for each.
type series struct {
	completions, in, out, cost prometheus.Counter
	latency, ttft              prometheus.Observer // nil: nobody waited, or there was no answer
}

// labels are all that facts are told apart by.
type labels struct{ strategy, model, provider, status, cache string }

// known are the series that there were so far: as many as the vectors have. The
// map is never changed.
type known struct {
	mu sync.Mutex // of who puts another in its place
	of atomic.Pointer[map[labels]*series]
}

func (k *known) find(by labels) *series {
	if all := k.of.Load(); all != nil {
		return (*all)[by]
	}
	return nil
}

// seriesOf finds those of a fact, or begins them.
func (l *Ledger) seriesOf(c *event.CompletionRecorded) *series {
	by := labels{c.Strategy, c.Model, c.Provider, c.Status, c.Cache}
	if s := l.known.find(by); s != nil {
		return s
	}
	l.known.mu.Lock()
	defer l.known.mu.Unlock()
	if s := l.known.find(by); s != nil {
		return s
	}
	s := &series{
		completions: l.completions.WithLabelValues(c.Strategy, c.Model, c.Provider, c.Status, c.Cache),
		in:          l.tokens.WithLabelValues(c.Model, "in"),
		out:         l.tokens.WithLabelValues(c.Model, "out"),
		cost:        l.cost.WithLabelValues(c.Model),
	}
	if !c.Failed() && !c.Background() { // both by their labels
		s.latency, s.ttft = l.latency.WithLabelValues(c.Model), l.ttft.WithLabelValues(c.Model)
	}
	all := map[labels]*series{}
	if before := l.known.of.Load(); before != nil {
		all = maps.Clone(*before)
	}
	// The fact's words may be part of a body, which must not be kept for them.
	all[labels{strings.Clone(by.strategy), strings.Clone(by.model), strings.Clone(by.provider), strings.Clone(by.status), strings.Clone(by.cache)}] = s
	l.known.of.Store(&all)
	return s
}
