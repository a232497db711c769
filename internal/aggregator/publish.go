package aggregator

import (
	"context"
	"hash/crc32"
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
	turns   uint32           // that it has led, without a pause
	shown   map[string]int64 // requests of projects in all, as they were published in these turns
}

const (
	publishEvery = 250 * time.Millisecond
	// quietTurns is in how many turns projects are published once of which nothing
	// has come and nobody has asked for a minute: their windows move on slowly, and
	// they are many.
	quietTurns = 8
)

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
		p.turns, p.shown = 0, nil
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
	shown := make(map[string]int64, len(sums))
	for project, windows := range sums {
		n, err := p.put(ctx, project, windows, around{pipeline, providers}, now)
		if err != nil {
			return err
		}
		shown[project] = n
	}
	p.shown, p.turns = shown, p.turns+1
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

// put publishes what there is of a project, unless that is as it was, and gives
// the number of its requests.
func (p *Publisher) put(ctx context.Context, project string, sums map[string]rollup.Cells, with around, at time.Time) (int64, error) {
	totals := rollup.NewSums(sums[""])
	windows := rollup.Windows()
	minute := rollup.NewReport(windows[0], sums[windows[0].Name], rollup.SourceRedis, at)
	if n, isShown := p.shown[project]; isShown && n == totals.TotalRequests && minute.TotalRequests == 0 && !p.isTurnOf(project) {
		return n, nil
	}
	reports := []rollup.Report{minute}
	for _, w := range windows[1:] {
		reports = append(reports, rollup.NewReport(w, sums[w.Name], rollup.SourceRedis, at))
	}
	s := rollup.NewSnapshot(minute, &totals, &with.pipeline)
	s.Providers = with.providers
	return totals.TotalRequests, p.Board.Publish(ctx, p.Owner, project, s, reports)
}

// isTurnOf reports whether a quiet project is due: by its name, so that they do
// not all come at once.
func (p *Publisher) isTurnOf(project string) bool {
	return (p.turns+crc32.ChecksumIEEE([]byte(project)))%quietTurns == 0
}
