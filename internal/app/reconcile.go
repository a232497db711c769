package app

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/busuhq/busu/internal/budget"
	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/pricing"
	"github.com/busuhq/busu/internal/reconcile"
	"github.com/busuhq/busu/internal/redisdb"
	"github.com/busuhq/busu/internal/rollup"
)

// witness is what Redis says that the ledger is held against; see redisdb.
type witness interface {
	Heartbeats(ctx context.Context) ([]event.Heartbeat, error)
	Live(ctx context.Context, project string) (rollup.Snapshot, error)
	Tails(ctx context.Context, now time.Time) (map[budget.Account]budget.Tail, error)
}

// spending reads what is stored of budgets; see postgres.
type spending interface {
	Spending(ctx context.Context, accounts []budget.Account, journals []string) (budget.Stored, error)
	StoredBefore(ctx context.Context, marks map[budget.Account]int64) (map[budget.Account]pricing.Nanos, error)
}

// HoldAgainst compares a ledger with what was announced, what the live metrics
// say, and what Redis has as spent of budgets. What cannot be asked of Redis is
// left out, and given with the report; err says that what is stored cannot be
// read.
func HoldAgainst(ctx context.Context, audit reconcile.Ledger, stored spending, live witness) (r reconcile.Report, unasked []error, err error) {
	r, unasked = holdFacts(ctx, audit, live)
	tails, err := live.Tails(ctx, time.Now())
	if err != nil {
		return r, append(unasked, err), nil
	}
	r.Budgets, err = holdBudgets(ctx, stored, tails)
	return r, unasked, err
}

// holdBudgets compares what Redis knows of budgets with what is stored.
func holdBudgets(ctx context.Context, ledger spending, tails map[budget.Account]budget.Tail) ([]reconcile.BudgetReport, error) {
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
	return reconcile.CompareBudgets(tails, stored, before), nil
}

func holdFacts(ctx context.Context, audit reconcile.Ledger, live witness) (r reconcile.Report, unasked []error) {
	beats, err := live.Heartbeats(ctx)
	if err != nil {
		unasked = append(unasked, err)
	}
	audit.Hear(beats)
	totals := map[string]rollup.Sums{}
	for project := range audit.Projects {
		s, err := live.Live(ctx, project)
		if err != nil && !errors.Is(err, redisdb.ErrNone) {
			unasked = append(unasked, err)
		}
		if err == nil && s.Totals != nil {
			totals[project] = *s.Totals
		}
	}
	return reconcile.Compare(audit, totals), unasked
}

// ledgerReader reads the ledger of some time; see postgres.
type ledgerReader interface {
	AuditSince(ctx context.Context, since time.Time) (reconcile.Ledger, error)
	spending
}

// auditor compares.
type auditor struct {
	ledger ledgerReader
	live   witness
	kept   *readings[reconcile.Answer] // by window
}

const (
	compareWithin = 30 * time.Second
	compareFresh  = time.Second
	compareRest   = 10
)

func newAuditor(s *stores) *auditor {
	return &auditor{s.postgres, s.redis, newReadings[reconcile.Answer](compareFresh, compareRest, compareWithin)}
}

// Reconcile implements httpapi.Books.
func (a *auditor) Reconcile(_ context.Context, window time.Duration) (reconcile.Answer, error) {
	name := rollup.LengthText(window)
	return a.kept.get(name, func(ctx context.Context) (reconcile.Answer, error) {
		from := time.Now().UTC().Add(-window).Truncate(time.Minute)
		audit, err := a.ledger.AuditSince(ctx, from)
		if err != nil {
			return reconcile.Answer{}, err
		}
		report, unasked, err := HoldAgainst(ctx, audit, a.ledger, a.live)
		if err != nil {
			return reconcile.Answer{}, err
		}
		answer := reconcile.Answer{Window: name, From: from, AsOf: time.Now().UTC(), Report: report, Settled: report.Settled(), Degraded: []string{}}
		if len(unasked) > 0 {
			answer.Degraded, answer.Settled = []string{"redis"}, false
		}
		return answer, nil
	})
}
