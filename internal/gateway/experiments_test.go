package gateway_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/experiment"
	"github.com/busuhq/busu/internal/gateway"
	"github.com/busuhq/busu/internal/llm"
	"github.com/busuhq/busu/internal/routing"
)

// records are experiments that have changed, or an error, and who has entered
// them.
type records struct {
	changed []experiment.Status
	err     error

	entered map[string]string // arm, by unit
	at      time.Time
	all     bool
	asked   int
	unread  error // of those who have entered
}

func (r *records) Entered(_ context.Context, _ string, before time.Time, tell func(unit, arm string, at time.Time)) (bool, error) {
	r.asked++
	for unit, arm := range r.entered {
		if r.at.Before(before) {
			tell(unit, arm, r.at)
		}
	}
	return r.all, r.unread
}

func (r *records) ExperimentsSince(context.Context, time.Time) ([]experiment.Status, time.Time, error) {
	return r.changed, time.Now(), r.err
}

// old is the id of an experiment that all have had the time to hear of.
const old = "019ab179-0000-7abc-8def-000000000001"

// running is an experiment of two models that began yesterday.
func running(change ...func(*experiment.Start)) experiment.Status {
	s := experiment.Start{Name: "which", SampleSize: 2000,
		Control: &experiment.ArmSpec{Model: "cheap"}, Test: &experiment.ArmSpec{Model: "dear"}}
	for _, f := range change {
		f(&s)
	}
	e := s.Experiment(experiment.Given{ID: old, Project: "default", Salt: "salt", At: time.Now().Add(-24 * time.Hour), Segment: experiment.Segment{From: 0, To: .5}})
	return experiment.Status{Experiment: e, State: experiment.StateRunning}
}

func follow(t *testing.T, b *bench, known ...experiment.Status) *records {
	t.Helper()
	from := &records{changed: known}
	b.Trials = new(gateway.Trials)
	if _, err := b.Trials.Update(t.Context(), from, time.Time{}); err != nil {
		t.Fatal(err)
	}
	return from
}

func asks(user, id string) gateway.Request {
	r := question()
	r.UserID, r.Experiment = user, id
	return r
}

// Each user stays in an arm, which answers and is on record; half of them are
// in the test.
func TestArmsAnswer(t *testing.T) {
	t.Parallel()
	b := newBench()
	s := running()
	follow(t, b, s)
	assigner := experiment.NewAssigner(&s.Experiment)
	served := map[string]int{}
	for u := range 100 {
		user := fmt.Sprint("user-", u)
		arm, _, _ := assigner.Assign(user, time.Now())
		for range 2 {
			f := b.complete(t, asks(user, old)).Fact
			want := []event.Arm{{Experiment: old, Arm: s.Arms[arm].Name}}
			if !slices.Equal(f.Experiments, want) || f.Model != s.Arms[arm].Model || f.Strategy != "model" || f.Propensity != 0 {
				t.Fatalf("%s is answered by %s (%s) for %v, not for %v", user, f.Model, f.Strategy, f.Experiments, want)
			}
			served[f.Model]++
		}
	}
	if served["dear"] < 60 || served["cheap"] < 60 {
		t.Errorf("the arms were served %v times", served)
	}
}

// Who was assigned stays in the arm, whatever happens.
func TestIntentionToTreat(t *testing.T) {
	t.Parallel()
	b := newBench()
	follow(t, b, running(func(s *experiment.Start) {
		s.Arms = []experiment.ArmShare{
			{Name: "control", Share: .001, ArmSpec: experiment.ArmSpec{Strategy: "complexity"}},
			{Name: "big", Share: .999, ArmSpec: experiment.ArmSpec{Model: "dear"}}}
	}))
	b.provider.answers["dear-2026"] = failing(llm.ErrorUnavailable)
	if f := b.complete(t, asks("ada", old)).Fact; f.Model != "cheap" || !slices.Equal(f.Fallbacks, []string{"dear"}) || f.Experiments[0].Arm != "big" {
		t.Errorf("it fell back to %s by %v in %v", f.Model, f.Fallbacks, f.Experiments)
	}
	b.provider.answers["cheap-2026"] = failing(llm.ErrorUnavailable)
	answer, err := b.Complete(t.Context(), asks("ada", old))
	if !errors.Is(err, gateway.ErrProviders) || len(answer.Fact.Experiments) != 1 {
		t.Errorf("a failure is %v in %v", err, answer.Fact.Experiments)
	}
}

func TestPrecedence(t *testing.T) {
	t.Parallel()
	b := newBench()
	follow(t, b, running())
	b.Holdout = func(_, user string) bool { return user == "held" }
	if f := b.complete(t, asks("held", old)).Fact; !f.Holdout || f.Experiments != nil || f.Model != "dear" {
		t.Errorf("of the hold-out: %+v", f)
	}
	r := asks("ada", old)
	r.Model = "cheap"
	if f := b.complete(t, r).Fact; f.Experiments != nil || f.Model != "cheap" {
		t.Errorf("with a model: %s in %v", f.Model, f.Experiments)
	}
	r = asks("ada", old)
	r.Strategy = "complexity"
	if f := b.complete(t, r).Fact; len(f.Experiments) != 1 || f.Strategy != "model" {
		t.Errorf("with a strategy: %s in %v", f.Strategy, f.Experiments)
	}
}

