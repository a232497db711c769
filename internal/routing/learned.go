package routing

import (
	"cmp"
	"math"

	"github.com/busuhq/busu/internal/learning"
	"github.com/busuhq/busu/internal/llm"
	"github.com/busuhq/busu/internal/pricing"
)

// Learned is what strategies that learn go by: one published snapshot. Nothing
// of it may change while a strategy uses it.
type Learned struct {
	Prior   *learning.Prior
	Model   *learning.Model
	Explore Exploration
	Number  int64 // of the snapshot; 0 before the first
}

// Learning predicts quality from verdicts alone: before the first one it knows
// a model's tier and nothing of the prompt.
type Learning struct{ Learned }

// Hybrid starts from the complexity score and the shipped prior, and goes by
// verdicts as far as they have proved to predict better.
type Hybrid struct{ Learned }

// Shipped goes by the shipped prior alone, at the price λ: what learning is
// measured against.
type Shipped struct {
	Prior  *learning.Prior
	Lambda float64 // quality per dollar
}

// Name is "learning", the name callers choose it by.
func (Learning) Name() string { return "learning" }

// Name is "hybrid", the name callers choose it by.
func (Hybrid) Name() string { return "hybrid" }

// Name is "prior".
func (Shipped) Name() string { return "prior" }

// Lambda is the price of quality that the strategy goes by, quality per dollar.
func (l Learned) Lambda() float64 { return l.Model.Controller.Lambda }

// halfway is the complexity at which a tier's quality stands for all prompts.
const halfway = 0.5

// Plan implements Strategy.
func (s Learning) Plan(r Request, candidates []Candidate) (Plan, error) {
	choices, err := fits(&r, candidates)
	if err != nil {
		return Plan{}, err
	}
	var v learning.Vector
	s.Prior.Vector(&v, &r.Prompt, r.Words)
	reading := s.Model.Read(&v).Ungated()
	for i := range choices {
		choices[i].Prior = priorQuality(choices[i].Model.Tier, halfway)
	}
	return s.plan(s.Name(), r, choices, reading), nil
}

// Plan implements Strategy.
func (s Hybrid) Plan(r Request, candidates []Candidate) (Plan, error) {
	choices, err := fits(&r, candidates)
	if err != nil {
		return Plan{}, err
	}
	var v learning.Vector
	s.Prior.Vector(&v, &r.Prompt, r.Words)
	expected := s.Prior.Read(&v)
	for i := range choices {
		c := &choices[i] // its quality is that of its tier until now
		c.Prior = rounded((c.Quality + expected.Quality(rankAbility(c.Model.Tier))) / 2)
	}
	return s.plan(s.Name(), r, choices, s.Model.Read(&v)), nil
}

// Plan implements Strategy.
func (s Shipped) Plan(r Request, candidates []Candidate) (Plan, error) {
	choices, err := fits(&r, candidates)
	if err != nil {
		return Plan{}, err
	}
	var v learning.Vector
	s.Prior.Vector(&v, &r.Prompt, r.Words)
	expected := s.Prior.Read(&v)
	for i := range choices {
		choices[i].Prior = rounded(expected.Quality(rankAbility(choices[i].Model.Tier)))
		choices[i].Quality = choices[i].Prior
	}
	rank(choices, s.Lambda, nil)
	choices[0].Probability = 1
	plan := sketch(s.Name(), r, choices)
	plan.Confidence = ConfidenceLow // no answer of these models was ever rated
	return plan, nil
}

// rankAbility is a tier's ability in the words of the shipped prior: 0 for
// small models, 1 for large ones.
func rankAbility(tier llm.Tier) float64 {
	return float64(max(0, tier.Rank())) / float64(len(llm.Tiers())-1)
}

