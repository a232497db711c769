package routing

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/busuhq/busu/internal/learning"
	"github.com/busuhq/busu/internal/llm"
)

func three() []Candidate {
	return []Candidate{model("small", llm.TierSimple, 1), model("medium", llm.TierModerate, 5), model("large", llm.TierComplex, 25)}
}

func TestGreatestCost(t *testing.T) {
	t.Parallel()
	unknown := model("unknown", llm.TierComplex, 0)
	unknown.Price.Unknown = true
	for _, s := range []Strategy{Complexity{}, Learning{known(t, 0, 0)}, Hybrid{known(t, 0, 0)}} {
		ask := asked(proof, 0)
		free, err := s.Plan(ask, three())
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range free.Choices {
			if c.Model.ID == "medium" {
				ask.MaxCost = c.UpperCost
			}
		}
		p, err := s.Plan(ask, append(three(), unknown))
		if err != nil || len(p.Choices) != 2 || strings.Contains(ids(p), "large") {
			t.Errorf("%s: within the medium model's cost it plans %q, %v", s.Name(), ids(p), err)
		}
		ask.MaxCost = 1
		_, err = s.Plan(ask, three())
		var tooDear *CostError
		if !errors.As(err, &tooDear) || tooDear.Model != "small" || tooDear.Least <= 1 || !errors.Is(err, ErrNoCandidate) {
			t.Errorf("%s: the error is %v", s.Name(), err)
		}
		if _, err = s.Plan(ask, []Candidate{unknown}); !errors.As(err, &tooDear) || tooDear.Model != "" {
			t.Errorf("%s: without a price, the error is %v", s.Name(), err)
		}
	}
}

func TestLeastQuality(t *testing.T) {
	t.Parallel()
	for _, s := range []Strategy{Complexity{}, Learning{known(t, 0, 100)}, Hybrid{known(t, 0, 100)}} {
		for _, chance := range []float64{0, 0.3, 0.9999} {
			for _, least := range []float64{0, 0.3, 0.6, 0.8, 0.9, 0.95, 0.9999} {
				ask := asked(proof, chance)
				ask.MinQuality = least
				p, err := s.Plan(ask, three())
				if err != nil || len(p.Choices) != 3 {
					t.Fatal(err)
				}
				best, total, reached := 0.0, 0.0, false
				for _, c := range p.Choices {
					best, total = max(best, c.Quality), total+c.Probability
					reached = reached || c.Quality >= least
					if c.Probability > 0 && c.Quality < least && c.Quality < p.Choices[0].Quality {
						t.Errorf("%s: %s, predicted to reach %.2f of %.2f, is planned with chance %v", s.Name(), c.Model.ID, c.Quality, least, c.Probability)
					}
				}
				if first := p.Choices[0].Quality; reached && first < least || !reached && first != best {
					t.Errorf("%s: at least %.4f was asked for, the planned model has %.2f, the best %.2f", s.Name(), least, first, best)
				}
				if math.Abs(total-1) > 1e-9 {
					t.Errorf("%s: chances add up to %v", s.Name(), total)
				}
				if said := strings.Contains(p.Reason(), "asked for"); said != (least > 0) {
					t.Errorf("%s: at least %v was asked for, and the reason is %q", s.Name(), least, p.Reason())
				}
			}
		}
	}
}

func TestStartPriceKeepsTheGoal(t *testing.T) {
	t.Parallel()
	at := func(lambda float64) Strategy {
		l := known(t, 0, lambda)
		l.Explore = Exploration{}
		return Hybrid{l}
	}
	asks := typicalAsks()
	last := 0.0
	for _, goal := range []float64{0.999, 0.98, 0.95, 0.9, 0.8} {
		lambda := StartPrice(at, three(), "large", learning.Goal{Quality: goal})
		if !keeps(at(lambda), asks, three(), "large", learning.Goal{Quality: goal}) {
			t.Errorf("at %v, the start for %v, the goal is missed", lambda, goal)
		}
		if further := at(lambda * 1.001); lambda > 0 && lambda < highestPrice/2 && keeps(further, asks, three(), "large", learning.Goal{Quality: goal}) {
			t.Errorf("%v is not the greatest price that keeps %v", lambda, goal)
		}
		if lambda < last {
			t.Errorf("a lower goal, %v, has a lower price: %v after %v", goal, lambda, last)
		}
		last = lambda
	}
	lambda := StartPrice(at, three(), "large", learning.Goal{StrongShare: 0.3})
	strong := 0
	for _, ask := range asks {
		p, err := at(lambda*1.001).Plan(ask, three())
		if err != nil {
			t.Fatal(err)
		}
		if p.Choices[0].Model.ID == "large" {
			strong++
		}
	}
	if share := float64(strong) / float64(len(asks)); share > 0.3 || share < 0.2 {
		t.Errorf("%.2f of typical prompts go to the baseline, 0.3 may", share)
	}
	if got := StartPrice(at, three()[:2], "large", learning.Goal{Quality: 0.9}); got != 0 {
		t.Errorf("without the baseline it starts at %v", got)
	}
}
