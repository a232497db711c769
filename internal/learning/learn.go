package learning

import (
	"errors"
	"fmt"
)

// Verdict is feedback on an answer, joined to the decision as it was made.
type Verdict struct {
	Vector     *Vector
	Model      string   // that answered
	Quality    float64  // of its answer, 0 … 1
	Prior      float64  // what the prior expected of that model, 0 … 1
	Candidates []string // the decision was among
	// Propensity is the probability with which the decision chose Model. 0: it
	// did not, as where a fallback answered. Then heads learn, and the gate does
	// not.
	Propensity float64

	// Where Model was chosen: what was predicted of it then, 0 … 1, and what it
	// is measured against. "": the verdict says nothing of predictions.
	Predicted float64
	Baseline  string
}

// ErrVerdict says that a verdict is out of range. It changed nothing.
var ErrVerdict = errors.New("verdict out of range")

// ErrTooManyModels says that MaxModels others have been learned of already.
var ErrTooManyModels = errors.New("too many models have verdicts")

func (v *Verdict) check() error {
	for _, f := range []struct {
		name  string
		value float64
	}{{"quality", v.Quality}, {"prior", v.Prior}, {"propensity", v.Propensity}, {"prediction", v.Predicted}} {
		if !(f.value >= 0 && f.value <= 1) {
			return fmt.Errorf("%w: %s is %v, which is not in 0 … 1", ErrVerdict, f.name, f.value)
		}
	}
	if v.Model == "" || len(v.Model) > maxName {
		return fmt.Errorf("%w: the model's name has %d bytes, which is not in 1 … %d", ErrVerdict, len(v.Model), maxName)
	}
	for i := range v.Vector.n {
		if x := v.Vector.value[i]; !(x >= -1 && x <= 1) || int(v.Vector.index[i]) >= dimensions {
			return fmt.Errorf("%w: its vector is damaged at place %d", ErrVerdict, i)
		}
	}
	return nil
}

const (
	ageEvery = 1000  // verdicts
	ageShare = 0.002 // of the variance at the start that each ageing gives back
)

// Learn applies one verdict. The same verdicts in the same order give the
// same model, bit by bit, on one architecture. A verdict that is refused
// changes nothing.
func (m *Model) Learn(v Verdict) error {
	if err := v.check(); err != nil {
		return err
	}
	h := m.heads[v.Model]
	if h == nil && len(m.heads) == MaxModels {
		return fmt.Errorf("%w: %d, and %q is another", ErrTooManyModels, MaxModels, v.Model)
	}
	if h == nil {
		h = newHead(m.assumed.own)
		m.heads[v.Model] = h
	}
	if m.shared == nil {
		m.shared = newHead(m.assumed.shared)
	}
	if v.Baseline != "" {
		m.off.observe(v.Quality-v.Predicted, v.Propensity, v.Model == v.Baseline)
	}
	m.judge(&v)
	m.fold(&v, h)
	m.applied++
	if m.applied%ageEvery == 0 {
		m.shared.age(m.assumed.shared, ageShare)
		for _, h := range m.heads {
			h.age(m.assumed.own, ageShare)
		}
	}
	return nil
}

// judge lets the gate see what would have been predicted, before the verdict
// is learned from.
func (m *Model) judge(v *Verdict) {
	if v.Propensity == 0 || len(v.Candidates) < 2 {
		return
	}
	r := m.Read(v.Vector)
	mean, squares, chosen := 0.0, 0.0, 0.0
	for _, id := range v.Candidates {
		d := r.own(id).mean
		mean += d / float64(len(v.Candidates))
		squares += d * d
		if id == v.Model {
			chosen = d
		}
	}
	power := squares - float64(len(v.Candidates))*mean*mean
	surprise := v.Quality - v.Prior - r.level - r.below*r.inherited(v.Model) - mean
	m.gate.observe(chosen-mean, surprise, power, v.Propensity)
}

// fold divides the surprise between what all models share and the model's own
// part, by how unsure each is.
func (m *Model) fold(v *Verdict, h *head) {
	r := m.Read(v.Vector)
	shared, own := m.shared.read(v.Vector, m.assumed.shared), h.read(v.Vector, m.assumed.own)
	surprise := v.Quality - v.Prior - r.level - r.below*r.inherited(v.Model) - own.mean
	total := shared.variance + own.variance + m.noise(v)
	m.shared.update(v.Vector, surprise, total)
	h.update(v.Vector, surprise, total)
}

// noise is the variance of a verdict around what is true. Verdicts on choices
// that were unlikely are taken for surer, those on likely ones for less sure,
// so that heads see prompts as though a coin had chosen. Else, where the large
// model gets the hard prompts, the head that all share takes the model's doing
// for the prompts', and the differences between models come out too small.
func (m *Model) noise(v *Verdict) float64 {
	if v.Propensity == 0 {
		return m.assumed.noise
	}
	return m.assumed.noise * max(leastNoise, min(mostNoise, v.Propensity*float64(len(v.Candidates))))
}

// Bounds of how much the propensity may change a verdict's noise.
const (
	leastNoise = 0.05
	mostNoise  = 2
)
