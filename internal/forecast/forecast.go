// Package forecast says what routing would have saved on calls that were
// logged before there was any: it routes every prompt with the strategies that
// serve, cold, and prices the tokens that were used on the models that they
// choose.
//
// What it knows is money. That another model's answer to the same prompt would
// have been as long as the one that was given is assumed. Quality is predicted
// and not measured, by what ships with busu: nobody has rated these answers.
package forecast

import (
	"cmp"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"time"

	"github.com/busuhq/busu/internal/learning"
	"github.com/busuhq/busu/internal/llm"
	"github.com/busuhq/busu/internal/pricing"
	"github.com/busuhq/busu/internal/prompt"
	"github.com/busuhq/busu/internal/routing"
	"github.com/busuhq/busu/internal/trafficlog"
)

// Options say what is chosen among, and how.
type Options struct {
	Candidates []routing.Candidate // at known prices, all of them chatting
	Baseline   string              // the candidate that quality is measured against
	Keep       float64             // share of the baseline's predicted quality that hybrid keeps, 0 … 1
	Prior      *learning.Prior
	Seed       uint64 // of the draws that intervals rest on

	// AsIs describes the model that answered a call, at its price now; false
	// where nobody knows it. Its tier may be "".
	AsIs func(c *trafficlog.Call) (routing.Candidate, bool)
}

// The policies that a Forecast follows, in the order of its sums.
const (
	asIs = iota
	complexity
	hybrid
	cheapest
	baseline
	policies
)

// The predictors of quality: the complexity score by hand, the shipped prior,
// and the mean of both, which hybrid goes by before it has learned.
const (
	byHand = iota
	byPrior
	byBoth
	predictors
)

// Forecast adds up calls, in constant memory.
type Forecast struct {
	o      Options
	reader prompt.Reader
	model  *learning.Model
	steps  steps

	calls, billed  int
	billedNanos    pricing.Nanos
	from, to       time.Time
	nanos          [policies]int64
	draws          [][policies]float64 // the same in dollars, for every draw of users
	quality        [policies][predictors]float64
	unknownQuality int // calls whose own model's tier nobody knows
	chosen         [policies]map[string]int
}

// New begins a forecast.
func New(o Options) (*Forecast, error) {
	f := &Forecast{o: o, model: learning.New(nil, learning.Assumed()), steps: newSteps(), draws: make([][policies]float64, drawn)}
	if len(o.Candidates) < 2 {
		return nil, errors.New("a choice takes two models or more")
	}
	found := false
	for _, c := range o.Candidates {
		found = found || c.Model.ID == o.Baseline
		if c.Price.Unknown || c.Model.Tier == "" || !c.Model.Chats() {
			return nil, fmt.Errorf("%s: its price and tier must be known, and it must be a chat model", c.Model.ID)
		}
	}
	if !found {
		return nil, fmt.Errorf("the baseline %q is none of the models to choose among", o.Baseline)
	}
	if !(o.Keep >= 0 && o.Keep <= 1) {
		return nil, fmt.Errorf("the share of quality to keep, %v, is not in 0 … 1", o.Keep)
	}
	for i := range f.chosen {
		f.chosen[i] = map[string]int{}
	}
	f.model.Controller.Lambda = routing.StartPrice(func(lambda float64) routing.Strategy {
		return routing.Hybrid{Learned: routing.Learned{Prior: o.Prior, Model: f.model.At(learning.Controller{Lambda: lambda})}}
	}, o.Candidates, o.Baseline, learning.Goal{Quality: o.Keep})
	return f, nil
}

// assumedMaxTokens is taken for the longest answer where the caller set no
// limit.
const assumedMaxTokens = 1000

