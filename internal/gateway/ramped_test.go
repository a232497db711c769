package gateway_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/busuhq/busu/internal/experiment"
	"github.com/busuhq/busu/internal/gateway"
)

// ramped is an experiment whose test went from a tenth to a half an hour ago.
func ramped(t *testing.T) experiment.Status {
	s := running(func(s *experiment.Start) { s.TestShare = new(.1) })
	if err := s.Ramp(time.Now().Add(-time.Hour), []float64{.5, .5}); err != nil {
		t.Fatal(err)
	}
	return s
}

// Whoever entered an arm stays in it when the shares change; others are split
// by the new ones.
func TestRampsMoveNobodyWhoHasEntered(t *testing.T) {
	t.Parallel()
	b, s := newBench(), ramped(t)
	from := &records{changed: []experiment.Status{s}, entered: map[string]string{}, at: time.Now().Add(-2 * time.Hour), all: true}
	now, before := experiment.NewAssigner(&s.Experiment), map[string]int{}
	moved := 0
	for u := range 100 {
		user := fmt.Sprint("user-", u)
		was, _, _ := now.Assign(user, from.at)
		is, _, _ := now.Assign(user, time.Now())
		before[user] = was
		from.entered[user] = s.Arms[was].Name
		if was != is {
			moved++
		}
	}
	if moved < 20 {
		t.Fatalf("the new shares would move but %d of 100", moved)
	}
	b.Trials = new(gateway.Trials)
	if _, err := b.Trials.Update(t.Context(), from, time.Time{}); err != nil {
		t.Fatal(err)
	}
	tests := 0
	for u := range 200 {
		user := fmt.Sprint("user-", u)
		f := b.complete(t, asks(user, old)).Fact
		want, known := before[user]
		if !known {
			want, _, _ = now.Assign(user, time.Now())
			tests += want
		}
		if f.Experiments[0].Arm != s.Arms[want].Name {
			t.Errorf("%s is in %s, want %s; it had entered before: %t", user, f.Experiments[0].Arm, s.Arms[want].Name, known)
		}
	}
	if tests < 35 || tests > 65 {
		t.Errorf("%d of 100 new users are in the test", tests)
	}
}

// It is asked again who had entered, until all are known; what comes again is
// not asked for again.
func TestWhoHadEnteredIsAskedUntilAllAreKnown(t *testing.T) {
	t.Parallel()
	s := ramped(t)
	moved := "user-0"
	a := experiment.NewAssigner(&s.Experiment)
	for u := 0; ; u++ {
		moved = fmt.Sprint("user-", u)
		was, _, _ := a.Assign(moved, time.Now().Add(-2*time.Hour))
		if is, _, _ := a.Assign(moved, time.Now()); was != is {
			break
		}
	}
	b := newBench()
	from := &records{changed: []experiment.Status{s}, entered: map[string]string{}, at: time.Now().Add(-2 * time.Hour)}
	b.Trials = new(gateway.Trials)
	update := func() {
		t.Helper()
		if _, err := b.Trials.Update(t.Context(), from, time.Time{}); err != nil {
			t.Fatal(err)
		}
	}
	arm := func() string { return b.complete(t, asks(moved, old)).Fact.Experiments[0].Arm }
	update()
	update()
	if got := arm(); from.asked != 1 || got != "test" {
		t.Errorf("asked %d times within a moment, and %s is in %s", from.asked, moved, got)
	}
	from.entered[moved], from.all, from.changed = "control", true, nil
	for deadline := time.Now().Add(5 * time.Second); from.asked < 2 && time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		update()
	}
	if got := arm(); got != "control" {
		t.Errorf("%s, of whom it became known late, is in %s", moved, got)
	}
	from.changed, from.entered = []experiment.Status{s}, nil
	update()
	if got := arm(); from.asked != 2 || got != "control" {
		t.Errorf("asked %d times, and %s is in %s then", from.asked, moved, got)
	}
	s.State = experiment.StateStopped
	from.changed = []experiment.Status{s}
	if update(); from.asked != 2 {
		t.Error("of one that has ended it is asked who entered")
	}
}

