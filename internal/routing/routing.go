// Package routing decides which model answers a prompt. A strategy turns what
// is known about a request into a Plan: the models in the order to try them,
// with predicted quality, expected cost and propensity, and a reason that a
// person can check.
//
// Strategies are pure: no I/O, no clock, no global state. The same request and
// candidates give the same plan on every replica.
//
// All strategies choose the model with the largest q − λ·cost and differ in
// where the predicted quality q comes from. complexity states its goal as a
// bar on q instead of a price λ: the cheapest model whose prior quality
// reaches the bar. learning predicts q from verdicts alone, hybrid from the
// complexity score and the shipped prior at first, and from verdicts as far as
// they have proved to predict better. Both try out models, with propensities
// that are exact.
package routing

import (
	"slices"

	"github.com/busuhq/busu/internal/llm"
	"github.com/busuhq/busu/internal/pricing"
	"github.com/busuhq/busu/internal/prompt"
)

// Strategy turns a request into a plan over candidates, which it must not
// change. Plan may be called from many goroutines. Its only error is, to
// errors.Is, ErrNoCandidate; a *ContextError when context windows are why.
//
// What a strategy has learned is part of its value, so that a new snapshot is
// a new Strategy; chance comes in with the Request.
type Strategy interface {
	Name() string
	Plan(r Request, candidates []Candidate) (Plan, error)
}

// Candidate is a model that may be chosen, at its price.
type Candidate struct {
	Model   llm.Model
	Price   pricing.Price
	Formats []llm.Format // that its provider speaks; nil: only chat
}

// Speaks reports whether the candidate's provider speaks a format.
func (c Candidate) Speaks(f llm.Format) bool {
	return slices.Contains(c.Formats, f) || c.Formats == nil && f == llm.FormatChat
}

// Request is what a strategy may look at.
type Request struct {
	Prompt    prompt.Features // of the last user turn
	TokensIn  int64           // estimated prompt tokens of the whole request
	MaxTokens int64           // upper limit of generated tokens

	// Words are the prompt's, from the same prompt.Reader as Prompt. Strategies
	// that learn go by them, and do not keep them.
	Words []prompt.Word
	// Chance decides where a strategy tries out models: uniform in 0 … 1, from
	// the request's id. At 0 the best one is planned.
	Chance float64

	Choices []Choice // room for the plan's; without enough of it a plan makes its own

	MaxCost    pricing.Nanos // no model may cost more, at the worst; 0: any may
	MinQuality float64       // of a good answer, 0 … 1: models below are only fallbacks while any reaches it

	Lambda float64 // quality per dollar, in place of a strategy's own; used where it is Priced
	Priced bool
	Steady bool // nothing is tried out
}

// Choice is one model of a plan.
type Choice struct {
	Candidate
	TokensOut   int64         // expected length of the answer
	Cost        pricing.Nanos // expected, for TokensIn and TokensOut
	UpperCost   pricing.Nanos // when all MaxTokens are used
	Quality     float64       // predicted chance of a good answer, 0 … 1
	Prior       float64       // the same before anything was learned; of strategies that learn
	Deviation   float64       // standard deviation of what was learned; of strategies that learn
	Evidence    float64       // verdicts on this very prompt that would have taught as much
	Probability float64       // propensity: how likely the strategy put this one first
}

// Confidence says how sure a strategy is of its plan.
type Confidence string

// The confidences a plan can have.
const (
	ConfidenceHigh   Confidence = "high"
	ConfidenceMedium Confidence = "medium"
	ConfidenceLow    Confidence = "low"
)

// Plan is the decision on one request. Choices is never empty: the first is
// planned, the others are fallbacks in the order to try them.
type Plan struct {
	Strategy   string
	Complexity float64
	Tier       llm.Tier // the tier the prompt asks for
	Confidence Confidence
	Choices    []Choice
	Learns     bool   // from verdicts on it
	Snapshot   int64  // of what was learned that it goes by; 0: none yet
	Stated     string // a reason that stands in for the strategy's own

	prompt   prompt.Features
	basis    basis
	eligible int     // choices that were chosen among
	least    float64 // quality that was asked for
}

// basis is what a plan rests on.
type basis uint8

const (
	onTier      basis = iota // the prompt's tier
	onQuality                // predicted quality
	onCuriosity              // it is tried out, to learn of it
)

// Reason explains the plan in one sentence, put together when it is asked for.
func (p *Plan) Reason() string {
	switch {
	case p.Stated != "":
		return p.Stated
	case p.basis == onTier:
		return demanded(reason(&p.prompt, p.Tier, p.Choices[:p.eligible]), &p.Choices[0], p.least)
	default:
		return demanded(learnedReason(&p.prompt, p.Choices, p.basis == onCuriosity), &p.Choices[0], p.least)
	}
}

// Tier is the tier that a complexity score asks for.
func Tier(complexity float64) llm.Tier {
	switch {
	case complexity < prompt.ModerateFrom:
		return llm.TierSimple
	case complexity < prompt.ComplexFrom:
		return llm.TierModerate
	default:
		return llm.TierComplex
	}
}
