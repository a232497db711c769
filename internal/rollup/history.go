package rollup

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/busuhq/busu/internal/pricing"
)

// Piece is what is stored of one name in one step, or in a part of it: its sums,
// and its sketches, packed. The cell's own sketches are not used.
type Piece struct {
	Start                   int64 // of the step, in Unix seconds
	Dim                     Dim
	Cell                    Cell
	Latency, TTFT, Overhead []byte
}

// Point is one step of a history. Steps without requests are there, with
// zeros.
type Point struct {
	At              time.Time     `json:"at"` // the step's beginning
	Requests        int64         `json:"requests"`
	Errors          int64         `json:"errors"`
	TokensIn        int64         `json:"tokens_in"`
	TokensOut       int64         `json:"tokens_out"`
	CostUSD         pricing.Nanos `json:"cost_usd"`
	BaselineCostUSD pricing.Nanos `json:"baseline_cost_usd"`
	SavingsUSD      pricing.Nanos `json:"savings_usd"`
	LatencyMS       Quantiles     `json:"latency_ms"`
}

// TotalPoint is one step of all requests together.
type TotalPoint struct {
	Point
	TTFTMS     Quantiles `json:"ttft_ms"`
	OverheadMS Quantiles `json:"overhead_ms"`
}

// Series is the history of one name, or of all that have no series of their
// own.
type Series struct {
	Name  string `json:"name"`
	Other bool   `json:"other"` // the name is none: the rest
	Names int    `json:"names"` // that are in it
	Share
	Points []Point `json:"points"`
}

// History is how a project's requests went, step by step.
type History struct {
	Window string    `json:"window"`
	Step   string    `json:"step"`
	From   time.Time `json:"from"`
	To     time.Time `json:"to"` // the end of the newest step, which is still being filled
	Sums
	LatencyMS  Quantiles    `json:"latency_ms"`
	TTFTMS     Quantiles    `json:"ttft_ms"`
	OverheadMS Quantiles    `json:"overhead_ms"`
	Points     []TotalPoint `json:"points"`
	By         *string      `json:"by"`     // null: all requests together
	Series     []Series     `json:"series"` // those with the most requests first, then the rest; null without By
	Source     string       `json:"source"`
	AsOf       time.Time    `json:"as_of"`
	Stale      bool         `json:"stale"`
}

// NewHistory makes a history of the pieces that are stored of the span's kind,
// of all requests and of those without a price. There may be several pieces of
// a name in a step.
func NewHistory(s Span, pieces []Piece, source string, now time.Time) (History, error) {
	h := History{Window: LengthText(s.Length), Step: LengthText(s.Step), From: s.From(now), To: s.To(now),
		Source: source, AsOf: now.UTC()}
	g := graph{from: h.From.Unix(), step: int64(s.Step / time.Second), points: s.Points()}
	whole := g.line()
	byName := map[string]*line{}
	cells := Cells{}
	for i := range pieces {
		p := &pieces[i]
		if !g.has(p.Start) {
			continue
		}
		switch p.Dim.Kind {
		case KindAll:
			whole.add(p)
		case s.By:
			if p.Dim.Name == "" { // all of them
				continue
			}
			l := byName[p.Dim.Name]
			if l == nil {
				l = g.line()
				byName[p.Dim.Name] = l
			}
			l.add(p)
		}
		if p.Dim.Name == "" { // all, and those without a price
			cells.Add(p.Dim, p.Cell)
		}
	}
	h.Sums = NewSums(cells)
	if err := h.fill(whole); err != nil {
		return History{}, fmt.Errorf("make history: %w", err)
	}
	if s.By == "" {
		return h, nil
	}
	h.By = &s.By
	var err error
	if h.Series, err = g.series(byName, s.Top); err != nil {
		return History{}, fmt.Errorf("make history by %s: %w", s.By, err)
	}
	return h, nil
}

