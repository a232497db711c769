package pipeline

import (
	"fmt"
	"strings"

	"github.com/busuhq/busu/bench/measure"
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
	r.WriteFailures(&b)
	return b.String()
}

func (r *results) writeMachine(b *strings.Builder) {
	m := r.Machine
	m.WriteTable(b, r.Started, r.Took,
		[2]string{"load before and after", m.Load + "; " + r.LoadAfter},
		[2]string{"software", fmt.Sprintf("%s, Redis %s, PostgreSQL %s", m.Go, m.Redis, m.Postgres)},
		[2]string{"durability", "Redis appendonly, appendfsync " + r.AppendFsync + "; PostgreSQL fsync and synchronous_commit on"},
		[2]string{"work", fmt.Sprintf("%d events of %d bytes (a tenth for peers), %d rounds in turns; client and stores share the cores",
			r.Events, r.EventBytes, r.Done)},
	)
}

func (r *results) writeGoals(b *strings.Builder) {
	b.WriteString("\n## Ratios\n\nEach is made within a round; the median of the rounds, with the least and the most, against the goal.\n\n")
	measure.WriteGoals(b, r.goals())
}

func (r *results) writeThroughput(b *strings.Builder) {
	b.WriteString("\n## Throughput\n\nMedians; CPU in µs per event.\n\n" +
		"| scenario | events/s | spread | client | Redis | PostgreSQL |\n| --- | ---: | ---: | ---: | ---: | ---: |\n")
	for _, name := range r.Scenarios {
		s, ok := r.Of(name, perSecond)
		if _, isLatency := r.Of(name, p99); !ok || isLatency {
			continue
		}
		fmt.Fprintf(b, "| %s | %s | %s–%s |", name, measure.Number(s.Median), measure.Number(s.Least), measure.Number(s.Most))
		for _, who := range []string{clientCPU, redisCPU, postgresCPU} {
			u, _ := r.Of(name, who)
			fmt.Fprintf(b, " %.1f |", u.Median)
		}
		b.WriteString("\n")
		if made, ok := r.Of(name, producedPerSecond); ok {
			fmt.Fprintf(b, "| — the same, producing | %s | %s–%s | | | |\n", measure.Number(made.Median), measure.Number(made.Least), measure.Number(made.Most))
		}
	}
}

func (r *results) writeLatency(b *strings.Builder) {
	b.WriteString("\n## Latency\n\nMedians of the rounds, in µs; the spread is that of p99. The last column is p99 of the call alone: what it " +
		"leaves out is being late,\nmostly because another process had the core.\n\n" +
		"| scenario | p50 | p99 | spread | p99.9 | call |\n| --- | ---: | ---: | ---: | ---: | ---: |\n")
	for _, name := range r.Scenarios {
		high, ok := r.Of(name, p99)
		if !ok {
			continue
		}
		middle, _ := r.Of(name, p50)
		highest, _ := r.Of(name, p999)
		fmt.Fprintf(b, "| %s | %s | %s | %s–%s | %s |", name, measure.Number(middle.Median), measure.Number(high.Median),
			measure.Number(high.Least), measure.Number(high.Most), measure.Number(highest.Median))
		if alone, ok := r.Of(name, callP99); ok {
			fmt.Fprintf(b, " %s |\n", measure.Number(alone.Median))
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
