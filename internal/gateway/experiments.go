package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/experiment"
	"github.com/busuhq/busu/internal/routing"
)

var (
	// ErrExperiment says that a request names an experiment that there is not.
	ErrExperiment = errors.New("unknown experiment")
	// ErrUnit says that a request that names an experiment does not say whom it
	// counts for.
	ErrUnit = errors.New("the experiment needs to know whom the request is of")
)

// degradedExperiments says that a request was answered without its experiment.
const degradedExperiments = "experiments"

// Records gives the experiments that have changed, and who is in them.
type Records interface {
	// ExperimentsSince gives those of all projects that have changed since a
	// moment, and the moment to ask from next.
	ExperimentsSince(ctx context.Context, since time.Time) (changed []experiment.Status, next time.Time, err error)
	// Entered tells of every unit that has entered an experiment before a time.
	// all is true when no other can become known.
	Entered(ctx context.Context, id string, before time.Time, tell func(unit, arm string, at time.Time)) (all bool, err error)
}

// Trials are all experiments, as they stood a moment ago: no request waits for
// a store. They are safe for concurrent use.
type Trials struct {
	known    atomic.Pointer[trials]
	changing sync.Mutex
}

// trials are what was read at a time.
type trials struct {
	byID   map[string]*trial
	byName map[[2]string]*trial // project and name
	read   time.Time            // begun
}

// trial is an experiment with its assigner.
type trial struct {
	experiment.Status
	assigner *experiment.Assigner
	terms    []*terms  // by arm
	again    time.Time // when to ask again who had entered before the last ramp; zero: all are known
	entering *entering // until then; else nil
}

// newlyMade is how old an experiment must be to be known to all gateways.
const newlyMade = 10 * time.Second

// Follow reads what has changed once a second, until ctx ends.
func (t *Trials) Follow(ctx context.Context, from Records, log *slog.Logger) error {
	var since time.Time
	return follow(ctx, log, "experiments cannot be read now: those at hand go on", func(ctx context.Context) (err error) {
		since, err = t.Update(ctx, from, since)
		return err
	})
}

// Update reads what has changed since a moment, and says from when to read next.
func (t *Trials) Update(ctx context.Context, from Records, since time.Time) (next time.Time, err error) {
	reading, cancel := context.WithTimeout(ctx, followWithin)
	defer cancel()
	began := time.Now()
	changed, next, err := from.ExperimentsSince(reading, since)
	if err != nil {
		return since, err
	}
	all, err := t.prepare(ctx, from, changed, began)
	if err != nil {
		return since, err
	}
	t.take(all, began)
	return next, nil
}

// Add takes an experiment that this process has started or ended: it need not be
// read.
func (t *Trials) Add(s experiment.Status) {
	if t.known.Load() != nil { // else all of them are yet to come
		t.take([]*trial{t.newTrial(s)}, time.Time{})
	}
}

func (t *Trials) take(changed []*trial, read time.Time) {
	t.changing.Lock()
	defer t.changing.Unlock()
	now := &trials{byID: map[string]*trial{}, byName: map[[2]string]*trial{}, read: read}
	if before := t.known.Load(); before != nil {
		if now.byID, now.byName = before.byID, before.byName; len(changed) > 0 {
			now.byID, now.byName = maps.Clone(now.byID), maps.Clone(now.byName)
		}
		if read.IsZero() {
			now.read = before.read
		}
	}
	for _, tr := range changed {
		now.byID[tr.ID], now.byName[[2]string{tr.Project, tr.Name}] = tr, tr
	}
	t.known.Store(now)
}

// had is an experiment as it is known now; nil: it is not.
func (t *Trials) had(id string) *trial {
	if known := t.known.Load(); known != nil {
		return known.byID[id]
	}
	return nil
}

// errUnread says that it is not known whether there is such an experiment.
var errUnread = errors.New("experiments cannot be read now")

// find gives a project's experiment by its id.
func (t *Trials) find(project, id string) (*trial, error) {
	known := t.known.Load()
	if known == nil {
		return nil, errUnread
	}
	if tr := known.byID[id]; tr != nil && tr.Project == project {
		return tr, nil
	}
	if made, err := uuid.Parse(id); err == nil && made.Version() == 7 && event.TimeOf(made).After(known.read.Add(-newlyMade)) {
		return nil, errUnread // another process may have started it just now
	}
	return nil, ErrExperiment
}

// named gives a project's experiment by its id or name.
func (t *Trials) named(project, name string) (*trial, error) {
	known := t.known.Load()
	if known == nil {
		return nil, errUnread
	}
	if tr := known.byName[[2]string{project, name}]; tr != nil {
		return tr, nil
	}
	return t.find(project, name)
}

// enrolment is what an experiment makes of a request.
type enrolment struct {
	does     *experiment.Arm // nil: nothing
	terms    *terms          // that it does it on; nil: none
	arms     []event.Arm     // that the request counts for
	degraded []string
}

// enrol finds the arm of a request that names an experiment, or of any by the
// default one. What has ended enrols nobody, and serves what stays.
func (g *Gateway) enrol(r *Request) (enrolment, error) {
	if g.Trials == nil || r.Experiment == "" && g.DefaultExperiment == "" {
		return enrolment{}, nil
	}
	tr, err := g.Trials.find(r.Project, r.Experiment)
	if r.Experiment == "" {
		tr, err = g.Trials.named(r.Project, g.DefaultExperiment)
	}
	switch {
	case errors.Is(err, errUnread):
		return enrolment{degraded: []string{degradedExperiments}}, nil
	case err != nil && r.Experiment == "":
		return enrolment{}, nil
	case err != nil:
		return enrolment{}, err
	case tr.State != experiment.StateRunning:
		return enrolment{does: &tr.Arms[tr.Stays()], terms: tr.terms[tr.Stays()]}, nil
	}
	unit := r.unitOf(tr.Unit)
	switch {
	case unit == "" && r.Experiment != "":
		return enrolment{}, fmt.Errorf("%w: experiment %s assigns by %s", ErrUnit, tr.ID, tr.Unit)
	case unit == "":
		return enrolment{}, nil
	}
	arm, ok := tr.assign(unit, r.at())
	if !ok {
		return enrolment{}, nil
	}
	return enrolment{does: &tr.Arms[arm], terms: tr.terms[arm], arms: []event.Arm{{Experiment: tr.ID, Arm: tr.Arms[arm].Name}}}, nil
}

// unitOf is whom a request counts for; "" when it can count for nobody.
func (r *Request) unitOf(kind experiment.UnitKind) string {
	switch kind {
	case experiment.UnitSession:
		return r.SessionID
	case experiment.UnitRequest:
		return r.ID.String()
	default:
		return r.UserID
	}
}

// strategyOf is what an arm does: its strategy, or its model before what the
// default strategy would try.
func (g *Gateway) strategyOf(project string, a *experiment.Arm) (routing.Strategy, error) {
	if a.Model == "" {
		return g.strategy(project, a.Strategy)
	}
	s, err := g.strategy(project, "")
	return fixedFirst{s, a.Model}, err
}
