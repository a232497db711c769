package replay

import (
	"errors"
	"fmt"
	"strings"
)

// PolicyReport says what a target policy would have cost and scored on logged
// decisions. Costs are in dollars a request, means over decisions; qualities
// are over those with a verdict.
type PolicyReport struct {
	Strategy string             `json:"strategy"`
	Lambda   *float64           `json:"lambda"` // quality per dollar; null for complexity
	Models   map[string]float64 `json:"models"` // share of decisions for each
	LeftOut  []LeftOut          `json:"left_out"`
	Unit     string             `json:"unit"` // user or request: what is drawn independently
	Units    int                `json:"units"`
	Untried  float64            `json:"untried"` // share of decisions for which its choice was never tried

	Cost    Estimates  `json:"cost_usd"`
	Quality *Estimates `json:"quality"` // null: only costs were asked for
	Logged  Means      `json:"logged"`  // what the logged policy got
	Fixed   FixedMeans `json:"fixed"`
}

// Means are a policy's mean cost and quality, by the doubly robust estimate.
type Means struct {
	Cost    Interval  `json:"cost_usd"`
	Quality *Interval `json:"quality"`
	Refused string    `json:"refused,omitempty"` // why there are none
}

// FixedMeans are policies that look at no prompt. The mix is of the two at the
// target's cost; null where it would cost less or more than both, or where one
// of them cannot be estimated.
type FixedMeans struct {
	Cheapest Means  `json:"always_cheapest"`
	Baseline Means  `json:"always_baseline"`
	Mix      *Point `json:"equal_cost_mix"`
}

// PolicyOptions say what is evaluated beside the target.
type PolicyOptions struct {
	CostOnly bool // the log has no verdicts, or they do not matter
}

// What overlap must be for an estimate to be given.
const (
	leastEffective = 100  // decisions that the weighed ones are worth
	mostUntried    = 0.01 // share for which the target's choice was never tried
	leastUsers     = 30   // below it, intervals over users mean nothing, and requests are taken as units
)

// EvaluatePolicy estimates what a target would have got. Its error is an
// *OverlapError where the log cannot say.
func EvaluatePolicy(l Log, t Target, o PolicyOptions) (PolicyReport, error) {
	if err := t.Validate(); err != nil {
		return PolicyReport{}, err
	}
	if len(l.Decisions) == 0 {
		return PolicyReport{}, noDecisions(l)
	}
	p := policyRun{log: l, target: t, costOnly: o.CostOnly, views: make([]view, len(l.Decisions)), paid: make([]float64, len(l.Decisions))}
	p.units, p.unit, p.unitCount = unitsOf(l.Decisions)
	for i := range l.Decisions {
		var err error
		if p.views[i], err = t.view(&l.Decisions[i]); err == nil {
			p.paid[i], err = t.paid(&l.Decisions[i])
		}
		if err != nil {
			return PolicyReport{}, fmt.Errorf("%s: %w", l.Decisions[i].ID, err)
		}
	}
	return p.report()
}

func noDecisions(l Log) error {
	var why []string
	for _, left := range l.LeftOut {
		why = append(why, fmt.Sprintf("%d %s", left.Count, left.Reason))
	}
	if len(why) == 0 {
		return errors.New("the log holds no decision")
	}
	return fmt.Errorf("no decision of the log can be evaluated: %s", strings.Join(why, "; "))
}

// policyRun is one evaluation.
type policyRun struct {
	log       Log
	target    Target
	costOnly  bool
	views     []view
	paid      []float64 // dollars, by decision
	units     []int     // by decision
	unit      string
	unitCount int
}

// unitsOf numbers the users. Decisions without one are units of their own, and
// so are all where there are few users.
func unitsOf(decisions []Decision) (units []int, unit string, count int) {
	units = make([]int, len(decisions))
	users := map[string]int{}
	for i, d := range decisions {
		units[i] = count
		if d.UserID == "" {
			count++
		} else if at, seen := users[d.UserID]; seen {
			units[i] = at
		} else {
			users[d.UserID] = count
			count++
		}
	}
	if len(users) > 0 && count >= leastUsers {
		return units, "user", count
	}
	for i := range units {
		units[i] = i
	}
	return units, "request", len(units)
}

