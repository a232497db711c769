package answers

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/busuhq/busu/bench/measure"
)

// results are all figures of a run.
type results struct{ *measure.Results }

// write puts the report and the figures where they are wanted.
func (r *results) write(o Options) error {
	if o.JSON != "" {
		text, err := json.MarshalIndent(r, "", "  ")
		if err != nil {
			return err
		}
		if err := os.WriteFile(o.JSON, append(text, '\n'), 0o644); err != nil {
			return err
		}
	}
	if o.Report == "" {
		_, err := os.Stdout.WriteString(r.report())
		return err
	}
	return os.WriteFile(o.Report, []byte(r.report()), 0o644)
}

// report is the run as Markdown.
func (r *results) report() string {
	var b strings.Builder
	b.WriteString("# Answers, measured from the outside\n\nWritten by `make bench-answers`; do not edit.\n\n")
	r.writeMachine(&b)
	r.writeUnrest(&b)
	b.WriteString("\n## Goals\n\nThe median of the rounds, with the least and the most, against the goal.\n\n")
	measure.WriteGoals(&b, r.goals())
	r.writeFigures(&b)
	b.WriteString(r.method())
	r.WriteFailures(&b)
	return b.String()
}

func (r *results) writeMachine(b *strings.Builder) {
	m := r.Machine
	m.WriteTable(b, r.Started, r.Took,
		[2]string{"load before and after", m.Load + "; " + r.LoadAfter},
		[2]string{"software", m.Go},
		[2]string{"work", fmt.Sprintf("%d rounds in turns; callers, upstream, busu and its stores share the cores", r.Done)},
	)
}

// mostUnrest is what the control of a quiet machine stays below at p99, in µs.
const mostUnrest = 2000

// writeUnrest warns when what is measured beside busu says that the machine did
// something else.
func (r *results) writeUnrest(b *strings.Builder) {
	for _, control := range []struct{ what, scenario, figure string }{
		{"GET /healthz at 1k/s", memoryName, controlP99}, {"GET /healthz at 1k/s", redisName, controlP99},
		{"direct calls at 200/s", added200Name, directP99}, {"direct calls at 1k/s", added1000Name, directP99},
	} {
		if s, ok := r.Of(control.scenario, control.figure); ok && s.Median > mostUnrest {
			fmt.Fprintf(b, "\n**The machine was not quiet:** %s (%s) had a p99 of %s µs. Latencies, and what is made of them, say nothing then;\ncounts and bytes do.\n",
				control.what, control.scenario, measure.Number(s.Median))
			return
		}
	}
}

// writeFigures lists everything that was measured.
func (r *results) writeFigures(b *strings.Builder) {
	b.WriteString("\n## Figures\n\n| scenario | figure | median | spread |\n| --- | --- | ---: | ---: |\n")
	for _, scenario := range r.Scenarios {
		names := map[string]bool{}
		for _, f := range r.Figures[scenario] {
			for name := range f {
				names[name] = true
			}
		}
		for _, name := range slices.Sorted(maps.Keys(names)) {
			s, _ := r.Of(scenario, name)
			fmt.Fprintf(b, "| %s | %s | %s | %s–%s |\n", scenario, name, measure.Number(s.Median), measure.Number(s.Least), measure.Number(s.Most))
		}
	}
}

func (r *results) method() string {
	return fmt.Sprintf(`
## Method

- Every scenario starts `+"`busu up`"+` of this commit on a private PostgreSQL and Redis, with an admin key, two models behind one
  provider, and defaults but for max_concurrency 4096. The upstream and the callers are one process, which keeps its connections.
- Rates are open loops: a request is sent when it is due, however many are under way, and its latency counts from then. The pacer
  sleeps in the kernel and spins for the last %s. The first second is not counted.
- Streams: %d callers begin a new one of %d words, %s apart, whenever theirs has ended, for %s, directly and then through busu. Each
  has its own prompt and text, is compared to the last letter, and must end with [DONE]. Pauses are between two words of a stream.
- From memory: %d questions are asked again. From Redis: a second API on the same stores is asked, each question once, what the
  first has answered: they are not in its memory. Each answer says where it came from. Control: GET
  /healthz, before them at the same rate, and among them %d times a second.
- Flood of the cache: different prompts through the product's cache with %d MiB, in a process of its own with busu's garbage collection.
  Over HTTP: %d callers, answers of %d words, for %s. RSS when full is the most until %s after the cache was full.
- Equal prompts: %d connections are open, then all send the same; the upstream takes %s to begin. All answers are compared.
- A provider that hangs: it takes %d requests per second and answers none; they end after 3 s, or at once while its breaker is open.
  The other one answers %d per second in %s.
- Added: the model is chosen (auto), the answer looked for in all caches and kept in them. Direct is the same load on the upstream itself.
`, spin, streamsAtOnce, streamWords, streamPace, streamsFor, cachedKinds, amongRate,
		floodBytes>>20, floodFrom, floodAnswer, floodHTTP, settleWithin, equalAtOnce, equalLatency, hangingRate, besideRate, besideLatency)
}
