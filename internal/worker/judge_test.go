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
}

func (d *docket) Running(context.Context) ([]string, error) { return []string{"a", "b", "c"}, nil }

func (d *docket) Hear(_ context.Context, id string, _ time.Time, _ int, judge func(*experiment.Hearing) error) (bool, error) {
	if id == d.fails {
		return false, errors.New("no")
	}
	d.heard = append(d.heard, id)
	d.waiting[id]--
	return d.waiting[id] > 0, nil
}

func (d *docket) Hold(_ context.Context, name, owner string, _ time.Duration) (bool, error) {
	return name == judgeLease && (d.holder == "" || d.holder == owner), nil
}

func TestJudgesHearAllThatWaits(t *testing.T) {
	t.Parallel()
	d := &docket{waiting: map[string]int{"a": 3, "b": 1, "c": 1}, fails: "b"}
	j := &Judges{Docket: d, Lease: d, Owner: "me", Log: slog.New(slog.DiscardHandler)}
	if err := j.step(t.Context()); err != nil || !slices.Equal(d.heard, []string{"a", "a", "a", "c"}) || j.Stats().Failures.Load() != 1 {
		t.Errorf("heard are %v, %d failed: %v", d.heard, j.Stats().Failures.Load(), err)
	}
	d.holder, d.heard = "another", nil
	if err := j.step(t.Context()); err != nil || len(d.heard) != 0 {
		t.Errorf("without the lease %v are heard: %v", d.heard, err)
	}
}
