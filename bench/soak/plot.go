package soak

import "github.com/busuhq/busu/internal/figure"

// plot is memory, goroutines and latency over minutes.
func (f *found) plot() figure.Figure {
	minutes := figure.Axis{Title: "minutes", Format: "%.0f"}
	memory := figure.Panel{Title: "RSS of busu's processes, MB", X: minutes, Y: fromZero("%.0f")}
	running := figure.Panel{Title: "Goroutines", X: minutes, Y: fromZero("%.0f")}
	for i, p := range processNames() {
		style := figure.Blue + figure.Style(i)
		memory.Lines = append(memory.Lines, f.line(p, style, p+" "+resident))
		running.Lines = append(running.Lines, f.line(p, style, p+" "+goroutines))
	}
	stores := figure.Panel{Title: "Redis' memory, MB", X: minutes, Y: fromZero("%.0f"),
		Lines: []figure.Line{f.line("Redis", figure.Green, redisMemory)}}
	latency := figure.Panel{Title: "Latency of each minute: p50, and p99 dashed, ms", X: minutes, Y: fromZero("%.1f"),
		Lines: []figure.Line{f.line("p50", figure.Blue, minuteP50), f.line("p99", figure.Dashed, minuteP99)}}
	return figure.Figure{Title: "Hours under load", Panels: []figure.Panel{memory, running, stores, latency},
		Description: "Memory and goroutines of busu's processes, memory of Redis, and the latency of each minute, over the run."}
}

// fromZero is an axis on which a small change looks like one.
func fromZero(format string) figure.Axis { return figure.Axis{Format: format, Zero: true} }

func (f *found) line(name string, style figure.Style, of string) figure.Line {
	l := figure.Line{Name: name, Style: style}
	for _, p := range f.samples.points[of] {
		l.Points = append(l.Points, figure.Point{X: 60 * p.hours, Y: p.value})
	}
	return l
}