// plan puts the choices in order of q − λ·cost, and one that chance falls on
// first.
func (l Learned) plan(name string, r Request, choices []Choice, reading learning.Reading) Plan {
	for i := range choices {
		p := reading.Predict(choices[i].Model.ID, choices[i].Prior)
		choices[i].Quality, choices[i].Deviation, choices[i].Evidence = rounded(p.Quality), p.Deviation, p.Evidence
	}
	eligible := choices[:goodEnough(choices, r.MinQuality)]
	var buffer [16]float64
	lambda, explore := l.Model.Controller.Lambda, l.Explore
	if r.Priced {
		lambda = r.Lambda
	}
	if r.Steady {
		explore = Exploration{}
	}
	worth := rank(eligible, lambda, buffer[:0])
	explore.propensities(eligible, worth, l.Model.Applied())
	picked := pick(eligible, r.Chance)
	confidence := sureness(eligible, worth, picked)
	first := eligible[picked]
	copy(eligible[1:picked+1], eligible[:picked])
	eligible[0] = first
	plan := sketch(name, r, choices)
	plan.Learns, plan.Snapshot = true, l.Number
	plan.Confidence = confidence
	if picked > 0 {
		plan.basis = onCuriosity
	}
	return plan
}

func sketch(name string, r Request, choices []Choice) Plan {
	return Plan{
		Strategy:   name,
		Complexity: r.Prompt.Complexity,
		Tier:       Tier(r.Prompt.Complexity),
		Choices:    choices,
		prompt:     r.Prompt, basis: onQuality, eligible: len(choices), least: r.MinQuality,
	}
}

// rank sorts the choices by q − λ·cost, best first, the cheaper of equals
// before the dearer, and appends these worths to worth in the same order.
func rank(choices []Choice, lambda float64, worth []float64) []float64 {
	unknown := unknownCost(choices)
	value := func(c *Choice) float64 {
		cost := c.Cost
		if c.Price.Unknown {
			cost = unknown
		}
		return c.Quality - lambda*dollars(cost)
	}
	arrange(choices, func(a, b *Choice) int {
		return cmp.Or(cmp.Compare(value(b), value(a)), compareCosts(a, b))
	})
	for i := range choices {
		worth = append(worth, value(&choices[i]))
	}
	return worth
}

// unknownCost is what a model without a price is taken to cost: more than any
// other. Where no price is known, prices decide nothing.
func unknownCost(choices []Choice) pricing.Nanos {
	var dearest pricing.Nanos
	for _, c := range choices {
		if !c.Price.Unknown {
			dearest = max(dearest, c.Cost)
		}
	}
	if dearest > math.MaxInt64/2 {
		return math.MaxInt64
	}
	return 2 * dearest
}

func dollars(n pricing.Nanos) float64 { return float64(n) / 1e9 }

// Leads of the planned model over the next, in standard deviations of what is
// not known of both, from which on it counts as clear or as fair.
const (
	clearLead = 2
	fairLead  = 0.7
)

// sureness is how clearly the planned model leads. One that is tried out leads
// nothing.
func sureness(choices []Choice, worth []float64, picked int) Confidence {
	switch {
	case picked > 0:
		return ConfidenceLow
	case len(choices) == 1:
		return ConfidenceHigh
	}
	unknown := math.Hypot(choices[0].Deviation, choices[1].Deviation)
	switch lead := worth[0] - worth[1]; {
	case lead >= clearLead*unknown:
		return ConfidenceHigh
	case lead >= fairLead*unknown:
		return ConfidenceMedium
	default:
		return ConfidenceLow
	}
}

// Decided is a plan as the controller of λ sees it, against the baseline
// model. It is false where the plan says nothing of the price: the baseline is
// not in it, or costs no more than the cheapest.
func Decided(p Plan, baseline string) (d learning.Decided, ok bool) {
	strong, cheapest := -1, 0
	for i := range p.Choices {
		c := &p.Choices[i]
		if c.Price.Unknown {
			continue
		}
		if c.Model.ID == baseline {
			strong = i
		}
		if p.Choices[cheapest].Price.Unknown || compareCosts(c, &p.Choices[cheapest]) < 0 {
			cheapest = i
		}
		d.CostUSD += c.Probability * dollars(c.Cost)
		d.Quality += c.Probability * c.Quality
	}
	if strong < 0 || p.Choices[strong].Cost <= p.Choices[cheapest].Cost {
		return learning.Decided{}, false
	}
	s, w := p.Choices[strong], p.Choices[cheapest]
	d.Strong, d.Baseline = s.Probability, s.Quality
	d.Turning = (s.Quality - w.Quality) / dollars(s.Cost-w.Cost)
	return d, true
}
