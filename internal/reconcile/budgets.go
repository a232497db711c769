package reconcile

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/busuhq/busu/internal/budget"
	"github.com/busuhq/busu/internal/pricing"
)

// BudgetReport is one line on a budget in its period.
type BudgetReport struct {
	budget.Account
	Stored  pricing.Nanos // in all
	Redis   pricing.Nanos // what it will say is spent, when it has read what is stored
	AtLeast bool          // it says too much for a while
	Problem string        // "" for none
}

// CompareBudgets holds what Redis knows of budgets against what is stored.
// before is what is stored of each before the mark of its tail.
func CompareBudgets(tails map[budget.Account]budget.Tail, stored budget.Stored, before map[budget.Account]pricing.Nanos) []BudgetReport {
	all := make([]BudgetReport, 0, len(tails))
	for account, tail := range tails {
		sums := stored.Accounts[account]
		r := BudgetReport{Account: account, Stored: sums.All}
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
		return cmp.Or(cmp.Compare(a.Scope, b.Scope), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Period, b.Period), cmp.Compare(a.Began, b.Began))
	})
	return all
}
