package learning

import (
	"maps"
	"math"
)

// Assumptions are what learning starts from. They are part of a snapshot's
// format: weights learned under others mean something else.
type Assumptions struct {
	shared spread  // of what all models have in common
	own    spread  // of one model's deviation from that
	noise  float64 // variance of a verdict around its expectation
}

// Assumed are the assumptions in use, chosen by busu eval routing.
func Assumed() Assumptions {
	return Assumptions{
		shared: spread{words: 0.02, counters: 0.02, bias: 0.25},
		own:    spread{words: 0.01, counters: 0.01, bias: 0.05},
		noise:  0.15,
	}
}

// MaxModels bounds the heads of a tenant. Each takes 8 bytes a dimension, some
// 257 KiB, once its model has a verdict, and so does the shared one: 16.6 MiB
// at most.
const MaxModels = 64

// Model is what was learned from a tenant's verdicts. Reading one is safe from
// many goroutines as long as nobody learns with it: publish a Clone.
type Model struct {
	base    *Model // what all tenants together taught; nil: nothing
	assumed Assumptions
	shared  *head
	heads   map[string]*head
	gate    Gate
	off     calibration
	applied uint64 // verdicts, in the order of their ledger

	Controller Controller
}

// New is a model that has learned nothing, on top of what all tenants taught,
// which must not change any more. base may be nil.
func New(base *Model, a Assumptions) *Model {
	return &Model{base: base, assumed: a, heads: map[string]*head{}}
}

// Base is what the model was learned on top of; nil: nothing.
func (m *Model) Base() *Model { return m.base }

// Applied is how many verdicts the model has learned from.
func (m *Model) Applied() uint64 { return m.applied }

// Weight is what the gate gives the learned differences, 0 … 1.
func (m *Model) Weight() float64 { return m.gate.Weight() }

// Clone is a copy that shares nothing but the base.
func (m *Model) Clone() *Model {
	c := *m
	c.shared = m.shared.clone()
	c.heads = maps.Clone(m.heads)
	for id, h := range c.heads {
		c.heads[id] = h.clone()
	}
	return &c
}

// Reading is a model's view of one prompt: what does not depend on the model
// asked about, reckoned once.
type Reading struct {
	model  *Model
	vector *Vector
	level  float64 // how much better than the prior every model will do
	start  float64 // variance of a model's own part before anything was learned
	weight float64 // the gate's
	below  float64 // that of the base
}

// Read looks at a prompt. The vector must hold still while the reading is used.
func (m *Model) Read(v *Vector) Reading {
	r := Reading{
		model: m, vector: v,
		level:  m.shared.read(v, m.assumed.shared).mean,
		start:  m.assumed.own.read(v),
		weight: m.Weight(),
	}
	if m.base != nil {
		r.level += m.base.shared.read(v, m.base.assumed.shared).mean
		r.below = m.base.Weight()
	}
	return r
}

// Ungated is the reading with full weight on what was learned, for a strategy
// that has no prior worth falling back to.
func (r Reading) Ungated() Reading {
	r.weight = 1
	return r
}

// Prediction is what is believed of one model's answer to one prompt.
type Prediction struct {
	Quality   float64 // chance of a good answer, 0.01 … 0.99
	Deviation float64 // standard deviation of the model's own part
	Evidence  float64 // verdicts on this very prompt that would have taught as much
}

// Predict adds to a prior chance what was learned of a model, as far as the
// gate lets it.
func (r *Reading) Predict(id string, prior float64) Prediction {
	own := r.own(id)
	q := prior + r.level + r.below*r.inherited(id) + r.weight*own.mean
	if !finite(q) {
		q = prior
	}
	return Prediction{
		Quality:   max(0.01, min(0.99, q)),
		Deviation: math.Sqrt(max(0, own.variance)),
		Evidence:  evidence(own, r.start, r.model.assumed.noise),
	}
}

// own is a model's learned deviation from what all share.
func (r *Reading) own(id string) belief {
	if h := r.model.heads[id]; h != nil {
		return h.read(r.vector, r.model.assumed.own)
	}
	return belief{variance: r.start}
}

// inherited is what all tenants together taught of a model.
func (r *Reading) inherited(id string) float64 {
	if r.model.base == nil {
		return 0
	}
	return r.model.base.heads[id].read(r.vector, r.model.base.assumed.own).mean
}
