package app

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/busuhq/busu/internal/access"
	"github.com/busuhq/busu/internal/budget"
	"github.com/busuhq/busu/internal/config"
	"github.com/busuhq/busu/internal/gateway"
	"github.com/busuhq/busu/internal/telemetry"
	"github.com/busuhq/busu/internal/worker"
)

// budgets are those of keys, which keys bring along, and those of projects,
// which are configured.
type budgets struct {
	*budget.Keeper
	alerts
	projects map[string][]budget.Budget
}

// alerts knows which shares of budgets were found spent; see postgres.
type alerts interface {
	Alerts(ctx context.Context, all []budget.Budget, at time.Time) (map[budget.Budget][]budget.Alert, error)
}

// startBudgets keeps budgets from now on, in the name of a journal: what is
// stored of it is known.
func startBudgets(cfg config.Config, g *gateway.Gateway, journal string, s *stores, m *migration, r telemetry.Registerer, log *slog.Logger, life *lifecycle) *budgets {
	process := fmt.Sprintf("%s/%d", journal, time.Now().UnixMilli())
	b := &budgets{alerts: s.postgres, projects: map[string][]budget.Budget{},
		Keeper: budget.NewKeeper(s.redis, s.postgres, process, cfg.Limits.WhenUnavailable == "open", log)}
	for _, w := range ofProjects(cfg) {
		b.projects[w.Project] = append(b.projects[w.Project], w.Budget)
	}
	g.Budgets = b
	life.start("budgets", b.Run, m.then(func(ctx context.Context) error { return b.NoteRefusals(ctx, s.postgres, log) }))
	countBudgets(r, b.Keeper)
	return b
}

func ofProjects(cfg config.Config) (all []budget.Watched) {
	for _, p := range cfg.Limits.Projects {
		all = append(all, budget.Watched{Project: p.Project,
			Budget: budget.Budget{Scope: budget.Project, Name: p.Project, Period: budget.Period(p.Period), Limit: p.Budget}})
	}
	return all
}

// startAlerter tells when shares of budgets are spent, when no other process
// does.
func startAlerter(cfg config.Config, s *stores, m *migration, r telemetry.Registerer, log *slog.Logger, life *lifecycle) {
	a := &worker.Alerter{Budgets: s.postgres, Alerts: s.postgres, Projects: ofProjects(cfg), URL: cfg.Limits.Alerts.NotifyURL,
		Lease: s.postgres, Owner: s.presence.id(), Log: log}
	life.start("alerter", m.then(a.Run))
	stats := a.Stats()
	for i, threshold := range budget.Thresholds() {
		telemetry.Counter(telemetry.Labelled(r, "threshold", strconv.Itoa(threshold)), "busu_budget_alerts_total",
			"Thresholds of budgets, in percent, that were found reached; of several at once, the highest.",
			func() float64 { return float64(stats.Told[i].Load()) })
	}
	telemetry.Counter(r, "busu_budget_alert_failures_total", "Looks at what is spent of budgets that failed, and are repeated.",
		func() float64 { return float64(stats.Failures.Load()) })
}

// Of implements httpapi.Budgets.
func (b *budgets) Of(caller access.Caller) []budget.Budget {
	ofProject := b.projects[caller.Project]
	if caller.Key == nil || caller.Key.Budget == nil {
		return ofProject
	}
	period := budget.Month
	if p := caller.Key.BudgetPeriod; p != nil {
		period = budget.Period(*p)
	}
	all := make([]budget.Budget, 1, 1+len(ofProject))
	all[0] = budget.Budget{Scope: budget.Key, Name: caller.Key.ID, Period: period, Limit: *caller.Key.Budget}
	return append(all, ofProject...)
}

// OfProjects implements httpapi.Budgets.
func (b *budgets) OfProjects(project string) []budget.Budget {
	if project != "" {
		return b.projects[project]
	}
	var all []budget.Budget
	for _, name := range slices.Sorted(maps.Keys(b.projects)) {
		all = append(all, b.projects[name]...)
	}
	return all
}

func countBudgets(r telemetry.Registerer, k *budget.Keeper) {
	stats := k.Stats()
	for reason, of := range map[string]func() int64{"exhausted": stats.Exhausted, "unavailable": stats.Unavailable} {
		telemetry.Counter(telemetry.Labelled(r, "reason", reason), "busu_budget_refused_total", "Requests that were refused because of a budget, by reason.",
			func() float64 { return float64(of()) })
	}
	telemetry.Counter(r, "busu_budget_passed_total", "Requests that passed although what is left of a budget could not be known.",
		func() float64 { return float64(stats.Passed()) })
	telemetry.Counter(r, "busu_budget_waited_total", "Requests that waited for Redis, because more was asked for than lately.",
		func() float64 { return float64(stats.Waited()) })
	telemetry.Counter(r, "busu_budget_sync_failures_total", "Times that budgets could not be reported to Redis.",
		func() float64 { return float64(stats.Failures()) })
	telemetry.Gauge(r, "busu_budget_slices_usd", "What this process holds of budgets, in dollars.",
		func() float64 { held, _ := k.Slices(); return float64(held) / 1e9 })
	telemetry.Gauge(r, "busu_budget_over_usd", "What requests have cost beyond what was reserved for them, in dollars, of the budgets at hand.",
		func() float64 { _, over := k.Slices(); return float64(over) / 1e9 })
}
