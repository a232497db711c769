package learning

import (
	"fmt"
	"maps"
	"math"
	"slices"
)

// A snapshot holds what a Model has learned: the cells that verdicts have
// touched, the gate, the controller. The format's number stands in its first
// line; another hash, scale or set of counters needs another number.
const (
	snapshotMagic   = "busu model 2\n"
	controllerMagic = "busu price 1\n"
	maxName         = 256 // bytes of a model's name
	unbounded       = math.MaxFloat64
)

// Encode gives the model's bytes: the same verdicts in the same order give the
// same bytes, whatever checkpoints lay in between. The base is not part of it.
func (m *Model) Encode() []byte {
	w := writer{b: []byte(snapshotMagic)}
	w.assumptions(m.assumed)
	w.count(m.base.baseApplied())
	w.count(m.applied)
	w.gate(&m.gate)
	w.calibration(&m.off)
	w.controller(&m.Controller)
	w.count(uint64(len(m.heads)))
	for _, id := range slices.Sorted(maps.Keys(m.heads)) {
		w.text(id)
		w.head(m.heads[id], m.assumed.own)
	}
	w.head(m.shared, m.assumed.shared)
	return w.sealed()
}

// Decode reads what Encode wrote, on top of the base that it was learned on.
// Anything else, and any number out of range, is ErrCorrupt.
func Decode(b []byte, base *Model) (*Model, error) {
	r, err := opened(b, snapshotMagic)
	if err != nil {
		return nil, fmt.Errorf("snapshot: %w", err)
	}
	m := New(base, r.assumptions())
	if below := r.count(math.MaxUint64); r.err == nil && below != base.baseApplied() {
		r.failf("it was learned on a base of %d verdicts, not of %d", below, base.baseApplied())
	}
	m.applied = r.count(math.MaxUint64)
	m.gate = r.gate()
	m.off = r.calibration()
	m.Controller = r.controller()
	for range r.count(MaxModels) {
		id := r.text(maxName)
		if _, twice := m.heads[id]; twice || id == "" {
			r.failf("the model's name %q is empty or twice there", id)
		}
		if m.heads[id] = r.head(m.assumed.own); r.err != nil {
			break
		}
	}
	m.shared = r.head(m.assumed.shared)
	if err := r.done(); err != nil {
		return nil, fmt.Errorf("snapshot: %w", err)
	}
	return m, nil
}

// baseApplied tells one base from another: bases learn in one order only.
func (m *Model) baseApplied() uint64 {
	if m == nil {
		return 0
	}
	return m.applied
}

func (w *writer) assumptions(a Assumptions) {
	for _, s := range []spread{a.shared, a.own} {
		w.float(s.words)
		w.float(s.counters)
		w.float(s.bias)
	}
	w.double(a.noise)
}

// maxVariance bounds what may be unknown of a weight.
const maxVariance = 1

func (r *reader) assumptions() (a Assumptions) {
	for _, s := range []*spread{&a.shared, &a.own} {
		s.words, s.counters, s.bias = r.float(0, maxVariance), r.float(0, maxVariance), r.float(0, maxVariance)
	}
	a.noise = r.double(1e-6, maxVariance)
	return a
}

func (w *writer) gate(g *Gate) {
	w.double(g.gain)
	w.double(g.squares)
	w.double(g.power)
}

func (r *reader) gate() Gate {
	return Gate{gain: r.double(-unbounded, unbounded), squares: r.double(0, unbounded), power: r.double(0, unbounded)}
}

func (w *writer) calibration(c *calibration) {
	for _, x := range []float64{c.served.sum, c.served.weight, c.baseline.sum, c.baseline.weight} {
		w.double(x)
	}
}

func (r *reader) calibration() (c calibration) {
	c.served.sum, c.served.weight = r.double(-unbounded, unbounded), r.double(0, unbounded)
	c.baseline.sum, c.baseline.weight = r.double(-unbounded, unbounded), r.double(0, unbounded)
	return c
}

func (w *writer) controller(c *Controller) {
	for _, x := range []float64{c.Lambda, c.scale, c.seen, c.spent, c.since} {
		w.double(x)
	}
	w.count(uint64(c.last))
}

func (r *reader) controller() (c Controller) {
	for _, x := range []*float64{&c.Lambda, &c.scale, &c.seen, &c.spent, &c.since} {
		*x = r.double(0, unbounded)
	}
	c.last = int64(r.count(math.MaxInt64))
	return c
}

// Encode gives the controller's bytes alone: the price moves more often than
// anything is learned.
func (c *Controller) Encode() []byte {
	w := writer{b: []byte(controllerMagic)}
	w.controller(c)
	return w.sealed()
}

// DecodeController reads what Controller.Encode wrote. Anything else is
// ErrCorrupt.
func DecodeController(b []byte) (Controller, error) {
	r, err := opened(b, controllerMagic)
	if err != nil {
		return Controller{}, fmt.Errorf("price: %w", err)
	}
	c := r.controller()
	if err := r.done(); err != nil {
		return Controller{}, fmt.Errorf("price: %w", err)
	}
	return c, nil
}

// At is the model at another price. Both share what was learned, which must
// not change any more.
func (m *Model) At(c Controller) *Model {
	priced := *m
	priced.Controller = c
	return &priced
}

// head writes the cells that differ from how they started.
func (w *writer) head(h *head, s spread) {
	if h == nil {
		w.count(0)
		return
	}
	w.count(h.seen)
	touched := 0
	for i, c := range h.cells {
		if c != s.fresh(i) {
			touched++
		}
	}
	w.count(uint64(touched))
	last := -1
	for i, c := range h.cells {
		if c == s.fresh(i) {
			continue
		}
		w.count(uint64(i - last))
		w.float(c.weight)
		w.float(c.variance)
		last = i
	}
}

func (s spread) fresh(i int) cell { return cell{variance: s.at(uint16(i))} }

func (r *reader) head(s spread) *head {
	seen := r.count(math.MaxUint64)
	if seen == 0 {
		return nil
	}
	h := newHead(s)
	h.seen = seen
	at := -1
	for range r.count(dimensions) {
		if at = r.next(at, dimensions); r.err != nil {
			return nil
		}
		h.cells[at].weight = r.float(-weightLimit, weightLimit)
		h.cells[at].variance = r.float(0, maxVariance)
	}
	return h
}
