package httpapi_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/busuhq/busu/internal/access"
	"github.com/busuhq/busu/internal/budget"
	"github.com/busuhq/busu/internal/budgettest"
	"github.com/busuhq/busu/internal/httpapi"
	"github.com/busuhq/busu/internal/limit"
	"github.com/busuhq/busu/internal/limittest"
)

// BenchmarkChecks is all that a request passes before a model is called, as it
// passes it, and gives back behind it: whose key it is, of a thousand; the
// three limits of that key; the three of its user, of a hundred thousand, in one
// process of two; the budgets of key and project. Two hundred requests are under
// way, while keepers report. p50 and p99 are of single requests, waits how many
// of them waited for a desk, user-bytes what is held of a user. One request at a
// time on each core is what the checks cost; of sixteen, that wait for the core
// and for each other without a pause, p99 is what saturation costs.
func BenchmarkChecks(b *testing.B) {
	c := newChecks(b)
	for _, atOnce := range []int{1, 16} {
		b.Run(fmt.Sprintf("of=%d", atOnce), func(b *testing.B) { c.bench(b, atOnce) })
	}
}

func (c *checks) bench(b *testing.B, atOnce int) {
	var mu sync.Mutex
	var all []time.Duration
	b.ReportAllocs()
	b.SetParallelism(atOnce)
	limitWaits, budgetWaits := c.limits.Stats().Waited(), c.budgets.Stats().Waited()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		took, draw := make([]time.Duration, 0, 1<<17), rand.New(rand.NewPCG(rand.Uint64(), 1))
		for pb.Next() {
			began := time.Now()
			if err := c.pass(b.Context(), draw.IntN(len(c.users))); err != nil {
				b.Error(err)
				return
			}
			if len(took) < cap(took) {
				took = append(took, time.Since(began))
			}
		}
		mu.Lock()
		defer mu.Unlock()
		all = append(all, took...)
	})
	slices.Sort(all)
	if len(all) > 0 {
		b.ReportMetric(float64(all[len(all)/2].Nanoseconds()), "p50-ns")
		b.ReportMetric(float64(all[len(all)*99/100].Nanoseconds()), "p99-ns")
	}
	b.ReportMetric(float64(c.limits.Stats().Waited()-limitWaits+c.budgets.Stats().Waited()-budgetWaits), "waits")
	b.ReportMetric(c.perUser, "user-bytes")
}

// checks are what a request passes.
type checks struct {
	keys    *access.Keys
	secret  string
	limits  *limit.Keeper
	budgets *budget.Keeper
	users   []string
	perUser float64
}

func newChecks(b *testing.B) *checks {
	quiet, c := slog.New(slog.DiscardHandler), new(checks)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	b.Cleanup(func() { cancel(); running.Wait() })

	store := newFakeKeys()
	c.keys = store.ring("the admin key")
	for i := range 1000 {
		made, err := store.CreateKey(ctx, access.Key{Name: fmt.Sprint(i), Role: access.RoleComplete, Project: "acme", Limits: access.Limits{
			RequestsPerMinute: new(int64(1e12)), TokensPerMinute: new(int64(1e12)), Concurrency: new(int64(1e6)),
			PerUser: &access.UserLimits{RequestsPerMinute: new(int64(1e9)), TokensPerMinute: new(int64(1e12)), Concurrency: new(int64(1000))}}}, "test")
		if err != nil {
			b.Fatal(err)
		}
		c.secret = made.Secret
	}

	desk := limittest.NewDesk(time.Now)
	for _, process := range []string{"b", "a"} {
		c.limits = limit.NewKeeper(desk, process, false, quiet)
		running.Go(func() { _ = c.limits.Run(ctx) })
	}
	accounts := budgettest.NewDesk(time.Now)
	accounts.Begin(time.Now().Add(-100 * 24 * time.Hour))
	c.budgets = budget.NewKeeper(accounts, unspent{}, "journal/1", false, quiet)
	running.Go(func() { _ = c.budgets.Run(ctx) })

	c.users = make([]string, 100_000)
	for i := range c.users {
		c.users[i] = fmt.Sprintf("user-%d", i)
	}
	c.warm(b)
	return c
}

// warm lets everything come to rest: two hundred requests are under way, the
// desks know both processes, and the process all users.
func (c *checks) warm(b *testing.B) {
	caller, err := c.keys.Caller(b.Context(), c.secret, time.Now())
	if err != nil {
		b.Fatal(err)
	}
	for range 200 {
		if _, err := c.limits.Admit(b.Context(), httpapi.LimitsOf(caller, "another"), time.Now(), 1000); err != nil {
			b.Fatal(err)
		}
	}
	for began := time.Now(); time.Since(began) < 2*limit.Known; {
		if err := c.pass(b.Context(), 0); err != nil {
			b.Fatal(err)
		}
		time.Sleep(time.Millisecond)
	}
	before := heapInUse()
	for i := range c.users {
		if err := c.pass(b.Context(), i); err != nil {
			b.Fatal(err)
		}
	}
	c.perUser = (heapInUse() - before) / float64(c.limits.Users())
}

func heapInUse() float64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}

// pass is a request of a user's.
func (c *checks) pass(ctx context.Context, user int) error {
	now := time.Now()
	caller, err := c.keys.Caller(ctx, c.secret, now)
	if err != nil {
		return err
	}
	p, err := c.limits.Admit(ctx, httpapi.LimitsOf(caller, c.users[user]), now, 1000)
	if err != nil {
		return err
	}
	h, err := c.budgets.Reserve(ctx, []budget.Budget{
		{Scope: budget.Key, Name: caller.KeyID, Period: budget.Month, Limit: 1 << 60},
		{Scope: budget.Project, Name: caller.Project, Period: budget.Day, Limit: 1 << 60}}, now, 1000)
	if err != nil {
		return err
	}
	h.Begin(now)
	h.Settle(10)
	p.Settle(now, 100)
	return nil
}

// unspent is a ledger in which nothing was spent.
type unspent struct{}

// Spending implements budget.Books.
func (unspent) Spending(_ context.Context, accounts []budget.Account, _ []string) (budget.Stored, error) {
	now := time.Now()
	s := budget.Stored{AsOf: now, Until: now, Mark: now.Truncate(time.Minute), Accounts: map[budget.Account]budget.Sums{}}
	for _, a := range accounts {
		s.Accounts[a] = budget.Sums{}
	}
	return s, nil
}