func TestEndedServesTheWinner(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		state, winner, model string
	}{{experiment.StateDecided, "test", "dear"}, {experiment.StateDecided, "control", "cheap"}, {experiment.StateDecided, "", "cheap"}, {experiment.StateStopped, "", "cheap"}} {
		b := newBench()
		s := running()
		s.State = c.state
		if c.winner != "" {
			s.Winner = &c.winner
		}
		follow(t, b, s)
		for u := range 20 {
			if f := b.complete(t, asks(fmt.Sprint(u), old)).Fact; f.Model != c.model || f.Experiments != nil {
				t.Fatalf("%s with the winner %q: %s answers, in %v", c.state, c.winner, f.Model, f.Experiments)
			}
		}
	}
}

func TestExperimentsThatCannotBe(t *testing.T) {
	t.Parallel()
	b := newBench()
	from := follow(t, b, running(func(s *experiment.Start) { s.Unit = experiment.UnitSession }))
	b.DefaultExperiment = "which"
	if _, err := b.Complete(t.Context(), asks("ada", old)); !errors.Is(err, gateway.ErrUnit) {
		t.Errorf("without a session: %v", err)
	}
	for _, id := range []string{"none", "019ab179-0000-7abc-8def-000000000002"} {
		if _, err := b.Complete(t.Context(), asks("ada", id)); !errors.Is(err, gateway.ErrExperiment) {
			t.Errorf("unknown is %v", err)
		}
	}
	r := asks("ada", old)
	r.Project = "another"
	if _, err := b.Complete(t.Context(), r); !errors.Is(err, gateway.ErrExperiment) {
		t.Errorf("another project's is %v", err)
	}
	made := uuid.Must(uuid.NewV7()).String()
	if f := b.complete(t, asks("ada", made)).Fact; !slices.Equal(f.Degraded, []string{"experiments"}) || f.Experiments != nil {
		t.Errorf("one that may just have started: degraded %v, in %v", f.Degraded, f.Experiments)
	}
	from.err = errors.New("away")
	if _, err := b.Trials.Update(t.Context(), from, time.Time{}); err == nil {
		t.Error("nothing is said of a store that is away")
	}
	r = asks("ada", old)
	r.SessionID = "s"
	if f := b.complete(t, r).Fact; len(f.Experiments) != 1 {
		t.Errorf("while the store is away it is in %v", f.Experiments)
	}
	b.Trials = new(gateway.Trials) // that have never been read
	if f := b.complete(t, r).Fact; !slices.Equal(f.Degraded, []string{"experiments"}) {
		t.Errorf("never read, and degraded is %v", f.Degraded)
	}
}

func TestDefaultExperiment(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"which", old} {
		b := newBench()
		follow(t, b, running())
		b.DefaultExperiment = name
		if f := b.complete(t, asks("ada", "")).Fact; len(f.Experiments) != 1 {
			t.Errorf("%s enrols into %v", name, f.Experiments)
		}
		if f := b.complete(t, asks("", "")).Fact; f.Experiments != nil || f.Degraded != nil {
			t.Errorf("without a user it enrols into %v", f.Experiments)
		}
		b.DefaultExperiment = "none"
		if f := b.complete(t, asks("ada", "")).Fact; f.Experiments != nil || f.Degraded != nil {
			t.Errorf("one that there is not enrols into %v", f.Experiments)
		}
	}
}

// Users outside of the experiment's part of its layer are not enrolled.
func TestLayers(t *testing.T) {
	t.Parallel()
	b := newBench()
	s := running(func(s *experiment.Start) { s.Layer = "answers" })
	follow(t, b, s)
	in := 0
	for u := range 200 {
		in += len(b.complete(t, asks(fmt.Sprint(u), old)).Fact.Experiments)
	}
	if in < 70 || in > 130 {
		t.Errorf("%d of 200 users are in half of a layer", in)
	}
}

// A plan that is asked for, and an arm with a strategy, go the same way.
func TestPlanOfAnArm(t *testing.T) {
	t.Parallel()
	b := newBench()
	follow(t, b, running(func(s *experiment.Start) {
		s.Control, s.Test, s.ControlStrategy = nil, &experiment.ArmSpec{Model: "dear", Parameters: map[string]json.RawMessage{}}, "complexity"
	}))
	var seen []string
	for u := range 50 {
		r := asks(fmt.Sprint(u), old)
		p, err := b.Plan(r)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Contains(seen, p.Strategy) {
			seen = append(seen, p.Strategy)
		}
	}
	if slices.Sort(seen); !slices.Equal(seen, []string{(routing.Complexity{}).Name(), "model"}) {
		t.Errorf("the plans are by %v", seen)
	}
}

