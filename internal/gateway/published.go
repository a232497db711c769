package gateway

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"sync/atomic"
	"time"

	"github.com/busuhq/busu/internal/learning"
	"github.com/busuhq/busu/internal/routing"
)

// Snapshots gives what the worker has published.
type Snapshots interface {
	// Latest are the newest snapshots of all learners, without their models.
	Latest(ctx context.Context) ([]learning.Snapshot, error)
	// Model gives the bytes of a learner's model by the number of its snapshot.
	Model(ctx context.Context, l learning.Learner, number int64) ([]byte, error)
}

// Published is the strategies, those that learn at their last good snapshot.
// It goes over to a new one between two requests, and keeps the one it has
// while none can be had or a new one is damaged. It is safe for concurrent use.
type Published struct {
	fresh  map[string]routing.Learned // by strategy, before a project's first snapshot
	latest atomic.Pointer[map[learning.Learner]published]
}

type published struct {
	strategy routing.Strategy
	learned  routing.Learned
	modelOf  int64
	refused  int64 // a snapshot that is damaged, which need not be tried again
}

// NewPublished starts strategies from the prior, each that learns at its price.
func NewPublished(prior *learning.Prior, startPrices map[string]float64) *Published {
	p := &Published{fresh: map[string]routing.Learned{}}
	for name, lambda := range startPrices {
		l := routing.Learned{Prior: prior, Model: learning.New(nil, learning.Assumed()), Explore: routing.DefaultExploration()}
		l.Model.Controller.Lambda = lambda
		p.fresh[name] = l
	}
	p.latest.Store(&map[learning.Learner]published{})
	return p
}

// Strategy implements Strategies.
func (p *Published) Strategy(project, name string) (routing.Strategy, bool) {
	if s, ok := (*p.latest.Load())[learning.Learner{Project: project, Strategy: name}]; ok && s.strategy != nil {
		return s.strategy, true
	}
	if name == (routing.Complexity{}).Name() {
		return routing.Complexity{}, true
	}
	l, ok := p.fresh[name]
	return learnedStrategy(name, l), ok
}

func learnedStrategy(name string, l routing.Learned) routing.Strategy {
	if name == (routing.Learning{}).Name() {
		return routing.Learning{Learned: l}
	}
	return routing.Hybrid{Learned: l}
}

// followEvery bounds how long a gateway routes by an old snapshot.
const (
	followEvery  = time.Second
	followWithin = 5 * time.Second
)

// Follow goes over to each snapshot that is published, until ctx ends.
func (p *Published) Follow(ctx context.Context, from Snapshots, log *slog.Logger) error {
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	for {
		if err := p.update(ctx, from, log); err != nil && ctx.Err() == nil {
			log.Debug("snapshots cannot be read now: the ones at hand serve on", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (p *Published) update(ctx context.Context, from Snapshots, log *slog.Logger) error {
	ctx, cancel := context.WithTimeout(ctx, followWithin)
	defer cancel()
	all, err := from.Latest(ctx)
	if err != nil {
		return err
	}
	have := *p.latest.Load()
	next := maps.Clone(have)
	changed := false
	for _, s := range all {
		l := s.Learner()
		had := have[l]
		fresh, known := p.fresh[s.Strategy]
		if !known || s.Number == had.learned.Number || s.Number == had.refused {
			continue
		}
		model, err := modelFor(ctx, from, s, had)
		if errors.Is(err, learning.ErrCorrupt) {
			log.Error("a snapshot is damaged: the last good one serves on", "project", s.Project, "strategy", s.Strategy, "snapshot", s.Number, "err", err)
			had.refused = s.Number
			next[l], changed = had, true
			continue
		}
		if err != nil {
			return err
		}
		fresh.Model, fresh.Number = model, s.Number
		next[l], changed = published{strategy: learnedStrategy(s.Strategy, fresh), learned: fresh, modelOf: s.ModelOf}, true
	}
	if changed {
		p.latest.Store(&next)
	}
	return nil
}

// modelFor is a snapshot's model; where only the price moved, the one at hand.
func modelFor(ctx context.Context, from Snapshots, s learning.Snapshot, had published) (*learning.Model, error) {
	if had.learned.Model != nil && had.modelOf == s.ModelOf {
		return s.Reprice(had.learned.Model)
	}
	var err error
	if s.Model, err = from.Model(ctx, s.Learner(), s.ModelOf); err != nil {
		return nil, err
	}
	return s.Restore()
}
