package app

import (
	"context"
	"errors"
	"time"

	"github.com/busuhq/busu/internal/budget"
	"github.com/busuhq/busu/internal/event"
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

// HoldAgainst compares a ledger with what was announced, what the live metrics
// say, and what Redis has as spent of budgets. What cannot be asked of Redis is
// left out, and given with the report; err says that what is stored cannot be
// read.
func HoldAgainst(ctx context.Context, audit reconcile.Ledger, stored reconcile.Spending, live witness) (r reconcile.Report, unasked []error, err error) {
	r, unasked = holdFacts(ctx, audit, live)
	tails, err := live.Tails(ctx, time.Now())
	if err != nil {
		return r, append(unasked, err), nil
	}
	r.Budgets, err = reconcile.HoldBudgets(ctx, stored, tails)
	return r, unasked, err
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
	reconcile.Spending
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