// Arms share no answer that is kept, nor do they with requests outside.
func TestArmsShareNoAnswers(t *testing.T) {
	t.Parallel()
	b, _ := reusing(t)
	s := running(func(s *experiment.Start) {
		s.Control, s.Test = &experiment.ArmSpec{Model: "dear"}, &experiment.ArmSpec{Strategy: "complexity"}
	})
	follow(t, b, s)
	assigner := experiment.NewAssigner(&s.Experiment)
	made := map[string]int{}
	for u := range 40 {
		r := asks(fmt.Sprint("user-", u), old)
		r.Reuse = true
		arm, _, _ := assigner.Assign(r.UserID, time.Now())
		f := b.complete(t, r).Fact
		if want := []event.Arm{{Experiment: old, Arm: s.Arms[arm].Name}}; !slices.Equal(f.Experiments, want) {
			t.Fatalf("a hit is in %v, not in %v", f.Experiments, want)
		}
		if f.Cache == event.CacheMiss {
			made[s.Arms[arm].Name]++
		}
	}
	if f := b.complete(t, reusable()).Fact; f.Cache != event.CacheMiss || made["control"] != 1 || made["test"] != 1 {
		t.Errorf("made were %v, and outside it comes from %s", made, f.Cache)
	}
}

// What is read of experiments at whatever moment, and what this process adds
// itself, is what counts.
func TestWhatIsKnownOfExperiments(t *testing.T) {
	t.Parallel()
	b := newBench()
	b.Trials = new(gateway.Trials)
	b.Trials.Add(running()) // before all others were read: they are yet to come
	if f := b.complete(t, asks("ada", old)).Fact; !slices.Equal(f.Degraded, []string{"experiments"}) {
		t.Errorf("with one of all that there are, degraded is %v", f.Degraded)
	}
	from := &records{changed: []experiment.Status{running()}}
	since := time.Now().Add(-time.Hour)
	next, err := b.Trials.Update(t.Context(), from, since)
	if err != nil || !next.After(since) {
		t.Fatal(next, err)
	}
	from.err = errors.New("away")
	if next, err := b.Trials.Update(t.Context(), from, since); err == nil || !next.Equal(since) {
		t.Errorf("what could not be read is read from %s on: %v", next, err)
	}
	from.err, from.unread, from.changed = nil, errors.New("away"), []experiment.Status{ramped(t)}
	if next, err := b.Trials.Update(t.Context(), from, since); err == nil || !next.Equal(since) {
		t.Errorf("with those who entered unread it is read from %s on: %v", next, err)
	}
	unheard := uuid.Must(uuid.NewV7()).String()
	b.Trials.Add(running(func(s *experiment.Start) { s.Name = "another" })) // which says nothing of the others
	if f := b.complete(t, asks("ada", unheard)).Fact; !slices.Equal(f.Degraded, []string{"experiments"}) {
		t.Errorf("one that nobody here has heard of leaves degraded %v", f.Degraded)
	}
	if _, err := b.Complete(t.Context(), asks("ada", "00000000-0000-4000-8000-000000000000")); !errors.Is(err, gateway.ErrExperiment) {
		t.Errorf("an id that busu does not give out: %v", err)
	}
}

// An id is known for good a while after it was given out, by when that was read.
func TestIDsThatNobodyCanHaveHeardOf(t *testing.T) {
	t.Parallel()
	b := newBench()
	follow(t, b, running())
	random := uuid.Must(uuid.NewRandom())
	copy(random[:6], []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}) // of another version, however late it looks
	for range 2 {
		if _, err := b.Complete(t.Context(), asks("ada", random.String())); !errors.Is(err, gateway.ErrExperiment) {
			t.Errorf("%s: %v", random, err)
		}
		b.Trials.Add(running()) // reads nothing
	}
	gone := uuid.Must(uuid.NewV7())
	copy(gone[:6], []byte{1, 0x90, 0, 0, 0, 0})
	if _, err := b.Complete(t.Context(), asks("ada", gone.String())); !errors.Is(err, gateway.ErrExperiment) {
		t.Errorf("one of years ago, after this process has added one: %v", err)
	}
}

// Where requests are assigned one by one, users see both arms.
func TestRequestsAsUnits(t *testing.T) {
	t.Parallel()
	b := newBench()
	follow(t, b, running(func(s *experiment.Start) { s.Unit = experiment.UnitRequest }))
	seen := map[string]int{}
	for range 100 {
		seen[b.complete(t, asks("ada", old)).Fact.Experiments[0].Arm]++
	}
	if seen["control"] < 20 || seen["test"] < 20 {
		t.Errorf("seen are %v", seen)
	}
}

// A default experiment is the project's own.
func TestDefaultExperimentOfAnotherProject(t *testing.T) {
	t.Parallel()
	b := newBench()
	follow(t, b, running())
	for _, b.DefaultExperiment = range []string{"which", old} {
		r := asks("ada", "")
		r.Project = "another"
		if f := b.complete(t, r).Fact; f.Experiments != nil {
			t.Errorf("by %s it enrols into %v", b.DefaultExperiment, f.Experiments)
		}
	}
}
