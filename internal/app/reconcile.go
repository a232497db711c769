package app

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/reconcile"
	"github.com/busuhq/busu/internal/redisdb"
	"github.com/busuhq/busu/internal/rollup"
)

// witness is what Redis says that the ledger is held against; see redisdb.
type witness interface {
	Heartbeats(ctx context.Context) ([]event.Heartbeat, error)
	Live(ctx context.Context, project string) (rollup.Snapshot, error)
}

// HoldAgainst compares a ledger with what was announced and what the live
// metrics say. What cannot be asked is left out, and given with the report.
func HoldAgainst(ctx context.Context, audit reconcile.Ledger, live witness) (r reconcile.Report, unasked []error) {
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
}

// auditor compares, one at a time, and gives the same answer for a while: the
// longer, the more it cost.
type auditor struct {
	ledger  ledgerReader
	live    witness
	flights singleflight.Group

	mu   sync.Mutex
	kept map[string]compared // by window
}

type compared struct {
	answer reconcile.Answer
	took   time.Duration
}

const (
	compareWithin = 30 * time.Second
	compareFresh  = time.Second
	compareRest   = 10
)

func newAuditor(s *stores) *auditor {
	return &auditor{ledger: s.postgres, live: s.redis, kept: map[string]compared{}}
}

// Reconcile implements httpapi.Books.
func (a *auditor) Reconcile(_ context.Context, window time.Duration) (reconcile.Answer, error) {
	name := rollup.LengthText(window)
	a.mu.Lock()
	last, ok := a.kept[name]
	a.mu.Unlock()
	if ok && time.Since(last.answer.AsOf) < max(compareFresh, compareRest*last.took) {
		return last.answer, nil
	}
	read, err, _ := a.flights.Do("", func() (any, error) { return a.compare(name, window) })
	if err != nil {
		return reconcile.Answer{}, err
	}
	answer := read.(reconcile.Answer)
	if answer.Window != name { // another's, who came first
		return a.Reconcile(context.Background(), window)
	}
	return answer, nil
}

// compare is nobody's own: others wait for it too.
func (a *auditor) compare(name string, window time.Duration) (reconcile.Answer, error) {
	ctx, cancel := context.WithTimeout(context.Background(), compareWithin)
	defer cancel()
	began := time.Now()
	from := began.UTC().Add(-window).Truncate(time.Minute)
	audit, err := a.ledger.AuditSince(ctx, from)
	if err != nil {
		return reconcile.Answer{}, err
	}
	report, unasked := HoldAgainst(ctx, audit, a.live)
	answer := reconcile.Answer{Window: name, From: from, AsOf: time.Now().UTC(), Report: report, Settled: report.Settled(), Degraded: []string{}}
	if len(unasked) > 0 {
		answer.Degraded, answer.Settled = []string{"redis"}, false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.kept) >= mostReports {
		clear(a.kept)
	}
	a.kept[name] = compared{answer, time.Since(began)}
	return answer, nil
}
