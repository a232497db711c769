package soak

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/busuhq/busu/bench/measure"
	"github.com/busuhq/busu/bench/performance"
)

// write puts the report, the drawing and the samples where they are wanted.
func (f *found) write(o Options) error {
	if o.JSON != "" {
		text, err := json.MarshalIndent(map[string]any{"machine": f.machine, "limits": f.limits, "rate": f.rate, "minutes": f.minutes, "samples": f.series()}, "", " ")
		if err != nil {
			return err
		}
		if err := os.WriteFile(o.JSON, append(text, '\n'), 0o644); err != nil {
			return err
		}
	}
	if o.Plot != "" {
		if err := os.WriteFile(o.Plot, f.plot().SVG(), 0o644); err != nil {
			return err
		}
	}
	if o.Report == "" {
		_, err := os.Stdout.WriteString(f.report(o, ""))
		return err
	}
	old, err := measure.ReadOld(o.Report)
	if err != nil {
		return err
	}
	return os.WriteFile(o.Report, []byte(f.report(o, old)), 0o644)
}

// series are the samples as pairs of hours and values.
func (f *found) series() map[string][][2]float64 {
	all := map[string][][2]float64{}
	for name, points := range f.samples.points {
		for _, p := range points {
			all[name] = append(all[name], [2]float64{p.hours, p.value})
		}
	}
	return all
}

// judged is a figure with its course.
type judged struct {
	kind
	course
}

// judge gives the figures that there are enough samples of.
func (f *found) judge(o Options) (all []judged) {
	for _, k := range kinds(f.streams) {
		if c := courseOf(f.samples.points[k.name], o.warm().Hours(), k.little); c.verdict != unasked {
			all = append(all, judged{k, c})
		}
	}
	return all
}

func (f *found) report(o Options, old string) string {
	var b strings.Builder
	b.WriteString("# Hours under load\n\nWritten by `make soak`; between its two marks by hand.\n\n")
	f.writeRun(&b, o)
	all := f.judge(o)
	b.WriteString("\n## What grows\n\n")
	writeVerdict(&b, all)
	b.WriteString("\n" + measure.ByHand(old, "\n\n") + "\n")
	if o.Plot != "" && o.Report != "" {
		fmt.Fprintf(&b, "\n![Memory, goroutines and latency over the run](%s)\n", filepath.Base(o.Plot))
	}
	writeCourses(&b, all)
	f.writeRows(&b)
	f.writeMinutes(&b)
	f.writeAround(&b)
	f.writeReconciled(&b)
	b.WriteString(method(o))
	return b.String()
}

func (f *found) writeRun(b *strings.Builder, o Options) {
	m := f.machine
	m.WriteTable(b, f.started, f.took,
		[2]string{"load before and after", m.Load + "; " + f.loadAfter},
		[2]string{"software", fmt.Sprintf("%s, Redis %s, PostgreSQL %s", m.Go, m.Redis, m.Postgres)},
		[2]string{"limit", fmt.Sprintf("%s requests/s answered and stored (%s–%s in %d rounds): 32 callers without a pause for %s, and the time until the worker had stored it all",
			measure.Number(f.limit), measure.Number(slices.Min(f.limits)), measure.Number(slices.Max(f.limits)), len(f.limits), span(limitFor))},
		[2]string{"load", fmt.Sprintf("%s requests/s, %g %% of that, for %s: an open loop; %s", measure.Number(float64(f.rate)), 100*o.Share, span(f.load.Elapsed), performance.Mix)},
		[2]string{"requests", fmt.Sprintf("%s answered, %.3g %% of them from memory; %d refused, %d failed", measure.Number(float64(f.load.Answered)),
			100*float64(f.load.Holding)/float64(max(f.load.Answered, 1)), f.load.Refused, f.load.Failed)},
		[2]string{"warm-up", span(o.warm()) + " of it, which nothing is judged by"},
	)
	if f.wasCut {
		fmt.Fprintf(b, "\n**Cut short:** it was to run for %s.\n", span(o.For))
	}
	if f.ended != nil {
		fmt.Fprintf(b, "\n**Ended early:** %.800s\n", f.ended)
	}
	if !o.isWhole() {
		fmt.Fprintf(b, "\n**Too short to say:** streams keep %s, and with them Redis' memory fills for that long; what fills cannot be told from what grows. "+
			"A run of %s or more waits for that.\n", span(retention), span(2*(retention+settling)))
	}
	if f.load.Err != nil {
		fmt.Fprintf(b, "\n**Not all was answered:** one said: %.300s\n", f.load.Err)
	}
	if f.samples.missed > 0 {
		fmt.Fprintf(b, "\n**Samples lack something:** %d of them; of one: %.300s\n", f.samples.missed, f.samples.problem)
	}
}

