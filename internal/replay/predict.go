package replay

import (
	"fmt"

	"github.com/busuhq/busu/internal/prompt"
	"github.com/busuhq/busu/internal/routing"
)

// PredictBy has a strategy that learns predict, from the features that were
// logged and with what it knows: one snapshot. Catalog describes the models;
// their prices do not matter to predictions. For the estimates to hold, the
// snapshot must not have learned from the decisions that it is evaluated on.
func PredictBy(s routing.Strategy, catalog map[string]routing.Candidate) Predictor {
	return func(d *Decision) ([]float64, error) {
		features, words, err := prompt.Decode(d.Features)
		if err != nil {
			return nil, fmt.Errorf("features: %w; decisions of strategies that learn have them, as long as they are kept", err)
		}
		candidates := make([]routing.Candidate, len(d.Candidates))
		for i, logged := range d.Candidates {
			c, known := catalog[logged.Model]
			if !known {
				return nil, fmt.Errorf("the tier of %s is not known", logged.Model)
			}
			c.Model.ContextTokens = 0 // it was a candidate, so it fits
			candidates[i] = c
		}
		plan, err := s.Plan(routing.Request{Prompt: features, Words: words, TokensIn: d.TokensIn, MaxTokens: assumedMaxTokens}, candidates)
		if err != nil {
			return nil, err
		}
		predicted := make([]float64, len(candidates))
		for _, choice := range plan.Choices {
			for i := range candidates {
				if candidates[i].Model.ID == choice.Model.ID {
					predicted[i] = choice.Quality
				}
			}
		}
		return predicted, nil
	}
}
