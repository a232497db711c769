package gateway

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/busuhq/busu/internal/experiment"
)

// When it is asked who had entered an experiment before its shares changed.
// Facts of the last moments before arrive a little later.
const (
	enteredWithin = 30 * time.Second
	enteredBefore = 2 * time.Second // the new shares begin, once more
	enteredRest   = 10              // times as long as the question took, at least
)

// prepare makes trials of what has changed, and of those of whom it is still to
// be asked who entered before. A ramp is taken up together with them, or not
// yet: who is in an arm stays there.
func (t *Trials) prepare(ctx context.Context, from Records, changed []experiment.Status, now time.Time) ([]*trial, error) {
	var all []*trial
	given := map[string]bool{}
	for _, s := range changed {
		tr, err := t.prepared(ctx, from, s, now)
		if err != nil {
			return nil, err
		}
		all, given[s.ID] = append(all, tr), true
	}
	known := t.known.Load()
	if known == nil {
		return all, nil
	}
	for id, had := range known.byID {
		if given[id] || had.again.IsZero() || now.Before(had.again) {
			continue
		}
		tr, err := t.prepared(ctx, from, had.Status, now)
		if err != nil {
			return nil, err
		}
		all = append(all, tr)
	}
	return all, nil
}

// prepared is one of them. What is known already is not asked for again.
func (t *Trials) prepared(ctx context.Context, from Records, s experiment.Status, now time.Time) (*trial, error) {
	tr := t.newTrial(s)
	ramped, ok := tr.assigner.Ramped()
	if !ok || s.State != experiment.StateRunning {
		return tr, nil
	}
	if had := t.had(s.ID); had != nil && len(had.Phases) == len(s.Phases) {
		tr.entering = had.entering
		if had.again.IsZero() || now.Before(had.again) {
			tr.assigner, tr.again = had.assigner, had.again
			return tr, nil
		}
	}
	ctx, cancel := context.WithTimeout(ctx, enteredWithin)
	defer cancel()
	began := time.Now()
	all, err := from.Entered(ctx, s.ID, ramped, func(unit, arm string, at time.Time) {
		if i := s.ArmNamed(arm); i >= 0 {
			tr.assigner.Keep(unit, i, at)
		}
	})
	if err != nil {
		return nil, fmt.Errorf("experiment %s: %w", s.ID, err)
	}
	if tr.assigner.Settle(now); all {
		tr.entering = nil
	} else {
		if tr.entering == nil {
			tr.entering = &entering{until: ramped, arms: map[string]int{}}
		}
		tr.again = now.Add(max(followEvery, enteredRest*time.Since(began)))
		if soon := ramped.Add(-enteredBefore); tr.again.Before(soon) {
			tr.again = soon
		}
	}
	return tr, nil
}

// entering remembers who enters an arm here while a ramp is at hand, and would be
// moved by it: their facts are on their way yet.
type entering struct {
	until time.Time
	mu    sync.Mutex
	arms  map[string]int
}

// mostEntering bounds them. Those beyond may be moved, and are counted then.
const mostEntering = 100_000

// assign says which arm a unit is in that asks at a time.
func (tr *trial) assign(unit string, at time.Time) (arm int, ok bool) {
	arm, _, ok = tr.assigner.Assign(unit, at)
	if !ok || tr.entering == nil {
		return arm, ok
	}
	e := tr.entering
	if !at.Before(e.until) {
		e.mu.Lock()
		defer e.mu.Unlock()
		if was, entered := e.arms[unit]; entered {
			arm = was
		}
		return arm, true
	}
	if next, _, _ := tr.assigner.Assign(unit, e.until); next != arm {
		e.mu.Lock()
		defer e.mu.Unlock()
		if len(e.arms) < mostEntering {
			e.arms[unit] = arm
		}
	}
	return arm, true
}
