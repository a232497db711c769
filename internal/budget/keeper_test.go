package budget_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/busuhq/busu/internal/budget"
	"github.com/busuhq/busu/internal/budgettest"
	"github.com/busuhq/busu/internal/pricing"
)

// nothing is a ledger without facts, as of now.
type nothing struct{ away atomic.Bool }

func (n *nothing) Spending(_ context.Context, accounts []budget.Account, _ []string) (budget.Stored, error) {
	if n.away.Load() {
		return budget.Stored{}, errors.New("away")
	}
	now := time.Now()
	s := budget.Stored{AsOf: now, Until: now, Mark: now.Truncate(time.Minute), Accounts: map[budget.Account]budget.Sums{}}
	for _, a := range accounts {
		s.Accounts[a] = budget.Sums{}
	}
	return s, nil
}

// flaky is a desk that can be away.
type flaky struct {
	*budgettest.Desk
	away  atomic.Bool
	calls atomic.Int64
}

func (f *flaky) Sync(ctx context.Context, process string, reports []budget.Report, s *budget.Stored) ([]budget.Reply, error) {
	f.calls.Add(1)
	if f.away.Load() {
		return nil, errors.New("away")
	}
	return f.Desk.Sync(ctx, process, reports, s)
}

func newDesk() *flaky {
	d := &flaky{Desk: budgettest.NewDesk(time.Now)}
	d.Begin(time.Now().Add(-100 * 24 * time.Hour))
	return d
}

// runs gives a keeper that runs as long as the test.
func runs(t *testing.T, d budget.Desk, b budget.Books, name string, passUnknown bool) *budget.Keeper {
	t.Helper()
	k := budget.NewKeeper(d, b, name, passUnknown, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		if err := k.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { cancel(); running.Wait() })
	return k
}

func monthly(limit pricing.Nanos) []budget.Budget {
	return []budget.Budget{{Scope: budget.Key, Name: "k", Period: budget.Month, Limit: limit}}
}

// Of 500 requests at once that a budget allows 100 of, 100 pass, in one process
// and in three; and those are refused that find nothing left.
func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	for _, processes := range []int{1, 3} {
		t.Run(fmt.Sprint(processes), func(t *testing.T) {
			t.Parallel()
			d := newDesk()
			var keepers []*budget.Keeper
			for i := range processes {
				keepers = append(keepers, runs(t, d, new(nothing), fmt.Sprintf("j%d/1", i), false))
			}
			const most = 1_000_003
			var passed atomic.Int64
			ask := func(k *budget.Keeper) error {
				h, err := k.Reserve(t.Context(), monthly(100*most), time.Now(), most)
				if err == nil {
					passed.Add(1)
					h.Settle(most)
				}
				return err
			}
			var all sync.WaitGroup
			for i := range 500 {
				all.Go(func() {
					_ = ask(keepers[i%processes]) // refused are most
				})
			}
			all.Wait()
			began := time.Now()
			var full *budget.ExhaustedError
			for full == nil || full.Spent < 100*most || full.RetryAfter <= 2*time.Second { // what others hold comes back, and what they spent is told
				if err := ask(keepers[0]); err != nil && !errors.As(err, &full) || time.Since(began) > 10*time.Second {
					t.Fatalf("%d of 100 passed, and the next is answered %v", passed.Load(), err)
				}
			}
			if passed.Load() != 100 {
				t.Errorf("%d of 100 passed", passed.Load())
			}
			wantRefusalsNoted(t, keepers[0], budget.Refused{Account: monthly(100 * most)[0].Account(time.Now()), Limit: 100 * most})
			if time.Until(full.Resets)-full.RetryAfter > time.Second {
				t.Errorf("all is spent until %s, and it says: again in %s", full.Resets, full.RetryAfter)
			}
		})
	}
}

// Without the desk a slice is spent and no more; what is refused then is not
// said to be exhausted; and where it is so wished, it passes and counts.
func TestTheDeskIsAway(t *testing.T) {
	t.Parallel()
	d := newDesk()
	closed, open := runs(t, d, new(nothing), "a/1", false), runs(t, d, new(nothing), "b/1", true)
	for _, k := range []*budget.Keeper{closed, open} {
		h, err := k.Reserve(t.Context(), monthly(1_000_000), time.Now(), 10)
		if err != nil {
			t.Fatal(err)
		}
		h.Settle(10)
	}
	d.away.Store(true)
	spend := func(k *budget.Keeper) (n int, err error) {
		for ; n < 100_000; n++ {
			h, err := k.Reserve(t.Context(), monthly(1_000_000), time.Now(), 10)
			if err != nil {
				return n, err
			}
			h.Settle(10)
		}
		return n, nil
	}
	n, err := spend(closed)
	var unavailable *budget.UnavailableError
	if n == 0 || n > 99_998 || !errors.As(err, &unavailable) {
		t.Errorf("%d requests passed, then %v", n, err)
	}
	if s := closed.Stats(); s.Unavailable() != 1 || s.Exhausted() != 0 || s.Failures() == 0 {
		t.Errorf("counted: %d unavailable, %d exhausted, %d failures", s.Unavailable(), s.Exhausted(), s.Failures())
	}
	h, err := open.Reserve(t.Context(), monthly(1_000_000), time.Now(), 999_000)
	if err != nil || open.Stats().Passed() != 1 {
		t.Fatalf("where unknown passes: %v", err)
	}
	h.Settle(999_000)
	d.away.Store(false)
	began := time.Now()
	for { // it counts
		var full *budget.ExhaustedError
		if _, err := closed.Reserve(t.Context(), monthly(1_000_000), time.Now(), 10); errors.As(err, &full) {
			return
		}
		if time.Since(began) > 10*time.Second {
			t.Fatal("what passed does not count")
		}
	}
}

