package performance

import (
	"math"

	"github.com/busuhq/busu/internal/figure"
)

// plot is latency over the share of requests, spread out where it matters: each
// step to the right is a tenth of the requests of the one before.
func (r *results) plot() figure.Figure {
	panel := figure.Panel{
		Title: "Latency at 1,000 requests per second, µs",
		X:     figure.Axis{Title: "nines: 1 is p90, 2 is p99", Format: "%.1f"},
		Y:     figure.Axis{Format: "%.0f"},
	}
	for _, s := range []struct {
		scenario, name string
		style          figure.Style
	}{
		{openRouted, "busu, routed", figure.Blue}, {openMemory, "busu, memory hit", figure.Green}, {openEcho, "Echo proxy", figure.Orange},
		{openReverse, "ReverseProxy", figure.Pink}, {openFastHTTP, "fasthttp proxy", figure.Dashed}, {openMock, "upstream alone", figure.Dotted},
	} {
		if points := r.points(s.scenario); len(points) > 0 {
			panel.Lines = append(panel.Lines, figure.Line{Name: s.name, Style: s.style, Points: points})
		}
	}
	return figure.Figure{Title: "Latency by the share of requests", Panels: []figure.Panel{panel},
		Description: "How long requests took at 1,000 per second, from the median to p99: busu with everything on, bare proxies, and the upstream alone."}
}

// points end at p99: beyond it a run of this length has few requests.
func (r *results) points(scenario string) []figure.Point {
	var all []figure.Point
	for _, name := range []string{"p50_us", "p75_us", "p90_us", "p95_us", "p98_us", "p99_us"} {
		if s, ok := r.Of(scenario, name); ok {
			all = append(all, figure.Point{X: -math.Log10(1 - percentiles()[name]), Y: s.Median})
		}
	}
	return all
}
