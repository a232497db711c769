package main

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/busuhq/busu/internal/experiment"
)

// printResults writes results as a page for a terminal.
func printResults(w io.Writer, r *experiment.Results) error {
	fmt.Fprintf(w, "%s: %s", r.Name, r.State)
	if r.Outcome != nil {
		fmt.Fprintf(w, ", %s", *r.Outcome)
	}
	if r.Winner != nil {
		fmt.Fprintf(w, " for %s", *r.Winner)
	}
	fmt.Fprintf(w, "\n%s\n\n", r.Verdict)
	printStanding(w, r)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "\nARM\tDOES\tUSERS\tREQUESTS\tGOOD\tCOST $\tP50 MS\tP95 MS\tRATED\tFELL BACK")
	for _, a := range r.Arms {
		fmt.Fprintf(table, "%s\t%s\t%d\t%d\t%.2f %%\t%.6g\t%s\t%s\t%.1f %%\t%.2f %%\n", a.Arm, a.Strategy, a.Users, a.Requests,
			100*a.GoodRate, a.AvgCostUSD, quantile(a.LatencyP50), quantile(a.LatencyP95), 100*a.RatingRate, 100*a.FallbackRate)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	decisive := func(m experiment.MetricResult) bool { return m.Primary || m.Guardrail }
	for _, block := range []struct {
		title string
		of    func(experiment.MetricResult) bool
	}{{"DECISIVE", decisive}, {"WATCHED", func(m experiment.MetricResult) bool { return !decisive(m) }}} {
		printForest(w, block.title, slices.DeleteFunc(slices.Clone(r.Metrics), func(m experiment.MetricResult) bool { return !block.of(m) }))
	}
	return printSegments(w, r)
}

// printStanding says how far it is.
func printStanding(w io.Writer, r *experiment.Results) {
	const width = 40
	share := min(1, float64(r.Sample.Matured)/float64(max(1, r.Sample.Target)))
	filled := int(width * share)
	fmt.Fprintf(w, "matured   [%s%s] %d of %d %ss", strings.Repeat("#", filled), strings.Repeat(".", width-filled), r.Sample.Matured, r.Sample.Target, r.Unit)
	switch {
	case r.Decided != nil && r.Decided.Early:
		fmt.Fprintf(w, ", decided early on %s", r.Decided.At.Format("2 Jan 15:04"))
	case r.Decided != nil:
		fmt.Fprintf(w, ", decided on %s", r.Decided.At.Format("2 Jan 15:04"))
	case r.Projected != nil:
		fmt.Fprintf(w, ", over by %s", r.Projected.Format("2 Jan 15:04"))
	}
	fmt.Fprintf(w, "\nentered   %d:", r.Sample.Users)
	for i, s := range r.SRM.Split {
		if i > 0 {
			fmt.Fprint(w, ",")
		}
		fmt.Fprintf(w, " %s %d (%.1f %%)", s.Arm, s.Users, 100*s.Share)
	}
	split := "split as planned"
	if !r.SRM.OK {
		split = "NOT SPLIT AS PLANNED"
	}
	fmt.Fprintf(w, "; %s (p %.2g)", split, r.SRM.PValue)
	if r.Sample.Strays > 0 {
		fmt.Fprintf(w, "; %d were seen in more than one arm (%.2f %%)", r.Sample.Strays, 100*float64(r.Sample.Strays)/float64(max(1, r.Sample.Users)))
	}
	fmt.Fprintln(w)
	fmt.Fprintf(w, "evidence  always-valid p %.3g, must be below %g; power now %.0f %%\n", r.AlwaysP, r.Boundary.Early, 100*r.Power)
	if len(r.Degraded) > 0 {
		fmt.Fprintf(w, "as of     %s: %s cannot be read\n", r.AsOf.Format("2 Jan 15:04:05"), strings.Join(r.Degraded, " and "))
	}
}

func quantile(q *experiment.QuantileResult) string {
	if q == nil {
		return "-"
	}
	return fmt.Sprintf("%.0f", q.Value)
}

// bar is what a forest plot shows of a metric, in points of shares, else per cent.
type bar struct {
	value     float64
	low, high *float64
	margin    *float64 // on the bad side
	unit      string
}

func barOf(m *experiment.MetricResult) bar {
	b := bar{value: 100 * m.Diff.Value, low: percents(m.Diff.Low), high: percents(m.Diff.High), margin: percents(m.Margin), unit: " pt"}
	if m.Relative {
		b.value, b.low, b.high, b.unit = 100*m.Lift, percents(m.Low), percents(m.High), " %"
	}
	if b.margin != nil && m.Better == "higher" {
		*b.margin = -*b.margin
	}
	return b
}

