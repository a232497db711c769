package worker

import (
	"context"
	"time"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/learning"
	"github.com/busuhq/busu/internal/llm"
	"github.com/busuhq/busu/internal/pricing"
	"github.com/busuhq/busu/internal/routing"
)

// Decisions are what was decided by strategies that learn.
type Decisions interface {
	// Decided draws up to most of each learner's decisions of a stretch of time,
	// and says for each from how many.
	Decided(ctx context.Context, from, to time.Time, most int) (facts []*event.CompletionRecorded, of []int64, err error)
}

const (
	priceEvery   = 5 * time.Second
	priceLag     = 2 * time.Second // by which almost all is stored
	priceStretch = 2 * time.Second // that decisions are drawn from
	priceDraws   = 64
)

// price makes lessons of what was decided lately: they move the price towards
// the goal. A sample does: what is steered is a mean.
func (l *Learner) price(ctx context.Context, now time.Time) error {
	to := now.Add(-priceLag)
	if to.Sub(l.priced) < priceEvery {
		return nil
	}
	from := to.Add(-priceStretch)
	facts, of, err := l.Decisions.Decided(ctx, from, to, priceDraws)
	if err != nil {
		return err
	}
	since := min(to.Sub(l.priced), 2*priceEvery) // nobody knows what was spent while nobody looked
	l.priced = to
	stands := float64(since) / float64(priceStretch)
	drawn := map[learning.Learner]*learning.Decisions{}
	counts := map[learning.Learner]int64{}
	for _, f := range facts {
		counts[learning.Learner{Project: f.Project, Strategy: f.Strategy}]++
	}
	var order []learning.Learner
	for i, f := range facts {
		who := learning.Learner{Project: f.Project, Strategy: f.Strategy}
		d, ok := routing.Decided(planOf(f), f.BaselineModel)
		if !ok {
			continue
		}
		d.At = f.At
		d.CostUSD *= stands * float64(of[i]) / float64(counts[who])
		if drawn[who] == nil {
			drawn[who] = &learning.Decisions{Goal: l.Goal}
			order = append(order, who)
		}
		drawn[who].Decided = append(drawn[who].Decided, d)
	}
	var lessons []learning.Numbered
	for _, who := range order {
		lessons = append(lessons, learning.Numbered{Project: who.Project, Strategy: who.Strategy, Lesson: learning.Lesson{Decisions: drawn[who]}.Encode()})
	}
	if len(lessons) == 0 {
		return nil
	}
	return l.Lessons.AppendLessons(ctx, lessons)
}

// planOf is the plan that a fact tells of, as far as the price goes.
func planOf(f *event.CompletionRecorded) routing.Plan {
	var p routing.Plan
	for _, c := range f.Candidates {
		p.Choices = append(p.Choices, routing.Choice{
			Candidate:   routing.Candidate{Model: llm.Model{ID: c.Model}, Price: pricing.Price{Unknown: c.Unpriced}},
			Cost:        pricing.Nanos(c.CostNanos),
			Quality:     c.Quality,
			Probability: c.Probability,
		})
	}
	return p
}
