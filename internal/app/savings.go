package app

import (
	"context"
	"log/slog"
	"time"

	"github.com/busuhq/busu/internal/config"
	"github.com/busuhq/busu/internal/experiment"
	"github.com/busuhq/busu/internal/gateway"
	"github.com/busuhq/busu/internal/savings"
	"github.com/busuhq/busu/internal/worker"
)

// startAccountant counts what users cost and guards quality, when no other
// process does.
func startAccountant(cfg config.Config, s *stores, m *migration, log *slog.Logger, life *lifecycle) {
	a := &worker.Accountant{Days: s.postgres, Guards: s.postgres, Old: s.postgres, Lease: s.postgres, Owner: s.presence.id(),
		Observation: cfg.Routing.Observation, Keep: cfg.Retention.Completions, Log: log}
	life.start("accountant", m.then(a.Run))
}

// startGuards follows which guards have tripped.
func startGuards(s *stores, m *migration, log *slog.Logger, life *lifecycle) *gateway.Guards {
	guards := new(gateway.Guards)
	life.start("guards", m.then(func(ctx context.Context) error { return guards.Follow(ctx, s.postgres, log) }))
	return guards
}

// guarded says who gets the baseline where a guard has tripped: all but the
// probe, a share of users who are routed on. It is another one than the hold-out.
func guarded(guards *gateway.Guards) func(project, user string) bool {
	return func(project, user string) bool {
		return guards.Tripped(project) && (user == "" || !experiment.Holdout(probeSalt(project), user, savings.ProbeShare))
	}
}

func probeSalt(project string) string { return "busu probe/" + project }

// accounts is where savings are counted; see postgres.
type accounts interface {
	Savings(ctx context.Context, project string, w savings.Window, now time.Time) (savings.Tally, error)
}

// reports tells what routing saves. While the database is away the last reports
// are served, marked stale.
type reports struct {
	source accounts
	kept   *readings[savings.Report] // by project and window
}

const (
	reportWithin = 20 * time.Second
	reportFresh  = 2 * time.Second
	reportRest   = 20
)

func newReports(a accounts) *reports {
	return &reports{a, newReadings[savings.Report](reportFresh, reportRest, reportWithin)}
}

// Savings implements httpapi.Savings.
func (r *reports) Savings(_ context.Context, project string, w savings.Window) (savings.Report, error) {
	key := project + "\x00" + w.Name
	report, err := r.kept.get(key, func(ctx context.Context) (savings.Report, error) {
		t, err := r.source.Savings(ctx, project, w, time.Now())
		if err != nil {
			return savings.Report{}, err
		}
		return savings.NewReport(t), nil
	})
	if last, ok := r.kept.last(key); ok && err != nil {
		report, err = last.value, nil
		report.Stale = true
	}
	return report, err
}
