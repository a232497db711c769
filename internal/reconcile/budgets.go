package reconcile

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/busuhq/busu/internal/budget"
	"github.com/busuhq/busu/internal/pricing"
)

// BudgetReport is one line on a budget in its period.
type BudgetReport struct {
	Scope   budget.Scope  `json:"scope"`
	Name    string        `json:"name"` // of the project, or the key's id
	Period  budget.Period `json:"period"`
	Began   time.Time     `json:"began"`
	Stored  pricing.Nanos `json:"stored_usd"` // in all
	Redis   pricing.Nanos `json:"redis_usd"`  // what it will say is spent, when it has read what is stored
	AtLeast bool          `json:"at_least"`   // it says too much for a while
	Problem string        `json:"problem"`    // "" for none
}

// Spending reads what is stored of budgets; see postgres.
type Spending interface {
	Spending(ctx context.Context, accounts []budget.Account, journals []string) (budget.Stored, error)
	StoredBefore(ctx context.Context, marks map[budget.Account]int64) (map[budget.Account]pricing.Nanos, error)
}

// HoldBudgets reads what is stored of the budgets that Redis knows, and
// compares.
func HoldBudgets(ctx context.Context, ledger Spending, tails map[budget.Account]budget.Tail) ([]BudgetReport, error) {
	marks, journals := make(map[budget.Account]int64, len(tails)), map[string]bool{}
	for account, tail := range tails {
		marks[account] = tail.Mark
		for _, said := range tail.Said {
			journals[said.Journal] = true
		}
	}
	stored, err := ledger.Spending(ctx, slices.Collect(maps.Keys(marks)), slices.Collect(maps.Keys(journals)))
	if err != nil {
		return nil, err
	}
	before, err := ledger.StoredBefore(ctx, marks)
	if err != nil {
		return nil, err
	}
	return CompareBudgets(tails, stored, before), nil
}

// CompareBudgets holds what Redis knows of budgets against what is stored.
// before is what is stored of each before the mark of its tail.
func CompareBudgets(tails map[budget.Account]budget.Tail, stored budget.Stored, before map[budget.Account]pricing.Nanos) []BudgetReport {
	all := make([]BudgetReport, 0, len(tails))
	for account, tail := range tails {
		sums := stored.Accounts[account]
		r := BudgetReport{Scope: account.Scope, Name: account.Name, Period: account.Period, Began: account.Start(), Stored: sums.All}
		r.Redis, r.AtLeast = tail.Spent(stored, sums, before[account])
		switch {
		case r.Redis < r.Stored:
			r.Problem = fmt.Sprintf("%s USD are stored that Redis does not know of", r.Stored-r.Redis)
		case r.Redis > r.Stored && !r.AtLeast:
			r.Problem = fmt.Sprintf("Redis counts %s USD that are not stored", r.Redis-r.Stored)
		}
		all = append(all, r)
	}
	slices.SortFunc(all, func(a, b BudgetReport) int {
		return cmp.Or(cmp.Compare(a.Scope, b.Scope), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Period, b.Period), a.Began.Compare(b.Began))
	})
	return all
}
