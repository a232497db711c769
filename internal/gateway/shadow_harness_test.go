package gateway_test

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/gateway"
	"github.com/busuhq/busu/internal/llm"
	"github.com/busuhq/busu/internal/routing"
)

// archive is a ledger that keeps everything.
type archive struct {
	mu       sync.Mutex
	intents  map[uuid.UUID]event.CompletionRecorded
	facts    []event.CompletionRecorded
	feedback []event.FeedbackRecorded
	refuse   func(f event.Fact) error
}

func (s *archive) Intend(c *event.CompletionRecorded) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refuse != nil {
		if err := s.refuse(c); err != nil {
			return err
		}
	}
	s.intents[c.ID] = *c
	return nil
}

func (s *archive) Record(f event.Fact) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	f.Head().Journal, f.Head().Seq = "test", 1
	if err := f.Validate(); err != nil {
		return err
	}
	switch f := f.(type) {
	case *event.CompletionRecorded:
		s.facts = append(s.facts, *f)
	case *event.FeedbackRecorded:
		s.feedback = append(s.feedback, *f)
	}
	return nil
}

// of lists the facts of a strategy.
func (s *archive) of(strategy string) (facts []event.CompletionRecorded) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.facts {
		if f.Strategy == strategy {
			facts = append(facts, f)
		}
	}
	return facts
}

// models answer, each in a test's words, from many goroutines.
type models struct {
	mu      sync.Mutex
	asked   []llm.Request
	answers map[string]func(ctx context.Context, r llm.Request) (llm.Response, error)
}

func (m *models) Complete(ctx context.Context, r llm.Request) (llm.Response, error) {
	m.mu.Lock()
	m.asked = append(m.asked, r)
	answer := m.answers[r.Model]
	m.mu.Unlock()
	return answer(ctx, r)
}

func (m *models) calls() (names []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range m.asked {
		names = append(names, r.Model)
	}
	return names
}

func text(s string) func(context.Context, llm.Request) (llm.Response, error) {
	return func(context.Context, llm.Request) (llm.Response, error) {
		r := paris
		r.Text = s
		return r, nil
	}
}

// duo is a gateway that learns, of two models and a judge, every request of
// which is drawn.
type duo struct {
	*gateway.Gateway
	t       *testing.T
	archive *archive
	models  *models
	end     func()
}

func newDuo(t *testing.T, change ...func(*gateway.ShadowOptions)) *duo {
	t.Helper()
	time.Sleep(time.Until(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))) // a bubble's time begins before ids may
	d := &duo{Gateway: learningBench(t).Gateway, t: t, archive: &archive{intents: map[uuid.UUID]event.CompletionRecorded{}}}
	d.models = &models{answers: map[string]func(context.Context, llm.Request) (llm.Response, error){
		"cheap-2026": text("Paris, I guess."), "dear-2026": text("Paris."), "judge-2026": text(`{"a": 0.5, "b": 0.5}`)}}
	d.Candidates = append(slices.Clone(d.Candidates), routing.Candidate{Model: llm.Model{ID: "judge", Provider: "court", Upstream: "judge-2026",
		Tier: llm.TierComplex}, Price: dear})
	d.Providers = map[string]llm.Provider{"vendor": d.models, "court": d.models}
	d.Failing = func(provider string) bool { return provider == "court" } // so that it is not planned
	d.Ledger = d.archive
	o := gateway.ShadowOptions{Share: 1, Budget: 5e9, Judge: "judge", Log: slog.New(slog.DiscardHandler)}
	for _, f := range change {
		f(&o)
	}
	d.Shadow = gateway.NewShadow(d.Gateway, o)
	return d
}

// run runs the shadow until the test ends, or end is called.
func (d *duo) run() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := d.Shadow.Run(ctx); err != nil {
			d.t.Error(err)
		}
	}()
	d.end = sync.OnceFunc(func() { cancel(); <-done })
}

func (d *duo) complete(r gateway.Request) *event.CompletionRecorded {
	d.t.Helper()
	a, err := d.Complete(context.Background(), r)
	if err != nil {
		d.t.Fatal(err)
	}
	return a.Fact
}

// settle lets time pass until everything is done.
func settle() {
	time.Sleep(time.Minute)
	synctest.Wait()
}

// always has a model planned, whatever a strategy would.
type always struct {
	gateway.Strategies
	model string
}

func (s always) Strategy(project, name string) (routing.Strategy, bool) {
	inner, ok := s.Strategies.Strategy(project, name)
	return planned{inner, s.model}, ok
}

type planned struct {
	routing.Strategy
	model string
}

func (s planned) Plan(r routing.Request, candidates []routing.Candidate) (routing.Plan, error) {
	p, err := s.Strategy.Plan(r, candidates)
	slices.SortFunc(p.Choices, func(a, b routing.Choice) int {
		switch s.model {
		case a.Model.ID:
			return -1
		case b.Model.ID:
			return 1
		}
		return 0
	})
	return p, err
}
