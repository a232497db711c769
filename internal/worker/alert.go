package worker

import (
	"context"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"github.com/busuhq/busu/internal/budget"
	"github.com/busuhq/busu/internal/webhook"
)

// BudgetBook knows budgets of keys, and what is stored of any.
type BudgetBook interface {
	KeyBudgets(ctx context.Context) ([]budget.Watched, error)
	Spending(ctx context.Context, accounts []budget.Account, journals []string) (budget.Stored, error)
	// Refusals are the budgets that have refused, in periods since a time.
	Refusals(ctx context.Context, since time.Time) (map[budget.Refused]bool, error)
}

// AlertBook is where alerts are recorded.
type AlertBook interface {
	// RecordAlert writes down what a budget has reached, with a webhook to url
	// ("": none), and reports whether that is new.
	RecordAlert(ctx context.Context, r budget.Reached, url string) (bool, error)
}

// Alerter tells when a share of a budget is spent. One process at a time looks;
// should two do, each threshold is told once all the same.
type Alerter struct {
	Budgets  BudgetBook
	Alerts   AlertBook
	Projects []budget.Watched // budgets of projects
	URL      string           // of webhooks; "": none
	Lease    Lease
	Owner    string // a name that no other process has
	Log      *slog.Logger

	stats    AlertStats
	recorded map[budget.Refused]int // the highest threshold that is, as far as this process knows
}

// AlertStats count, by threshold in the order of budget.Thresholds, what an
// alerter has told. They are safe to read at any time.
type AlertStats struct {
	Told     [3]atomic.Int64
	Failures atomic.Int64 // looks that failed, and are repeated
}

// Stats gives the counters.
func (a *Alerter) Stats() *AlertStats { return &a.stats }

const (
	alerterLease   = "alerter"
	alertEvery     = 3 * time.Second
	alertRest      = 32 // times as long as looking took
	alertRarest    = 10 * time.Second
	alertWithin    = 5 * time.Second             // a look
	alertLasts     = alertRarest + 2*alertWithin // longer than from one look to the next
	accountsAtOnce = 500                         // in one look
	// alertAfter is how long a period is watched after it has ended: what it cost
	// last may be stored late.
	alertAfter = time.Hour
)

// Run watches until ctx ends. PostgreSQL being away only makes it wait.
func (a *Alerter) Run(ctx context.Context) error {
	for {
		began := time.Now()
		if err := a.step(ctx, began); err != nil && ctx.Err() == nil {
			a.stats.Failures.Add(1)
			a.Log.Debug("budgets cannot be looked at now", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(max(alertEvery, min(alertRest*time.Since(began), alertRarest))):
		}
	}
}

// step looks at every budget once, as long as the lease is ours.
func (a *Alerter) step(ctx context.Context, now time.Time) error {
	held, err := a.Lease.Hold(ctx, alerterLease, a.Owner, alertLasts)
	if err != nil || !held {
		a.recorded = nil // whoever looks now knows
		return err
	}
	all, refused, err := a.watched(ctx, now)
	if err != nil {
		return err
	}
	was := a.recorded
	a.recorded = make(map[budget.Refused]int, len(was))
	for _, w := range all {
		if highest, known := was[w.refused()]; known {
			a.recorded[w.refused()] = highest
		}
	}
	for some := range slices.Chunk(all, accountsAtOnce) {
		if held, err := a.Lease.Hold(ctx, alerterLease, a.Owner, alertLasts); err != nil || !held {
			return err
		}
		if err := a.look(ctx, some, refused); err != nil {
			return err
		}
	}
	return nil
}

// watched lists what is looked at, and which of it has refused.
func (a *Alerter) watched(ctx context.Context, now time.Time) ([]watchedPeriod, map[budget.Refused]bool, error) {
	ctx, cancel := context.WithTimeout(ctx, alertWithin)
	defer cancel()
	ofKeys, err := a.Budgets.KeyBudgets(ctx)
	if err != nil {
		return nil, nil, err
	}
	refused, err := a.Budgets.Refusals(ctx, budget.Month.Start(now.Add(-alertAfter)))
	return watchedPeriods(slices.Concat(a.Projects, ofKeys), now), refused, err
}

// watchedPeriod is a budget in a period.
type watchedPeriod struct {
	budget.Watched
	account budget.Account
}

func (w watchedPeriod) refused() budget.Refused {
	return budget.Refused{Account: w.account, Limit: w.Limit}
}

// watchedPeriods are the periods that budgets are in, and those that have just
// ended, unless a budget was not there in them.
func watchedPeriods(budgets []budget.Watched, now time.Time) (all []watchedPeriod) {
	for _, b := range budgets {
		this, before := b.Account(now), b.Account(now.Add(-alertAfter))
		all = append(all, watchedPeriod{b, this})
		if before != this && b.Since.Before(before.End()) {
			all = append(all, watchedPeriod{b, before})
		}
	}
	return all
}

// look holds some budgets against what is stored.
func (a *Alerter) look(ctx context.Context, some []watchedPeriod, refused map[budget.Refused]bool) error {
	ctx, cancel := context.WithTimeout(ctx, alertWithin)
	defer cancel()
	accounts := make([]budget.Account, len(some))
	for i, w := range some {
		accounts[i] = w.account
	}
	stored, err := a.Budgets.Spending(ctx, accounts, nil)
	if err != nil {
		return err
	}
	for _, w := range some {
		spent := stored.Accounts[w.account].All
		r := budget.Reached{Watched: w.Watched, Began: w.account.Start(), Spent: spent,
			Thresholds: budget.Crossed(spent, w.Limit, refused[w.refused()])}
		if len(r.Thresholds) == 0 || r.Highest() <= a.recorded[w.refused()] {
			continue
		}
		isNew, err := a.Alerts.RecordAlert(ctx, r, a.URL)
		if err != nil {
			return err
		}
		a.recorded[w.refused()] = r.Highest()
		if isNew {
			a.tell(r)
		}
	}
	return nil
}

func (a *Alerter) tell(r budget.Reached) {
	a.stats.Told[slices.Index(budget.Thresholds(), r.Highest())].Add(1)
	to := webhook.Shown(a.URL)
	a.Log.Warn("a budget is spent up to a threshold", "scope", r.Scope, "name", r.Name, "label", r.Label, "project", r.Project, "period", r.Period,
		"period_start", r.Began, "threshold_percent", r.Highest(), "spent_usd", r.Spent.String(), "limit_usd", r.Limit.String(), "webhook", to)
}
