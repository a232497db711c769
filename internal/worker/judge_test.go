package worker

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/busuhq/busu/internal/experiment"
)

// docket has hearings waiting by experiment, and fails for some.
type docket struct {
	waiting map[string]int
	fails   string
	heard   []string
	holder  string // of the lease
	decides string // is decided
	old     []string
}

func (d *docket) OutdateResults(_ context.Context, _, id string) error {
	d.old = append(d.old, id)
	return errors.New("away")
}

func (d *docket) Running(context.Context) ([]string, error) { return []string{"a", "b", "c"}, nil }

func (d *docket) Hear(ctx context.Context, id string, now time.Time, most int, judge func(*experiment.Hearing) error) (bool, error) {
	if id == d.fails {
		return false, errors.New("no")
	}
	s := experiment.Start{Name: id, SampleSize: 100, ControlStrategy: "complexity", TestStrategy: "hybrid"}
	e := s.Experiment(experiment.Given{ID: id, At: now.Add(-48 * time.Hour)})
	h := &experiment.Hearing{Experiment: &e, Watermark: now, All: true,
		Evidence: []experiment.Evidence{{Results: []experiment.Result{{Unit: "ada", At: now.Add(-36 * time.Hour)}}}}}
	if err := judge(h); err != nil || h.State.Units != 1 || most < 1 || time.Since(now) > time.Minute {
		return false, errors.Join(err, errors.New("it is not judged as of now"))
	}
	if _, ends := ctx.Deadline(); !ends {
		return false, errors.New("a hearing may go on for ever")
	}
	d.heard = append(d.heard, id)
	if id == d.decides {
		h.State.Decision = new(experiment.Decision)
	}
	d.waiting[id]--
	return d.waiting[id] > 0, nil
}

func (d *docket) Hold(_ context.Context, name, owner string, _ time.Duration) (bool, error) {
	return name == judgeLease && owner == "me" && (d.holder == "" || d.holder == owner), nil
}

func TestJudgesHearAllThatWaits(t *testing.T) {
	t.Parallel()
	d := &docket{waiting: map[string]int{"a": 3, "b": 1, "c": 1}, fails: "b", decides: "c"}
	j := &Judges{Docket: d, Shelf: d, Lease: d, Owner: "me", Log: slog.New(slog.DiscardHandler)}
	if err := j.step(t.Context()); err != nil || !slices.Equal(d.heard, []string{"a", "a", "a", "c"}) || j.Stats().Failures.Load() != 1 {
		t.Errorf("heard are %v, %d failed: %v", d.heard, j.Stats().Failures.Load(), err)
	}
	if !slices.Equal(d.old, []string{"c"}) {
		t.Errorf("the results of %v are out of date", d.old)
	}
	d.holder, d.heard = "another", nil
	if err := j.step(t.Context()); err != nil || len(d.heard) != 0 {
		t.Errorf("without the lease %v are heard: %v", d.heard, err)
	}
}
