package gateway

import (
	"fmt"
	"slices"

	"github.com/busuhq/busu/internal/routing"
)

// strategyBaseline is the strategy of requests of the hold-out, and of those
// that a guard keeps from being routed.
const strategyBaseline = "baseline"

// baselineFirst plans the baseline model for every request of the hold-out,
// and of a project whose guard has tripped, with what the strategy says of the
// others: they are its fallbacks. Where the baseline cannot answer, the
// strategy's plan stands: whoever is in the hold-out counts for it.
type baselineFirst struct {
	routing.Strategy
	baseline string
	because  reason
}

// reason is why the baseline comes first, where it can answer and where not.
type reason struct{ can, cannot string }

var (
	inHoldout = reason{
		"The user is in the hold-out, which %s answers: what the others save is measured against it.",
		"The user is in the hold-out, but %s cannot answer this request. %s"}
	underGuard = reason{
		"The guard has tripped, since routed answers were shown to be worse: %s answers until it is armed again.",
		"The guard has tripped, but %s cannot answer this request. %s"}
)

// Name is "baseline".
func (baselineFirst) Name() string { return strategyBaseline }

// Plan implements routing.Strategy.
func (s baselineFirst) Plan(r routing.Request, candidates []routing.Candidate) (routing.Plan, error) {
	p, err := s.Strategy.Plan(r, candidates)
	if err != nil {
		return p, err
	}
	p.Strategy, p.Confidence = s.Name(), routing.ConfidenceHigh
	if putFirst(&p, s.baseline) {
		p.Stated = fmt.Sprintf(s.because.can, s.baseline)
	} else {
		p.Stated = fmt.Sprintf(s.because.cannot, s.baseline, p.Reason())
	}
	fix(&p)
	return p, nil
}

// fixedFirst plans a model for every request of an experiment's arm, with what
// the strategy says of the others: they are its fallbacks. Where the model
// cannot answer, the strategy's plan stands: whoever is in the arm counts for it.
type fixedFirst struct {
	routing.Strategy
	model string
}

// Name is that of requests that name their model.
func (fixedFirst) Name() string { return strategyExplicit }

// Plan implements routing.Strategy.
func (s fixedFirst) Plan(r routing.Request, candidates []routing.Candidate) (routing.Plan, error) {
	p, err := s.Strategy.Plan(r, candidates)
	if err != nil {
		return p, err
	}
	p.Strategy, p.Confidence = s.Name(), routing.ConfidenceHigh
	if putFirst(&p, s.model) {
		p.Stated = fmt.Sprintf("The user's arm of the experiment is answered by %s.", s.model)
	} else {
		p.Stated = fmt.Sprintf("The user's arm of the experiment is to be answered by %s, which cannot answer this request. %s", s.model, p.Reason())
	}
	fix(&p)
	return p, nil
}

// putFirst brings a model before the others, and reports whether it is there.
func putFirst(p *routing.Plan, model string) bool {
	at := slices.IndexFunc(p.Choices, func(c routing.Choice) bool { return c.Model.ID == model })
	if at < 0 {
		return false
	}
	first := p.Choices[at]
	copy(p.Choices[1:at+1], p.Choices[:at])
	p.Choices[0] = first
	return true
}

// fix says of a plan that nothing was left to chance, and nothing is learned.
func fix(p *routing.Plan) {
	p.Learns, p.Snapshot = false, 0
	for i := range p.Choices {
		p.Choices[i].Probability, p.Choices[i].Prior = 0, 0
	}
}
