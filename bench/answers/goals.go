package answers

import "github.com/busuhq/busu/bench/measure"

// What a goal is made of where it is not the issue's own.
const (
	ofPeers   = "the best of two peers with everything off, in the design's figures"
	ofControl = "what the control shows is the machine's"
)

// goals are those of the issue, and bounds for what else says whether they are
// kept honestly.
func (r *results) goals() []measure.Goal {
	atMost := func(what, scenario, figure string, target float64, whence string) measure.Goal {
		return measure.Goal{What: what, Of: func() (measure.Summary, bool) { return r.Of(scenario, figure) },
			Target: target, AtMost: true, Whence: whence}
	}
	atLeast := func(what, scenario, figure string, target float64, whence string) measure.Goal {
		g := atMost(what, scenario, figure, target, whence)
		g.AtMost = false
		return g
	}
	const ms = 1000 // µs
	stallMS := float64(stallOf.Milliseconds())
	return []measure.Goal{
		atMost("512 streams: that ended well without all of their text", streamsName, lost, 0, ""),
		atMost("512 streams: failed, %", streamsName, failedPct, 100*mostFailed, ""),
		atMost("512 streams: longest pause beyond that of the upstream itself, ms", streamsName, beyondMS, stallMS, "ten times the pace"),
		atMost("512 streams: pauses above ten times the pace, beyond those of the upstream itself", streamsName, moreStalls, 0, ""),
		atMost("cached answer from memory at 1k/s, p99 in µs", memoryName, measure.P99, 1*ms, ""),
		atLeast("— of these, answers that came from memory, %", memoryName, levelPct, 100*(1-mostFailed), ""),
		atMost("— the same ÷ GET /healthz", memoryName, ratioP99, 3, ofControl),
		atMost("— the same ÷ GET /healthz among them", memoryName, ratioAmong, 1.5, "what both wait for is not the answer's"),
		atMost("cached answer from Redis at 1k/s, p99 in µs", redisName, measure.P99, 10*ms, "must"),
		atMost("cached answer from Redis at 1k/s, p99 in µs", redisName, measure.P99, 2*ms, "wanted"),
		atLeast("— of these, answers that came from Redis, %", redisName, levelPct, 100*(1-mostFailed), "one that takes 50 ms lets it be left alone for a second"),
		atMost("flood of the cache: its bytes ÷ configured", floodCacheName, bytesOfCap, 1, ""),
		atMost("flood of the cache: heap after collection ÷ configured", floodCacheName, heapOfCap, 1.25, "the estimate of an entry's size is right"),
		atMost("flood of the cache: RSS at most ÷ RSS when full", floodCacheName, rssGrowth, 1.25, "it is bounded"),
		atMost("flood over HTTP: bytes of the cache ÷ configured", floodName, bytesOfCap, 1, ""),
		atMost("flood over HTTP: RSS at most ÷ configured", floodName, rssOfCap, 5, "all that `busu up` does is in it"),
		atMost("flood over HTTP: RSS at most ÷ RSS when full", floodName, rssGrowth, 1.25, "it is bounded"),
		atMost("1,000 equal prompts, whole: calls of the upstream", equalName, upstreamCalls, 1, ""),
		atMost("1,000 equal prompts, streamed: calls of the upstream", equalStreamName, upstreamCalls, 1, ""),
		atMost("beside a provider that hangs: p50 ÷ alone", hangingName, ratioP50, 1.1, ""),
		atMost("beside a provider that hangs: p99 ÷ alone", hangingName, ratioP99, 1.5, ""),
		atMost("added at 200/s, p50 in µs", added200Name, addedP50, 279, ofPeers),
		atMost("added at 200/s, p99 in µs", added200Name, addedP99, 608, ofPeers),
		atMost("added at 1k/s, p50 in µs", added1000Name, addedP50, 249, ofPeers),
		atMost("added at 1k/s, p99 in µs", added1000Name, addedP99, 685, ofPeers),
	}
}
