package app

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

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

// reports reads each report once for all who ask meanwhile and shortly after.
// While the database is away the last ones are served, marked stale.
type reports struct {
	source  accounts
	flights singleflight.Group
	turns   chan struct{} // one reads at a time: the worker needs the same database

	mu   sync.Mutex
	kept map[string]kept // by project and window
}

type kept struct {
	report savings.Report
	read   time.Time
	took   time.Duration
}

const (
	reportWithin = 20 * time.Second
	// A report is as good as new for a while: longer, the more it costs to read.
	reportFresh = 2 * time.Second
	reportRest  = 20
	mostReports = 10_000
)

func newReports(a accounts) *reports {
	return &reports{source: a, kept: map[string]kept{}, turns: make(chan struct{}, 1)}
}

// Savings implements httpapi.Savings.
func (r *reports) Savings(_ context.Context, project string, w savings.Window) (savings.Report, error) {
	key := project + "\x00" + w.Name
	r.mu.Lock()
	last, ok := r.kept[key]
	r.mu.Unlock()
	if ok && time.Since(last.read) < max(reportFresh, reportRest*last.took) {
		return last.report, nil
	}
	read, err, _ := r.flights.Do(key, func() (any, error) { return r.read(project, w) })
	if err != nil && ok {
		last.report.Stale = true
		return last.report, nil
	}
	if err != nil {
		return savings.Report{}, err
	}
	fresh := read.(kept)
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.kept) >= mostReports {
		clear(r.kept)
	}
	r.kept[key] = fresh
	return fresh.report, nil
}

var errBusy = errors.New("other reports are being read")

// read reads a report: nobody's own, others wait for it too.
func (r *reports) read(project string, w savings.Window) (kept, error) {
	ctx, cancel := context.WithTimeout(context.Background(), reportWithin)
	defer cancel()
	select {
	case r.turns <- struct{}{}:
		defer func() { <-r.turns }()
	case <-ctx.Done():
		return kept{}, errBusy
	}
	began := time.Now()
	t, err := r.source.Savings(ctx, project, w, began)
	if err != nil {
		return kept{}, err
	}
	return kept{savings.NewReport(t), time.Now(), time.Since(began)}, nil
}
