package simulate

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Marks around the section that is written.
const (
	Begin = "<!-- written by make simulate -->"
	End   = "<!-- end of what make simulate writes -->"
)

// Put puts a section between the marks of a page.
func Put(page, section string) (string, error) {
	before, rest, begins := strings.Cut(page, Begin)
	_, after, ends := strings.Cut(rest, End)
	if !begins || !ends {
		return "", errors.New("the page has no marks: put " + Begin + " and " + End + " where the section belongs")
	}
	return before + Begin + "\n" + section + End + after, nil
}

// Section is the check and the forecasts, in Markdown.
func (m Measured) Section(check []Compared, forecasts []Forecast, t Terms, seed uint64) string {
	var s strings.Builder
	fmt.Fprintf(&s, `
A model of discrete events, fed with what was measured (of commits %s) on %d cores: [pipeline](pipeline-benchmark.md), [API](performance.md),
[rows](history-benchmark.md). Seed %d. First what it says of that machine itself, where it can be held against what was seen:

| on one machine | model | measured | model ÷ measured |
| --- | ---: | ---: | ---: |
`, strings.Join(m.Commits, ", "), m.Machine, seed)
	for _, c := range check {
		note := ""
		if c.Fitted {
			note = ", fitted"
		}
		fmt.Fprintf(&s, "| %s | %s | %s | %.2f%s |\n", c.What, quantity(c.Predicted, c.Unit), quantity(c.Measured, c.Unit), c.Predicted/c.Measured, note)
	}
	fmt.Fprintf(&s, `
One number is fitted: a transaction takes %.1f ms beside its facts. The model has no stalls, of disks or of other work, so that it says
too little of the slowest hundredth; what is missing there at 20,000/s with one worker is added to *p99 with stalls* below.

`, ms(m.Commit+m.Transaction))
	m.table(&s, forecasts)
	m.terms(&s, t)
	return s.String()
}

func quantity(x float64, unit string) string {
	if unit == "/s" {
		return thousands(x) + unit
	}
	return fmt.Sprintf("%.1f %s", x, unit)
}

// table has a column for each forecast.
func (m Measured) table(s *strings.Builder, forecasts []Forecast) {
	line := func(what string, of func(Forecast) string) {
		fmt.Fprintf(s, "| %s |", what)
		for _, f := range forecasts {
			fmt.Fprintf(s, " %s |", of(f))
		}
		s.WriteString("\n")
	}
	line("requests per second", func(f Forecast) string { return "**" + thousands(float64(f.Rate)) + "**" })
	s.WriteString("| --- |" + strings.Repeat(" ---: |", len(forecasts)) + "\n")
	line("API processes × cores", func(f Forecast) string { return fmt.Sprintf("%d × %d", f.Setup.API, f.Setup.APICores) })
	line("masters of Redis, partitions", func(f Forecast) string { return fmt.Sprintf("%d, %d", f.Setup.Masters, f.Setup.Partitions) })
	line("workers × cores", func(f Forecast) string { return fmt.Sprintf("%d × %d", f.Setup.Workers, f.Setup.WorkerCores) })
	line("aggregators", func(f Forecast) string { return fmt.Sprint(f.Setup.Aggregators) })
	line("cores of PostgreSQL", func(f Forecast) string { return fmt.Sprint(f.Setup.PostgresCores) })
	for _, name := range []string{apiName, redisName, workerName, aggregatorName, postgresName, connectionsName} {
		line("— busy: "+name, func(f Forecast) string { return fmt.Sprintf("%.0f %%", 100*f.Busy[name]) })
	}
	line("added to an answer by waiting for a core, p99", func(f Forecast) string { return millis(max(0, f.Wait.P99-m.Request)) })
	line("from answer to row, p50", func(f Forecast) string { return millis(f.Lag.P50) })
	line("— p99", func(f Forecast) string { return millis(f.Lag.P99) })
	line("— p99 with stalls", func(f Forecast) string { return millis(f.Stalled) })
	line("from answer to live metrics, p50", func(f Forecast) string { return millis(f.Sight.P50) })
	line("— p99", func(f Forecast) string { return millis(f.Sight.P99) })
	line("keeps up", func(f Forecast) string { return map[bool]string{true: "**no**", false: "yes"}[f.Behind] })
	line("streams in Redis, GB", func(f Forecast) string { return thousands(f.StreamBytes / 1e9) })
	line("journal of an API process, MB", func(f Forecast) string { return thousands(f.JournalBytes / 1e6) })
	line("PostgreSQL may be away for, before journals are full", func(f Forecast) string { return f.Outage.Round(time.Second).String() })
	line("rows, GB a day", func(f Forecast) string { return thousands(f.RowsPerDay / 1e9) })
	line("cores, all", func(f Forecast) string { return thousands(f.Cores) })
	line("memory, all, GB", func(f Forecast) string { return thousands(f.MemoryGB) })
	line("USD a month", func(f Forecast) string { return thousands(f.USD) })
	line("full first in this set-up", func(f Forecast) string { return fmt.Sprintf("%s, at %s/s", f.Full, thousands(f.FullAt)) })
	line("**first bottleneck** that no more machines cure", func(f Forecast) string {
		return fmt.Sprintf("%s, %s the largest", f.Needs[0].What, part(f.Needs[0].Share))
	})
	line("the next", func(f Forecast) string {
		return fmt.Sprintf("%s, %s the largest", f.Needs[1].What, part(f.Needs[1].Share))
	})
}

func (m Measured) terms(s *strings.Builder, t Terms) {
	fmt.Fprintf(s, `
Taken, and not measured: cores as fast as those that were measured, %.1f ms there and back between machines, %s of CPU for each call of Redis,
%d API processes with listeners, each part at most %.0f %% busy, four partitions to a master. PostgreSQL's CPU for a transaction, %s, was measured
with one fact in each. Streams are kept for %s, and the disk is that of %.0f days of rows; `+"`retention.completions`"+` is longer. The
largest PostgreSQL has %d cores, writes %.0f GB/s, %.1f bytes for each that stays, and has %.0f TB; the largest Redis %.0f GB, of which
%.1f are needed for each that is held. Money: %.0f USD a month for a core, %.0f for a GB of memory, %.2f for a GB of disk, without models, which
cost more than all of it, and without the network. Cached answers have a Redis of their own, which is in the cores.

What it does not know: users who send much more than others, verdicts, experiments, the network's width, vacuum, and tables so large that their
indexes do not fit into memory.
`, ms(network), m.Call, listening, 100*fill, m.Transaction, t.StreamFor, t.RowsFor.Hours()/24,
		t.MostCores, t.MostWrites/1e9, t.WritesPerRow, t.MostDisk/1e12, t.MostMemory/1e9, t.RedisReserve, t.CoreUSD, t.GBUSD, t.DiskUSD)
}

// part writes a share, and what is more than the whole as times.
func part(share float64) string {
	if share > 1 {
		return thousands(share) + " times"
	}
	return fmt.Sprintf("%.0f %% of", 100*share)
}

func millis(d time.Duration) string { return fmt.Sprintf("%.1f ms", ms(d)) }

// thousands writes a number with commas, and with a digit behind the point
// where it is small.
func thousands(x float64) string {
	if x < 10 {
		return fmt.Sprintf("%.1f", x)
	}
	digits := fmt.Sprintf("%.0f", x)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}
