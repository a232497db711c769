package history

import (
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/busuhq/busu/bench/measure"
	"github.com/busuhq/busu/internal/figure"
)

// write puts the report and the drawing where they are wanted.
func (g *growth) write() error {
	o := g.options
	if o.Plot != "" {
		if err := os.WriteFile(o.Plot, g.plot().SVG(), 0o644); err != nil {
			return err
		}
	}
	var beside besides
	if o.Beside != "" {
		text, err := os.ReadFile(o.Beside)
		if err != nil {
			return err
		}
		if beside, err = readBesides(string(text)); err != nil {
			return fmt.Errorf("%s: %w", o.Beside, err)
		}
	}
	if o.Report == "" {
		_, err := io.WriteString(os.Stdout, g.report("", beside))
		return err
	}
	old, err := measure.ReadOld(o.Report)
	if err != nil {
		return err
	}
	return os.WriteFile(o.Report, []byte(g.report(old, beside)), 0o644)
}

func (g *growth) report(old string, beside besides) string {
	var s strings.Builder
	s.WriteString("# How cost grows\n\nWritten by `make bench-growth`; between its two marks by hand.\n\n")
	s.WriteString(measure.ByHand(old, "\n\n## Laws\n\n## Where it stops\n\n") + "\n\n## Over completions, measured\n\n")
	m := g.facts.machine
	m.WriteTable(&s, g.facts.started, time.Since(g.facts.started),
		[2]string{"load before and after", m.Load + "; " + measure.Load()},
		[2]string{"software", fmt.Sprintf("%s, PostgreSQL %s", m.Go, m.Postgres)},
		[2]string{"database", "one, filled on from size to size over 90 days; each answer asked for " + fmt.Sprint(g.options.Asks) + " times"})
	g.writeLaws(&s, beside)
	if g.options.Plot != "" && g.options.Report != "" {
		fmt.Fprintf(&s, "\n![How figures grow with completions, as multiples of those at the first size](%s)\n", filepath.Base(g.options.Plot))
	}
	g.writeTouched(&s)
	g.writeDays(&s)
	s.WriteString(growthMethod)
	return s.String()
}

// far is the size that does not fit on a small machine.
const far = 100_000_000

func (g *growth) writeLaws(s *strings.Builder, beside besides) {
	fmt.Fprintf(s, "\nCPU is PostgreSQL's, or PostgreSQL's and busu's where something is asked for; other work on the machine changes it less than it changes times.\n")
	fmt.Fprintf(s, "*By law* is extrapolated and not measured, and left out where the exponent's standard error is above %s; what gets better with\nsize does so towards an end, so that the last size is a bound. A law that misses what was measured elsewhere threefold says nothing beyond it.\n\n| completions |", measure.Number(mostDoubt))
	rule := "| --- |"
	for _, at := range g.sizes {
		fmt.Fprintf(s, " %s |", grouped(int(at.rows)))
		rule += " ---: |"
	}
	s.WriteString(" grows as |")
	rule += " --- |"
	if beside.rows > 0 {
		fmt.Fprintf(s, " %s by law | [measured](%s) |", grouped(int(beside.rows)), filepath.Base(g.options.Beside))
		rule += " ---: | ---: |"
	}
	fmt.Fprintf(s, " %s by law |\n%s ---: |\n", grouped(far), rule)
	for _, f := range figures() {
		g.writeLaw(s, f, beside)
	}
}

// writeLaw writes a figure at all sizes, its law, and what that says of others.
func (g *growth) writeLaw(s *strings.Builder, f follows, beside besides) {
	fmt.Fprintf(s, "| %s |", f.name)
	ns, ys := g.follow(f)
	for _, y := range ys {
		fmt.Fprintf(s, " %s |", measure.Number(y))
	}
	last := ys[len(ys)-1]
	l, ok := fit(ns, ys)
	if !ok {
		l.doubt = math.Inf(1)
		s.WriteString("  |")
	} else {
		fmt.Fprintf(s, " %s |", l)
	}
	atFar := l.ahead(far, last, f.rate)
	if beside.rows > 0 {
		measured := ""
		if f.beside != nil {
			if x, ok := f.beside(beside); ok {
				measured = measure.Number(x)
				if l.exponent > 0 && l.misses(beside.rows, x) {
					atFar = "" // it was wrong before
				}
			}
		}
		fmt.Fprintf(s, " %s | %s |", l.ahead(beside.rows, last, f.rate), measured)
	}
	fmt.Fprintf(s, " %s |\n", atFar)
}

