package live

import (
	"fmt"
	"strings"
	"syscall"
	"time"

	"github.com/busuhq/busu/bench/measure"
)

// What the live metrics are to reach.
const (
	askGoal   = 10.0     // ms at p99 of plain requests
	lateGoal  = 500.0    // ms at p99 behind a listener's schedule, of a second or more
	ageGoal   = 1500.0   // ms at p99: how old what is shown may be
	bytesGoal = 30_000.0 // of a snapshot
	wholeGoal = 99.0     // % of the snapshots that were due
	megabyte  = 1_000_000.0
)

// figure is one line of the report.
type figure struct {
	what   string
	value  float64
	unit   string
	goal   float64 // 0: none
	atMost bool
}

func (f *facts) figures(o Options) []figure {
	h := &f.heard
	due := float64(o.Listeners) * h.length.Seconds() / o.Interval.Seconds()
	return []figure{
		{"snapshots, of those that were due", 100 * min(float64(h.snapshots)/due, 1), "%", wholeGoal, false},
		{"behind the listener's schedule, p50", h.ms(h.late, .5), "ms", 0, true},
		{"behind the listener's schedule, p99", h.ms(h.late, .99), "ms", lateGoal, true},
		{"age of what is shown (`as_of`), p99", h.ms(h.ages, .99), "ms", ageGoal, true},
		{"largest snapshot", float64(max(h.bytes, f.alone.bytes, f.together.bytes)), "bytes", bytesGoal, true},
		{"listeners that lost their connection", float64(h.ended), "", 0, true},
		{"`/healthz`, for which nothing is done, p50", f.nothing.ms(.5), "ms", 0, true},
		{"`/healthz`, for which nothing is done, p99", f.nothing.ms(.99), "ms", 0, true},
		{"plain requests alone, p50", f.alone.ms(.5), "ms", 0, true},
		{"plain requests alone, p99", f.alone.ms(.99), "ms", askGoal, true},
		{"plain requests beside the listeners, p50", f.together.ms(.5), "ms", 0, true},
		{"plain requests beside the listeners, p99", f.together.ms(.99), "ms", askGoal, true},
		{"plain requests that failed", float64(f.alone.failed + f.together.failed), "", 0, true},
		{"busu and its stores, with plain requests alone", f.idle, "cores", 0, true},
		{"busu and its stores, with listeners and plain requests", f.busy, "cores", 0, true},
		{"memory of busu with all listeners", float64(f.memory) / megabyte, "MB", 0, true},
	}
}

// niceness is how the run stands to other work on the machine: below 0 it goes
// first.
func niceness() int {
	kernel, err := syscall.Getpriority(syscall.PRIO_PROCESS, 0)
	if err != nil {
		return 0
	}
	return 20 - kernel
}

func (f *facts) report(o Options) string {
	var s strings.Builder
	m := f.machine
	s.WriteString("# Live metrics under listeners\n\nWritten by `make bench-live`; do not edit.\n\n")
	m.WriteTable(&s, f.started, time.Since(f.started),
		[2]string{"load", fmt.Sprintf("before %s, at the end %s (1, 5, 15 minutes; the run's own is in the second); priority of the run: nice %d", m.Load, f.load, niceness())},
		[2]string{"software", m.Go},
		[2]string{"asked for", fmt.Sprintf("%d listeners every %s, %d plain requests a second, %d prompts a second, each part for %s", o.Listeners, o.Interval, o.Rate, o.Traffic, o.For)},
	)
	s.WriteString("\n| | measured | goal | |\n| --- | ---: | ---: | --- |\n")
	for _, x := range f.figures(o) {
		goal, verdict := "", ""
		if x.goal > 0 {
			sign := "≥"
			if x.atMost {
				sign = "≤"
			}
			goal, verdict = sign+" "+measure.Number(x.goal), "met"
			if x.atMost && x.value > x.goal || !x.atMost && x.value < x.goal {
				verdict = "**missed**"
			}
		}
		fmt.Fprintf(&s, "| %s | %s %s | %s | %s |\n", x.what, measure.Number(x.value), x.unit, goal, verdict)
	}
	s.WriteString(`
## Method

- ` + "`busu up`" + ` is the product's binary with a PostgreSQL and a Redis of its own, twelve models and one provider. Prompts, listeners and plain
  requests come from one other process, on the same cores.
- A listener is a TCP connection that has become a WebSocket. Its first snapshot is due when the server has said yes, each other one an
  interval after the one before. One in a hundred looks into what it is shown.
- ` + "`/healthz`" + ` is asked at the same rate, alone: what it takes is the machine's and the measuring's part of every request.
- Plain requests are due at even times; a request that cannot be sent then counts from when it should have been.
`)
	return s.String()
}
