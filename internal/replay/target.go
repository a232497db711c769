package replay

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/busuhq/busu/internal/llm"
	"github.com/busuhq/busu/internal/prompt"
	"github.com/busuhq/busu/internal/routing"
)

// Logged is the strategy that goes by the qualities that were logged, those of
// whichever strategy decided.
const Logged = "logged"

// Predictor predicts the quality of each candidate of a logged decision, in
// their order. One for strategies that learn reads Decision.Features.
type Predictor func(d *Decision) ([]float64, error)

// Target is a policy to be evaluated on the decisions of another one. It never
// tries models out. Of Lambda, StrongShare and QualityTarget one is set, unless
// the strategy is complexity.
type Target struct {
	Strategy      string    // Logged, Prior, Complexity, or any name with a Predictor of its own
	Predict       Predictor // nil: that of Logged or Prior
	Lambda        *float64  // quality per dollar
	StrongShare   *float64  // of decisions for the baseline
	QualityTarget *float64  // share of the baseline's predicted quality to keep
	Models        []string  // that may be chosen; empty: all
	Baseline      string    // "": what each decision names
	// Catalog describes models at the prices that the policy would pay. nil:
	// costs are those logged. The strategy complexity needs it for the tiers.
	Catalog map[string]routing.Candidate
}

// Validate names the first mistake.
func (t Target) Validate() error {
	goals := 0
	for _, goal := range []struct {
		name  string
		value *float64
		most  float64
	}{{"lambda", t.Lambda, math.MaxFloat64}, {"strong-share", t.StrongShare, 1}, {"quality-target", t.QualityTarget, 1}} {
		if goal.value == nil {
			continue
		}
		goals++
		if !(*goal.value >= 0 && *goal.value <= goal.most) {
			return fmt.Errorf("%s %v is out of range", goal.name, *goal.value)
		}
	}
	switch {
	case t.Strategy == Complexity && goals > 0:
		return errors.New("complexity goes by tiers: it has no lambda, strong-share or quality-target")
	case t.Strategy == Complexity && t.Catalog == nil:
		return errors.New("complexity needs the tiers of the models")
	case t.Strategy != Complexity && goals != 1:
		return errors.New("give one of lambda, strong-share and quality-target")
	case t.Predict == nil && !slices.Contains([]string{Logged, Prior, Complexity}, t.Strategy):
		return fmt.Errorf("the strategy %q cannot be told from logged predictions", t.Strategy)
	}
	return nil
}

// option is a candidate as the target sees it.
type option struct {
	model   string
	quality float64
	cost    float64 // dollars
	logged  float64 // the probability that it had
	allowed bool
}

// view is a decision as the target sees it. Nothing in it depends on what was
// chosen or on what came of it: or else weighing by propensity would not make
// up for the choice.
type view struct {
	options  []option
	planned  int
	baseline int // -1 where it was no candidate
	choice   int // of the strategy complexity; -1: none, or by worth
}

func (t Target) view(d *Decision) (view, error) {
	predicted, err := t.predict(d)
	if err != nil {
		return view{}, err
	}
	if len(predicted) != len(d.Candidates) {
		return view{}, fmt.Errorf("%d predictions for %d candidates", len(predicted), len(d.Candidates))
	}
	v := view{planned: -1, baseline: -1, choice: -1}
	for i, c := range d.Candidates {
		v.options = append(v.options, option{model: c.Model, quality: predicted[i], cost: float64(c.CostNanos) / 1e9,
			logged: c.Probability, allowed: len(t.Models) == 0 || slices.Contains(t.Models, c.Model)})
		if c.Model == d.PlannedModel {
			v.planned = i
		}
		if c.Model == cmp.Or(t.Baseline, d.BaselineModel) {
			v.baseline = i
		}
	}
	if t.Catalog != nil {
		return v, t.reprice(d, &v)
	}
	v.costUnpriced(d)
	return v, nil
}

// costUnpriced takes models without a price to cost twice what the dearest
// does, as strategies do.
func (v *view) costUnpriced(d *Decision) {
	dearest := 0.0
	for i, c := range d.Candidates {
		if !c.Unpriced {
			dearest = max(dearest, v.options[i].cost)
		}
	}
	for i, c := range d.Candidates {
		if c.Unpriced {
			v.options[i].cost = 2 * dearest
		}
	}
}

func (t Target) predict(d *Decision) ([]float64, error) {
	if t.Predict != nil {
		return t.Predict(d)
	}
	predicted := make([]float64, len(d.Candidates))
	for i, c := range d.Candidates {
		predicted[i] = c.Quality
		if t.Strategy != Prior {
			continue
		}
		if c.Prior == nil {
			return nil, fmt.Errorf("candidate %s has no prior: the strategy prior needs decisions of a strategy that learns", c.Model)
		}
		predicted[i] = *c.Prior
	}
	return predicted, nil
}

