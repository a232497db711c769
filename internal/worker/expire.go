package worker

import (
	"context"
	"log/slog"
	"time"
)

// Leftovers are rows that no day's partition takes along when it is dropped.
// Each method removes up to so many of each kind, and returns how many it
// removed; 0 says that none is left.
type Leftovers interface {
	// ExpireLate removes completions and features that came when their days
	// were gone.
	ExpireLate(ctx context.Context, completions, features time.Time, most int) (int64, error)
	ExpireFeedback(ctx context.Context, before time.Time, most int) (int64, error)
	// ExpireLessons removes lessons that a snapshot holds: those of verdicts,
	// and those about the price.
	ExpireLessons(ctx context.Context, verdicts, prices time.Time, most int) (int64, error)
}

// Ended are experiments that are over.
type Ended interface {
	// ExpireExperiments removes up to most rows each of the requests and the
	// units of those that ended before a time, and returns how many; 0 says that
	// none is left.
	ExpireExperiments(ctx context.Context, before time.Time, most int) (int64, error)
}

// Closed is what is over and done with. Each method removes up to so many rows
// of each kind, and returns how many; 0 says that none is left.
type Closed interface {
	// ExpireWebhooks removes messages that were delivered or given up.
	ExpireWebhooks(ctx context.Context, before time.Time, most int) (int64, error)
	// ExpireAlerts removes alerts and refusals of budgets, by when their periods
	// began.
	ExpireAlerts(ctx context.Context, before time.Time, most int) (int64, error)
	// ExpireForgotten removes notes of users who were forgotten.
	ExpireForgotten(ctx context.Context, before time.Time, most int) (int64, error)
	// ExpireMinutes adds up the minutes of days that are over, and removes those
	// of keys; hours stay.
	ExpireMinutes(ctx context.Context, before time.Time, most int) (int64, error)
}

// Projects are those that keep less than others.
type Projects interface {
	// ExpireProject removes up to most requests of a project from before a time,
	// with what hangs on them, and answers from before theirs.
	ExpireProject(ctx context.Context, project string, completions, answers time.Time, most int) (int64, error)
}

// Retention is how long a project keeps its requests, and its answers.
type Retention struct {
	Project              string
	Completions, Answers time.Duration
}

// Expirer removes what is past its time little by little, so that nobody waits
// for it. Any number of processes may do it at once.
type Expirer struct {
	Leftovers    Leftovers
	Ended        Ended
	Closed       Closed
	Projects     Projects
	Shorter      []Retention   // than Keep
	Keep         time.Duration // rows, verdicts and webhooks
	KeepFeatures time.Duration
	Log          *slog.Logger
}

const (
	expireEvery  = time.Minute
	expireWithin = 5 * time.Second // a step of it
	expireAtOnce = 1000            // rows
	expirePause  = 50 * time.Millisecond

	// keepTaught is how much longer lessons are kept than features. While there
	// is something to learn from, it must be known what was taught already.
	keepTaught = 24 * time.Hour
	keepPrices = 7 * 24 * time.Hour // lessons about the price

	keepAlerts  = 400 * 24 * time.Hour
	keepMinutes = 35 * 24 * time.Hour // longer than the period of a budget, and than anybody may ask for
)

// Run expires until ctx ends. PostgreSQL being away only makes it wait.
func (e *Expirer) Run(ctx context.Context) error {
	for {
		pause := expireEvery
		switch removed, err := e.step(ctx, time.Now()); {
		case err != nil && ctx.Err() == nil:
			e.Log.Debug("what is past its time stays for now", "err", err)
		case removed > 0:
			pause = expirePause
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
	}
}

func (e *Expirer) step(ctx context.Context, now time.Time) (removed int64, err error) {
	rows, features := now.Add(-e.Keep), now.Add(-e.KeepFeatures)
	for _, expire := range []func(context.Context) (int64, error){
		func(ctx context.Context) (int64, error) {
			return e.Leftovers.ExpireLate(ctx, rows, features, expireAtOnce)
		},
		func(ctx context.Context) (int64, error) {
			return e.Leftovers.ExpireFeedback(ctx, rows, expireAtOnce)
		},
		func(ctx context.Context) (int64, error) {
			return e.Leftovers.ExpireLessons(ctx, features.Add(-keepTaught), now.Add(-keepPrices), expireAtOnce)
		},
		func(ctx context.Context) (int64, error) {
			return e.Ended.ExpireExperiments(ctx, rows, expireAtOnce)
		},
		func(ctx context.Context) (int64, error) {
			return e.Closed.ExpireWebhooks(ctx, rows, expireAtOnce)
		},
		func(ctx context.Context) (int64, error) {
			return e.Closed.ExpireAlerts(ctx, now.Add(-keepAlerts), expireAtOnce)
		},
		func(ctx context.Context) (int64, error) {
			return e.Closed.ExpireMinutes(ctx, now.Add(-keepMinutes), expireAtOnce)
		},
		func(ctx context.Context) (int64, error) {
			return e.Closed.ExpireForgotten(ctx, rows, expireAtOnce)
		},
	} {
		n, err := within(ctx, expire)
		if err != nil {
			return removed, err
		}
		removed += n
	}
	for _, r := range e.Shorter {
		n, err := within(ctx, func(ctx context.Context) (int64, error) {
			return e.Projects.ExpireProject(ctx, r.Project, now.Add(-r.Completions), now.Add(-r.Answers), expireAtOnce)
		})
		if err != nil {
			return removed, err
		}
		removed += n
	}
	return removed, nil
}

func within(ctx context.Context, do func(context.Context) (int64, error)) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, expireWithin)
	defer cancel()
	return do(ctx)
}
