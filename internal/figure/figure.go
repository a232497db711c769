// Package figure draws line charts as SVG: plain text that reads well in a
// diff, scales, and follows the reader's choice of light or dark. The same
// figure always gives the same bytes.
package figure

import (
	"fmt"
	"html"
	"math"
	"strings"
)

// Point is a place in a panel's own units.
type Point struct{ X, Y float64 }

// Style is how a line is drawn. Lines of several panels with one name should
// share one.
type Style int

// The styles: colours that most who are colour-blind tell apart, then what
// lines are held against.
const (
	Blue Style = iota
	Orange
	Pink
	Green
	Dashed
	Dotted
)

// Line is a named way through points.
type Line struct {
	Name   string
	Style  Style
	Points []Point
}

// Mark is a named point.
type Mark struct {
	Name  string
	At    Point
	Above bool // the name stands above it, to the left; otherwise below, to the right
}

// Axis is one of a panel's, with how its numbers are written, for fmt.
type Axis struct {
	Title  string
	Format string  // such as "%.2f"
	Scale  float64 // by which numbers are multiplied to be written; 0 means 1
	Least  float64 // the axis reaches down to it, which leaves room for the legend; 0: as far as the lines do
	Zero   bool    // it begins at 0, or below
}

// Panel is one chart.
type Panel struct {
	Title string
	X, Y  Axis
	Lines []Line
	Marks []Mark
}

// Figure is panels one below the other. The first one holds the legend.
type Figure struct {
	Title, Description string // for those who cannot see it
	Panels             []Panel
}

// Measures of the drawing, in its own pixels.
const (
	width       = 800
	left, right = 70, 20
	above       = 40 // the plot: a panel's title
	below       = 50 // numbers, and the axis's title
	firstHeight = 340
	otherHeight = 170
	legendLine  = 20
	legendWidth = 180
)

const style = `
    .ground { fill: #fff } .ink { fill: #24292f } .soft { fill: #57606a } .grid { stroke: #d8dee4 } .frame { stroke: #8c959f }
    .s0 { stroke: #0969da } .s1 { stroke: #b35900 } .s2 { stroke: #bf3989 } .s3 { stroke: #1a7f37 }
    .s4 { stroke: #57606a; stroke-dasharray: 7 5 } .s5 { stroke: #24292f; stroke-dasharray: 2 4 }
    .mark { fill: #24292f }
    @media (prefers-color-scheme: dark) {
      .ground { fill: #0d1117 } .ink { fill: #e6edf3 } .soft { fill: #9198a1 } .grid { stroke: #262c36 } .frame { stroke: #656c76 }
      .s0 { stroke: #58a6ff } .s1 { stroke: #f0883e } .s2 { stroke: #f778ba } .s3 { stroke: #3fb950 }
      .s4 { stroke: #9198a1 } .s5 { stroke: #e6edf3 }
      .mark { fill: #e6edf3 }
    }
    text { font: 13px system-ui, -apple-system, "Segoe UI", Roboto, Helvetica, Arial, sans-serif }
    .title { font-size: 15px; font-weight: 600 }
    .line { fill: none; stroke-width: 2; stroke-linejoin: round; stroke-linecap: round } .line.s3 { stroke-width: 3 }
`

// SVG draws the figure.
func (f Figure) SVG() []byte {
	var d drawing
	height := 0
	for i := range f.Panels {
		height += above + panelHeight(i) + below
	}
	d.printf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" aria-labelledby="title description">`, width, height, width, height)
	d.printf(`  <title id="title">%s</title>`, html.EscapeString(f.Title))
	d.printf(`  <desc id="description">%s</desc>`, html.EscapeString(f.Description))
	d.printf("  <style>%s  </style>", style)
	d.printf(`  <rect class="ground" width="%d" height="%d"/>`, width, height)
	top := 0
	for i, p := range f.Panels {
		d.panel(p, top+above, panelHeight(i))
		if i == 0 {
			d.legend(p.Lines, top+above+panelHeight(i))
		}
		top += above + panelHeight(i) + below
	}
	d.printf("</svg>")
	return []byte(d.String())
}

func panelHeight(index int) int {
	if index == 0 {
		return firstHeight
	}
	return otherHeight
}

type drawing struct{ strings.Builder }

func (d *drawing) printf(format string, args ...any) { fmt.Fprintf(d, format+"\n", args...) }

// frame maps a panel's units to pixels.
type frame struct {
	x, y        span
	top, height int
}

func (f frame) px(x float64) float64 {
	return left + (x-f.x.from)/(f.x.to-f.x.from)*(width-left-right)
}

func (f frame) py(y float64) float64 {
	return float64(f.top+f.height) - (y-f.y.from)/(f.y.to-f.y.from)*float64(f.height)
}