// follow is a figure at all sizes.
func (g *growth) follow(f follows) (ns, ys []float64) {
	for _, at := range g.sizes {
		ns, ys = append(ns, float64(at.rows)), append(ys, f.of(at))
	}
	return ns, ys
}

func (g *growth) writeTouched(s *strings.Builder) {
	s.WriteString("\n## Pruning\n\nPartitions of completions that were looked into, with the default one, and rows read there; then rows of rollups, of which a history consists.\n\n|")
	rule := "| --- |"
	for _, at := range g.sizes {
		fmt.Fprintf(s, " | %s", grouped(int(at.rows)))
		rule += " --- |"
	}
	fmt.Fprintf(s, " |\n%s\n", rule)
	for i := range g.sizes[0].touched {
		fmt.Fprintf(s, "| %s |", g.sizes[0].touched[i].name)
		for _, at := range g.sizes {
			t := at.touched[i]
			fmt.Fprintf(s, " %d of %d; %s; %s |", t.partitions, t.of, grouped(int(t.rows)), grouped(int(t.rollups)))
		}
		s.WriteString("\n")
	}
}

func (g *growth) writeDays(s *strings.Builder) {
	if len(g.days) == 0 {
		return
	}
	fmt.Fprintf(s, "\n## Over days that are kept\n\nOf the last size, with empty days before its own. The store alone, without HTTP, in ms; *planning* is PostgreSQL's, of a user's requests over all days.\n\n"+
		"| partitions | planning | newest page, p50 | failures, p50 | of a user, p50 | p99 |\n| ---: | ---: | ---: | ---: | ---: | ---: |\n")
	var days, planning, user []float64
	for _, l := range g.days {
		fmt.Fprintf(s, "| %d | %s | %s | %s | %s | %s |\n", l.days, measure.Number(l.planning), measure.Number(l.answers[askNewest].p50),
			measure.Number(l.answers[askFailures].p50), measure.Number(l.answers[askUser].p50), measure.Number(l.answers[askUser].p99))
		days, planning, user = append(days, float64(l.days)), append(planning, l.planning), append(user, l.answers[askUser].p50)
	}
	p, ok := fit(days, planning)
	u, also := fit(days, user)
	if ok && also {
		fmt.Fprintf(s, "\nWith d days, planning grows as %s, a user's page as %s.\n", strings.Replace(p.String(), "n^", "d^", 1), strings.Replace(u.String(), "n^", "d^", 1))
	}
}

// plot shows figures as multiples of what they are at the first size.
func (g *growth) plot() figure.Figure {
	panel := figure.Panel{Title: "Multiple of the figure at the first size, powers of ten",
		X: figure.Axis{Title: "completions, powers of ten", Format: "%.1f"}, Y: figure.Axis{Format: "%.1f", Least: -.7}}
	style := figure.Blue
	for _, f := range figures() {
		ns, ys := g.follow(f)
		if _, ok := fit(ns, ys); f.line == "" || !ok {
			continue
		}
		line := figure.Line{Name: f.line, Style: style}
		for i := range ns {
			line.Points = append(line.Points, figure.Point{X: math.Log10(ns[i]), Y: math.Log10(ys[i] / ys[0])})
		}
		panel.Lines = append(panel.Lines, line)
		style++
	}
	return figure.Figure{Title: "How figures grow with completions", Panels: []figure.Panel{panel},
		Description: "CPU, bytes, rows and times over the number of completions, as multiples of what they are at the first size."}
}

const growthMethod = `
## Method

- One database, filled on: each part is spread over all days that are left, so that each day grows alike. Completions are those of
  [history](history-benchmark.md#method), stored by the product's own code, 1,000 at a time, rows and rollups in one transaction; then rollups are
  merged, and VACUUM ANALYZE. What is added to the first sizes has a minute nearly to itself, so that it makes as many rows of rollups as there are
  dimensions: that is why rollups and storing get cheaper with size, and not only slower.
- Of now: 100 batches of 100, one after the other, as come at 1,000 requests a second. Inserts go on while the product drops the oldest day, as its
  worker does once an hour; *during* are those that overlap. Size and answers are those before it.
- Pruning is read from PostgreSQL's statistics of its tables, before and after an answer of the product's store in a session of its own: what
  was looked into, not what a plan might have. The least of three, since sessions from before may count late. Days ahead, which a worker makes,
  are among them.
- Exponents are slopes of logarithms over logarithms, by least squares, with the slope's standard error: few sizes, so that it says little.
`
