package performance

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/busuhq/busu/bench/measure"
)

// results are all figures of a run.
type results struct {
	*measure.Results
	options Options
}

// write puts the report, the drawing and the figures where they are wanted.
func (r *results) write() error {
	o := r.options
	if o.JSON != "" {
		text, err := json.MarshalIndent(r.Results, "", "  ")
		if err != nil {
			return err
		}
		if err := os.WriteFile(o.JSON, append(text, '\n'), 0o644); err != nil {
			return err
		}
	}
	if o.Plot != "" {
		if err := os.WriteFile(o.Plot, r.plot().SVG(), 0o644); err != nil {
			return err
		}
	}
	if o.Report == "" {
		_, err := os.Stdout.WriteString(r.report(""))
		return err
	}
	old, err := measure.ReadOld(o.Report)
	if err != nil {
		return err
	}
	return os.WriteFile(o.Report, []byte(r.report(old)), 0o644)
}

// report is the run as Markdown, with what was written by hand into the old one.
func (r *results) report(old string) string {
	var b strings.Builder
	b.WriteString("# Performance, everything on\n\nWritten by `make bench`; between its two marks by hand.\n\n")
	r.writeMachine(&b)
	r.writeUnrest(&b)
	b.WriteString("\n## Goals\n\nRatios are made within a round; the median of the rounds, with the least and the most. *Reached* is the least that is asked for.\n\n")
	writeGoals(&b, r.goals())
	r.writeCapacities(&b)
	r.writeLatencies(&b)
	r.writeStreams(&b)
	r.writeTroubles(&b)
	r.writeBeforeAndAfter(&b)
	b.WriteString("\n" + measure.ByHand(old, "\n\n## What was profiled and changed\n\n## What limits now\n\n") + "\n")
	b.WriteString(r.method())
	r.WriteFailures(&b)
	return b.String()
}

func (r *results) writeMachine(b *strings.Builder) {
	m := r.Machine
	m.WriteTable(b, r.Started, r.Took,
		[2]string{"load before and after", m.Load + "; " + r.LoadAfter},
		[2]string{"software", fmt.Sprintf("%s, Redis %s, PostgreSQL %s", m.Go, m.Redis, m.Postgres)},
		[2]string{"work", fmt.Sprintf("%d rounds in turns; callers, upstream, proxies, busu and its stores share the cores", r.Done)},
		[2]string{"switched on", "a key with limits on requests and tokens, budgets of the key and of its project, the hybrid strategy, the hold-out, an experiment where it says so, " +
			"look-ups in all caches, streams, metrics, the journal (to the disk every 20 ms), shipping to Redis (append-only file, fsync every second), logs; PostgreSQL with fsync"},
	)
	if r.options.Quick {
		b.WriteString("\n**A quick run:** it shows that everything works, and nothing else.\n")
	}
}

// mostUnrest is what direct calls on a quiet machine stay below at p99, in µs.
const mostUnrest = 2000

func (r *results) writeUnrest(b *strings.Builder) {
	if s, ok := r.Of(openMock, measure.P99); ok && s.Median > mostUnrest {
		fmt.Fprintf(b, "\n**The machine was not quiet:** direct calls of the upstream had a p99 of %s µs. Latencies say nothing then.\n", measure.Number(s.Median))
	}
}

// column is a figure as a table shows it.
type column struct {
	title, figure string
	spread        bool
}

// section begins one, unless none of its scenarios was measured.
func (r *results) section(b *strings.Builder, title, says string, scenarios []string) bool {
	measured := slices.ContainsFunc(scenarios, func(name string) bool { return r.Figures[name] != nil })
	if measured {
		b.WriteString("\n## " + title + "\n\n" + says + "\n\n")
	}
	return measured
}

// table shows figures of scenarios; those that were not measured are left out.
func (r *results) table(b *strings.Builder, columns []column, scenarios []string) {
	head, rule := "| |", "| --- |"
	for _, c := range columns {
		head, rule = head+" "+c.title+" |", rule+" ---: |"
		if c.spread {
			head, rule = head+" spread |", rule+" ---: |"
		}
	}
	b.WriteString(head + "\n" + rule + "\n")
	for _, name := range scenarios {
		if r.Figures[name] == nil {
			continue
		}
		_, label, _ := strings.Cut(name, ": ")
		if label == "" {
			label = name
		}
		b.WriteString("| " + label + " |")
		for _, c := range columns {
			s, ok := r.Of(name, c.figure)
			b.WriteString(cells(s, ok, c.spread))
		}
		b.WriteString("\n")
	}
}