// Add routes a call and adds it up. Its error says why it cannot: it is one of
// few by its text.
func (f *Forecast) Add(c *trafficlog.Call) error {
	served, known := f.o.AsIs(c)
	if !known && c.Billed == nil {
		return errors.New("neither the price of its model is known nor what it cost")
	}
	able := f.able(&c.Ask)
	features, words := f.reader.Read(llm.LastUser(c.Ask.Messages))
	ask := routing.Request{Prompt: features, Words: words, TokensIn: c.Usage.In, MaxTokens: int64(cmp.Or(c.Ask.MaxTokens, assumedMaxTokens))}
	var choice [policies]routing.Candidate
	if err := f.choose(ask, able, &choice); err != nil {
		return err
	}
	var nanos [policies]int64
	for p := complexity; p < policies; p++ {
		nanos[p] = int64(choice[p].Price.Cost(c.Usage))
		f.chosen[p][choice[p].Model.ID]++
	}
	if known {
		choice[asIs] = served
		nanos[asIs] = int64(served.Price.Cost(c.Usage))
	} else {
		nanos[asIs] = int64(*c.Billed)
	}
	f.chosen[asIs][f.known(c.Model)]++
	if err := f.predict(ask, choice); err != nil {
		return err
	}
	f.count(c, nanos)
	return nil
}

// maxNames bounds the models that a log is believed to name.
const maxNames = 200

func (f *Forecast) known(model string) string {
	if _, seen := f.chosen[asIs][model]; !seen && len(f.chosen[asIs]) >= maxNames {
		return "others"
	}
	return model
}

// Reasons why a call cannot be routed.
var (
	errNoModel    = errors.New("no model of the list can take it")
	errNoBaseline = errors.New("the baseline model cannot take it")
)

// choose has every policy choose among the models that can answer. Sums move
// only when all have chosen.
func (f *Forecast) choose(ask routing.Request, able []routing.Candidate, choice *[policies]routing.Candidate) error {
	plan, err := routing.Complexity{}.Plan(ask, able)
	if err != nil {
		return errNoModel
	}
	choice[complexity] = plan.Choices[0].Candidate
	least := plan.Choices[0]
	found := false
	for _, c := range plan.Choices {
		if c.Cost < least.Cost {
			least = c
		}
		if c.Model.ID == f.o.Baseline {
			choice[baseline], found = c.Candidate, true
		}
	}
	if !found {
		return errNoBaseline
	}
	choice[cheapest] = least.Candidate
	if plan, err = (routing.Hybrid{Learned: routing.Learned{Prior: f.o.Prior, Model: f.model}}).Plan(ask, able); err != nil {
		return errNoModel
	}
	choice[hybrid] = plan.Choices[0].Candidate
	if d, ok := routing.Decided(plan, f.o.Baseline); ok {
		f.model.Controller.Observe(learning.Goal{Quality: f.o.Keep}, d)
	}
	return nil
}

// able lists the candidates that are not known to lack what is asked for.
func (f *Forecast) able(ask *llm.Request) []routing.Candidate {
	var wanted llm.Ability
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
	return slices.DeleteFunc(slices.Clone(f.o.Candidates), func(c routing.Candidate) bool { return !c.Model.Can(wanted) })
}

// predict adds what is expected of each policy's choice, by each predictor.
func (f *Forecast) predict(ask routing.Request, choice [policies]routing.Candidate) error {
	for p := range choice {
		if p == asIs && choice[p].Model.Tier == "" {
			f.unknownQuality++
			continue
		}
		c := choice[p]
		c.Model.ContextTokens = 0 // it answered, or was found to fit
		one := []routing.Candidate{c}
		hand, err := routing.Complexity{}.Plan(ask, one)
		if err != nil {
			return err
		}
		shipped, err := routing.Shipped{Prior: f.o.Prior}.Plan(ask, one)
		if err != nil {
			return err
		}
		a, b := hand.Choices[0].Quality, shipped.Choices[0].Quality
		f.quality[p][byHand] += a
		f.quality[p][byPrior] += b
		f.quality[p][byBoth] += (a + b) / 2
	}
	return nil
}

func (f *Forecast) count(c *trafficlog.Call, nanos [policies]int64) {
	f.calls++
	if c.Billed != nil {
		f.billed++
		f.billedNanos += *c.Billed
	}
	if !c.At.IsZero() {
		if f.from.IsZero() || c.At.Before(f.from) {
			f.from = c.At
		}
		if c.At.After(f.to) {
			f.to = c.At
		}
	}
	for p, n := range nanos {
		f.nanos[p] += n
	}
	f.draw(f.unit(c), nanos)
}

// unit is what calls that may be alike have in common: a hash of their user.
func (f *Forecast) unit(c *trafficlog.Call) uint64 {
	if c.User == "" {
		return uint64(f.calls)
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(c.User))
	return h.Sum64()
}
