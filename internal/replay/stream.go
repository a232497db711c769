package replay

import (
	"context"
	"math/rand/v2"

	"github.com/busuhq/busu/internal/learning"
	"github.com/busuhq/busu/internal/routing"
)

// stream is a strategy that learns from one request after the other.
type stream struct {
	o      Options
	field  *field
	model  *learning.Model
	random *rand.Rand
	vector learning.Vector
	online online
}

// online is what the requests got while the strategy learned.
type online struct {
	requests, strong int
	gained, gap      float64 // quality above the weak model's: that chosen, the strong one's
}

func newStream(o Options, f *field, seed uint64) *stream {
	return &stream{o: o, field: f, model: learning.New(nil, learning.Assumed()), random: rand.New(rand.NewPCG(seed, 3))}
}

// strategy is the production strategy over what is known so far.
func (s *stream) strategy(explore routing.Exploration) routing.Strategy {
	known := routing.Learned{Prior: s.o.Shipped, Model: s.model, Explore: explore}
	switch s.o.Strategy {
	case Complexity:
		return routing.Complexity{}
	case Prior:
		return routing.Shipped{Prior: s.o.Shipped}
	case Learning:
		return routing.Learning{Learned: known}
	default:
		return routing.Hybrid{Learned: known}
	}
}

// maxTokens of a replayed request: its price does not depend on it.
const maxTokens = 1000

func (it *item) request(chance float64) routing.Request {
	return routing.Request{Prompt: it.features, Words: it.words, MaxTokens: maxTokens, Chance: chance}
}

// serve decides a request, takes its outcome and learns from the feedback.
func (s *stream) serve(it *item) error {
	plan, err := s.strategy(routing.DefaultExploration()).Plan(it.request(s.random.Float64()), s.field.candidates)
	if err != nil {
		return err
	}
	if d, ok := routing.Decided(plan, s.field.names[s.field.strong]); ok {
		s.model.Controller.Observe(learning.Goal{StrongShare: s.o.StrongShare}, d)
	}
	chosen, propensity := s.chosen(plan)
	s.online.count(s.field, it, chosen)
	s.o.Shipped.Vector(&s.vector, &it.features, it.words)
	if s.o.Shadow > 0 && s.random.Float64() < s.o.Shadow {
		return s.pair(it, plan, chosen, propensity)
	}
	if s.random.Float64() >= s.o.Rate {
		return nil
	}
	if s.o.Feedback == Bandit {
		return s.learn(it, plan, chosen, propensity)
	}
	for m := range s.field.names {
		if err := s.learn(it, plan, m, 1/float64(len(s.field.names))); err != nil {
			return err
		}
	}
	return nil
}

// pair learns from the chosen model's answer and a second one's.
func (s *stream) pair(it *item, plan routing.Plan, chosen int, propensity float64) error {
	if err := s.learn(it, plan, chosen, propensity); err != nil {
		return err
	}
	second, ok := routing.Second(plan, s.random.Float64())
	if !ok {
		return nil
	}
	return s.learn(it, plan, s.field.index(second.Choices[0].Model.ID), second.Choices[0].Probability)
}

// chosen is the model that answers, and how likely it was to.
func (s *stream) chosen(plan routing.Plan) (model int, propensity float64) {
	if s.o.Logging == Uniform {
		return s.random.IntN(len(s.field.names)), 1 / float64(len(s.field.names))
	}
	return s.field.index(plan.Choices[0].Model.ID), plan.Choices[0].Probability
}

func (f *field) index(id string) int {
	for m, name := range f.names {
		if name == id {
			return m
		}
	}
	return -1
}

func (s *stream) learn(it *item, plan routing.Plan, model int, propensity float64) error {
	v := learning.Verdict{
		Vector: &s.vector, Model: s.field.names[model], Quality: it.results[model].Quality,
		Candidates: s.field.names, Propensity: propensity,
	}
	for _, c := range plan.Choices {
		if c.Model.ID == v.Model {
			v.Prior = c.Prior
		}
	}
	if s.random.Float64() < s.o.LabelNoise {
		v.Quality = 1 - v.Quality
	}
	return s.model.Learn(v)
}

func (o *online) count(f *field, it *item, chosen int) {
	weak := it.results[f.weak].Quality
	o.requests++
	if chosen == f.strong {
		o.strong++
	}
	o.gained += it.results[chosen].Quality - weak
	o.gap += it.results[f.strong].Quality - weak
}

// run replays the items in order, and calls at after each number of requests
// in stops, which ascend.
func (s *stream) run(ctx context.Context, items []*item, stops []int, at func(stop int) error) error {
	next := 0
	for n, it := range items {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := s.serve(it); err != nil {
			return err
		}
		for next < len(stops) && stops[next] == n+1 {
			if err := at(next); err != nil {
				return err
			}
			next++
		}
	}
	return nil
}
