package history

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/busuhq/busu/bench/measure"
)

// law is y = c·n^exponent, as it fits figures best by the squares of their
// logarithms' distances.
type law struct {
	exponent float64
	doubt    float64 // standard error of the exponent; infinite with fewer than three figures
	log      float64 // of c
}

// fit gives false where there is no law: fewer than two figures, or one that is
// not above 0.
func fit(ns, ys []float64) (law, bool) {
	k := float64(len(ns))
	if len(ns) < 2 || len(ns) != len(ys) {
		return law{}, false
	}
	var x, y float64 // means
	for i := range ns {
		if ns[i] <= 0 || ys[i] <= 0 {
			return law{}, false
		}
		x, y = x+math.Log(ns[i])/k, y+math.Log(ys[i])/k
	}
	var xx, xy, left float64
	for i := range ns {
		dx := math.Log(ns[i]) - x
		xx, xy = xx+dx*dx, xy+dx*(math.Log(ys[i])-y)
	}
	if xx == 0 {
		return law{}, false
	}
	l := law{exponent: xy / xx, doubt: math.Inf(1)}
	l.log = y - l.exponent*x
	for i := range ns {
		d := math.Log(ys[i]) - l.log - l.exponent*math.Log(ns[i])
		left += d * d
	}
	if len(ns) > 2 {
		l.doubt = math.Sqrt(left / (k - 2) / xx)
	}
	return l, true
}

func (l law) at(n float64) float64 { return math.Exp(l.log + l.exponent*math.Log(n)) }

// mostDoubt is where nothing is said of what was not measured: from 1 to 100
// million it is a factor of three.
const mostDoubt = .25

func (l law) sure() bool { return l.doubt <= mostDoubt }

// ahead is what a figure comes to at a size that was not measured. One that gets
// better with size does so towards an end that no power knows: for it that is a
// bound, the last that was measured.
func (l law) ahead(n, last float64, moreIsBetter bool) string {
	switch {
	case !l.sure():
		return ""
	case moreIsBetter && l.exponent > 0:
		return "≥ " + measure.Number(last)
	case !moreIsBetter && l.exponent < 0:
		return "≤ " + measure.Number(last)
	}
	return measure.Number(l.at(n))
}

func (l law) String() string {
	text := "n^" + measure.Number(l.exponent)
	if !math.IsInf(l.doubt, 0) {
		text += " ± " + measure.Number(l.doubt)
	}
	return text
}

// mostMissed is by how much a law may miss what was measured elsewhere, either
// way, to be believed beyond it.
const mostMissed = 3

func (l law) misses(n, measured float64) bool {
	ratio := l.at(n) / measured
	return ratio > mostMissed || ratio < 1./mostMissed
}

// besides are figures of the report of Run, by the first cell of their row.
type besides struct {
	rows  float64
	cells map[string][]string
}

// readBesides reads such a report.
func readBesides(report string) (b besides, err error) {
	b.cells = map[string][]string{}
	for line := range strings.Lines(report) {
		if title, ok := strings.CutPrefix(strings.TrimSpace(line), "# History and the request explorer over "); ok {
			if b.rows, err = plain(strings.TrimSuffix(title, " completions")); err != nil {
				return b, err
			}
		}
		if cells := strings.Split(strings.TrimSpace(line), "|"); len(cells) > 3 {
			for i := range cells {
				cells[i] = strings.Trim(cells[i], " `")
			}
			b.cells[cells[1]] = cells[2 : len(cells)-1]
		}
	}
	if b.rows == 0 {
		return b, fmt.Errorf("it does not say of how many completions it is")
	}
	return b, nil
}

// cell is a number in a row.
func (b besides) cell(row string, column int) (float64, bool) {
	if cells := b.cells[row]; column < len(cells) {
		x, err := plain(cells[column])
		return x, err == nil
	}
	return 0, false
}

func plain(number string) (float64, error) {
	return strconv.ParseFloat(strings.ReplaceAll(number, ",", ""), 64)
}
