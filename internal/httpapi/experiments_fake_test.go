package httpapi_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/busuhq/busu/internal/experiment"
	"github.com/busuhq/busu/internal/gateway"
	"github.com/busuhq/busu/internal/webhook"
)

// fakeExperiments keeps experiments of one project, and judges none.
type fakeExperiments struct {
	err error

	mu  sync.Mutex
	all []experiment.Status
}

func newFakeExperiments() *fakeExperiments { return new(fakeExperiments) }

func (x *fakeExperiments) Start(_ context.Context, project, _ string, s experiment.Start) (experiment.Started, error) {
	if x.err != nil {
		return experiment.Started{}, x.err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	e, err := experiment.New(s, experiment.Given{ID: fmt.Sprintf("019ab179-0000-7abc-8def-%012d", len(x.all)), Project: project, Salt: "s", At: sampleTime, SlowUS: 1000,
		Segment: experiment.Segment{From: 0, To: 1}}, experiment.Known{Strategies: []string{"complexity", "hybrid"}, Models: []string{"small"}})
	if err != nil {
		return experiment.Started{}, err
	}
	for _, other := range x.all {
		if other.Name == e.Name {
			return experiment.Started{}, experiment.ErrNameTaken
		}
	}
	x.all = append(x.all, experiment.Status{Experiment: e, State: experiment.StateRunning})
	return experiment.Started{Status: x.all[len(x.all)-1], Plan: e.Plan(experiment.UsualGuess().Traffic(), 0)}, nil
}

func (x *fakeExperiments) Plan(_ context.Context, project string, s experiment.Start, effect float64) (experiment.Plan, error) {
	s.Name = "plan"
	e, err := experiment.New(s, experiment.Given{ID: "plan", Project: project, Salt: "s", At: sampleTime, SlowUS: 1000,
		Segment: experiment.Segment{From: 0, To: 1}}, experiment.Known{Strategies: []string{"complexity", "hybrid"}, Models: []string{"small"}})
	if err != nil {
		return experiment.Plan{}, err
	}
	return e.Plan(experiment.UsualGuess().Traffic(), effect), x.err
}

func (x *fakeExperiments) Stop(ctx context.Context, project, _, id string) (experiment.Status, error) {
	x.mu.Lock()
	for i := range x.all {
		if x.all[i].ID == id {
			x.all[i].State, x.all[i].EndedAt = experiment.StateStopped, new(sampleTime)
		}
	}
	x.mu.Unlock()
	return x.Experiment(ctx, project, id)
}

// change alters an experiment that runs.
func (x *fakeExperiments) change(project, id string, change func(e *experiment.Experiment) error) (experiment.Status, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for i := range x.all {
		s := &x.all[i]
		if s.ID != id || s.Project != project {
			continue
		}
		if s.State != experiment.StateRunning {
			return *s, experiment.ErrEnded
		}
		err := errors.Join(x.err, change(&s.Experiment))
		return *s, err
	}
	return experiment.Status{}, errors.Join(x.err, experiment.ErrUnknown)
}

func (x *fakeExperiments) Ramp(_ context.Context, project, _, id string, r experiment.Ramp) (experiment.Status, error) {
	return x.change(project, id, func(e *experiment.Experiment) error { return e.RampTo(r, sampleTime.Add(time.Minute), 0) })
}

func (x *fakeExperiments) Extend(_ context.Context, project, _, id string, wish experiment.Extension) (experiment.Status, error) {
	return x.change(project, id, func(e *experiment.Experiment) error { return e.Extend(wish, sampleTime.Add(time.Minute), 1) })
}

func (x *fakeExperiments) Archive(ctx context.Context, project, _, id string) (experiment.Status, error) {
	x.mu.Lock()
	for i := range x.all {
		if s := &x.all[i]; s.ID == id && s.State != experiment.StateRunning {
			s.ArchivedAt = new(sampleTime)
		}
	}
	x.mu.Unlock()
	s, err := x.Experiment(ctx, project, id)
	if err == nil && s.ArchivedAt == nil {
		err = experiment.ErrRunning
	}
	return s, err
}

func (x *fakeExperiments) List(_ context.Context, _ string, archived bool) (experiment.List, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	list := experiment.List{Experiments: []experiment.Listed{}, AsOf: sampleTime, Degraded: []string{}}
	for i, s := range x.all {
		if archived || s.ArchivedAt == nil {
			listed := experiment.Listed{Status: s}
			if i == 0 { // of others it cannot be told
				listed.Standing = &experiment.Standing{AsOf: sampleTime, Verdict: "no side is shown to be better yet.", SplitOK: true, Users: 200, Matured: 200, Target: s.SampleSize}
			}
			list.Experiments = append(list.Experiments, listed)
		}
	}
	return list, x.err
}

func (x *fakeExperiments) Experiment(_ context.Context, project, id string) (experiment.Status, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, s := range x.all {
		if s.ID == id && s.Project == project {
			return s, x.err
		}
	}
	return experiment.Status{}, errors.Join(x.err, experiment.ErrUnknown)
}

func (x *fakeExperiments) Results(ctx context.Context, project, id string) (experiment.Page, error) {
	s, err := x.Experiment(ctx, project, id)
	if err != nil {
		return nil, err
	}
	j := experiment.NewJudge(&s.Experiment)
	for i := range 200 {
		u := experiment.Unit{ID: fmt.Sprint(i), Arm: i % 2, MaturesAt: sampleTime.Add(time.Duration(i) * time.Minute)}
		u.Requests, u.Answered, u.Good, u.CostNanos = 2, 2, int64(i%3), int64(i)
		u.ExposedAt, u.TookUS = u.MaturesAt.Add(-time.Hour), []int64{900, int64(1000 * i)}
		u.Traits = &experiment.Traits{Asked: experiment.Asked{Complexity: .5, Key: "=key", Confidence: "high"}, Returning: new(i%2 == 0)}
		if err := j.Add(&u); err != nil {
			return nil, err
		}
	}
	state := j.State()
	var live experiment.Live
	live.Begin(&state)
	results := s.Results(state, live)
	return results.Page()
}

// Deliveries are two of every experiment that has an address: one that waits, and
// one that was given up.
func (x *fakeExperiments) Deliveries(ctx context.Context, project, id string) ([]webhook.Delivery, error) {
	s, err := x.Experiment(ctx, project, id)
	if err != nil || s.NotifyURL == "" {
		return nil, err
	}
	failed := webhook.Attempt{Number: 1, At: sampleTime, Status: 500, Error: "the answer is 500", TookMS: 1.25}
	return []webhook.Delivery{
		{Kind: "experiment.decided", URL: webhook.Shown(s.NotifyURL), State: webhook.Waiting, CreatedAt: sampleTime, NextAt: new(sampleTime), Attempts: []webhook.Attempt{failed}},
		{Kind: "experiment.stopped", URL: webhook.Shown(s.NotifyURL), State: webhook.Failed, CreatedAt: sampleTime, EndedAt: new(sampleTime), Attempts: []webhook.Attempt{}},
	}, nil
}

// knownTrials has the experiment that requests may name.
func knownTrials() *gateway.Trials {
	s := experiment.Start{Name: "known", SampleSize: 100, Control: &experiment.ArmSpec{Model: "medium"}, Test: &experiment.ArmSpec{Model: "large"}}
	e := s.Experiment(experiment.Given{ID: knownExperiment, Project: "default", Salt: "s", At: sampleTime})
	t := new(gateway.Trials)
	_, err := t.Update(context.Background(), recordsOf{{Experiment: e, State: experiment.StateRunning}}, time.Time{})
	if err != nil {
		panic(err)
	}
	return t
}

const knownExperiment = "019ab179-0000-7abc-8def-00000000000e"

type recordsOf []experiment.Status

func (r recordsOf) ExperimentsSince(context.Context, time.Time) ([]experiment.Status, time.Time, error) {
	return r, time.Time{}, nil
}

func (recordsOf) Entered(context.Context, string, time.Time, func(string, string, time.Time)) (bool, error) {
	return true, nil
}
