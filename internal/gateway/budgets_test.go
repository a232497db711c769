package gateway_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/busuhq/busu/internal/budget"
	"github.com/busuhq/busu/internal/budgettest"
	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/gateway"
	"github.com/busuhq/busu/internal/llm"
	"github.com/busuhq/busu/internal/pricing"
)

// empty is a ledger that has nothing stored.
type empty struct{}

func (empty) Spending(_ context.Context, accounts []budget.Account, _ []string) (budget.Stored, error) {
	s := budget.Stored{AsOf: time.Now(), Until: time.Now(), Mark: time.Now().Truncate(time.Minute), Accounts: map[budget.Account]budget.Sums{}}
	for _, a := range accounts {
		s.Accounts[a] = budget.Sums{}
	}
	return s, nil
}

// patient asks again where a budget is not known yet: that takes longer than a
// request waits where the machine has no time.
type patient struct{ *budget.Keeper }

func (p patient) Reserve(ctx context.Context, b []budget.Budget, at time.Time, most pricing.Nanos) (budget.Holds, error) {
	for {
		h, err := p.Keeper.Reserve(ctx, b, at, most)
		if _, unknown := errors.AsType[*budget.UnavailableError](err); !unknown || ctx.Err() != nil {
			return h, err
		}
	}
}

// keeps gives a keeper of budgets that runs as long as the test.
func keeps(t testing.TB) patient {
	t.Helper()
	desk := budgettest.NewDesk(time.Now)
	desk.Begin(time.Now().Add(-100 * 24 * time.Hour))
	k := budget.NewKeeper(desk, empty{}, "journal/1", false, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { _ = k.Run(ctx) })
	t.Cleanup(func() { cancel(); running.Wait() })
	return patient{k}
}

func of(name string, limit pricing.Nanos) []budget.Budget {
	return []budget.Budget{{Scope: budget.Key, Name: name, Period: budget.Month, Limit: limit}}
}

// settled holds that a budget has spent what it has, and that nothing is
// reserved: all that is left can be.
func settled(t *testing.T, k patient, at time.Time, b []budget.Budget, spent pricing.Nanos) {
	t.Helper()
	began := time.Now()
	for {
		h, err := k.Reserve(t.Context(), b, at, b[0].Limit-spent)
		if err == nil {
			h.Settle(0)
			break
		}
		if time.Since(began) > 3*time.Second {
			t.Fatalf("%s of %s are spent, and the rest cannot be reserved: %v", spent, b[0].Limit, err)
		}
	}
	var full *budget.ExhaustedError
	if h, err := k.Reserve(t.Context(), b, at, b[0].Limit-spent+1); !errors.As(err, &full) {
		h.Settle(0)
		t.Errorf("less than %s of %s are spent (%v)", spent, b[0].Limit, err)
	}
}

const plenty = pricing.Nanos(1_000_000_000)

// However a request ends, its budget has paid what its fact says, once, and
// nothing stays reserved.
func TestABudgetPaysWhatTheFactSays(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(*bench, *gateway.Request) (ctx context.Context){
		"answered":  func(*bench, *gateway.Request) context.Context { return nil },
		"in pieces": func(b *bench, r *gateway.Request) context.Context { r.Sink = &sink{trace: b.trace}; return nil },
		"fallen back": func(b *bench, r *gateway.Request) context.Context {
			b.provider.answers["cheap-2026"] = failing(llm.ErrorUnavailable)
			return nil
		},
		"failed": func(b *bench, r *gateway.Request) context.Context {
			b.provider.answers["cheap-2026"], b.provider.answers["dear-2026"] = failing(llm.ErrorTimeout), failing(llm.ErrorUnavailable)
			return nil
		},
		"broken off": func(b *bench, r *gateway.Request) context.Context {
			r.Sink = &sink{trace: b.trace}
			b.provider.streams["cheap-2026"] = pieces(llm.Response{Text: "Par"}, errors.New("cut"), "Par")
			return nil
		},
		"left": func(b *bench, r *gateway.Request) context.Context {
			ctx, leave := context.WithCancelCause(context.Background())
			b.provider.answers["cheap-2026"] = func(ctx context.Context) (llm.Response, error) {
				leave(context.Canceled)
				return llm.Response{}, ctx.Err()
			}
			return ctx
		},
		"left before": func(b *bench, r *gateway.Request) context.Context {
			ctx, leave := context.WithCancel(context.Background())
			leave()
			return ctx
		},
		"dearer than thought": func(b *bench, r *gateway.Request) context.Context {
			b.provider.answers["cheap-2026"] = answering(llm.Response{Text: "Paris.", FinishReason: llm.FinishStop, Usage: llm.Usage{In: 100_000, Out: 100_000}})
			return nil
		},
		"panicked": func(b *bench, r *gateway.Request) context.Context {
			b.provider.answers["cheap-2026"] = func(context.Context) (llm.Response, error) { panic("broken") }
			return nil
		},
		"not intended": func(b *bench, r *gateway.Request) context.Context {
			b.ledger.refuseIntents = errors.New("full")
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, k := newBench(), keeps(t)
			b.Budgets = k
			r := question()
			r.Budgets = of("k", plenty)
			ctx := prepare(b, &r)
			if ctx == nil {
				ctx = t.Context()
			}
			func() {
				defer func() { _ = recover() }()
				_, _ = b.Complete(ctx, r)
			}()
			if (b.ledger.fact.CostNanos > 0) != (name != "failed" && name != "not intended" && name != "left before") {
				t.Fatalf("its cost is %d", b.ledger.fact.CostNanos)
			}
			settled(t, k, time.Now(), r.Budgets, pricing.Nanos(b.ledger.fact.CostNanos))
		})
	}
}

