package worker_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/learning"
)

// Processes that come, die at any moment and find their stores away teach the
// same, to the byte, as one that never stopped.
func TestLearningSurvivesItsProcesses(t *testing.T) {
	t.Parallel()
	p := prior(t)
	for seed := range uint64(6) {
		synctest.Test(t, func(t *testing.T) {
			s, r := newSchool(seed, 0.05), rand.New(rand.NewPCG(seed, 2))
			for life := range 12 {
				ctx, cancel := context.WithCancel(t.Context())
				ended := make(chan error)
				for _, owner := range []string{"a", "b"} {
					w := s.learner(fmt.Sprint(owner, life), p)
					go func() { ended <- w.Run(ctx) }()
				}
				for range 40 {
					project := []string{"one", "two", "three"}[r.IntN(3)]
					if r.IntN(4) == 0 {
						s.price(project)
					} else {
						s.verdict(project)
					}
					time.Sleep(time.Duration(r.Int64N(int64(time.Second))))
				}
				if life == 11 {
					s.fail(0)
					time.Sleep(2 * time.Minute)
				}
				cancel()
				for range 2 {
					if err := <-ended; err != nil {
						t.Fatal(err)
					}
				}
			}
			based := 0
			for l, list := range s.snapshots {
				last := list[len(list)-1]
				got := s.restore(t, last)
				want := s.whole(t, l.Project, got.Base(), p)
				if !bytes.Equal(got.Encode(), want.Encode()) {
					t.Errorf("seed %d, project %s: learned %d verdicts at price %v; without a break it is %d at %v",
						seed, l.Project, got.Applied(), got.Controller.Lambda, want.Applied(), want.Controller.Lambda)
				}
				if len(list) < 12 {
					t.Errorf("%d snapshots in 12 lives", len(list))
				}
				if got.Base() != nil {
					based++
				}
			}
			if len(s.snapshots) != 4 || based != 2 {
				t.Errorf("%d learners have snapshots, of whom %d began with what others had taught; want 3 and Everyone, and 2", len(s.snapshots), based)
			}
		})
	}
}

func TestAVerdictIsPublishedInTime(t *testing.T) {
	t.Parallel()
	p := prior(t)
	synctest.Test(t, func(t *testing.T) {
		s := newSchool(9, 0)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- s.learner("a", p).Run(ctx) }()
		who := learning.Learner{Project: "one", Strategy: "hybrid"}
		for i := range 20 {
			s.verdict("one")
			time.Sleep(3 * time.Second)
			if last := s.last(who); last.Lesson != int64(i+1) {
				t.Fatalf("lesson %d is in no snapshot after 3 seconds: the last one has %d", i+1, last.Lesson)
			}
			time.Sleep(time.Duration(rand.Int64N(int64(3 * time.Second))))
		}
		cancel()
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
	})
}

// After going back to a snapshot, what was learned behind it is left out.
func TestGoingBack(t *testing.T) {
	t.Parallel()
	p := prior(t)
	synctest.Test(t, func(t *testing.T) {
		s := newSchool(10, 0)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- s.learner("a", p).Run(ctx) }()
		who := learning.Learner{Project: "one", Strategy: "hybrid"}
		teach := func(n int) {
			for range n {
				s.verdict("one")
			}
			time.Sleep(5 * time.Second)
		}
		teach(30)
		good := s.last(who)
		teach(30) // which turns out to be bad
		back := good
		back.Number, back.RolledBackTo, back.Lesson = s.last(who).Number+1, good.Number, 60
		if err := s.Publish(ctx, []learning.Snapshot{back}); err != nil {
			t.Fatal(err)
		}
		teach(10)
		last := s.last(who)
		if last.Verdicts != 40 || last.Lesson != 70 {
			t.Errorf("the last snapshot has %d verdicts up to lesson %d; 30 and 10 were to count", last.Verdicts, last.Lesson)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
	})
}

// A snapshot that cannot be read is learned again from the lessons.
func TestADamagedSnapshotIsLearnedAgain(t *testing.T) {
	t.Parallel()
	p := prior(t)
	synctest.Test(t, func(t *testing.T) {
		s := newSchool(11, 0)
		who := learning.Learner{Project: "one", Strategy: "hybrid"}
		for life := range 2 {
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error)
			go func() { ended <- s.learner(fmt.Sprint(life), p).Run(ctx) }()
			for range 20 {
				s.verdict("one")
				s.price("one")
			}
			time.Sleep(time.Minute)
			cancel()
			if err := <-ended; err != nil {
				t.Fatal(err)
			}
			for n, b := range s.models[who] {
				if life == 0 {
					s.models[who][n] = b[:len(b)/2]
				}
			}
		}
		last := s.last(who)
		got := s.restore(t, last)
		if !bytes.Equal(got.Encode(), s.whole(t, "one", nil, p).Encode()) {
			t.Errorf("%d verdicts are in it, at price %v", got.Applied(), got.Controller.Lambda)
		}
	})
}

// A lesson that cannot be learned is passed over, and those behind it are not.
func TestABadLessonIsPassedOver(t *testing.T) {
	t.Parallel()
	p := prior(t)
	synctest.Test(t, func(t *testing.T) {
		s := newSchool(12, 0)
		s.verdict("one")
		s.verdict("one")
		s.lessons[0].Lesson = s.lessons[0].Lesson[:20]
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		w := s.learner("a", p)
		go func() { ended <- w.Run(ctx) }()
		time.Sleep(10 * time.Second)
		cancel()
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
		if a, r := w.Stats().Applied.Load(), w.Stats().Refused.Load(); a != 1 || r != 1 {
			t.Errorf("%d applied, %d refused", a, r)
		}
	})
}

// What is decided moves the price.
func TestDecisionsMoveThePrice(t *testing.T) {
	t.Parallel()
	p := prior(t)
	synctest.Test(t, func(t *testing.T) {
		s := newSchool(13, 0)
		s.decided = []*event.CompletionRecorded{{Project: "one", Strategy: "hybrid", BaselineModel: "large",
			Candidates: []event.Candidate{
				{Model: "small", Quality: .9, CostNanos: 1_000_000, Probability: .1}, {Model: "large", Quality: .95, CostNanos: 50_000_000, Probability: .9}}}}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- s.learner("a", p).Run(ctx) }()
		time.Sleep(time.Minute)
		cancel()
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
		list := s.snapshots[learning.Learner{Project: "one", Strategy: "hybrid"}]
		// The quality that is kept, .945 of .95, is more than the 0.9 asked for: there is room for cheaper ones.
		if len(list) < 3 || list[len(list)-1].Lambda <= 7 {
			t.Fatalf("%d snapshots; the price went from 7 to %v", len(list), list[len(list)-1].Lambda)
		}
		if list[1].ModelOf != 1 {
			t.Error("a snapshot that only has another price has a model of its own")
		}
	})
}