func (d *drawing) panel(p Panel, top, height int) {
	var xs, ys []float64
	for _, l := range p.Lines {
		for _, at := range l.Points {
			xs, ys = append(xs, at.X), append(ys, at.Y)
		}
	}
	if p.Y.Least != 0 {
		ys = append(ys, p.Y.Least)
	}
	if p.Y.Zero {
		ys = append(ys, 0)
	}
	f := frame{x: spanOf(xs, 8), y: spanOf(ys, height/45), top: top, height: height}
	d.printf(`  <text class="ink title" x="%d" y="%d">%s</text>`, left, top-16, html.EscapeString(p.Title))
	for _, y := range f.y.ticks() {
		d.printf(`  <line class="grid" x1="%d" x2="%d" y1="%.1f" y2="%.1f"/>`, left, width-right, f.py(y), f.py(y))
		d.printf(`  <text class="soft" x="%d" y="%.1f" text-anchor="end">%s</text>`, left-8, f.py(y)+4.5, p.Y.number(y))
	}
	bottom := top + height
	for _, x := range f.x.ticks() {
		d.printf(`  <line class="frame" x1="%.1f" x2="%.1f" y1="%d" y2="%d"/>`, f.px(x), f.px(x), bottom, bottom+5)
		d.printf(`  <text class="soft" x="%.1f" y="%d" text-anchor="middle">%s</text>`, f.px(x), bottom+20, p.X.number(x))
	}
	d.printf(`  <line class="frame" x1="%d" x2="%d" y1="%d" y2="%d"/>`, left, width-right, bottom, bottom)
	d.printf(`  <text class="soft" x="%d" y="%d" text-anchor="end">%s</text>`, width-right, bottom+40, html.EscapeString(p.X.Title))
	d.printf(`  <text class="soft" x="%d" y="%d" text-anchor="end">%s</text>`, width-right, top-16, html.EscapeString(p.Y.Title))
	for _, l := range p.Lines {
		d.line(l, f)
	}
	for _, m := range p.Marks {
		d.mark(m, f)
	}
}

func (a Axis) number(x float64) string {
	if a.Scale != 0 {
		x *= a.Scale
	}
	if x == 0 {
		x = 0 // −0 is written as 0
	}
	return strings.Replace(fmt.Sprintf(a.Format, x), "-", "−", 1)
}

func (d *drawing) line(l Line, f frame) {
	var way strings.Builder
	for i, at := range l.Points {
		fmt.Fprintf(&way, "%c%.1f %.1f", "ML"[min(i, 1)], f.px(at.X), f.py(at.Y))
	}
	d.printf(`  <path class="line s%d" d="%s"><title>%s</title></path>`, l.Style, way.String(), html.EscapeString(l.Name))
}

func (d *drawing) mark(m Mark, f frame) {
	x, y := f.px(m.At.X), f.py(m.At.Y)
	d.printf(`  <circle class="mark" cx="%.1f" cy="%.1f" r="4"/>`, x, y)
	anchor, right, down := "start", 9.0, 16.0
	if m.Above {
		anchor, right, down = "end", -9, -12
	}
	d.printf(`  <text class="ink" x="%.1f" y="%.1f" text-anchor="%s">%s</text>`, x+right, y+down, anchor, html.EscapeString(m.Name))
}

// legend stands in the lower right of a panel, where what gets better with
// what it costs leaves room.
func (d *drawing) legend(lines []Line, bottom int) {
	x, y := width-right-legendWidth, bottom-len(lines)*legendLine
	for _, l := range lines {
		d.printf(`  <path class="line s%d" d="M%d %dh28"/>`, l.Style, x, y)
		d.printf(`  <text class="ink" x="%d" y="%.1f">%s</text>`, x+36, float64(y)+4.5, html.EscapeString(l.Name))
		y += legendLine
	}
}

// span is what an axis covers, in steps of round numbers.
type span struct{ from, to, step float64 }

// spanOf covers all values with about so many steps.
func spanOf(values []float64, steps int) span {
	low, high := math.Inf(1), math.Inf(-1)
	for _, v := range values {
		low, high = min(low, v), max(high, v)
	}
	if !(high > low) { // a single value, or none
		if math.IsInf(low, 0) {
			low = 0
		}
		low, high = low-0.5, low+0.5
	}
	step := roundStep((high - low) / float64(max(1, steps)))
	return span{from: step * math.Floor(low/step+1e-9), to: step * math.Ceil(high/step-1e-9), step: step}
}

// roundStep is the least of 1, 2, 5, 10 … that is not below x.
func roundStep(x float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(x)))
	for _, m := range []float64{1, 2, 5} {
		if m*power >= x*(1-1e-9) {
			return m * power
		}
	}
	return 10 * power
}

func (s span) ticks() []float64 {
	var at []float64
	for i := 0; ; i++ {
		x := s.step * (math.Round(s.from/s.step) + float64(i))
		if x > s.to+s.step/2 {
			return at
		}
		at = append(at, x)
	}
}
