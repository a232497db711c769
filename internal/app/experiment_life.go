package app

import (
	"context"
	"time"

	"github.com/busuhq/busu/internal/experiment"
)

// Ramp implements httpapi.Steward. This process takes the new shares up like all
// others, together with who is in the arms.
func (x *experiments) Ramp(ctx context.Context, project, by, id string, r experiment.Ramp) (experiment.Status, error) {
	defer x.outdate(ctx, project, id)
	return x.db.ChangeExperiment(ctx, project, id, "ramp", by, func(e *experiment.Experiment, matured int) (any, error) {
		before := e.Shares()
		if err := e.RampTo(r, time.Now(), matured); err != nil {
			return nil, err
		}
		return experiment.Change{Note: r.Note, Before: before, After: e.Phases[len(e.Phases)-1]}, nil
	})
}

// Extend implements httpapi.Steward.
func (x *experiments) Extend(ctx context.Context, project, by, id string, wish experiment.Extension) (experiment.Status, error) {
	type size struct {
		SampleSize  int                 `json:"sample_size"`
		MaxDuration experiment.Duration `json:"max_duration"`
	}
	defer x.outdate(ctx, project, id)
	return x.db.ChangeExperiment(ctx, project, id, "extend", by, func(e *experiment.Experiment, matured int) (any, error) {
		before := size{e.SampleSize, e.MaxDuration}
		if err := e.Extend(wish, time.Now(), matured); err != nil {
			return nil, err
		}
		return experiment.Change{Note: wish.Note, Before: before, After: size{e.SampleSize, e.MaxDuration}}, nil
	})
}

// Archive implements httpapi.Steward.
func (x *experiments) Archive(ctx context.Context, project, by, id string) (experiment.Status, error) {
	return x.db.ArchiveExperiment(ctx, project, id, by)
}
