package gateway

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/busuhq/busu/internal/llm"
	"github.com/busuhq/busu/internal/prompt"
	"github.com/busuhq/busu/internal/routing"
)

// Strategy checks the name of a strategy; "" is the default one.
func (g *Gateway) Strategy(name string) (routing.Strategy, error) {
	if name == "" {
		name = g.Default
	}
	s, ok := g.Strategies[name]
	if !ok {
		return nil, fmt.Errorf("%w: strategy %q", ErrUnknown, name)
	}
	return s, nil
}

// Candidate finds a model by its id, at its price now.
func (g *Gateway) Candidate(id string) (routing.Candidate, error) {
	return g.offer(time.Now()).candidate(id)
}

func (o Offer) candidate(id string) (routing.Candidate, error) {
	for _, c := range o.Candidates {
		if c.Model.ID == id {
			return c, nil
		}
	}
	return routing.Candidate{}, fmt.Errorf("%w: model %q", ErrUnknown, id)
}

// Plan decides which models would answer r, in order. It records nothing.
func (g *Gateway) Plan(r Request) (routing.Plan, error) {
	ask := routing.Request{
		Prompt:    prompt.Read(llm.LastUser(r.Ask.Messages)),
		TokensIn:  estimateTokens(&r.Ask),
		MaxTokens: int64(cmp.Or(r.Ask.MaxTokens, assumedMaxTokens)),
	}
	offer := g.offer(r.at())
	if r.Model != "" {
		return offer.planModel(r, ask)
	}
	s, err := g.Strategy(r.Strategy)
	if err != nil {
		return routing.Plan{}, err
	}
	return s.Plan(ask, offer.able(&r.Ask))
}

// assumedMaxTokens is taken for the longest answer where the caller sets no
// limit: most models end long before their own.
const assumedMaxTokens = 1000

// able lists the candidates that can answer what is asked: their providers
// speak its format, and nothing is known that they lack.
func (o Offer) able(ask *llm.Request) []routing.Candidate {
	wanted := wants(ask)
	unable := func(c routing.Candidate) bool {
		return !c.Model.Chats() || !c.Speaks(ask.Format) || !c.Model.Can(wanted)
	}
	if !slices.ContainsFunc(o.Candidates, unable) { // as for most requests: nothing to copy
		return o.Candidates
	}
	return slices.DeleteFunc(slices.Clone(o.Candidates), unable)
}

// wants is what a model must be able to do for an answer.
func wants(ask *llm.Request) (wanted llm.Ability) {
	if len(ask.Tools) > 0 {
		wanted |= llm.AbilityTools
	}
	if t := ask.ResponseFormat.Type; t == llm.ResponseJSON || t == llm.ResponseJSONSchema {
		wanted |= llm.AbilityJSON
	}
	for _, m := range ask.Messages {
		if slices.ContainsFunc(m.Parts, func(p llm.Part) bool { return p.Kind == llm.PartImage }) {
			wanted |= llm.AbilityImages
		}
	}
	return wanted
}

// planModel is the plan of a request that names its model: that one, without
// a fallback. Nothing was chosen, so it has no propensity.
func (o Offer) planModel(r Request, ask routing.Request) (routing.Plan, error) {
	c, err := o.candidate(r.Model)
	if err != nil {
		return routing.Plan{}, err
	}
	if !c.Speaks(r.Ask.Format) || c.Model.Chats() == (r.Ask.Format == llm.FormatEmbeddings) {
		return routing.Plan{}, fmt.Errorf("%w: model %q", ErrFormat, r.Model)
	}
	plan, err := routing.Complexity{}.Plan(ask, []routing.Candidate{c})
	if err != nil {
		return routing.Plan{}, err
	}
	plan.Strategy = strategyExplicit
	plan.Confidence = routing.ConfidenceHigh
	plan.Reason = fmt.Sprintf("The request names %s.", r.Model)
	plan.Choices[0].Probability = 0
	return plan, nil
}

// messageTokens are the tokens that a chat format spends around a message.
const messageTokens = 4

// estimateTokens counts all that takes room in a model's window: tools and
// schemas are read like messages, and are often longer.
func estimateTokens(ask *llm.Request) int64 {
	var n int64
	for _, m := range ask.Messages {
		n += prompt.EstimateTokens(m.Content) + messageTokens
		for _, call := range m.ToolCalls {
			n += prompt.EstimateTokens(call.Arguments)
		}
	}
	for _, t := range ask.Tools {
		n += prompt.EstimateTokens(t.Name+t.Description) + prompt.EstimateTokens(string(t.Parameters)) + messageTokens
	}
	return n + prompt.EstimateTokens(string(ask.ResponseFormat.Schema))
}
