package gateway

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/llm"
	"github.com/busuhq/busu/internal/prompt"
	"github.com/busuhq/busu/internal/routing"
)

// strategy finds one by name; "" is the default one.
func (g *Gateway) strategy(project, name string) (routing.Strategy, error) {
	name = cmp.Or(name, g.Default)
	s, ok := g.Strategies.Strategy(project, name)
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

// decision is a plan with what is recorded beside it.
type decision struct {
	routing.Plan
	tokensIn int64 // of the whole request, estimated
	reason   string
	features []byte // of the prompt, for a strategy that learns; when it has left its desk
	holdout  bool
	guarded  bool
	arms     []event.Arm // of experiments that it counts for
	terms    *terms      // of the arm that decides; nil: none
	degraded []string    // what it was made without
}

// Plan decides which models would answer r, in order. It records nothing, and
// without an id tries out nothing. What a hook would take out is not known here:
// nobody is asked.
func (g *Gateway) Plan(r Request) (routing.Plan, error) {
	if g.Redaction.covers(r.Project) {
		if err := g.Redaction.byRules(&r, g.Redaction.Rules.Begin()); err != nil {
			return routing.Plan{}, err
		}
	}
	d, err := g.decideAlone(&r)
	return d.Plan, err
}

// decideAlone decides where no look at the caches comes first.
func (g *Gateway) decideAlone(r *Request) (decision, error) {
	on := g.desk()
	d, err := g.decide(r, on)
	g.leave(on, &d)
	return d, err
}

// decide goes by precedence: a model that is named bypasses everything, the
// hold-out and the guard come before experiments, and an experiment's arm
// before the strategy. The choices stay on the desk: see leave.
func (g *Gateway) decide(r *Request, on *desk) (decision, error) {
	ask := routing.Request{
		TokensIn:  estimateTokens(&r.Ask),
		MaxTokens: int64(cmp.Or(r.Ask.MaxTokens, assumedMaxTokens)),
		Chance:    chanceOf(r.ID),
		MaxCost:   r.MaxCost, MinQuality: r.MinQuality,
	}
	on.prompt, on.words = on.reader.Read(llm.LastUser(r.Ask.Messages))
	ask.Prompt, ask.Words = on.prompt, on.words
	offer := g.offer(r.at())
	if r.Model != "" {
		plan, err := offer.planModel(r.Model, r.Ask.Format, ask)
		return decision{Plan: plan, tokensIn: ask.TokensIn, reason: plan.Stated}, err
	}
	s, d, err := g.choose(r, offer)
	if err != nil {
		return decision{}, err
	}
	candidates := g.healthy(offer.able(r, on))
	ask.Choices = on.room(len(candidates))
	if d.Plan, err = d.terms.plan(s, ask, candidates, r, offer.Baseline.Model.ID); err != nil {
		return decision{}, err
	}
	d.tokensIn, d.reason = ask.TokensIn, d.Reason()
	return d, nil
}

// choose finds the strategy that decides, and why it does. An experiment that
// there is not is refused whoever asks for it.
func (g *Gateway) choose(r *Request, offer Offer) (routing.Strategy, decision, error) {
	s, err := g.strategy(r.Project, r.Strategy)
	if err != nil {
		return nil, decision{}, err
	}
	in, err := g.enrol(r)
	if err != nil {
		return nil, decision{}, err
	}
	d := decision{degraded: in.degraded}
	switch {
	case g.Holdout != nil && g.Holdout(r.Project, r.UserID):
		return baselineFirst{s, offer.Baseline.Model.ID, inHoldout}, decision{holdout: true}, nil
	case g.Guarded != nil && g.Guarded(r.Project, r.UserID):
		return baselineFirst{s, offer.Baseline.Model.ID, underGuard}, decision{guarded: true}, nil
	case in.does != nil:
		d.arms, d.terms = in.arms, in.terms
		s, err = g.strategyOf(r.Project, in.does)
	}
	return s, d, err
}

// desk is what making one plan needs room for, and the next one after it. What is
// answered from memory needs its plan no longer than that: its choices stay on the
// desk, which is a tenth of all that such a request takes of memory.
type desk struct {
	reader  prompt.Reader
	prompt  prompt.Features
	words   []prompt.Word // the reader's
	able    []routing.Candidate
	choices []routing.Choice
}

// room is for n choices.
func (on *desk) room(n int) []routing.Choice {
	if cap(on.choices) < n {
		on.choices = make([]routing.Choice, 0, n)
	}
	return on.choices[:0]
}

// leave gives a desk back, and d what it needs of it to live on: its choices, and
// what can be learned of the prompt if a model is called.
func (g *Gateway) leave(on *desk, d *decision) {
	if d.Learns {
		d.features = prompt.Append(make([]byte, 0, 64+4*len(on.words)), &on.prompt, on.words)
	}
	on.choices = nil
	g.desks.Put(on)
}

func (g *Gateway) desk() *desk {
	if d, ok := g.desks.Get().(*desk); ok {
		return d
	}
	return new(desk)
}

// chanceOf is uniform in 0 … 1, from the random bits of a request's id, so that
// whoever has the fact can see how the choice fell. Without an id it is 0:
// nothing is tried out.
func chanceOf(id uuid.UUID) float64 {
	if id == uuid.Nil {
		return 0
	}
	const bits = 53 // that a float64 holds; UUIDv7 has 62 random ones at its end
	return (float64(binary.BigEndian.Uint64(id[8:])&(1<<bits-1)) + 0.5) / (1 << bits)
}

// assumedMaxTokens is taken for the longest answer where the caller sets no
// limit: most models end long before their own.
const assumedMaxTokens = 1000

// able lists the candidates that may and can answer what is asked: the caller
// allows them, their providers speak its format, and nothing is known that they
// lack. What is left of the list is on the desk: keys that may use some models
// only ask as often as others, and a list of their own cost each request 1.4 KB.
func (o Offer) able(r *Request, on *desk) []routing.Candidate {
	wanted := wants(&r.Ask)
	on.able = on.able[:0]
	for i := range o.Candidates {
		c := &o.Candidates[i]
		if c.Model.Chats() && c.Speaks(r.Ask.Format) && c.Model.Can(wanted) && (len(r.Models) == 0 || slices.Contains(r.Models, c.Model.ID)) {
			on.able = append(on.able, *c)
		}
	}
	if len(on.able) == len(o.Candidates) {
		return o.Candidates
	}
	return on.able
}

// healthy leaves out the candidates whose providers are known to fail, unless
// that is all of them: then trying is the only way to know better.
func (g *Gateway) healthy(candidates []routing.Candidate) []routing.Candidate {
	failing := func(c routing.Candidate) bool { return g.Failing != nil && g.Failing(c.Model.Provider) }
	if !slices.ContainsFunc(candidates, failing) {
		return candidates
	}
	kept := slices.DeleteFunc(slices.Clone(candidates), failing)
	if len(kept) == 0 {
		return candidates
	}
	return kept
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
func (o Offer) planModel(model string, format llm.Format, ask routing.Request) (routing.Plan, error) {
	c, err := o.candidate(model)
	if err != nil {
		return routing.Plan{}, err
	}
	if !c.Speaks(format) || c.Model.Chats() == (format == llm.FormatEmbeddings) {
		return routing.Plan{}, fmt.Errorf("%w: model %q", ErrFormat, model)
	}
	plan, err := routing.Complexity{}.Plan(ask, []routing.Candidate{c})
	if err != nil {
		return routing.Plan{}, err
	}
	plan.Strategy = strategyExplicit
	plan.Confidence = routing.ConfidenceHigh
	plan.Stated = fmt.Sprintf("The request names %s.", model)
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