func (p *policyRun) report() (r PolicyReport, err error) {
	r = PolicyReport{Strategy: p.target.Strategy, LeftOut: p.log.LeftOut, Unit: p.unit, Units: p.unitCount, Models: map[string]float64{}}
	choose := func(v *view) int { return v.choice }
	if p.target.Strategy != Complexity {
		lambda := p.target.lambda(p.views)
		r.Lambda = &lambda
		choose = func(v *view) int { return v.best(lambda) }
	}
	var o overlap
	if r.Cost, r.Quality, o, err = p.estimate(choose); err != nil {
		return PolicyReport{}, err
	}
	r.Untried = o.untried()
	for model, n := range o.chosen {
		r.Models[model] = float64(n) / float64(len(p.views))
	}
	r.Logged = p.logged()
	r.Fixed.Cheapest = p.fixed((*view).cheapest)
	r.Fixed.Baseline = p.fixed(func(v *view) int { return v.baseline })
	r.Fixed.Mix = mixAt(r.Cost.DoublyRobust.Estimate, r.Fixed.Cheapest, r.Fixed.Baseline)
	return r, nil
}

// estimate weighs every decision by what the target would choose. Both
// estimates must have overlap enough.
func (p *policyRun) estimate(choose func(*view) int) (cost Estimates, quality *Estimates, o overlap, err error) {
	costs, qualities := weighing{}, weighing{}
	o = overlap{chosen: map[string]int{}, untriedModels: map[string]int{}}
	for i := range p.views {
		v := &p.views[i]
		at := choose(v)
		o.add(v, at)
		costs.add(v, at, p.units[i], p.paid[i], func(o option) float64 { return o.cost })
		if verdict, ok := p.log.Decisions[i].verdict(); ok {
			qualities.add(v, at, p.units[i], verdict, func(o option) float64 { return o.quality })
		}
	}
	if err := o.check(); err != nil {
		return cost, nil, o, err
	}
	if cost, err = estimateWhereItCan(costs, "costs"); err != nil || p.costOnly {
		return cost, nil, o, err
	}
	if len(qualities.rows) == 0 {
		return cost, nil, o, &OverlapError{What: "no decision has a verdict (quality)", Needed: "some 100 decisions with feedback that the policy would have taken too; costs alone can be estimated without"}
	}
	estimated, err := estimateWhereItCan(qualities, "verdicts")
	return cost, &estimated, o, err
}

// weighing collects decisions for an estimate of one of their outcomes.
type weighing struct {
	rows            []Weighed
	planned, chosen []string
}

func (w *weighing) add(v *view, at, unit int, outcome float64, predicted func(option) float64) {
	r := Weighed{Outcome: outcome, Predicted: predicted(v.options[v.planned]), Unit: unit}
	chosen := ""
	if at >= 0 {
		r.Expected, chosen = predicted(v.options[at]), v.options[at].model
	}
	if at == v.planned {
		r.Weight = 1 / v.options[at].logged
	}
	w.rows, w.planned, w.chosen = append(w.rows, r), append(w.planned, v.options[v.planned].model), append(w.chosen, chosen)
}

func estimateWhereItCan(w weighing, what string) (Estimates, error) {
	scale(w.rows, w.planned, w.chosen)
	e := Estimate(w.rows)
	return e, thin(e, what)
}

func (p *policyRun) fixed(choose func(*view) int) Means {
	cost, quality, _, err := p.estimate(choose)
	if err != nil {
		return Means{Refused: err.Error()}
	}
	m := Means{Cost: cost.DoublyRobust}
	if quality != nil {
		m.Quality = &quality.DoublyRobust
	}
	return m
}

// logged is what the decisions really got: the estimate for a policy that
// chooses what was chosen.
func (p *policyRun) logged() Means {
	var costs, qualities []Weighed
	for i := range p.views {
		costs = append(costs, Weighed{Weight: 1, Outcome: p.paid[i], Unit: p.units[i]})
		if verdict, ok := p.log.Decisions[i].verdict(); ok && !p.costOnly {
			qualities = append(qualities, Weighed{Weight: 1, Outcome: verdict, Unit: p.units[i]})
		}
	}
	m := Means{Cost: Estimate(costs).IPS}
	if len(qualities) > 0 {
		quality := Estimate(qualities).IPS
		m.Quality = &quality
	}
	return m
}

// mixAt is what a coin between the cheapest model and the baseline gets at a
// cost between theirs.
func mixAt(cost float64, cheapest, baseline Means) *Point {
	if cheapest.Refused != "" || baseline.Refused != "" || cheapest.Quality == nil || baseline.Quality == nil {
		return nil
	}
	low, high := cheapest.Cost.Estimate, baseline.Cost.Estimate
	if !(low < high && cost >= low && cost <= high) {
		return nil
	}
	share := (cost - low) / (high - low)
	return &Point{Cost: cost, Quality: cheapest.Quality.Estimate + share*(baseline.Quality.Estimate-cheapest.Quality.Estimate)}
}
