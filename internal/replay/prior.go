package replay

import (
	"errors"
	"fmt"

	"github.com/busuhq/busu/internal/learning"
)

// The models of LLMRouter's outcomes that stand for small and for large ones:
// all general chat models among them, by size. Those made for code (codegemma)
// or for retrieval (chatqa) say nothing of size, and are left out.
var (
	smallModels = []string{"gemma-2-9b-it", "llama-3.1-8b-instruct", "mistral-7b-instruct-v0.3", "qwen2.5-7b-instruct"}
	largeModels = []string{"llama-3.1-nemotron-51b-instruct", "llama-3.3-nemotron-super-49b-v1"}
)

// FitPrior fits the shipped prior on LLMRouter's outcomes. Rows that repeat
// test questions of RouteLLM are left out; rows of other models, such as
// RouteLLM's own, are refused: the prior is measured on those.
func FitPrior(rows []Row, source string) (*learning.Prior, error) {
	models, err := modelsOf(rows)
	if err != nil {
		return nil, err
	}
	var outcomes []learning.Outcome
	for _, it := range ready(rows, models) {
		if it.row.Overlap {
			continue
		}
		small, err := it.row.mean(smallModels)
		if err != nil {
			return nil, err
		}
		large, err := it.row.mean(largeModels)
		if err != nil {
			return nil, err
		}
		outcomes = append(outcomes, learning.Outcome{Example: it.example(), Small: small, Large: large})
	}
	if len(outcomes) == 0 {
		return nil, errors.New("no row is left: all of them repeat questions of another set")
	}
	ridge := learning.PriorRidge()
	return learning.FitPrior(outcomes, ridge, fmt.Sprintf("%s; %d of %d rows, without those that repeat RouteLLM's test questions; ridge %v for words, %v for counters",
		source, len(outcomes), len(rows), ridge.Words, ridge.Counters)), nil
}

func (r *Row) mean(models []string) (quality float64, err error) {
	for _, m := range models {
		o, ok := r.Outcomes[m]
		if !ok {
			return 0, fmt.Errorf("%s has no outcome of %s: the prior is fitted on LLMRouter's models", r.ID, m)
		}
		quality += o.Quality / float64(len(models))
	}
	return quality, nil
}
