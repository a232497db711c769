package routing

import "slices"

// Second draws another model of a plan that learns to be asked beside the
// planned one: each of the others as likely, by chance, uniform in 0 … 1. The
// result is a plan of its own with that model first, of the choices as they
// were, whose probabilities are those with which a decision with a second model
// has each of them for that. It is false where there is no other to draw.
//
// The probability that m of k models is the second one is that of m not being
// planned, and then being the one of k − 1:
//
//	q(m) = Σ over a ≠ m of p(a) / (k − 1) = (1 − p(m)) / (k − 1)
//
// Given that there is a second model, and not the probability that m is seen at
// all, p(m) + share·q(m): whoever learns takes each verdict for a decision of
// its own, and adds up what all models' power is over verdicts. Where a share s
// of decisions has a second one, these bring s times the gain and s times the
// power of the first ones, at 1/q(m) for each. At 1/(s·q(m)) they would bring
// all of the gain again for s of the power, and the gate would open on what is
// not there; with what is seen at all, both verdicts together would bring the
// gain once for (1 + s) of the power. With two models, q is the probability of
// the planned one: the two verdicts of a decision weigh the same, and what both
// owe to the prompt cancels out.
//
// A model without a price is not drawn: nobody could say what it costs. Where a
// plan has one, the probabilities are 0: it is no draw among all of them.
func Second(p Plan, chance float64) (Plan, bool) {
	others, exact := 0, true
	for i, c := range p.Choices {
		switch {
		case c.Price.Unknown:
			exact = false
		case i > 0:
			others++
		}
	}
	if !p.Learns || others == 0 {
		return Plan{}, false
	}
	nth := min(int(chance*float64(others)), others-1)
	drawn := slices.IndexFunc(p.Choices, func(c Choice) bool {
		if c.Model.ID == p.Choices[0].Model.ID || c.Price.Unknown {
			return false
		}
		nth--
		return nth < 0
	})
	p.Choices = slices.Clone(p.Choices)
	for i := range p.Choices {
		c := &p.Choices[i]
		c.Probability = (1 - c.Probability) / float64(len(p.Choices)-1)
		if !exact {
			c.Probability = 0
		}
	}
	second := p.Choices[drawn]
	copy(p.Choices[1:drawn+1], p.Choices[:drawn])
	p.Choices[0] = second
	return p, true
}
