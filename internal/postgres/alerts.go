package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/busuhq/busu/internal/access"
	"github.com/busuhq/busu/internal/budget"
)

// KeyBudgets lists the budgets of keys that are not revoked.
func (db *DB) KeyBudgets(ctx context.Context) ([]budget.Watched, error) {
	rows, err := db.pool.Query(ctx, `
		SELECT id, project, name, coalesce(budget_period, $1), budget_nanos, changed_at FROM keys WHERE budget_nanos IS NOT NULL AND revoked_at IS NULL`,
		access.Month)
	if err != nil {
		return nil, fmt.Errorf("read budgets of keys: %w", err)
	}
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (w budget.Watched, err error) {
		w.Scope = budget.Key
		err = row.Scan(&w.Name, &w.Project, &w.Label, &w.Period, &w.Limit, &w.Since)
		return w, err
	})
	if err != nil {
		return nil, fmt.Errorf("read budgets of keys: %w", err)
	}
	return all, nil
}

// NoteRefusals implements budget.RefusalBook.
func (db *DB) NoteRefusals(ctx context.Context, all []budget.Refused) error {
	var b pgx.Batch
	for _, r := range all {
		b.Queue(`INSERT INTO budget_refusals (scope, name, period, began, limit_nanos) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING`,
			r.Scope, r.Name, r.Period, r.Start(), r.Limit)
	}
	if err := db.pool.SendBatch(ctx, &b).Close(); err != nil {
		return fmt.Errorf("note which budgets have refused: %w", err)
	}
	return nil
}

// Refusals are the budgets that have refused a request, in periods that began
// since a time.
func (db *DB) Refusals(ctx context.Context, since time.Time) (map[budget.Refused]bool, error) {
	rows, err := db.pool.Query(ctx, `SELECT scope, name, period, extract(epoch FROM began)::bigint, limit_nanos FROM budget_refusals WHERE began >= $1`, since)
	if err != nil {
		return nil, fmt.Errorf("read which budgets have refused: %w", err)
	}
	all := map[budget.Refused]bool{}
	var r budget.Refused
	_, err = pgx.ForEachRow(rows, []any{&r.Scope, &r.Name, &r.Period, &r.Began, &r.Limit}, func() error {
		all[r] = true
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read which budgets have refused: %w", err)
	}
	return all, nil
}

// RecordAlert writes down which thresholds a budget has reached, and tells url
// the highest, "" being nobody. It reports whether that one is new: of all who
// find the same, one is told so.
func (db *DB) RecordAlert(ctx context.Context, r budget.Reached, url string) (isNew bool, err error) {
	err = db.tx(ctx, func(tx pgx.Tx) error {
		isNew = false
		for _, threshold := range r.Thresholds { // in one order, so that no two processes wait for each other
			tag, err := tx.Exec(ctx, `
				INSERT INTO budget_alerts (scope, name, period, began, limit_nanos, threshold, spent_nanos) VALUES ($1, $2, $3, $4, $5, $6, $7)
				ON CONFLICT DO NOTHING`, r.Scope, r.Name, r.Period, r.Began, r.Limit, threshold, r.Spent)
			if err != nil {
				return err
			}
			isNew = tag.RowsAffected() == 1
		}
		if !isNew {
			return nil
		}
		return tell(ctx, tx, r, url)
	})
	if err != nil {
		return false, fmt.Errorf("record that %d %% of the budget of %s %s are spent: %w", r.Highest(), r.Scope, r.Name, err)
	}
	return isNew, nil
}

// tell puts an alert in the audit log, and on its way.
func tell(ctx context.Context, tx pgx.Tx, r budget.Reached, url string) error {
	id, err := uuid.NewV7()
	if err != nil {
		return err
	}
	var at time.Time
	if err := tx.QueryRow(ctx, `SELECT clock_timestamp()`).Scan(&at); err != nil {
		return err
	}
	if err := note(ctx, tx, r.Project, "", budget.KindAlert, r.Name, r.Notice(id, at)); err != nil || url == "" {
		return err
	}
	m, err := r.Message(id, url, at)
	if err != nil {
		return err
	}
	return enqueue(ctx, tx, m)
}

// Alerts are the thresholds that budgets have reached in the periods of a
// moment, the lowest first.
func (db *DB) Alerts(ctx context.Context, all []budget.Budget, at time.Time) (map[budget.Budget][]budget.Alert, error) {
	found := map[budget.Budget][]budget.Alert{}
	var scopes, names, periods []string
	var begans []time.Time
	var limits []int64
	for _, b := range all {
		scopes, names, periods = append(scopes, string(b.Scope)), append(names, b.Name), append(periods, string(b.Period))
		begans, limits = append(begans, b.Period.Start(at)), append(limits, int64(b.Limit))
	}
	rows, err := db.pool.Query(ctx, `
		SELECT a.scope, a.name, a.period, a.limit_nanos, a.threshold, a.spent_nanos, a.at FROM budget_alerts a
		JOIN unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::bigint[]) AS b (scope, name, period, began, limit_nanos)
			USING (scope, name, period, began, limit_nanos) ORDER BY a.threshold`, scopes, names, periods, begans, limits)
	if err != nil {
		return nil, fmt.Errorf("read alerts of budgets: %w", err)
	}
	var b budget.Budget
	var a budget.Alert
	_, err = pgx.ForEachRow(rows, []any{&b.Scope, &b.Name, &b.Period, &b.Limit, &a.Threshold, &a.Spent, &a.At}, func() error {
		a.At = a.At.UTC()
		found[b] = append(found[b], a)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read alerts of budgets: %w", err)
	}
	return found, nil
}
