package learning

import "math"

// head is a linear function of a Vector that is learned by a Kalman filter
// with a diagonal covariance: weights, and how unsure each still is. It is
// made with its first update; nil predicts 0 with the variances assumed.
type head struct {
	cells []cell // dimensions of them
	seen  uint64 // updates
}

// cell is one weight and the variance of what is believed of it.
type cell struct{ weight, variance float32 }

// spread is the variance of weights before anything is learned.
type spread struct{ words, counters, bias float32 }

func (s spread) at(i uint16) float32 {
	switch {
	case i < countersAt:
		return s.words
	case i < biasAt:
		return s.counters
	default:
		return s.bias
	}
}

func newHead(s spread) *head {
	h := &head{cells: make([]cell, dimensions)}
	for i := range h.cells {
		h.cells[i].variance = s.at(uint16(i))
	}
	return h
}

// belief is what a head predicts for a vector, and how unsure it is.
type belief struct{ mean, variance float64 }

func (h *head) read(v *Vector, s spread) (b belief) {
	if h == nil {
		return belief{variance: s.read(v)}
	}
	for i := range v.n {
		c, x := h.cells[v.index[i]], float64(v.value[i])
		b.mean += float64(c.weight) * x
		b.variance += float64(c.variance) * x * x
	}
	return b
}

// read is the variance before anything is learned.
func (s spread) read(v *Vector) (variance float64) {
	for i := range v.n {
		x := float64(v.value[i])
		variance += float64(s.at(v.index[i])) * x * x
	}
	return variance
}

// weightLimit bounds a weight: qualities lie in 0 … 1, so nothing beyond it
// means anything.
const weightLimit = 10

// update moves the weights by their share of the surprise, and makes them
// surer: K_f = P_f·x_f / total; w_f += K_f·surprise; P_f −= K_f·x_f·P_f. total
// is the variance of the surprise, noise included.
func (h *head) update(v *Vector, surprise, total float64) {
	h.seen++
	for i := range v.n {
		c, x := &h.cells[v.index[i]], float64(v.value[i])
		gain := float64(c.variance) * x / total
		c.weight = float32(max(-weightLimit, min(weightLimit, float64(c.weight)+gain*surprise)))
		c.variance = float32(float64(c.variance) * max(0, 1-gain*x))
	}
}

// age makes a head forget how sure it was, so that it follows what has
// changed: variances grow by a share of what they were at the start, up to it.
func (h *head) age(s spread, share float32) {
	if h == nil {
		return
	}
	for i := range h.cells {
		start := s.at(uint16(i))
		h.cells[i].variance = min(start, h.cells[i].variance+share*start)
	}
}

func (h *head) clone() *head {
	if h == nil {
		return nil
	}
	return &head{cells: append([]cell(nil), h.cells...), seen: h.seen}
}

// evidence is how many verdicts on this very prompt would have made a belief
// as sure as it is: noise·(1/variance − 1/variance at the start). It is a low
// estimate, as the filter does not know what weights have in common.
func evidence(b belief, start, noise float64) float64 {
	if b.variance <= 0 || start <= 0 {
		return 0
	}
	return max(0, noise*(1/b.variance-1/start))
}

// finite reports whether a number can be reckoned with.
func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }
