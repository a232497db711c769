package gateway

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"sync/atomic"

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
	fresh  map[string]routing.Learned  // by strategy, before a project's first snapshot
	begun  map[string]routing.Strategy // that go by it
	latest atomic.Pointer[map[learning.Learner]published]
}

// published is a learner's last good snapshot.
type published struct {
	strategy routing.Strategy
	number   int64
	model    *learning.Model
	modelOf  int64
	base     *learning.Model // that of baseOf; nil: none
	baseOf   int64
	refused  int64 // a snapshot that is damaged, which need not be tried again
}

// NewPublished starts strategies from the prior, each that learns at its price.
func NewPublished(prior *learning.Prior, startPrices map[string]float64) *Published {
	p := &Published{fresh: map[string]routing.Learned{}, begun: map[string]routing.Strategy{}}
	for name, lambda := range startPrices {
		l := routing.Learned{Prior: prior, Model: learning.New(nil, learning.Assumed()), Explore: routing.DefaultExploration()}
		l.Model.Controller.Lambda = lambda
		p.fresh[name], p.begun[name] = l, learnedStrategy(name, l)
	}
	p.latest.Store(&map[learning.Learner]published{})
	return p
}

// Strategy implements Strategies.
func (p *Published) Strategy(project, name string) (routing.Strategy, bool) {
	latest := *p.latest.Load()
	for _, who := range [...]string{project, learning.Everyone} { // who has taught nothing yet begins with what others did
		if s, ok := latest[learning.Learner{Project: who, Strategy: name}]; ok && s.strategy != nil {
			return s.strategy, true
		}
	}
	if name == (routing.Complexity{}).Name() {
		return routing.Complexity{}, true
	}
	s, ok := p.begun[name]
	return s, ok
}

func learnedStrategy(name string, l routing.Learned) routing.Strategy {
	if name == (routing.Learning{}).Name() {
		return routing.Learning{Learned: l}
	}
	return routing.Hybrid{Learned: l}
}

// Follow goes over to each snapshot that is published, until ctx ends.
func (p *Published) Follow(ctx context.Context, from Snapshots, log *slog.Logger) error {
	return follow(ctx, log, "snapshots cannot be read now: the ones at hand serve on", func(ctx context.Context) error {
		return p.update(ctx, from, log)
	})
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
		had := have[s.Learner()]
		if _, known := p.fresh[s.Strategy]; !known || s.Number == had.number || s.Number == had.refused {
			continue
		}
		given, err := take(ctx, from, s, had)
		if errors.Is(err, learning.ErrCorrupt) {
			log.Error("a snapshot is damaged: the last good one serves on", "project", s.Project, "strategy", s.Strategy, "snapshot", s.Number, "err", err)
			given = had
			given.refused = s.Number
		} else if err != nil {
			return err
		} else {
			given.strategy = p.strategyOf(s, given.model)
		}
		next[s.Learner()], changed = given, true
	}
	if changed {
		p.latest.Store(&next)
	}
	return nil
}

// strategyOf goes by a snapshot. What all projects taught is what one begins
// with: on top of it nothing is learned, and no decision has moved the price.
func (p *Published) strategyOf(s learning.Snapshot, m *learning.Model) routing.Strategy {
	l := p.fresh[s.Strategy]
	if s.Project == learning.Everyone {
		l.Model = learning.New(m, learning.Assumed()).At(l.Model.Controller)
	} else {
		l.Model, l.Number = m, s.Number
	}
	return learnedStrategy(s.Strategy, l)
}

// take reads a snapshot's model; where only the price moved, it is the one at
// hand.
func take(ctx context.Context, from Snapshots, s learning.Snapshot, had published) (published, error) {
	given := published{number: s.Number, modelOf: s.ModelOf, baseOf: s.Base}
	var err error
	if given.base, err = baseOf(ctx, from, s, had); err != nil {
		return given, err
	}
	if had.model != nil && had.modelOf == s.ModelOf && had.baseOf == s.Base {
		given.model, err = s.Reprice(had.model)
		return given, err
	}
	if s.Model, err = from.Model(ctx, s.Learner(), s.ModelOf); err != nil {
		return given, err
	}
	given.model, err = s.Restore(given.base)
	return given, err
}

// baseOf is what a snapshot was learned on top of.
func baseOf(ctx context.Context, from Snapshots, s learning.Snapshot, had published) (*learning.Model, error) {
	if s.Base == 0 || s.Base == had.baseOf {
		return had.base, nil
	}
	bytes, err := from.Model(ctx, learning.Learner{Project: learning.Everyone, Strategy: s.Strategy}, s.Base)
	if err != nil {
		return nil, err
	}
	return learning.Decode(bytes, nil)
}
