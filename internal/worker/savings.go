package worker

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/busuhq/busu/internal/savings"
)

// UserDays are what users' requests of a day add up to.
type UserDays interface {
	// ChangedDays lists the days with rows that were stored since the last
	// Counted, and up to when that is told.
	ChangedDays(ctx context.Context) (days []time.Time, until time.Time, err error)
	// CountDay adds a day up, again where it was before.
	CountDay(ctx context.Context, day time.Time, observation, verdicts time.Duration) error
	Counted(ctx context.Context, until time.Time) error
}

// Guards say of each project whether routing may go on.
type Guards interface {
	Guards(ctx context.Context) (map[string]savings.Guard, error)
	// Watch gives what a guard looks at, in windows that end on the day of now.
	Watch(ctx context.Context, project string, g savings.Guard, windows []savings.Window, now time.Time) ([]savings.Watched, error)
	// SetGuard notes what a guard is from now on, and publishes when it has
	// tripped. It reports whether it was something else before.
	SetGuard(ctx context.Context, project, state string, e savings.Evidence) (bool, error)
}

// OldDays are those of users that are past their retention.
type OldDays interface {
	ForgetUserDays(ctx context.Context, before time.Time) error
}

// Accountant counts what users cost and got, day by day, and guards quality
// with it. Of several processes one does.
type Accountant struct {
	Days        UserDays
	Guards      Guards
	Old         OldDays
	Lease       Lease
	Owner       string        // a name that no other process has
	Observation time.Duration // of a user, from the day's first request on
	Keep        time.Duration // how long days stay
	Log         *slog.Logger

	pending map[time.Time]bool // days to be counted
	until   time.Time          // up to when rows are among them
	forgot  time.Time
	took    time.Duration // the last step
}

const (
	accountantLease = "accountant"
	accountLasts    = 30 * time.Second // beyond what a step takes, and the rest behind it
	accountWithin   = 30 * time.Minute // a step, at the most
	accountEvery    = 2 * time.Second
	accountRarest   = time.Hour
	// accountRest is how much longer than it counts it rests: it takes 3 % of the
	// time, however large a day is.
	accountRest    = 32
	mostVerdicts   = time.Hour // that verdicts on an observation are waited for
	watchedWindows = 2         // the shorter ones: what a guard finds, it finds soon
)

// Run counts until ctx ends. PostgreSQL being away only makes it wait.
func (a *Accountant) Run(ctx context.Context) error {
	for {
		began := time.Now()
		if err := a.step(ctx, began); err != nil && ctx.Err() == nil {
			a.Log.Debug("what users cost cannot be counted now", "err", err)
		}
		a.took = time.Since(began)
		rest := min(max(accountRest*a.took, accountEvery), accountRarest)
		a.keep(ctx, rest)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(rest):
		}
	}
}

// keep keeps the lease while it rests, or others would count meanwhile. Whoever
// does not have it waits for it.
func (a *Accountant) keep(ctx context.Context, rest time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, upkeepTries)
	defer cancel()
	if _, err := a.Lease.Hold(ctx, accountantLease, a.Owner, rest+accountLasts); err != nil {
		a.Log.Debug("the accountant's lease cannot be prolonged now", "err", err)
	}
}

func (a *Accountant) step(ctx context.Context, now time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, accountWithin)
	defer cancel()
	held, err := a.Lease.Hold(ctx, accountantLease, a.Owner, accountLasts+2*a.took)
	if err != nil {
		return err
	}
	if !held {
		a.pending = nil // whoever counts now notes it, too
		return nil
	}
	if err := a.count(ctx); err != nil {
		return err
	}
	if err := a.watch(ctx, now); err != nil {
		return err
	}
	if now.Sub(a.forgot) < daysEvery {
		return nil
	}
	a.forgot = now
	return a.Old.ForgetUserDays(ctx, now.Add(-a.Keep))
}

// count counts the newest day that has changed, and one more: after a start
// there may be hundreds, and today does not wait for them. That rows are counted
// is noted when none is left.
func (a *Accountant) count(ctx context.Context) error {
	changed, until, err := a.Days.ChangedDays(ctx)
	if err != nil {
		return err
	}
	if len(a.pending) == 0 { // all, since the last time that was noted
		a.pending = map[time.Time]bool{}
		for _, day := range changed {
			a.pending[day] = true
		}
		a.until = until
	} else if len(changed) > 0 { // the same again, with what is new: of these, today
		a.pending[changed[len(changed)-1]] = true
	}
	days := make([]time.Time, 0, len(a.pending))
	for day := range a.pending {
		days = append(days, day)
	}
	slices.SortFunc(days, func(x, y time.Time) int { return y.Compare(x) })
	for _, day := range days[:min(2, len(days))] {
		if err := a.Days.CountDay(ctx, day, a.Observation, min(a.Observation, mostVerdicts)); err != nil {
			return err
		}
		delete(a.pending, day)
	}
	if len(a.pending) > 0 {
		return nil
	}
	return a.Days.Counted(ctx, a.until)
}

// watch looks whether a guard has to become something else.
func (a *Accountant) watch(ctx context.Context, now time.Time) error {
	guards, err := a.Guards.Guards(ctx)
	if err != nil {
		return err
	}
	for project, g := range guards {
		looks, err := a.Guards.Watch(ctx, project, g, savings.Windows()[:watchedWindows], now)
		if err != nil {
			return err
		}
		state, decide := savings.GuardTripped, savings.Trip
		if g.State == savings.GuardTripped {
			state, decide = savings.GuardArmed, savings.Recover
		}
		e, decided := decide(looks...)
		if !decided {
			continue
		}
		changed, err := a.Guards.SetGuard(ctx, project, state, e)
		if err != nil {
			return err
		}
		if changed {
			a.tell(project, state, e)
		}
	}
	return nil
}

func (a *Accountant) tell(project, state string, e savings.Evidence) {
	figures := []any{"project", project, "metric", e.Metric, "routed", e.Routed, "baseline", e.Baseline, "bound", e.Bound, "margin", e.Margin}
	if state == savings.GuardTripped {
		a.Log.Warn("the guard has tripped: routed answers are worse than the baseline's, which answers from now on; see busu guard status", figures...)
		return
	}
	a.Log.Info("the guard is armed again: routed answers are shown not to be worse", figures...)
}
