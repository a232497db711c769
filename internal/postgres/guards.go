package postgres

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/savings"
)

// Guards gives the guard of every project that has a hold-out, or had one that
// decided something.
func (db *DB) Guards(ctx context.Context) (map[string]savings.Guard, error) {
	rows, err := db.pool.Query(ctx, `
		SELECT p.project, coalesce(g.state, $1), g.at, g.evidence
		FROM (SELECT DISTINCT project FROM user_days WHERE holdout UNION SELECT DISTINCT project FROM guards) AS p
		LEFT JOIN LATERAL (SELECT state, at, evidence FROM guards WHERE project = p.project ORDER BY n DESC LIMIT 1) AS g ON true`, savings.GuardArmed)
	if err != nil {
		return nil, fmt.Errorf("read guards: %w", err)
	}
	guards := map[string]savings.Guard{}
	var project string
	var g savings.Guard
	_, err = pgx.ForEachRow(rows, []any{&project, &g.State, &g.At, &g.Evidence}, func() error {
		g.At = inUTC(g.At)
		guards[project], g = g, savings.Guard{}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read guards: %w", err)
	}
	return guards, nil
}

// Tripped lists the projects whose guards have.
func (db *DB) Tripped(ctx context.Context) ([]string, error) {
	rows, err := db.pool.Query(ctx, `SELECT project FROM (SELECT DISTINCT ON (project) project, state FROM guards ORDER BY project, n DESC) AS last
		WHERE state = $1`, savings.GuardTripped)
	if err != nil {
		return nil, fmt.Errorf("read tripped guards: %w", err)
	}
	projects, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("read tripped guards: %w", err)
	}
	return projects, nil
}

// settles is how long gateways may take to hear of a guard.
const settles = 5 * time.Second

// Watch reads what a guard looks at, in windows that end on the day of now.
func (db *DB) Watch(ctx context.Context, project string, g savings.Guard, windows []savings.Window, now time.Time) (looks []savings.Watched, err error) {
	today := now.UTC().Truncate(24 * time.Hour)
	err = pgx.BeginTxFunc(ctx, db.pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		var first *time.Time
		u := unitsOf{project: project, rows: "holdout OR NOT guarded"}
		if g.State == savings.GuardTripped {
			u.rows = "true" // those that it guards have the baseline, too
		}
		err := tx.QueryRow(ctx, `SELECT coalesce((SELECT until FROM counted), now()),
			(SELECT min(day) FROM user_days WHERE project = $1 AND holdout)`, project).Scan(&u.asOf, &first)
		if err != nil || first == nil {
			return err
		}
		since := *first
		if g.At != nil {
			since = g.At.Add(settles)
		}
		for _, w := range windows {
			from := today.AddDate(0, 0, 1-w.Days)
			look := savings.Watched{Days: w.Days, Start: max(int(math.Ceil(from.Sub(since).Hours()/24)), 0)}
			if u.from = from; since.After(from) {
				u.from = since
			}
			if _, look.Routed, look.Others, err = u.read(ctx, tx, "holdout OR guarded", math.Inf(1)); err != nil {
				return err
			}
			looks = append(looks, look)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("look at what is guarded: %w", err)
	}
	return looks, nil
}

// SetGuard notes what a project's guard is from now on, and publishes when it
// has tripped. It reports whether it was something else before.
func (db *DB) SetGuard(ctx context.Context, project, state string, e savings.Evidence) (changed bool, err error) {
	err = db.tx(ctx, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(hashtext('busu: guards'))`); err != nil {
			return err
		}
		before, err := readGuard(ctx, tx, project)
		if changed = err == nil && before.State != state; !changed {
			return err
		}
		if _, err := tx.Exec(ctx, `INSERT INTO guards (project, state, evidence) VALUES ($1, $2, $3)`, project, state, e); err != nil {
			return err
		}
		if state != savings.GuardTripped {
			return nil
		}
		fact, err := tripped(project, e)
		if err != nil {
			return err
		}
		return decide(ctx, tx, fact)
	})
	if err != nil {
		return false, fmt.Errorf("set the guard of project %s: %w", project, err)
	}
	return changed, nil
}

func tripped(project string, e savings.Evidence) (*event.GuardTripped, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return nil, err
	}
	g := event.NewGuardTripped(id)
	g.Project, g.Metric, g.Days = project, e.Metric, e.Days
	g.Routed, g.Baseline, g.RoutedUsers, g.BaselineUsers = e.Routed, e.Baseline, e.RoutedUsers, e.OtherUsers
	g.Difference, g.Bound, g.Margin, g.Alpha = e.Difference, e.Bound, e.Margin, e.Alpha
	return g, nil
}
