package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/busuhq/busu/internal/access"
)

// note writes a line of the audit log, in the transaction that does what it
// says.
func note(ctx context.Context, tx pgx.Tx, project, by, action, subject string, detail any) error {
	body, err := json.Marshal(detail)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `INSERT INTO audit_log (project, by_whom, action, subject, detail) VALUES ($1, nullif($2, ''), $3, $4, nullif($5::jsonb, 'null'))`,
		project, by, action, subject, body)
	return err
}

// NoteAct writes a line of the audit log for what is done elsewhere.
func (db *DB) NoteAct(ctx context.Context, project, by, action, subject string, detail any) error {
	err := db.tx(ctx, func(tx pgx.Tx) error { return note(ctx, tx, project, by, action, subject, detail) })
	if err != nil {
		return fmt.Errorf("write the audit log: %w", err)
	}
	return nil
}

// Acts gives what was done in a project, the newest first, behind another act;
// project "" is all.
func (db *DB) Acts(ctx context.Context, project string, before access.ActPlace, most int) ([]access.Act, error) {
	if before.At.IsZero() {
		before.At = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	rows, err := db.pool.Query(ctx, `
		SELECT at, place, project, coalesce(by_whom, ''), action, subject, detail FROM audit
		WHERE ($1 = '' OR project = $1) AND (at, place) < ($2, $3) ORDER BY at DESC, place DESC LIMIT $4`, project, before.At, before.Name, most)
	if err != nil {
		return nil, fmt.Errorf("read the audit log: %w", err)
	}
	acts, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (a access.Act, err error) {
		err = row.Scan(&a.Place.At, &a.Place.Name, &a.Project, &a.By, &a.Action, &a.Subject, &a.Detail)
		a.Place.At = a.Place.At.UTC()
		a.At = a.Place.At
		return a, err
	})
	if err != nil {
		return nil, fmt.Errorf("read the audit log: %w", err)
	}
	return acts, nil
}
