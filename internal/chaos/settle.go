package chaos

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/reconcile"
	"github.com/busuhq/busu/internal/redisdb"
	"github.com/busuhq/busu/internal/rollup"
)

// settle waits until every request has its answer, everybody is healthy, and
// what is under way has arrived or has had its time.
func (e *engine) settle(ctx context.Context, r *Report) error {
	e.o.Log.Info("the load ends; waiting for the slowest answers")
	e.load.wait()
	if err := e.healthy(ctx); err != nil {
		e.found.add("%v", err)
	}
	e.o.Log.Info("everything is healthy; waiting for limits and the tail")
	var asking sync.WaitGroup
	asking.Go(func() { e.fillLimits(ctx) })
	asking.Go(func() { e.spendBudget(ctx) })
	asking.Wait()
	e.load.all.Wait() // verdicts
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, e.o.Settle)
	defer cancel()
	var last error
	err := until(ctx, func() bool {
		last = e.unsettled(ctx)
		if last != nil {
			pause(ctx, 200*time.Millisecond)
		}
		return last == nil
	})
	r.Settled = time.Since(began)
	if err != nil {
		e.found.add("the tail did not arrive within %s: %v", e.o.Settle, last)
	}
	return nil
}

// unsettled says what is still under way.
func (e *engine) unsettled(ctx context.Context) error {
	if n := e.upstream.inFlight.Load(); n > 0 {
		return fmt.Errorf("the provider is still working on %d calls", n)
	}
	p, err := e.stores.redis.Pipeline(ctx, partitions, time.Now())
	if err != nil {
		return err
	}
	if p.Unread > 0 || p.Pending > 0 {
		return fmt.Errorf("%d entries were not read by the workers, %d are pending", p.Unread, p.Pending)
	}
	report, err := e.reconcile(ctx)
	if err != nil {
		return err
	}
	if !report.Settled() {
		return fmt.Errorf("reconciling finds differences: %v", differences(report))
	}
	if err := e.unjoined(ctx); err != nil {
		return err
	}
	return e.sameReports(ctx)
}

// reconcile is busu reconcile.
func (e *engine) reconcile(ctx context.Context) (reconcile.Report, error) {
	audit, err := e.stores.postgres.Audit(ctx)
	if err != nil {
		return reconcile.Report{}, err
	}
	beats, err := e.stores.redis.Heartbeats(ctx)
	if err != nil {
		return reconcile.Report{}, err
	}
	audit.Hear(beats)
	live := map[string]rollup.Sums{}
	for project := range audit.Projects {
		s, err := e.stores.redis.Live(ctx, project)
		if errors.Is(err, redisdb.ErrNone) {
			continue
		}
		if err != nil {
			return reconcile.Report{}, err
		}
		if s.Totals != nil {
			live[project] = *s.Totals
		}
	}
	report := reconcile.Compare(audit, live)
	tails, err := e.stores.redis.Tails(ctx, time.Now())
	if err != nil {
		return reconcile.Report{}, err
	}
	report.Budgets, err = reconcile.HoldBudgets(ctx, e.stores.postgres, tails)
	return report, err
}

func differences(r reconcile.Report) (all []string) {
	if r.Open > 0 {
		all = append(all, fmt.Sprintf("%d intents are open", r.Open))
	}
	for _, l := range r.Lanes {
		if l.Problem != "" {
			all = append(all, fmt.Sprintf("%s %s: %s", l.Journal, l.Lane, l.Problem))
		}
	}
	for _, p := range r.Projects {
		if p.Problem != "" {
			all = append(all, fmt.Sprintf("%s: %s", p.Project, p.Problem))
		}
	}
	for _, b := range r.Budgets {
		if b.Problem != "" {
			all = append(all, fmt.Sprintf("budget of %s %s: %s", b.Scope, b.Name, b.Problem))
		}
	}
	return all
}

// compared are the windows that hold whole minutes: shorter ones are over
// before all is quiet.
var compared = []string{"1h", "24h", "7d"}

// sameReports holds the live reports against counts of the rows.
func (e *engine) sameReports(ctx context.Context) error {
	for _, name := range compared {
		w, err := rollup.ParseWindow(name)
		if err != nil {
			return err
		}
		live, err := e.stores.redis.Report(ctx, event.DefaultProject, w)
		if err != nil {
			return fmt.Errorf("live report of %s: %w", name, err)
		}
		counted, err := e.stores.postgres.Report(ctx, event.DefaultProject, w, live.AsOf)
		if err != nil {
			return err
		}
		if a, b := comparable(live), comparable(counted); a != b {
			return fmt.Errorf("live report of %s: %s\nthe rows: %s", name, a, b)
		}
	}
	return nil
}
