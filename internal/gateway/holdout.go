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
	p.Strategy, p.Confidence, p.Learns, p.Snapshot = s.Name(), routing.ConfidenceHigh, false, 0
	at := slices.IndexFunc(p.Choices, func(c routing.Choice) bool { return c.Model.ID == s.baseline })
	if at < 0 {
		p.Stated = fmt.Sprintf(s.because.cannot, s.baseline, p.Reason())
	} else {
		p.Stated = fmt.Sprintf(s.because.can, s.baseline)
		first := p.Choices[at]
		copy(p.Choices[1:at+1], p.Choices[:at])
		p.Choices[0] = first
	}
	for i := range p.Choices { // nothing was left to chance
		p.Choices[i].Probability, p.Choices[i].Prior = 0, 0
	}
	return p, nil
}
