package learning

import (
	"math"
	"time"
)

// Goal is what an operator asks of the price λ: one of its fields, the others
// are zero.
type Goal struct {
	Quality     float64 // share of the baseline's predicted quality to keep, 0 … 1
	BudgetNanos int64   // to spend a day, nano-dollars
	StrongShare float64 // share of requests for the baseline model, 0 … 1
}

// Controller steers λ, the quality that a dollar must buy, so that decisions
// reach a Goal: it follows a running quantile of the prices at which decisions
// would turn, and never asks for a threshold. It is part of a Model, so that
// replicas agree.
type Controller struct {
	Lambda float64 // quality per dollar, 0 or more

	scale float64 // running mean of the turning prices, what a step is measured in
	seen  float64
	spent float64 // decayed dollars, over the same time as elapsed
	since float64 // decayed seconds
	last  int64   // when it last observed, Unix nanoseconds; 0: never
}

// Decided is a decision as the controller sees it.
type Decided struct {
	At       time.Time
	Turning  float64 // λ at which the baseline's lead over the cheapest model is just worth its cost; quality per dollar
	Strong   float64 // probability with which the baseline was chosen
	CostUSD  float64 // expected
	Quality  float64 // predicted, expected over the choice
	Baseline float64 // predicted quality of the baseline
}

const (
	controlStart  = 0.5  // of a typical turning price: the first steps
	controlSteps  = 50   // decisions after which steps have halved, and so on
	controlFloor  = 0.01 // of a typical turning price: the steps that never end
	controlMemory = 200  // decisions that the typical price is taken over
	budgetMemory  = 3600 // seconds over which spending is held against the budget
)

// Observe takes a decision and moves λ towards the goal.
func (c *Controller) Observe(g Goal, d Decided) {
	if !finite(d.Turning) || !finite(d.CostUSD) || !finite(d.Quality) {
		return
	}
	c.seen++
	c.scale += (math.Abs(d.Turning) - c.scale) / min(c.seen, controlMemory)
	step := max(controlFloor, controlStart/(1+c.seen/controlSteps))
	moved := c.Lambda + step*c.scale*c.miss(g, d)
	if finite(moved) {
		c.Lambda = max(0, moved)
	}
}

// miss is by how much decisions overshoot what they may cost: above zero λ
// must rise. It lies in −1 … 1.
func (c *Controller) miss(g Goal, d Decided) float64 {
	switch {
	case g.StrongShare > 0:
		return max(-1, min(1, d.Strong-g.StrongShare))
	case g.BudgetNanos > 0:
		return c.overspent(float64(g.BudgetNanos)/1e9/86400, d)
	case g.Quality > 0:
		return max(-1, min(1, d.Quality-g.Quality*d.Baseline))
	default:
		return 0
	}
}

// overspent compares what is spent a second, over the last hour, with the
// budget.
func (c *Controller) overspent(budget float64, d Decided) float64 {
	now := max(c.last, d.At.UnixNano()) // clocks go back
	if c.last > 0 {
		gone := float64(now-c.last) / 1e9
		keep := math.Exp(-gone / budgetMemory)
		c.spent, c.since = c.spent*keep, c.since*keep+gone
	}
	c.last = now
	c.spent += max(0, d.CostUSD)
	if c.since <= 0 {
		return 0
	}
	return max(-1, min(1, c.spent/c.since/budget-1))
}
