package figure

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
)

func example() Figure {
	return Figure{
		Title: `a < b & "c"`, Description: "described",
		Panels: []Panel{{
			Title: "first", X: Axis{Title: "across", Format: "%.1f"}, Y: Axis{Title: "up", Format: "%.0f", Scale: 100},
			Lines: []Line{{Name: "one", Style: Blue, Points: []Point{{0, 0.1}, {1, 0.4}, {2, 0.3}}}, {Name: "<two>", Style: Dashed, Points: []Point{{0, 0.2}, {2, 0.2}}}},
			Marks: []Mark{{Name: "here", At: Point{2, 0.3}}, {Name: "there", At: Point{0, 0.1}, Above: true}},
		}, {Title: "second", X: Axis{Format: "%.0f"}, Y: Axis{Format: "%.0f"}, Lines: []Line{{Name: "one", Points: []Point{{5, 5}}}}}},
	}
}

// TestSVG is XML, says what it is in words, and keeps to itself: nothing is
// fetched and no script runs where it is embedded.
func TestSVG(t *testing.T) {
	t.Parallel()
	svg := example().SVG()
	if again := example().SVG(); !bytes.Equal(svg, again) {
		t.Error("one figure gives other bytes each time")
	}
	seen := map[string]int{}
	var text strings.Builder
	for d := xml.NewDecoder(bytes.NewReader(svg)); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("%v in\n%s", err, svg)
		}
		switch e := token.(type) {
		case xml.StartElement:
			seen[e.Name.Local]++
		case xml.CharData:
			text.Write(e)
		}
	}
	for element, n := range map[string]int{"svg": 1, "desc": 1, "path": 3 + 2, "circle": 2, "script": 0, "image": 0} {
		if seen[element] != n {
			t.Errorf("%d of %s, want %d", seen[element], element, n)
		}
	}
	for _, want := range []string{`a < b & "c"`, "described", "first", "second", "<two>", "across", "here", "10", "40", "prefers-color-scheme: dark"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("%q is not in it", want)
		}
	}
	if bytes.Contains(svg, []byte("NaN")) || bytes.Contains(svg, []byte("Inf")) {
		t.Error("there are numbers that are none")
	}
}

// TestPointsStayInside has the way of a line begin and end where it must.
func TestPointsStayInside(t *testing.T) {
	t.Parallel()
	svg := string(example().SVG())
	_, way, _ := strings.Cut(svg, `<path class="line s0" d="`)
	way, _, _ = strings.Cut(way, `"`)
	if want := fmt.Sprintf("M%d.0 ", left); !strings.HasPrefix(way, want) {
		t.Errorf("the line is %s: it begins elsewhere than at %q", way, want)
	}
	if want := fmt.Sprintf("L%d.0 ", width-right); !strings.Contains(way, want) {
		t.Errorf("the line is %s: it ends elsewhere than at %q", way, want)
	}
	var ys []float64
	for _, p := range strings.FieldsFunc(way, func(r rune) bool { return r == 'M' || r == 'L' }) {
		_, y, _ := strings.Cut(p, " ")
		at, err := strconv.ParseFloat(y, 64)
		if err != nil {
			t.Fatal(err)
		}
		ys = append(ys, at)
	}
	if len(ys) != 3 || !(ys[0] > ys[2] && ys[2] > ys[1]) || ys[0] > above+firstHeight || ys[1] < above {
		t.Errorf("heights %v: the larger must stand higher, all between %d and %d", ys, above, above+firstHeight)
	}
}

// TestAxisFromZero keeps what changes little near the top.
func TestAxisFromZero(t *testing.T) {
	t.Parallel()
	f := Figure{Panels: []Panel{{X: Axis{Format: "%.0f"}, Y: Axis{Format: "%.0f", Zero: true}, Lines: []Line{{Points: []Point{{0, 95}, {1, 100}}}}}}}
	svg := string(f.SVG())
	if !strings.Contains(svg, `text-anchor="end">0</text>`) {
		t.Errorf("the axis has no 0:\n%s", svg)
	}
	f.Panels[0].Y.Zero = false
	if svg := string(f.SVG()); strings.Contains(svg, `text-anchor="end">0</text>`) {
		t.Errorf("an axis that was not to begin at 0 does:\n%s", svg)
	}
}

// TestSpans cover their values in round steps, never many.
func TestSpans(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 1))
	for range 2000 {
		size := math.Pow(10, 12*r.Float64()-6)
		values := []float64{size * (r.Float64() - 0.5), size * (r.Float64() - 0.5)}
		s := spanOf(values, 5)
		ticks := s.ticks()
		for _, v := range values {
			if v < s.from-s.step*1e-6 || v > s.to+s.step*1e-6 {
				t.Fatalf("%v is not between %v and %v", v, s.from, s.to)
			}
		}
		if len(ticks) < 2 || len(ticks) > 8 || math.Abs(ticks[0]-s.from) > s.step*1e-6 || math.Abs(ticks[len(ticks)-1]-s.to) > s.step*1e-6 {
			t.Fatalf("%v has the ticks %v of %+v", values, ticks, s)
		}
	}
	for _, values := range [][]float64{nil, {3}, {3, 3}} {
		if s := spanOf(values, 5); !(s.to > s.from) {
			t.Errorf("%v is spanned by %+v", values, s)
		}
	}
}

func TestAxisReachesDown(t *testing.T) {
	t.Parallel()
	p := Panel{X: Axis{Format: "%.0f"}, Y: Axis{Format: "%.0f", Least: -7}, Lines: []Line{{Name: "one", Points: []Point{{0, 0}, {1, 3}}}}}
	if svg := string((Figure{Panels: []Panel{p}}).SVG()); !strings.Contains(svg, ">−7<") && !strings.Contains(svg, ">−8<") {
		t.Error("there is no room below the line")
	}
	p.Y.Least = 0
	if svg := string((Figure{Panels: []Panel{p}}).SVG()); strings.Contains(svg, "−") {
		t.Error("there is room below that nobody asked for")
	}
}
