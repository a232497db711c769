package performance

import (
	"fmt"
	"strings"

	"github.com/busuhq/busu/bench/measure"
)

// change is a row of what the design wanted to change.
type change struct {
	what, unit     string
	design         string  // before → after
	goal           float64 // of the latter
	atMost         bool
	before, after  string // scenarios
	figure         string
	changed, other string // what was off, and on
}

func changes() []change {
	return []change{
		{what: "metrics query", unit: "ms", design: "50 → 10", goal: 10, atMost: true, before: metricsBefore, after: metricsAfter, figure: medianMS,
			changed: "SQL over the requests of an hour", other: "`GET /routing/metrics` from cells in Redis"},
		{what: "throughput", unit: "requests/s", design: "50 → 500", goal: 500, before: cacheBefore, after: cacheAfter, figure: perSecond,
			changed: "10 callers, an upstream of 200 ms, cache off", other: "cache on, 50 questions again and again"},
		{what: "p95", unit: "ms", design: "200 → 50", goal: 50, atMost: true, before: cacheBefore, after: cacheAfter, figure: p95MS, changed: "the same", other: "the same"},
		{what: "PostgreSQL, connection and query", unit: "ms", design: "50 → 2", goal: 2, atMost: true, before: connectBefore, after: connectAfter, figure: postgresMS,
			changed: "a connection for each", other: "a pool"},
		{what: "Redis, connection and query", unit: "ms", design: "50 → 2", goal: 2, atMost: true, before: connectBefore, after: connectAfter, figure: redisMS,
			changed: "a connection for each", other: "a pool"},
	}
}

func (r *results) writeBeforeAndAfter(b *strings.Builder) {
	scenarios := []string{apacheName}
	for _, c := range changes() {
		scenarios = append(scenarios, c.before, c.after)
	}
	if !r.section(b, "Before and after", "What busu's first design wanted its cache and its pools to change, each with them off and on.", scenarios) {
		return
	}
	b.WriteString("| | off | on | measured off | measured on | the design's | |\n| --- | --- | --- | ---: | ---: | ---: | --- |\n")
	for _, c := range changes() {
		before, ok := r.Of(c.before, c.figure)
		after, also := r.Of(c.after, c.figure)
		if !ok || !also {
			continue
		}
		verdict := "**missed**"
		if (measure.Goal{Target: c.goal, AtMost: c.atMost}).Met(after) {
			verdict = "met"
		}
		fmt.Fprintf(b, "| %s, %s | %s | %s | %s | %s | %s | %s |\n", c.what, c.unit, c.changed, c.other,
			measure.Number(before.Median), measure.Number(after.Median), c.design, verdict)
	}
	rate, ok := r.Of(apacheName, perSecond)
	if !ok {
		return
	}
	median, _ := r.Of(apacheName, medianMS)
	slow, _ := r.Of(apacheName, p95MS)
	hits, _ := r.Of(apacheName, hitRate)
	rows, _ := r.Of(metricsBefore, storedRows)
	fmt.Fprintf(b, "\n`ab -n 1000 -c 10` on `GET /metrics/live`, or the same without it: %s requests/s, median %s ms, p95 %s ms. Of the keys that Redis was asked for in a round,\n"+
		"`INFO stats` says that %s %% were there. There were %s requests in PostgreSQL.\n", measure.Number(rate.Median), measure.Number(median.Median), measure.Number(slow.Median),
		measure.Number(hits.Median), measure.Number(rows.Median))
}