// The second budget's refusal gives back what the first has granted.
func TestBothBudgetsMustGrant(t *testing.T) {
	t.Parallel()
	k := runs(t, newDesk(), new(nothing), "a/1", false)
	both := append(monthly(1000), budget.Budget{Scope: budget.Project, Name: "p", Period: budget.Day, Limit: 5})
	for range 10 {
		_, err := k.Reserve(t.Context(), both, time.Now(), 200)
		var full *budget.ExhaustedError
		if !errors.As(err, &full) || full.Scope != budget.Project {
			t.Fatalf("%v", err)
		}
	}
	for range 5 {
		h, err := k.Reserve(t.Context(), both[:1], time.Now(), 200)
		if err != nil {
			t.Fatalf("of 1000 that nobody spent: %v", err)
		}
		defer h.Settle(0)
	}
	s, err := k.Look(t.Context(), both[0], time.Now())
	if err != nil || s.Spent != 0 || s.Remaining != 1000 || s.Reserved != 1000 {
		t.Errorf("1000 are reserved, and it stands at %+v (%v)", s, err)
	}
}

// Nothing waits for what is stored longer than it may; and when it is read, the
// desk grants.
func TestTheBooksAreAway(t *testing.T) {
	t.Parallel()
	books := new(nothing)
	books.away.Store(true)
	k := runs(t, newDesk(), books, "a/1", false)
	began := time.Now()
	var unavailable *budget.UnavailableError
	if _, err := k.Reserve(t.Context(), monthly(1000), time.Now(), 1); !errors.As(err, &unavailable) || time.Since(began) > time.Second {
		t.Errorf("after %s: %v", time.Since(began), err)
	}
	books.away.Store(false)
	for {
		if _, err := k.Reserve(t.Context(), monthly(1000), time.Now(), 1); err == nil {
			return
		}
		if time.Since(began) > 10*time.Second {
			t.Fatal("the books are back, and nothing is granted")
		}
	}
}

// Who stops gives back what it holds.
func TestStoppingGivesBack(t *testing.T) {
	t.Parallel()
	d := newDesk()
	k := budget.NewKeeper(d, new(nothing), "a/1", false, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- k.Run(ctx) }()
	h, err := k.Reserve(ctx, monthly(1000), time.Now(), 100)
	if err != nil {
		t.Fatal(err)
	}
	h.Settle(30)
	cancel()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	r := budget.Report{Account: monthly(0)[0].Account(time.Now()), Limit: 1000, Seq: 1}
	replies, _ := d.Sync(t.Context(), "b/1", []budget.Report{r}, nil)
	if replies[0].Spent != 30 || replies[0].Held != 0 || replies[0].Free != 970 {
		t.Errorf("it has spent 30 of 1000, and leaves %+v", replies[0])
	}
}

// A desk that nobody has asked before grants nothing at first. It is asked when
// the process starts, and who comes before it grants is kept waiting, not sent
// away.
func TestTheDeskIsNew(t *testing.T) {
	t.Parallel()
	d := &flaky{Desk: budgettest.NewDesk(time.Now)}
	k := runs(t, d, &nothing{}, "j/1", false)
	for began := time.Now(); d.calls.Load() == 0; time.Sleep(time.Millisecond) {
		if time.Since(began) > time.Minute {
			t.Fatal("the desk is not asked")
		}
	}
	var all sync.WaitGroup
	for i := range 5 { // some find that others have asked before
		all.Go(func() {
			time.Sleep(time.Duration(i) * 300 * time.Millisecond)
			if _, err := k.Reserve(t.Context(), monthly(100), time.Now(), 10); err != nil {
				t.Errorf("request %d is refused: %v", i, err)
			}
		})
	}
	all.Wait()
}

// refusalBook fails until it does not.
type refusalBook struct {
	err   error
	tries chan []budget.Refused
}

func (b *refusalBook) NoteRefusals(_ context.Context, all []budget.Refused) error {
	err := b.err
	b.err = nil
	b.tries <- all
	return err
}

// wantRefusalsNoted: that a budget has refused is written down once, as soon as
// the book is there.
func wantRefusalsNoted(t *testing.T, k *budget.Keeper, want budget.Refused) {
	t.Helper()
	b := &refusalBook{err: errors.New("away"), tries: make(chan []budget.Refused, 9)}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- k.NoteRefusals(ctx, b, slog.New(slog.DiscardHandler)) }()
	for range 2 {
		if all := <-b.tries; !slices.Equal(all, []budget.Refused{want}) {
			t.Errorf("it is written down that %+v have refused, want %+v", all, want)
		}
	}
	stop()
	if err := <-ended; err != nil || len(b.tries) != 0 {
		t.Errorf("it is written down again: %v", err)
	}
}
