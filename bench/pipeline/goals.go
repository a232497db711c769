package pipeline

import "fmt"

// goal is a line of the table of ratios.
type goal struct {
	what   string
	format string
	of     func(*results) (summary, bool)
	target float64
	atMost bool
	whence string
}

// What the prototype of the design reached, on the machine it ran on, in
// events per second: with these its ratios to the limits are made.
const (
	prototypeStage     = 72_000.
	prototypeAppend    = 239_000.
	prototypeDrain     = 71_400.
	prototypeProducing = 50_900.
	shareOfPrototype   = 0.8
)

func goals() []goal {
	throughput := func(scenario string, others ...string) func(*results) (summary, bool) {
		return func(r *results) (summary, bool) { return r.ratio(perSecond, scenario, others...) }
	}
	latency := func(scenario, figure string) func(*results) (summary, bool) {
		return func(r *results) (summary, bool) { return r.of(scenario, figure) }
	}
	all := []string{peerWatermill, peerAsynq, peerRiver}
	ofPrototype := func(rate, limit float64) (float64, string) {
		return shareOfPrototype * rate / limit, fmt.Sprintf("80 %% of the prototype's %.2f", rate/limit)
	}
	list := []goal{
		{what: "drain of bare facts ÷ COPY stage", of: throughput(bareDrain, limitStage)},
		{what: "bare facts while producing ÷ COPY stage", of: throughput(bareProducing, limitStage)},
		{what: "drain of bare facts ÷ XADD", of: throughput(bareDrain, limitAppend)},
	}
	list[0].target, list[0].whence = ofPrototype(prototypeDrain, prototypeStage)
	list[1].target, list[1].whence = ofPrototype(prototypeProducing, prototypeStage)
	list[2].target, list[2].whence = ofPrototype(prototypeDrain, prototypeAppend)
	list = append(list,
		goal{what: "drain with rollups and marks ÷ bare", of: throughput(fullDrain, bareDrain), target: .6},
		goal{what: "while producing, with rollups and marks ÷ bare", of: throughput(fullProducing, bareProducing), target: .6},
		goal{what: "drain with rollups and marks ÷ best peer", of: throughput(fullDrain, all...), target: 5},
		goal{what: "drain of bare facts ÷ best peer", of: throughput(bareDrain, all...), target: 5},
		goal{what: "drain with 1 % malformed ÷ without", of: throughput(malformed, fullDrain), target: .9,
			whence: "every malformed entry was found in busu:dead"},
		goal{what: "commit lag at 20k/s, 1 worker, p99 in µs", of: latency(lagOfOne, p99), target: 10_000, atMost: true},
		goal{what: "commit lag at 20k/s, 2 workers, p99 in µs", of: latency(lagOfTwo, p99), target: 10_000, atMost: true},
		goal{what: "answer to live snapshot at 1k/s, p99 in µs", of: latency(liveLag, p99), target: 1_000_000, atMost: true},
		goal{what: "emit with Redis running, p99 in µs", of: latency(emitRunning, p99), target: 50, atMost: true},
		goal{what: "emit with Redis stopped, p99 in µs", of: latency(emitStopped, p99), target: 50, atMost: true},
		goal{what: "emit with Redis hanging, p99 in µs", of: latency(emitHanging, p99), target: 50, atMost: true},
	)
	return list
}

// met reports whether the median reaches the goal.
func (g goal) met(s summary) bool {
	if g.atMost {
		return s.median <= g.target
	}
	return s.median >= g.target
}