// assumedMaxTokens of a logged request: the fact does not say what was allowed.
const assumedMaxTokens = 1000

// reprice sets the costs that the catalog expects, and what complexity would
// choose there.
func (t Target) reprice(d *Decision, v *view) error {
	var all, allowed []routing.Candidate
	for _, o := range v.options {
		c, known := t.Catalog[o.model]
		if !known {
			return fmt.Errorf("tier and price of %s are not known", o.model)
		}
		c.Model.ContextTokens = 0 // it was a candidate, so it fits
		all = append(all, c)
		if o.allowed {
			allowed = append(allowed, c)
		}
	}
	request := routing.Request{Prompt: prompt.Features{Complexity: d.Complexity}, TokensIn: d.TokensIn, MaxTokens: assumedMaxTokens}
	plan, err := routing.Complexity{}.Plan(request, all)
	if err != nil {
		return err
	}
	for _, c := range plan.Choices {
		v.options[v.index(c.Model.ID)].cost = float64(c.Cost) / 1e9
	}
	if t.Strategy != Complexity || len(allowed) == 0 {
		return nil
	}
	if plan, err = (routing.Complexity{}).Plan(request, allowed); err != nil {
		return err
	}
	v.choice = v.index(plan.Choices[0].Model.ID)
	return nil
}

func (v *view) index(model string) int {
	return slices.IndexFunc(v.options, func(o option) bool { return o.model == model })
}

// paid is what a decision cost in dollars, at the catalog's prices where there
// are any.
func (t Target) paid(d *Decision) (float64, error) {
	if t.Catalog == nil || d.Model == "" {
		return float64(d.CostNanos) / 1e9, nil
	}
	c, known := t.Catalog[d.Model]
	if !known {
		return 0, fmt.Errorf("the price of %s is not known", d.Model)
	}
	return float64(c.Price.Cost(llm.Usage{In: d.TokensIn, CachedIn: d.TokensInCached,
		CacheWriteIn: d.TokensInCacheWrite, Out: d.TokensOut})) / 1e9, nil
}

// best is the allowed option with the largest q − λ·cost, the cheaper of
// equals; −1 where none is allowed.
func (v *view) best(lambda float64) int {
	best := -1
	for i, o := range v.options {
		if !o.allowed {
			continue
		}
		if best < 0 || cmp.Or(cmp.Compare(v.options[best].worth(lambda), o.worth(lambda)), cmp.Compare(o.cost, v.options[best].cost)) < 0 {
			best = i
		}
	}
	return best
}

func (o option) worth(lambda float64) float64 { return o.quality - lambda*o.cost }

// cheapest is the allowed option that costs least; −1 where none is.
func (v *view) cheapest() int {
	best := -1
	for i, o := range v.options {
		if o.allowed && (best < 0 || o.cost < v.options[best].cost) {
			best = i
		}
	}
	return best
}

// lambda is the price at which the views meet the target's goal.
func (t Target) lambda(views []view) float64 {
	switch {
	case t.Lambda != nil:
		return *t.Lambda
	case t.StrongShare != nil:
		return highest(views, func(lambda float64) bool { return strongShare(views, lambda) >= *t.StrongShare })
	default:
		wanted := *t.QualityTarget * meanQuality(views, func(v *view) int { return v.baseline })
		return highest(views, func(lambda float64) bool {
			return meanQuality(views, func(v *view) int { return v.best(lambda) }) >= wanted
		})
	}
}

func strongShare(views []view, lambda float64) float64 {
	n := 0
	for i := range views {
		if b := views[i].baseline; b >= 0 && views[i].best(lambda) == b {
			n++
		}
	}
	return float64(n) / float64(len(views))
}

// meanQuality is the predicted quality of a choice, over views where there is
// one.
func meanQuality(views []view, choice func(*view) int) float64 {
	sum, n := 0.0, 0.0
	for i := range views {
		if c := choice(&views[i]); c >= 0 {
			sum += views[i].options[c].quality
			n++
		}
	}
	return sum / max(1, n)
}

// bisections halve the factor by which λ may be wrong, from 10¹⁸ down to less
// than a part in a thousand.
const bisections = 36

// highest is the highest λ, to a part in a thousand, at which ok still holds;
// 0 where it never does. What it asks for must get rarer with λ.
func highest(views []view, ok func(lambda float64) bool) float64 {
	low, high := 1e-6, 1e12 // quality per dollar: all differences in cost that there are
	switch {
	case !ok(low):
		return 0
	case ok(high):
		return high
	}
	for range bisections {
		if middle := math.Sqrt(low * high); ok(middle) {
			low = middle
		} else {
			high = middle
		}
	}
	return low
}
