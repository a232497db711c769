package gateway_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/busuhq/busu/internal/gateway"
	"github.com/busuhq/busu/internal/learning"
	"github.com/busuhq/busu/internal/routing"
)

// shelf has snapshots, and counts whose models were fetched.
type shelf struct {
	mu      sync.Mutex
	latest  []learning.Snapshot
	fetched int
	err     error
}

func (s *shelf) Latest(context.Context) ([]learning.Snapshot, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]learning.Snapshot, len(s.latest))
	for i, l := range s.latest {
		l.Model = nil
		all[i] = l
	}
	return all, s.err
}

func (s *shelf) Model(_ context.Context, l learning.Learner, number int64) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fetched++
	for _, at := range s.latest {
		if at.Learner() == l && at.ModelOf == number {
			return at.Model, s.err
		}
	}
	return nil, errors.New("none")
}

func (s *shelf) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

func (s *shelf) fetches() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fetched
}

func (s *shelf) put(all ...learning.Snapshot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.latest = all
}

func lambdaOf(t *testing.T, p *gateway.Published, project string) (lambda float64, number int64) {
	t.Helper()
	s, ok := p.Strategy(project, "hybrid")
	h, isHybrid := s.(routing.Hybrid)
	if !ok || !isHybrid {
		t.Fatalf("the strategy is %T", s)
	}
	return h.Model.Controller.Lambda, h.Number
}

func priced(lambda float64) *learning.Model {
	m := learning.New(nil, learning.Assumed())
	m.Controller.Lambda = lambda
	return m
}

func TestPublishedSnapshotsAreGoneOverTo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		prior, err := learning.Shipped()
		if err != nil {
			t.Fatal(err)
		}
		p, from := gateway.NewPublished(prior, map[string]float64{"hybrid": 3, "learning": 4}), new(shelf)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- p.Follow(ctx, from, slog.New(slog.DiscardHandler)) }()
		expect := func(what, project string, lambda float64, number int64) {
			t.Helper()
			time.Sleep(2 * time.Second)
			if l, n := lambdaOf(t, p, project); l != lambda || n != number {
				t.Errorf("%s: project %s goes by snapshot %d at price %v, not by %d at %v", what, project, n, l, number, lambda)
			}
		}
		expect("before the first", "one", 3, 0)

		first := learning.Take(priced(10), "one", "hybrid", 1, 5)
		from.put(first)
		expect("the first", "one", 10, 1)
		expect("the first of another", "two", 3, 0)

		second := learning.Take(priced(11), "one", "hybrid", 2, 6)
		second.ModelOf, second.Model = 1, first.Model
		from.put(second)
		before := from.fetches()
		expect("another price", "one", 11, 2)
		if from.fetches() != before {
			t.Error("the model was fetched again for another price")
		}

		damaged := learning.Take(priced(12), "one", "hybrid", 3, 7)
		damaged.Model = damaged.Model[1:]
		from.put(damaged, learning.Take(priced(20), "two", "hybrid", 1, 7))
		expect("a damaged one", "one", 11, 2)
		expect("behind a damaged one", "two", 20, 1)
		before = from.fetches()
		time.Sleep(10 * time.Second)
		if from.fetches() != before {
			t.Error("a damaged snapshot is fetched again and again")
		}

		from.put(learning.Take(priced(13), "one", "hybrid", 4, 8))
		expect("the one after", "one", 13, 4)
		from.fail(errors.New("away"))
		expect("the store away", "one", 13, 4)

		// Who has taught nothing begins with what all others did, at the price of
		// who has decided nothing.
		from.fail(nil)
		everyone := learning.Take(priced(0), learning.Everyone, "hybrid", 9, 8)
		from.put(everyone)
		expect("what all taught, before the first", "new", 3, 0)
		expect("what all taught", "one", 13, 4)
		if s, _ := p.Strategy("new", "hybrid"); s.(routing.Hybrid).Model.Base() == nil {
			t.Error("a new project begins with nothing")
		}
		own := learning.Take(learning.New(learning.New(nil, learning.Assumed()), learning.Assumed()), "new", "hybrid", 1, 9)
		own.Base = 9
		from.put(everyone, own)
		expect("a project's own", "new", 0, 1)
		if s, _ := p.Strategy("new", "hybrid"); s.(routing.Hybrid).Model.Base() == nil {
			t.Error("a project forgets what it began with")
		}

		if s, ok := p.Strategy("one", "learning"); !ok || s.Name() != "learning" {
			t.Error("there is no strategy learning")
		}
		if s, ok := p.Strategy("one", "complexity"); !ok || s.Name() != "complexity" {
			t.Error("there is no strategy complexity")
		}
		if _, ok := p.Strategy("one", "other"); ok {
			t.Error("there is a strategy that nobody knows")
		}
		cancel()
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
	})
}
