package pipeline

import (
	"fmt"

	"github.com/busuhq/busu/bench/measure"
)

// What the prototype of the design reached, on the machine it ran on, in
// events per second: with these its ratios to the limits are made.
const (
	prototypeStage     = 72_000.
	prototypeAppend    = 239_000.
	prototypeDrain     = 71_400.
	prototypeProducing = 50_900.
	shareOfPrototype   = 0.8
)

// goals is the table of ratios.
func (r *results) goals() []measure.Goal {
	throughput := func(scenario string, others ...string) func() (summary, bool) {
		return func() (summary, bool) { return r.Ratio(perSecond, scenario, others...) }
	}
	latency := func(scenario, figure string) func() (summary, bool) {
		return func() (summary, bool) { return r.Of(scenario, figure) }
	}
	all := []string{peerWatermill, peerAsynq, peerRiver}
	ofPrototype := func(rate, limit float64) (float64, string) {
		return shareOfPrototype * rate / limit, fmt.Sprintf("80 %% of the prototype's %.2f", rate/limit)
	}
	list := []measure.Goal{
		{What: "drain of bare facts ÷ COPY stage", Of: throughput(bareDrain, limitStage)},
		{What: "bare facts while producing ÷ COPY stage", Of: throughput(bareProducing, limitStage)},
		{What: "drain of bare facts ÷ XADD", Of: throughput(bareDrain, limitAppend)},
	}
	list[0].Target, list[0].Whence = ofPrototype(prototypeDrain, prototypeStage)
	list[1].Target, list[1].Whence = ofPrototype(prototypeProducing, prototypeStage)
	list[2].Target, list[2].Whence = ofPrototype(prototypeDrain, prototypeAppend)
	list = append(list,
		measure.Goal{What: "drain with rollups and marks ÷ bare", Of: throughput(fullDrain, bareDrain), Target: .6},
		measure.Goal{What: "while producing, with rollups and marks ÷ bare", Of: throughput(fullProducing, bareProducing), Target: .6},
		measure.Goal{What: "drain with rollups and marks ÷ best peer", Of: throughput(fullDrain, all...), Target: 5},
		measure.Goal{What: "drain of bare facts ÷ best peer", Of: throughput(bareDrain, all...), Target: 5},
		measure.Goal{What: "drain with 1 % malformed ÷ without", Of: throughput(malformed, fullDrain), Target: .9,
			Whence: "every malformed entry was found in busu:dead"},
		measure.Goal{What: "commit lag at 20k/s, 1 worker, p99 in µs", Of: latency(lagOfOne, p99), Target: 10_000, AtMost: true},
		measure.Goal{What: "commit lag at 20k/s, 2 workers, p99 in µs", Of: latency(lagOfTwo, p99), Target: 10_000, AtMost: true},
		measure.Goal{What: "answer to live snapshot at 1k/s, p99 in µs", Of: latency(liveLag, p99), Target: 1_000_000, AtMost: true},
		measure.Goal{What: "emit with Redis running, p99 in µs", Of: latency(emitRunning, p99), Target: 50, AtMost: true},
		measure.Goal{What: "emit with Redis stopped, p99 in µs", Of: latency(emitStopped, p99), Target: 50, AtMost: true},
		measure.Goal{What: "emit with Redis hanging, p99 in µs", Of: latency(emitHanging, p99), Target: 50, AtMost: true},
	)
	return list
}
