package routing

import (
	"math"

	"github.com/busuhq/busu/internal/llm"
	"github.com/busuhq/busu/internal/pricing"
)

// Answers to trivial prompts run to some answerShort tokens, answers to the
// most demanding ones to answerLong: round guesses, to compare models by and
// never to bill by.
const (
	answerShort = 100
	answerLong  = 700
)

// expectedOut guesses the tokens of an answer, at most limit.
func expectedOut(complexity float64, limit int64) int64 {
	out := int64(answerShort + (answerLong-answerShort)*complexity)
	return min(out, max(limit, 0))
}

// choice prices a candidate for r.
func choice(c *Candidate, r *Request) Choice {
	out := expectedOut(r.Prompt.Complexity, r.MaxTokens)
	return Choice{
		Candidate: *c,
		TokensOut: out,
		Cost:      c.Price.Cost(llm.Usage{In: r.TokensIn, Out: out}),
		UpperCost: c.Price.Cost(llm.Usage{In: r.TokensIn, Out: r.MaxTokens}),
		Quality:   priorQuality(c.Model.Tier, r.Prompt.Complexity),
	}
}

// fits lists a choice for each candidate whose context window holds the
// prompt and the longest answer allowed. An unknown window (0) is taken to.
func fits(r *Request, candidates []Candidate) ([]Choice, error) {
	needed := addSaturating(max(r.TokensIn, 0), max(r.MaxTokens, 0))
	choices := r.Choices[:0]
	if cap(choices) < len(candidates) {
		choices = make([]Choice, 0, len(candidates))
	}
	tooSmall := ContextError{Needed: needed}
	for i := range candidates {
		c := &candidates[i]
		window := int64(c.Model.ContextTokens)
		if window == 0 || window >= needed {
			choices = append(choices, choice(c, r))
			continue
		}
		if window > tooSmall.Largest {
			tooSmall.Largest, tooSmall.Model = window, c.Model.ID
		}
	}
	if len(choices) > 0 {
		return affordable(choices, r.MaxCost)
	}
	if len(candidates) == 0 {
		return nil, ErrNoCandidate
	}
	failed := tooSmall // the usual must need nothing from the heap
	return nil, &failed
}

// affordable leaves out what may cost more than most; a model whose price is
// not known may cost anything.
func affordable(choices []Choice, most pricing.Nanos) ([]Choice, error) {
	if most == 0 {
		return choices, nil
	}
	tooDear := &CostError{Max: most}
	kept := choices[:0]
	for _, c := range choices {
		switch {
		case c.Price.Unknown:
		case c.UpperCost <= most:
			kept = append(kept, c)
		case tooDear.Model == "" || c.UpperCost < tooDear.Least:
			tooDear.Least, tooDear.Model = c.UpperCost, c.Model.ID
		}
	}
	if len(kept) == 0 {
		return nil, tooDear
	}
	return kept, nil
}

func addSaturating(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}