// A ramp is not taken up before it is known who is in the arms.
func TestRampWaitsForThoseWhoEntered(t *testing.T) {
	t.Parallel()
	b, s := newBench(), running(func(s *experiment.Start) { s.TestShare = new(.001) })
	from := follow(t, b, s)
	if err := s.Ramp(time.Now().Add(-time.Minute), []float64{.001, .999}); err != nil {
		t.Fatal(err)
	}
	from.changed, from.unread = []experiment.Status{s}, errors.New("away")
	if _, err := b.Trials.Update(t.Context(), from, time.Time{}); err == nil {
		t.Error("nothing is said of those who cannot be read")
	}
	tests := func() (n int) {
		for u := range 20 {
			if b.complete(t, asks(fmt.Sprint(u), old)).Fact.Experiments[0].Arm == "test" {
				n++
			}
		}
		return n
	}
	if n := tests(); n > 3 {
		t.Errorf("%d of 20 are in the test already", n)
	}
	from.unread = nil
	if _, err := b.Trials.Update(t.Context(), from, time.Time{}); err != nil {
		t.Fatal(err)
	}
	if n := tests(); n < 17 {
		t.Errorf("%d of 20 are in the test afterwards", n)
	}
}

// Whoever enters here up to the last moment before a ramp stays, though nobody
// else has heard of it.
func TestWhoEntersJustBeforeARampStays(t *testing.T) {
	t.Parallel()
	b, s := newBench(), running(func(s *experiment.Start) { s.TestShare = new(.001) })
	begins := time.Now().Add(300 * time.Millisecond)
	if err := s.Ramp(begins, []float64{.001, .999}); err != nil {
		t.Fatal(err)
	}
	from := &records{changed: []experiment.Status{s}}
	b.Trials = new(gateway.Trials)
	update := func() {
		if _, err := b.Trials.Update(t.Context(), from, time.Time{}); err != nil {
			t.Error(err)
		}
	}
	update()
	arm := func(u int) string { return b.complete(t, asks(fmt.Sprint(u), old)).Fact.Experiments[0].Arm }
	before := map[int]string{}
	for u := 0; u < 20 && time.Now().Before(begins.Add(-50*time.Millisecond)); u++ {
		before[u] = arm(u)
	}
	<-time.After(time.Until(begins.Add(10 * time.Millisecond)))
	for from.asked = 0; from.asked == 0; <-time.After(20 * time.Millisecond) {
		update() // until it has asked again, and nobody has heard
	}
	for u, was := range before {
		if is := arm(u); is != was {
			t.Errorf("%d went from %s to %s", u, was, is)
		}
	}
	if len(before) == 0 || arm(1000) == "control" && arm(1001) == "control" {
		t.Errorf("%d entered before, and the others are in the control afterwards", len(before))
	}
}

// Of one that ends before all who entered are known it is not asked again.
func TestOfWhatHasEndedNobodyIsAsked(t *testing.T) {
	t.Parallel()
	b, s := newBench(), ramped(t)
	from := &records{changed: []experiment.Status{s}}
	b.Trials = new(gateway.Trials)
	for _, s.State = range []string{experiment.StateRunning, experiment.StateStopped} {
		from.changed = []experiment.Status{s}
		if _, err := b.Trials.Update(t.Context(), from, time.Time{}); err != nil {
			t.Fatal(err)
		}
	}
	from.changed = nil
	for range 3 {
		<-time.After(500 * time.Millisecond) // the pause between two questions is a second
		if _, err := b.Trials.Update(t.Context(), from, time.Time{}); err != nil {
			t.Fatal(err)
		}
	}
	if from.asked != 1 {
		t.Errorf("it was asked %d times", from.asked)
	}
}
