package aggregator

import (
	"context"
	"log/slog"
	"time"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/rollup"
)

// Chair decides who publishes: one process at a time.
type Chair interface {
	// Lead takes or keeps the right to publish, and reports whether owner has it.
	Lead(ctx context.Context, owner string) (bool, error)
	Resign(ctx context.Context, owner string) error
}

// Providers knows how the providers fare in all processes. The list is never
// nil.
type Providers interface {
	Providers(ctx context.Context) ([]rollup.ProviderState, error)
}

// Board is where snapshots are read from.
type Board interface {
	// Subtotals gives what was saved last of each partition of which there is
	// something.
	Subtotals(ctx context.Context, partitions int) ([]rollup.Subtotal, error)
	Pipeline(ctx context.Context, partitions int, now time.Time) (rollup.Pipeline, error)
	// Publish fails when owner does not lead any more.
	Publish(ctx context.Context, owner, project string, s rollup.Snapshot, reports []rollup.Report) error
}

// Publisher puts the sums of all partitions on the board, whichever processes
// have them.
type Publisher struct {
	Partitions int
	Owner      string // differs between processes that run at once
	Chair      Chair
	Board      Board
	Providers  Providers
	Log        *slog.Logger

	failing bool
}

const publishEvery = 250 * time.Millisecond

// Run publishes until ctx ends, while no other process does.
func (p *Publisher) Run(ctx context.Context) error {
	defer p.resign(ctx)
	tick := time.NewTicker(publishEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			p.note(ctx, p.publish(ctx, time.Now()))
		}
	}
}

// note logs the first of a run of failures, and the end of it.
func (p *Publisher) note(ctx context.Context, err error) {
	switch {
	case err != nil && !p.failing && ctx.Err() == nil:
		p.failing = true
		p.Log.Warn("live metrics are not published", "err", err)
	case err == nil && p.failing:
		p.failing = false
		p.Log.Info("live metrics are published again")
	}
}

func (p *Publisher) resign(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tryFor)
	defer cancel()
	if err := p.Chair.Resign(ctx, p.Owner); err != nil {
		p.Log.Debug("the right to publish is left to run out", "err", err)
	}
}

// publish reads after it leads, so that whoever led before has had its say.
func (p *Publisher) publish(ctx context.Context, now time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, tryFor)
	defer cancel()
	if leads, err := p.Chair.Lead(ctx, p.Owner); err != nil || !leads {
		return err
	}
	subtotals, err := p.Board.Subtotals(ctx, p.Partitions)
	if err != nil {
		return err
	}
	if len(subtotals) < p.Partitions {
		return nil // Redis is new, or was emptied: better nothing than too little
	}
	pipeline, err := p.Board.Pipeline(ctx, p.Partitions, now)
	if err != nil {
		return err
	}
	providers, err := p.Providers.Providers(ctx)
	if err != nil {
		return err
	}
	now = oldest(subtotals, now)
	sums := rollup.Merge(subtotals)
	if sums[event.DefaultProject] == nil {
		sums[event.DefaultProject] = nil // there is a snapshot before the first request
	}
	for project, windows := range sums {
		if err := p.put(ctx, project, windows, around{pipeline, providers}, now); err != nil {
			return err
		}
	}
	return nil
}

// oldest is when the partition was saved that was saved longest ago, or now: a
// partition that nobody counts makes all of it old.
func oldest(subtotals []rollup.Subtotal, now time.Time) time.Time {
	for _, s := range subtotals {
		if s.At.Before(now) {
			now = s.At
		}
	}
	return now
}

// around is what a snapshot says beside its sums, the same for all projects.
type around struct {
	pipeline  rollup.Pipeline
	providers []rollup.ProviderState
}

func (p *Publisher) put(ctx context.Context, project string, sums map[string]rollup.Cells, with around, at time.Time) error {
	var reports []rollup.Report
	for _, w := range rollup.Windows() {
		reports = append(reports, rollup.NewReport(w, sums[w.Name], rollup.SourceRedis, at))
	}
	totals := rollup.NewSums(sums[""])
	s := rollup.NewSnapshot(reports[0], &totals, &with.pipeline)
	s.Providers = with.providers
	return p.Board.Publish(ctx, p.Owner, project, s, reports)
}