func cells(s measure.Summary, ok, withSpread bool) string {
	text := "  |"
	if ok {
		text = " " + measure.Number(s.Median) + " |"
	}
	if !withSpread {
		return text
	}
	if !ok {
		return text + "  |"
	}
	return text + " " + spread(s) + " |"
}

func (r *results) peerNames(of func(string) string) []string {
	var all []string
	for _, p := range r.options.Peers {
		all = append(all, of(p.Name))
	}
	return all
}

func (r *results) writeCapacities(b *strings.Builder) {
	scenarios := append([]string{closedMock, closedFastHTTP, closedReverse, closedEcho, closedConstant, closedRedis,
		busuProxied, busuRouted, busuExperiment, busuMemory, busuRedis}, r.peerNames(closedPeer)...)
	if !r.section(b, "32 callers without a pause", "CPU, of the process that is asked and of the stores, in µs per request; so are allocations.\n"+
		"busu's worker and aggregator do not run meanwhile: they belong on other machines, and here they would only take the API's cores.", scenarios) {
		return
	}
	r.table(b, []column{{"requests/s", perSecond, true}, {"CPU", apiCPU, true}, {"Redis", redisCPU, false}, {"PostgreSQL", postgresCPU, false},
		{"allocations", allocations, false}, {"bytes", allocated, false}, {"collections/s", collections, false}, {"RSS MB", rssMB, false}, {"p99 µs", measure.P99, false}}, scenarios)
	if s, ok := r.Of(busuRedis, holdingPct); ok {
		fmt.Fprintf(b, "\nOf the Redis hits, %s %% were; the others came from the little memory that the API was left.\n", measure.Number(s.Median))
	}
}

func (r *results) writeLatencies(b *strings.Builder) {
	scenarios := append([]string{openMock, openFastHTTP, openReverse, openEcho, openProxied, openRouted, openExperiment, openMemory}, r.peerNames(openPeer)...)
	if !r.section(b, "At 1,000 requests per second", "An open loop; latencies in µs from when a request was due. Added is through − direct in the same round. All of busu's processes run.", scenarios) {
		return
	}
	b.WriteString("| | p50 | p99 | p99.9 | added p50 | spread | added p99 | spread | CPU | RSS MB |\n| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n")
	for _, name := range scenarios {
		if r.Figures[name] == nil {
			continue
		}
		b.WriteString("| " + strings.TrimPrefix(name, "1k/s: ") + " |")
		for _, figure := range []string{measure.P50, measure.P99, measure.P999} {
			s, ok := r.Of(name, figure)
			b.WriteString(cells(s, ok, false))
		}
		for _, figure := range []string{measure.P50, measure.P99} {
			s, ok := r.addedSummary(figure, name)
			b.WriteString(cells(s, ok && name != openMock, true))
		}
		for _, figure := range []string{apiCPU, rssMB} {
			s, ok := r.Of(name, figure)
			b.WriteString(cells(s, ok, false))
		}
		b.WriteString("\n")
	}
	if r.options.Plot != "" && r.options.Report != "" {
		fmt.Fprintf(b, "\n![Latency at 1,000 requests per second over the share of requests, of the upstream alone, bare proxies and busu](%s)\n", filepath.Base(r.options.Plot))
	}
}

func (r *results) writeStreams(b *strings.Builder) {
	scenarios := []string{streamsMock, streamsReverse, streamsBusu}
	if r.section(b, "Streams", "32 callers, each with the next stream when one has ended; the upstream sends its events as fast as they are taken. In µs.", scenarios) {
		r.table(b, []column{{"streams/s", perSecond, true}, {"CPU per event", eachEvent, false}, {"first p50", firstP50, false}, {"first p99", firstP99, false}, {"whole p99", measure.P99, false}}, scenarios)
	}
}

func (r *results) writeTroubles(b *strings.Builder) {
	scenarios := []string{slowName, flakyName, overloadName, redisDownName, postgresDownName}
	if r.section(b, "Troubles", "All of busu's processes run. Latencies of what was answered, in µs.", scenarios) {
		r.table(b, []column{{"answered/s", perSecond, false}, {"failed %", failedPct, false}, {"refused %", refusedPct, false}, {"p50", measure.P50, false}, {"p99", measure.P99, false},
			{"% of capacity", ofCapacity, false}, {"RSS MB", rssMB, false}, {"ready again, ms", backMS, false}}, scenarios)
	}
}