func percents(x *float64) *float64 {
	if x == nil {
		return nil
	}
	return new(100 * *x)
}

// reach is how far the axis goes to both sides: to the last end of an interval,
// or well beyond a value without one.
func reach(bars []bar) float64 {
	most := 0.
	for _, b := range bars {
		if b.low == nil || b.high == nil {
			most = max(most, 2*math.Abs(b.value))
		}
		for _, x := range []*float64{&b.value, b.low, b.high, b.margin} {
			if x != nil {
				most = max(most, math.Abs(*x))
			}
		}
	}
	return max(most, .1)
}

// printForest draws intervals of metrics on one axis, about no change.
func printForest(w io.Writer, title string, metrics []experiment.MetricResult) {
	if len(metrics) == 0 {
		return
	}
	bars := make([]bar, len(metrics))
	for i := range metrics {
		bars[i] = barOf(&metrics[i])
	}
	most := reach(bars)
	const line = "%-9s %-8s %10s %10s %9s  %-18s %s  %s\n"
	scale := fmt.Sprintf("%-*.3g%s%*s", plotWidth/2, -most, "0", plotWidth/2, fmt.Sprintf("%+.3g", most))
	fmt.Fprintln(w)
	fmt.Fprintf(w, line, title, "ARM", "CONTROL", "TEST", "CHANGE", "WITHIN", scale, "READING")
	for i := range metrics {
		m, b := &metrics[i], &bars[i]
		fmt.Fprintf(w, line, m.Name, m.Arm, level(m, m.Control), level(m, m.Test), b.change(), b.within(), plot(b, most), readingOf(m))
	}
}

func (b *bar) change() string { return fmt.Sprintf("%+.2f%s", b.value, b.unit) }

func (b *bar) within() string { return end(b.low) + " to " + end(b.high) }

const plotWidth = 41 // odd: zero has a column

// plot draws an interval: │ no change, ! the margin, ● the value, ? an open end.
func plot(b *bar, most float64) string {
	cells := []rune(strings.Repeat(" ", plotWidth))
	column := func(x float64) int {
		return max(0, min(plotWidth-1, plotWidth/2+int(math.Round(x/most*float64(plotWidth/2)))))
	}
	cells[plotWidth/2] = '│'
	if b.low != nil && b.high != nil {
		low, high := column(*b.low), column(*b.high)
		for i := low; i <= high; i++ {
			cells[i] = '─'
		}
		cells[low], cells[high] = '├', '┤'
	} else {
		cells[0], cells[plotWidth-1] = '?', '?'
	}
	if b.margin != nil {
		cells[column(*b.margin)] = '!'
	}
	cells[column(b.value)] = '●'
	return string(cells)
}

func end(x *float64) string {
	if x == nil {
		return "?"
	}
	return fmt.Sprintf("%+.2f", *x)
}

// level is a value of an arm in its unit.
func level(m *experiment.MetricResult, x float64) string {
	switch m.Name {
	case experiment.Cost:
		return fmt.Sprintf("$%.6f", x)
	case experiment.Latency:
		return fmt.Sprintf("%.0f ms", x)
	case experiment.Quality:
		return fmt.Sprintf("%.3f", x)
	default:
		return fmt.Sprintf("%.2f %%", 100*x)
	}
}

func readingOf(m *experiment.MetricResult) string {
	text := m.Reading
	switch {
	case m.Primary:
		text += ", decides"
	case m.Guardrail && m.HoldsSince != nil:
		text += ", guardrail holds since " + m.HoldsSince.Format("2 Jan")
	case m.Guardrail:
		text += ", guardrail"
	}
	if m.VarianceReduced != nil {
		text += fmt.Sprintf(", %.0f %% less variance", 100**m.VarianceReduced)
	}
	return text
}

// printSegments lists those that say something.
func printSegments(w io.Writer, r *experiment.Results) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	first := true
	for _, s := range r.Segments {
		if !s.Effect || s.Diff == nil || s.Lift == nil {
			continue
		}
		b := barOf(&experiment.MetricResult{Diff: *s.Diff, Lift: *s.Lift, Low: s.Low, High: s.High, Relative: r.Primary != experiment.Good})
		if b.low == nil {
			continue
		}
		if first {
			fmt.Fprintf(table, "\nEXPLORATORY\tVALUE\tARM\tUSERS\tCHANGE OF %s\tWITHIN\tREADING\n", strings.ToUpper(string(r.Primary)))
			first = false
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%s\t%s\t%s\n", s.By, s.Value, s.Arm, s.Users.Control+s.Users.Test, b.change(), b.within(), s.Reading)
	}
	return table.Flush()
}