// fill makes the points of all requests.
func (h *History) fill(whole *line) error {
	var latency, ttft, overhead [2]Pile // of a step, of all
	h.Points = make([]TotalPoint, len(whole.steps))
	for i, pieces := range whole.steps {
		p := &h.Points[i]
		p.Point = whole.point(i)
		for _, of := range []struct {
			piles  *[2]Pile
			packed func(*Piece) []byte
			to     *Quantiles
		}{{&latency, latencyOf, &p.LatencyMS}, {&ttft, ttftOf, &p.TTFTMS}, {&overhead, overheadOf, &p.OverheadMS}} {
			if err := of.piles[0].addAll(pieces, of.packed); err != nil {
				return err
			}
			*of.to = of.piles[0].Quantiles()
			of.piles[1].Add(&of.piles[0])
			of.piles[0].Reset()
		}
	}
	h.LatencyMS, h.TTFTMS, h.OverheadMS = latency[1].Quantiles(), ttft[1].Quantiles(), overhead[1].Quantiles()
	return nil
}

func latencyOf(p *Piece) []byte  { return p.Latency }
func ttftOf(p *Piece) []byte     { return p.TTFT }
func overheadOf(p *Piece) []byte { return p.Overhead }

func (p *Pile) addAll(pieces []*Piece, packed func(*Piece) []byte) error {
	for _, piece := range pieces {
		if err := p.AddPacked(packed(piece)); err != nil {
			return err
		}
	}
	return nil
}

// graph is where lines are drawn.
type graph struct {
	from, step int64 // in Unix seconds
	points     int
}

// line is what is known of one name, or several.
type line struct {
	graph
	requests int64
	steps    [][]*Piece
}

func (g graph) line() *line { return &line{graph: g, steps: make([][]*Piece, g.points)} }

// has reports whether a time lies in the span.
func (g graph) has(second int64) bool {
	return second >= g.from && second < g.from+int64(g.points)*g.step
}

// add keeps a piece that lies in the span.
func (l *line) add(p *Piece) {
	i := (p.Start - l.from) / l.step
	l.steps[i] = append(l.steps[i], p)
	l.requests += p.Cell.Requests
}

func (l *line) addLine(other *line) {
	for i, pieces := range other.steps {
		l.steps[i] = append(l.steps[i], pieces...)
	}
	l.requests += other.requests
}

// point is a step but for its quantiles.
func (l *line) point(i int) Point {
	p := Point{At: time.Unix(l.from+int64(i)*l.step, 0).UTC()}
	for _, piece := range l.steps[i] {
		c := &piece.Cell
		p.Requests += c.Requests
		p.Errors += c.Errors
		p.TokensIn += c.TokensIn
		p.TokensOut += c.TokensOut
		p.CostUSD += pricing.Nanos(c.CostNanos)
		p.BaselineCostUSD += pricing.Nanos(c.BaselineNanos)
	}
	p.SavingsUSD = p.BaselineCostUSD - p.CostUSD
	return p
}

// series draws the lines with the most requests, and one of the rest.
func (g graph) series(byName map[string]*line, top int) ([]Series, error) {
	names := make([]string, 0, len(byName))
	for name, l := range byName {
		if l.requests > 0 {
			names = append(names, name)
		}
	}
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(cmp.Compare(byName[b].requests, byName[a].requests), cmp.Compare(a, b))
	})
	all := make([]Series, 0, top+1)
	for _, name := range names[:min(top, len(names))] {
		s, err := byName[name].series()
		if err != nil {
			return nil, err
		}
		s.Name, s.Names = name, 1
		all = append(all, s)
	}
	if len(names) <= top {
		return all, nil
	}
	rest := g.line()
	for _, name := range names[top:] {
		rest.addLine(byName[name])
	}
	s, err := rest.series()
	if err != nil {
		return nil, err
	}
	s.Name, s.Other, s.Names = "other", true, len(names)-top
	return append(all, s), nil
}

func (l *line) series() (Series, error) {
	var s Series
	var step, all Pile
	s.Points = make([]Point, len(l.steps))
	for i, pieces := range l.steps {
		p := l.point(i)
		if err := step.addAll(pieces, latencyOf); err != nil {
			return s, err
		}
		p.LatencyMS = step.Quantiles()
		all.Add(&step)
		step.Reset()
		s.Points[i] = p
		s.Requests += p.Requests
		s.Errors += p.Errors
		s.CostUSD += p.CostUSD
		s.SavingsUSD += p.SavingsUSD
	}
	s.LatencyMS = all.Quantiles()
	return s, nil
}