// Nothing is called, and nothing recorded, for a request that its budget cannot
// pay at the worst; and the worst is the dearest model of the plan.
func TestABudgetRefuses(t *testing.T) {
	t.Parallel()
	b, k := newBench(), keeps(t)
	b.Budgets = k
	r := question()
	worst := dear.Cost(llm.Usage{In: estimatedIn * 3 / 2, Out: 50})
	r.Budgets = of("k", worst-1)
	_, err := b.Complete(t.Context(), r)
	var full *budget.ExhaustedError
	if !errors.As(err, &full) || full.Name != "k" || time.Until(full.Resets) <= 0 {
		t.Errorf("a budget of less than the worst answers %v", err)
	}
	b.trace.want(t)
	r.Budgets = of("l", worst)
	b.complete(t, r)
	b.trace.want(t, "intent", "call cheap-2026", "fact")
	r.Budgets, r.Ask.N = of("m", worst), 2
	if _, err = b.Complete(t.Context(), r); !errors.As(err, &full) {
		t.Errorf("two answers for the price of one: %v", err)
	}
	r.Budgets, r.Ask.N, r.Ask.MaxTokens = of("n", worst), 1, 0
	if _, err = b.Complete(t.Context(), r); !errors.As(err, &full) {
		t.Errorf("an answer without a limit: %v", err)
	}
}

// Who has spent everything still gets what was answered before.
func TestHitsNeedNoBudget(t *testing.T) {
	t.Parallel()
	b, _ := reusing(t)
	k := keeps(t)
	b.Budgets = k
	r := reusable()
	r.Budgets = of("k", plenty)
	first := b.complete(t, r)
	settled(t, k, time.Now(), r.Budgets, pricing.Nanos(first.Fact.CostNanos))
	poor := reusable()
	poor.Budgets = of("poor", 1)
	if again := b.complete(t, poor); again.Fact.Cache != event.CacheMemory || again.Fact.CostNanos != 0 {
		t.Errorf("a hit costs %+v", again.Fact)
	}
	settled(t, k, time.Now(), poor.Budgets, 0)
}

// gate keeps the requests of one budget waiting, and refuses them.
type gate struct {
	gateway.Budgets
	name    string
	waiting chan struct{}
	refuse  chan struct{}
}

func (g *gate) Reserve(ctx context.Context, b []budget.Budget, at time.Time, most pricing.Nanos) (budget.Holds, error) {
	if b[0].Name == g.name {
		g.waiting <- struct{}{}
		<-g.refuse
		return budget.Holds{}, &budget.ExhaustedError{Budget: b[0], RetryAfter: time.Second}
	}
	return g.Budgets.Reserve(ctx, b, at, most)
}

// Who waits for the answer of another whose budget cannot pay for it pays for
// its own; who waits for one that is paid pays nothing.
func TestFollowersOfOneWhoCannotPay(t *testing.T) {
	t.Parallel()
	b, l := reusing(t)
	k := keeps(t)
	g := &gate{Budgets: k, name: "poor", waiting: make(chan struct{}), refuse: make(chan struct{})}
	b.Budgets = g
	poor, rich := reusable(), reusable()
	poor.Budgets, rich.Budgets = of("poor", 1), of("rich", plenty)
	var both sync.WaitGroup
	both.Go(func() {
		var full *budget.ExhaustedError
		if _, err := b.Complete(t.Context(), poor); !errors.As(err, &full) || full.Name != "poor" {
			t.Errorf("who cannot pay is answered %v", err)
		}
	})
	<-g.waiting
	both.Go(func() {
		if _, err := b.Complete(t.Context(), rich); err != nil {
			t.Errorf("who follows, and can pay: %v", err)
		}
	})
	for b.Reuse.Shared().Followed == 0 {
		time.Sleep(time.Millisecond)
	}
	close(g.refuse)
	both.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.all) != 1 || l.all[0].Cache != event.CacheMiss {
		t.Fatalf("recorded are %+v", l.all)
	}
	settled(t, k, time.Now(), rich.Budgets, pricing.Nanos(l.all[0].CostNanos))
}

// What is asked in the background is not paid by who has caused it.
func TestBackgroundCallsAreNotTheirs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDuo(t)
		d.run()
		k := keeps(t)
		d.Budgets = k
		r := question()
		r.Budgets = of("k", plenty)
		f := d.complete(r)
		settle()
		if len(d.archive.of(event.StrategyShadow)) == 0 {
			t.Fatal("no second model was asked")
		}
		settled(t, k, f.At, r.Budgets, pricing.Nanos(f.CostNanos)) // ids may be ahead of a bubble's time
		d.end()
	})
}
