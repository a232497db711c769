package gateway

import (
	"fmt"
	"slices"

	"github.com/busuhq/busu/internal/routing"
)

// strategyBaseline is the strategy of requests of the hold-out.
const strategyBaseline = "baseline"

// baselineFirst plans the baseline model for every request of the hold-out,
// with what the strategy says of the others: they are its fallbacks. Where the
// baseline cannot answer, the strategy's plan stands: whoever is in the
// hold-out counts for it.
type baselineFirst struct {
	routing.Strategy
	baseline string
}

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
		p.Stated = fmt.Sprintf("The user is in the hold-out, but %s cannot answer this request. %s", s.baseline, p.Reason())
	} else {
		p.Stated = fmt.Sprintf("The user is in the hold-out, which %s answers: what the others save is measured against it.", s.baseline)
		first := p.Choices[at]
		copy(p.Choices[1:at+1], p.Choices[:at])
		p.Choices[0] = first
	}
	for i := range p.Choices { // nothing was left to chance
		p.Choices[i].Probability, p.Choices[i].Prior = 0, 0
	}
	return p, nil
}