// writeVerdict names what is not flat.
func writeVerdict(b *strings.Builder, all []judged) {
	named := map[verdict][]string{}
	for _, j := range all {
		named[j.verdict] = append(named[j.verdict], j.title)
	}
	if len(all) == 0 {
		b.WriteString("There are too few samples behind the warm-up.\n")
		return
	}
	fmt.Fprintf(b, "Of %d figures %d are flat.", len(all), len(named[flat]))
	if n := named[grows]; len(n) > 0 {
		fmt.Fprintf(b, "\n\n**These grow:** %s.", strings.Join(n, "; "))
	} else {
		b.WriteString(" None surely grows.")
	}
	if n := named[open]; len(n) > 0 {
		fmt.Fprintf(b, "\n\nOpen, because their noise bears both: %s.", strings.Join(n, "; "))
	}
	b.WriteString("\n")
}

func writeCourses(b *strings.Builder, all []judged) {
	b.WriteString("\n## Figures\n\nMedians of the first quarter behind the warm-up and of the last one; growth an hour, with its interval of 95 %.\n\n" +
		"| | first | last | an hour | interval | % an hour | bounded by | |\n| --- | ---: | ---: | ---: | --- | ---: | --- | --- |\n")
	for _, j := range all {
		said := string(j.verdict)
		if j.verdict != flat {
			said = "**" + said + "**"
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s to %s | %s | %s | %s |\n", j.title, measure.Number(j.first), measure.Number(j.last),
			measure.Number(j.trend.slope), endless(j.trend.low), endless(j.trend.high), percent(j.share(j.trend.slope)), j.bound, said)
	}
}

func endless(x float64) string {
	switch {
	case math.IsInf(x, -1):
		return "−∞"
	case math.IsInf(x, 1):
		return "∞"
	}
	return measure.Number(x)
}

func percent(x float64) string {
	if math.IsNaN(x) {
		return ""
	}
	return measure.Number(x)
}

// writeRows tells of what has to grow.
func (f *found) writeRows(b *strings.Builder) {
	rows, bytes := f.rows[1]-f.rows[0], f.bytes[1]-f.bytes[0]
	if rows <= 0 {
		return
	}
	fmt.Fprintf(b, "\n## The database\n\nIt grows with what it keeps, and is not judged: %s requests made it %s MB larger, %s bytes each. That is rows, indexes and rollups, "+
		"without the answers that are kept.\n", measure.Number(float64(rows)), measure.Number(float64(bytes)/mega), measure.Number(float64(bytes)/float64(rows)))
}

// stretch is how many minutes make a row.
const stretch = 10

func (f *found) writeMinutes(b *strings.Builder) {
	if len(f.minutes) == 0 {
		return
	}
	b.WriteString("\n## Minutes\n\nMedians of the minutes' percentiles, and the worst minute, in ms.\n\n" +
		"| minutes | requests | failed | p50 | worst p50 | p99 | worst p99 |\n| --- | ---: | ---: | ---: | ---: | ---: | ---: |\n")
	for from := 0; from < len(f.minutes); from += stretch {
		some := f.minutes[from:min(from+stretch, len(f.minutes))]
		var requests, failed int64
		var p50, p99 []float64
		for _, m := range some {
			requests, failed = requests+m.Requests, failed+m.Failed
			p50, p99 = append(p50, m.P50), append(p99, m.P99)
		}
		slices.Sort(p50)
		slices.Sort(p99)
		fmt.Fprintf(b, "| %d–%d | %s | %d | %s | %s | %s | %s |\n", from+1, from+len(some), measure.Number(float64(requests)), failed,
			measure.Number(middleOf(p50)), measure.Number(p50[len(p50)-1]), measure.Number(middleOf(p99)), measure.Number(p99[len(p99)-1]))
	}
}

func (f *found) writeReconciled(b *strings.Builder) {
	said := "It finds no difference."
	if !f.isReconciled {
		said = "**It finds differences, or could not be asked.**"
	}
	fmt.Fprintf(b, "\n## busu reconcile\n\n%s\n\n```text\n%s\n```\n", said, trailing.ReplaceAllString(strings.TrimSpace(f.reconciled), ""))
}

// trailing is what no line of a document should end in.
var trailing = regexp.MustCompile(`(?m) +$`)

// span is a time as people write it.
func span(d time.Duration) string {
	text := d.Round(time.Second).String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
