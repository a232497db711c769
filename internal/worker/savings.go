package worker

import (
	"context"
	"log/slog"
	"time"

	"github.com/busuhq/busu/internal/savings"
)

// UserDays are what users' requests of a day add up to.
type UserDays interface {
	// CountUserDays adds what was stored since the last time, up to most requests,
	// and reports whether more is due.
	CountUserDays(ctx context.Context, most int, observation, verdicts time.Duration) (more bool, err error)
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

	forgot  time.Time
	took    time.Duration // to count, the last time
	watched time.Time     // guards
	looked  time.Duration // how long that took
}

const (
	accountantLease = "accountant"
	accountLasts    = 30 * time.Second // beyond what a step takes, and the rest behind it
	accountWithin   = 30 * time.Minute // a step, at the most
	accountEvery    = 2 * time.Second
	// accountAtOnce bounds a transaction: a third of a second of work, for which
	// others wait a little. Whoever holds one for long keeps PostgreSQL from using
	// the room of removed rows again, everywhere.
	accountAtOnce = 5_000
	accountRarest = time.Hour
	// accountRest is how much longer than it takes something it rests from that:
	// it is 3 % of the time, however much there is to do.
	accountRest    = 32
	accountBehind  = 3         // the same while more is due: a fourth of the time
	mostVerdicts   = time.Hour // that verdicts on an observation are waited for
	watchedWindows = 2         // the shorter ones: what a guard finds, it finds soon
)

// Run counts until ctx ends. PostgreSQL being away only makes it wait.
func (a *Accountant) Run(ctx context.Context) error {
	for {
		more, err := a.step(ctx, time.Now())
		if err != nil && ctx.Err() == nil {
			a.Log.Debug("what users cost cannot be counted now", "err", err)
		}
		rest := restFrom(a.took)
		if more {
			rest = accountBehind * a.took
		}
		a.keep(ctx, rest)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(rest):
		}
	}
}

func restFrom(took time.Duration) time.Duration {
	return min(max(accountRest*took, accountEvery), accountRarest)
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

func (a *Accountant) step(ctx context.Context, now time.Time) (more bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, accountWithin)
	defer cancel()
	held, err := a.Lease.Hold(ctx, accountantLease, a.Owner, accountLasts+2*(a.took+a.looked))
	if err != nil || !held {
		return false, err
	}
	more, err = a.Days.CountUserDays(ctx, accountAtOnce, a.Observation, min(a.Observation, mostVerdicts))
	a.took = time.Since(now)
	if err != nil {
		return false, err
	}
	if began := time.Now(); began.Sub(a.watched) >= restFrom(a.looked) {
		err := a.watch(ctx, began)
		a.watched, a.looked = time.Now(), time.Since(began)
		if err != nil {
			return more, err
		}
	}
	if now.Sub(a.forgot) < daysEvery {
		return more, nil
	}
	a.forgot = now
	return more, a.Old.ForgetUserDays(ctx, now.Add(-a.Keep))
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
