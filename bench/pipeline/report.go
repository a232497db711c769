package pipeline

import (
	"fmt"
	"strings"
	"time"
)

// report is the run as Markdown.
func (r *results) report() string {
	var b strings.Builder
	b.WriteString("# The pipeline beside its limits and its peers\n\nWritten by `make bench-pipeline`; do not edit.\n\n")
	r.writeMachine(&b)
	r.writeGoals(&b)
	r.writeThroughput(&b)
	r.writeLatency(&b)
	r.writeMethod(&b)
	for _, name := range r.Scenarios {
		if reason, failed := r.Failures[name]; failed {
			fmt.Fprintf(&b, "\n**Failed:** %s: %s\n", name, reason)
		}
	}
	return b.String()
}

func (r *results) writeMachine(b *strings.Builder) {
	m := r.Machine
	fmt.Fprintf(b, "| | |\n| --- | --- |\n")
	for _, line := range [][2]string{
		{"commit", m.Commit},
		{"started", r.Started.UTC().Format(time.RFC3339) + ", took " + r.Took.Round(time.Second).String()},
		{"machine", fmt.Sprintf("%d cores (%s), memory %s, Linux %s", m.Cores, m.CPU, m.Memory, m.Kernel)},
		{"load before the run", m.Load},
		{"software", fmt.Sprintf("%s, Redis %s, PostgreSQL %s", m.Go, m.Redis, m.Postgres)},
		{"durability", "Redis appendonly, appendfsync " + r.AppendFsync + "; PostgreSQL fsync and synchronous_commit on"},
		{"work", fmt.Sprintf("%d events of %d bytes (a tenth for peers), %d rounds in turns; client and stores share the cores",
			r.Events, r.EventBytes, r.Done)},
	} {
		fmt.Fprintf(b, "| %s | %s |\n", line[0], line[1])
	}
}

func (r *results) writeGoals(b *strings.Builder) {
	b.WriteString("\n## Ratios\n\nEach is made within a round; the median of the rounds, with the least and the most, against the goal.\n\n" +
		"| what | measured | spread | goal | |\n| --- | ---: | ---: | ---: | --- |\n")
	for _, g := range goals() {
		s, ok := g.of(r)
		if !ok {
			continue
		}
		sign, verdict := "≥", "met"
		if g.atMost {
			sign = "≤"
		}
		if !g.met(s) {
			verdict = "**missed**"
		}
		if g.whence != "" {
			verdict += "; " + g.whence
		}
		fmt.Fprintf(b, "| %s | %s | %s–%s | %s %s | %s |\n", g.what, number(s.median), number(s.least), number(s.most),
			sign, number(g.target), verdict)
	}
}

// number has as many digits as mean something.
func number(x float64) string {
	switch {
	case x >= 1000:
		return grouped(int64(x + .5))
	case x >= 100:
		return fmt.Sprintf("%.0f", x)
	case x >= 10:
		return fmt.Sprintf("%.1f", x)
	default:
		return fmt.Sprintf("%.2f", x)
	}
}

func grouped(n int64) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%s,%03d", grouped(n/1000), n%1000)
}

func (r *results) writeThroughput(b *strings.Builder) {
	b.WriteString("\n## Throughput\n\nMedians; CPU in µs per event.\n\n" +
		"| scenario | events/s | spread | client | Redis | PostgreSQL |\n| --- | ---: | ---: | ---: | ---: | ---: |\n")
	for _, name := range r.Scenarios {
		s, ok := r.of(name, perSecond)
		if _, isLatency := r.of(name, p99); !ok || isLatency {
			continue
		}
		fmt.Fprintf(b, "| %s | %s | %s–%s |", name, number(s.median), number(s.least), number(s.most))
		for _, who := range []string{clientCPU, redisCPU, postgresCPU} {
			u, _ := r.of(name, who)
			fmt.Fprintf(b, " %.1f |", u.median)
		}
		b.WriteString("\n")
		if made, ok := r.of(name, producedPerSecond); ok {
			fmt.Fprintf(b, "| — the same, producing | %s | %s–%s | | | |\n", number(made.median), number(made.least), number(made.most))
		}
	}
}

func (r *results) writeLatency(b *strings.Builder) {
	b.WriteString("\n## Latency\n\nMedians of the rounds, in µs; the spread is that of p99. The last column is p99 of the call alone: what it " +
		"leaves out is being late,\nmostly because another process had the core.\n\n" +
		"| scenario | p50 | p99 | spread | p99.9 | call |\n| --- | ---: | ---: | ---: | ---: | ---: |\n")
	for _, name := range r.Scenarios {
		high, ok := r.of(name, p99)
		if !ok {
			continue
		}
		middle, _ := r.of(name, p50)
		highest, _ := r.of(name, p999)
		fmt.Fprintf(b, "| %s | %s | %s | %s–%s | %s |", name, number(middle.median), number(high.median),
			number(high.least), number(high.most), number(highest.median))
		if alone, ok := r.of(name, callP99); ok {
			fmt.Fprintf(b, " %s |\n", number(alone.median))
		} else {
			b.WriteString(" |\n")
		}
	}
}

func (r *results) writeMethod(b *strings.Builder) {
	fmt.Fprintf(b, `
## Method

- Both stores are emptied before each scenario (FLUSHALL and a rewritten append-only file; TRUNCATE and CHECKPOINT). After it, rows
  are counted: a scenario that lost or repeated one fails.
- Limits: XADD in pipelines of %d by go-redis; COPY by pgx, %d rows a transaction, into the partitioned table (three indexes) or
  into a temporary table and from there with ON CONFLICT DO NOTHING.
- busu: the worker, consumer and store of the product. “Bare” replaces the store by the same COPY without rollups and marks.
  Rollups are merged every second, as the worker's upkeep does. Peers run with the same garbage collection as busu.
  While producing, a producer appends as the shipper does, at most %d ahead.
- Commit lag counts from when an event was due at the stream to the return of its transaction, producer's delay included, after
  %s of warm-up. Emit counts Intend and Record together from when the request was due, paced by spinning, with the
  shipper at work and fdatasync every %s; Redis is ended, or stopped by SIGSTOP, before.
- Answer to live snapshot counts from the return of Record to the first look at metrics:latest, every %s, that has the request,
  with journal, shipper, worker, aggregator and publisher at work.
- Peers: watermill-redisstream with %d subscribers of one group; asynq with concurrency %d; river with %d workers, jobs inserted by
  InsertManyFast, FetchCooldown at its minimum. Their handlers decode one event and insert one row with ON CONFLICT DO NOTHING.
  They keep neither rollups nor marks. They are general tools for one message at a time: the ratio says what batching is worth.
`, appendBatch, copyBatch, backlogCap, lagWarmUp, emitSync, liveLook, handlers, handlers, handlers)
}
