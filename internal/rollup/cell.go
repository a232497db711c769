// Package rollup turns facts into numbers that can be added: cells of integer
// counters and sketches, per time slot and per name of a dimension, and
// windows that slide over them. All is integer, so that whoever folds the same
// facts in whatever order gets the same cells, and what leaves a window can be
// subtracted exactly.
package rollup

import (
	"slices"
	"time"

	"github.com/busuhq/busu/internal/event"
)

// Dim is what a cell counts: one name of one kind.
type Dim struct {
	Kind string
	Name string
}

// Kinds of dimensions.
const (
	KindAll        = "all" // every request; the name is empty
	KindStrategy   = "strategy"
	KindModel      = "model"
	KindProvider   = "provider"
	KindConfidence = "confidence"
	KindCache      = "cache"
	KindError      = "error"
	KindFallback   = "fallback" // requests that another model served, by one that failed; under the empty name, all of them
	KindArm        = "arm"      // of an experiment: its id, a slash, the arm
	KindUnpriced   = "unpriced" // requests of models whose price nobody knows; the name is empty
	KindKey        = "key"      // in what is stored only, without sketches: budgets go by it
)

var all = Dim{Kind: KindAll}

// dims are the dimensions that a fact counts in.
func dims(c *event.CompletionRecorded, into []Dim) []Dim {
	into = append(into, all,
		Dim{KindStrategy, c.Strategy}, Dim{KindCache, c.Cache})
	for _, d := range []Dim{{KindModel, c.Model}, {KindProvider, c.Provider},
		{KindConfidence, c.Confidence}, {KindError, c.ErrorKind}} {
		if d.Name != "" {
			into = append(into, d)
		}
	}
	if c.Unpriced {
		into = append(into, Dim{Kind: KindUnpriced})
	}
	if len(c.Fallbacks) > 0 {
		into = append(into, Dim{Kind: KindFallback})
	}
	for i, model := range c.Fallbacks {
		if model != "" && !slices.Contains(c.Fallbacks[:i], model) {
			into = append(into, Dim{KindFallback, model})
		}
	}
	for i, arm := range c.Experiments {
		if !slices.Contains(c.Experiments[:i], arm) {
			into = append(into, Dim{KindArm, arm.Experiment + "/" + arm.Arm})
		}
	}
	return into
}

// Cell is what is known of the requests in one slot and dimension. Money is in
// nano-dollars. Durations count answered requests only: a failure is no
// latency, and nobody waits for a call in the background. TTFT and overhead are kept for all requests together.
type Cell struct {
	Requests      int64  `json:"n"`
	Errors        int64  `json:"e,omitempty"`
	CostNanos     int64  `json:"c,omitempty"`
	BaselineNanos int64  `json:"b,omitempty"`
	TokensIn      int64  `json:"i,omitempty"`
	TokensOut     int64  `json:"o,omitempty"`
	Latency       Sketch `json:"l,omitempty"`
	TTFT          Sketch `json:"t,omitempty"`
	Overhead      Sketch `json:"h,omitempty"`
}

// count counts one fact. Only the cell of all requests keeps every sketch.
func (c *Cell) count(f *event.CompletionRecorded, everySketch bool) {
	c.Requests++
	c.CostNanos += f.CostNanos
	c.BaselineNanos += f.BaselineCostNanos
	c.TokensIn += f.TokensIn
	c.TokensOut += f.TokensOut
	if f.Failed() {
		c.Errors++
		return
	}
	if f.Background() {
		return
	}
	c.Latency.Count(Bin(f.LatencyUS), 1)
	if everySketch {
		c.TTFT.Count(Bin(f.TTFTUS), 1)
		c.Overhead.Count(Bin(f.OverheadUS), 1)
	}
}

// Add adds other to c.
func (c *Cell) Add(other Cell) { c.add(other, 1) }

func (c *Cell) add(other Cell, times int64) {
	c.Requests += times * other.Requests
	c.Errors += times * other.Errors
	c.CostNanos += times * other.CostNanos
	c.BaselineNanos += times * other.BaselineNanos
	c.TokensIn += times * other.TokensIn
	c.TokensOut += times * other.TokensOut
	c.Latency.add(other.Latency, times)
	c.TTFT.add(other.TTFT, times)
	c.Overhead.add(other.Overhead, times)
}

// Cells are cells by dimension.
type Cells map[Dim]*Cell

func (cs Cells) add(d Dim, c Cell, times int64) {
	cell := cs[d]
	if cell == nil {
		cell = new(Cell)
		cs[d] = cell
	}
	if cell.add(c, times); cell.Requests == 0 {
		delete(cs, d)
	}
}

// Add adds a cell to that of its dimension.
func (cs Cells) Add(d Dim, c Cell) { cs.add(d, c, 1) }

// Slot is where facts are summed up: a dimension of a project in a stretch of
// time.
type Slot struct {
	Project string
	Start   int64 // in Unix seconds
	Dim     Dim
}

// Sum counts facts in slots of a resolution, which is whole seconds. Summing
// up a batch first and then adding the few sums wherever they count is what
// makes folding cheap.
func Sum(facts []*event.CompletionRecorded, resolution time.Duration) map[Slot]*Cell {
	step := int64(resolution / time.Second)
	sums := map[Slot]*Cell{}
	var ds []Dim
	for _, f := range facts {
		start := f.At.Unix() / step * step
		ds = dims(f, ds[:0])
		for _, d := range ds {
			cellOf(sums, Slot{f.Project, start, d}).count(f, d.Kind == KindAll)
		}
	}
	return sums
}

// SumKeys counts facts by the keys that they were sent with, if any. What was
// called in the background is not: no key's holder has asked for it.
func SumKeys(facts []*event.CompletionRecorded, resolution time.Duration) map[Slot]*Cell {
	step := int64(resolution / time.Second)
	sums := map[Slot]*Cell{}
	for _, f := range facts {
		if f.KeyID == "" || f.Background() {
			continue
		}
		c := cellOf(sums, Slot{f.Project, f.At.Unix() / step * step, Dim{KindKey, f.KeyID}})
		c.count(f, false)
		c.Latency = nil
	}
	return sums
}

func cellOf(sums map[Slot]*Cell, s Slot) *Cell {
	c := sums[s]
	if c == nil {
		c = new(Cell)
		sums[s] = c
	}
	return c
}
