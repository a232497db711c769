package gateway

import (
	"cmp"
	"math"
	"slices"
	"sync"

	"github.com/google/uuid"

	"github.com/busuhq/busu/internal/experiment"
	"github.com/busuhq/busu/internal/learning"
	"github.com/busuhq/busu/internal/pricing"
	"github.com/busuhq/busu/internal/routing"
)

// terms are an arm's parameters, as plans are made on them.
type terms struct {
	minQuality float64
	maxCost    pricing.Nanos
	models     []string
	steady     bool
	price      *ownPrice // nil: that of the project
}

// newTrial is an experiment with its assigner, and with the terms that its arms
// had already: prices go on.
func (t *Trials) newTrial(s experiment.Status) *trial {
	tr := &trial{Status: s, assigner: experiment.NewAssigner(&s.Experiment)}
	if had := t.had(s.ID); had != nil {
		tr.terms = had.terms
		return tr
	}
	for _, a := range s.Arms {
		tr.terms = append(tr.terms, termsOf(a))
	}
	return tr
}

func termsOf(a experiment.Arm) *terms {
	if len(a.Parameters) == 0 {
		return nil
	}
	p := a.Read()
	t := &terms{minQuality: p.MinQuality, maxCost: pricing.Nanos(math.Round(p.MaxCostUSD * 1e9)), models: p.Models, steady: p.Steady}
	if goal := (learning.Goal{Quality: p.QualityTarget, StrongShare: p.StrongShare}); goal != (learning.Goal{}) {
		t.price = &ownPrice{goal: goal}
	}
	return t
}

// plan makes a plan on the terms. What cannot be served on them is served
// without: no request fails for its arm, in which it counts.
func (t *terms) plan(s routing.Strategy, ask routing.Request, candidates []routing.Candidate, r *Request, baseline string) (routing.Plan, error) {
	if t == nil {
		return s.Plan(ask, candidates)
	}
	on := ask
	on.MinQuality, on.Steady = max(ask.MinQuality, t.minQuality), t.steady
	if t.maxCost > 0 {
		on.MaxCost = min(cmp.Or(ask.MaxCost, t.maxCost), t.maxCost)
	}
	if t.price != nil {
		on.Lambda, on.Priced = t.price.now(s)
	}
	p, err := s.Plan(on, t.allowed(candidates))
	if err != nil {
		return s.Plan(ask, candidates)
	}
	if t.price != nil && r.ID != uuid.Nil {
		if d, ok := routing.Decided(p, baseline); ok {
			d.At = r.at()
			t.price.observe(d)
		}
	}
	return p, nil
}

// allowed leaves out the models that the arm does not ask, unless that is all of
// them.
func (t *terms) allowed(candidates []routing.Candidate) []routing.Candidate {
	if len(t.models) == 0 {
		return candidates
	}
	kept := slices.DeleteFunc(slices.Clone(candidates), func(c routing.Candidate) bool { return !slices.Contains(t.models, c.Model.ID) })
	if len(kept) == 0 {
		return candidates
	}
	return kept
}

// ownPrice is the price of quality in an arm that has a goal of its own. It
// begins with the project's, and is steered here by what is decided here.
type ownPrice struct {
	goal learning.Goal

	mu         sync.Mutex
	begun      bool
	controller learning.Controller
}

// priced is a strategy that goes by a price.
type priced interface{ Lambda() float64 }

// now is the price; ok is false for a strategy that goes by none.
func (p *ownPrice) now(s routing.Strategy) (lambda float64, ok bool) {
	own, ok := s.(priced)
	if !ok {
		return 0, false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.begun {
		p.begun, p.controller.Lambda = true, own.Lambda()
	}
	return p.controller.Lambda, true
}

func (p *ownPrice) observe(d learning.Decided) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.controller.Observe(p.goal, d)
}
