package worker

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/busuhq/busu/internal/experiment"
)

// Docket holds the experiments that are to be judged.
type Docket interface {
	// Running names them.
	Running(ctx context.Context) ([]string, error)
	// Hear brings up to most units that have matured before the judge, and
	// stores what it says in one transaction; more wait when more is true.
	Hear(ctx context.Context, id string, now time.Time, most int, judge func(*experiment.Hearing) error) (more bool, err error)
}

// Shelf is where results are kept for all who read them.
type Shelf interface {
	OutdateResults(ctx context.Context, project, id string) error
}

// Judges look at running experiments whenever units have matured, and decide
// each once. One process at a time does; another goes on where it stopped, and
// comes to the same.
type Judges struct {
	Docket Docket
	Shelf  Shelf
	Lease  Lease
	Owner  string // a name that no other process has
	Log    *slog.Logger

	stats JudgeStats
}

// JudgeStats count what judges have done. They are safe to read at any time.
type JudgeStats struct {
	Failures atomic.Int64 // hearings that failed, and are repeated
}

// Stats gives the counters.
func (j *Judges) Stats() *JudgeStats { return &j.stats }

const (
	judgeLease  = "judge"
	judgeEvery  = time.Second
	hearWithin  = 30 * time.Second
	unitsAtOnce = 2000
)

// Run judges until ctx ends. PostgreSQL being away only makes it wait.
func (j *Judges) Run(ctx context.Context) error {
	tick := time.NewTicker(judgeEvery)
	defer tick.Stop()
	for {
		if err := j.step(ctx); err != nil && ctx.Err() == nil {
			j.Log.Debug("experiments have to wait for their judge", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// step hears every running experiment. One that fails does not keep the others
// back.
func (j *Judges) step(ctx context.Context) error {
	ids, err := j.Docket.Running(ctx)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if err := j.hear(ctx, id); err != nil && ctx.Err() == nil {
			j.stats.Failures.Add(1)
			j.Log.Warn("an experiment cannot be judged and is tried again", "experiment_id", id, "err", err)
		}
	}
	return nil
}

// hear goes on until no unit waits, as long as the lease is ours.
func (j *Judges) hear(ctx context.Context, id string) error {
	for more := true; more; {
		held, err := j.Lease.Hold(ctx, judgeLease, j.Owner, hearWithin)
		if err != nil || !held {
			return err
		}
		hearing, cancel := context.WithTimeout(ctx, hearWithin)
		var heard *experiment.Hearing
		more, err = j.Docket.Hear(hearing, id, time.Now(), unitsAtOnce, func(h *experiment.Hearing) error {
			heard = h
			return h.Judge()
		})
		cancel()
		if err != nil {
			return err
		}
		if heard != nil && heard.State.Decision != nil {
			j.outdate(ctx, heard.Experiment)
		}
	}
	return nil
}

// outdate has a verdict known at once; without Redis it is known a moment later.
func (j *Judges) outdate(ctx context.Context, e *experiment.Experiment) {
	ctx, cancel := context.WithTimeout(ctx, judgeEvery)
	defer cancel()
	if err := j.Shelf.OutdateResults(ctx, e.Project, e.ID); err != nil {
		j.Log.Debug("a verdict is told after a moment only", "experiment_id", e.ID, "err", err)
	}
}
