package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/busuhq/busu/internal/budget"
	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/pricing"
	"github.com/busuhq/busu/internal/rollup"
)

// Spending implements budget.Books: how far journals are stored first, and what
// it adds up to second.
func (db *DB) Spending(ctx context.Context, accounts []budget.Account, journals []string) (budget.Stored, error) {
	s := budget.Stored{Accounts: map[budget.Account]budget.Sums{}}
	err := db.pool.QueryRow(ctx, `SELECT clock_timestamp()`).Scan(&s.AsOf)
	if err == nil {
		s.Journals, err = db.coverage(ctx, journals)
	}
	if err == nil {
		s.Until, err = db.Watermark(ctx, s.AsOf)
	}
	if err != nil {
		return budget.Stored{}, fmt.Errorf("read how far journals are stored: %w", err)
	}
	if !s.Until.IsZero() {
		s.Mark = s.Until.Truncate(time.Minute)
	}
	for _, scope := range []budget.Scope{budget.Key, budget.Project} {
		if err := db.addSums(ctx, &s, scope, accounts); err != nil {
			return budget.Stored{}, fmt.Errorf("read what is spent of budgets: %w", err)
		}
	}
	return s, nil
}

// StoredBefore is what is stored of accounts, each before a minute (Unix time /
// 60) of its own.
func (db *DB) StoredBefore(ctx context.Context, marks map[budget.Account]int64) (map[budget.Account]pricing.Nanos, error) {
	byMark := map[int64][]budget.Account{}
	for a, minute := range marks {
		byMark[minute] = append(byMark[minute], a)
	}
	before := make(map[budget.Account]pricing.Nanos, len(marks))
	for minute, accounts := range byMark {
		s := budget.Stored{Mark: time.Unix(minute*60, 0), Accounts: map[budget.Account]budget.Sums{}}
		for _, scope := range []budget.Scope{budget.Key, budget.Project} {
			if err := db.addSums(ctx, &s, scope, accounts); err != nil {
				return nil, fmt.Errorf("read what is spent of budgets: %w", err)
			}
		}
		for a, sums := range s.Accounts {
			before[a] = sums.Before
		}
	}
	return before, nil
}

// coverage says how much of journals is stored: nothing is certain of those
// that have numbered what is not.
func (db *DB) coverage(ctx context.Context, journals []string) ([]budget.Coverage, error) {
	rows, err := db.pool.Query(ctx, `
		SELECT id, recorded_until, recorded_until >= heartbeat_at FROM journals j
		WHERE id = ANY ($1) AND `+allStored, journals)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[budget.Coverage])
}

// addSums adds up accounts of a scope: whole days and hours before the mark, the
// minutes after those, and what is not merged yet. It is one statement, so that
// a row which is merged meanwhile is seen once.
func (db *DB) addSums(ctx context.Context, s *budget.Stored, scope budget.Scope, accounts []budget.Account) error {
	var some []budget.Account
	var names []string
	var began, ends []time.Time
	for _, a := range accounts {
		if a.Scope == scope {
			some, names, began, ends = append(some, a), append(names, a.Name), append(began, a.Start()), append(ends, a.End())
		}
	}
	if len(some) == 0 {
		return nil
	}
	mark := s.Mark
	if mark.IsZero() {
		mark = s.AsOf
	}
	mark = mark.UTC()
	rows, err := db.pool.Query(ctx, sumsSQL(scope), pgx.QueryExecModeDescribeExec,
		names, began, mark.Truncate(24*time.Hour), mark.Truncate(time.Hour), s.Mark, ends)
	if err != nil {
		return err
	}
	var i int
	var sums budget.Sums
	_, err = pgx.ForEachRow(rows, []any{&i, (*int64)(&sums.Before), (*int64)(&sums.All)}, func() error {
		s.Accounts[some[i-1]] = sums
		return nil
	})
	return err
}

// sumsSQL adds up accounts of a scope. What was called in the background is
// none of a project's: it has a budget of its own.
func sumsSQL(scope budget.Scope) string {
	cost, whose := `cost_nanos`, `kind = '`+rollup.KindKey+`' AND name = a.name`
	if scope == budget.Project {
		cost = `CASE kind WHEN '` + rollup.KindAll + `' THEN cost_nanos ELSE -cost_nanos END`
		whose = `project = a.name AND (kind = '` + rollup.KindAll + `' OR kind = '` + rollup.KindStrategy + `'
			AND name IN ('` + event.StrategyShadow + `', '` + event.StrategyJudge + `'))`
	}
	of := func(table, start, bounds string) string {
		return `SELECT ` + start + ` AS at, ` + cost + ` AS cost FROM ` + table + ` WHERE ` + whose + ` AND ` + start + ` >= a.began AND ` + start + ` < a.ends AND ` + bounds
	}
	return `
		SELECT a.i, coalesce(sum(cost) FILTER (WHERE at < $5), 0)::bigint, coalesce(sum(cost), 0)::bigint
		FROM unnest($1::text[], $2::timestamptz[], $6::timestamptz[]) WITH ORDINALITY AS a (name, began, ends, i) LEFT JOIN LATERAL (
			` + of("rollups_days", "day", "day < $3::timestamptz") + `
			UNION ALL ` + of("rollups_hours", "hour", "hour >= $3 AND hour < $4::timestamptz") + `
			UNION ALL ` + of("rollups_minutes", "minute", "minute >= $4") + `
			UNION ALL ` + of("rollups_new", "minute", "true") + `) AS stored ON true
		GROUP BY a.i`
}
