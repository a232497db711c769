package aggregator

import (
	"context"
	"log/slog"
	"time"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/rollup"
)

// Board is where snapshots are read from.
type Board interface {
	Publish(ctx context.Context, project string, s rollup.Snapshot, reports []rollup.Report) error
	Pipeline(ctx context.Context, partitions int, now time.Time) (rollup.Pipeline, error)
}

// Providers knows how the providers fare in all processes. The list is never
// nil.
type Providers interface {
	Providers(ctx context.Context) ([]rollup.ProviderState, error)
}

// Publisher puts the sums of all partitions on the board.
type Publisher struct {
	Partitions []*Aggregator
	Board      Board
	Providers  Providers
	Log        *slog.Logger

	failing bool
}

const publishEvery = 500 * time.Millisecond

// Run publishes until ctx ends.
func (p *Publisher) Run(ctx context.Context) error {
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

func (p *Publisher) publish(ctx context.Context, now time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, tryFor)
	defer cancel()
	totals := map[string]rollup.Cells{event.DefaultProject: {}} // there is a snapshot before the first request
	for _, a := range p.Partitions {
		if !a.AddTo(totals, "") {
			return nil // another process has a partition, and publishes
		}
	}
	pipeline, err := p.Board.Pipeline(ctx, len(p.Partitions), now)
	if err != nil {
		return err
	}
	providers, err := p.Providers.Providers(ctx)
	if err != nil {
		return err
	}
	reports := map[string][]rollup.Report{}
	for _, w := range rollup.Windows() {
		cells := map[string]rollup.Cells{}
		for _, a := range p.Partitions {
			a.AddTo(cells, w.Name)
		}
		for project := range totals {
			reports[project] = append(reports[project], rollup.NewReport(w, cells[project], rollup.SourceRedis, now))
		}
	}
	for project, cells := range totals {
		sums := rollup.NewSums(cells)
		s := rollup.NewSnapshot(reports[project][0], &sums, &pipeline)
		s.Providers = providers
		if err := p.Board.Publish(ctx, project, s, reports[project]); err != nil {
			return err
		}
	}
	return nil
}
