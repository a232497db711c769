package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/busuhq/busu/internal/session"
)

// SessionsSince implements session.Records.
func (db *DB) SessionsSince(ctx context.Context, since time.Time, fresh []byte) (secret []byte, ended []session.End, next time.Time, err error) {
	var batch pgx.Batch
	batch.Queue(`SELECT secret FROM session_secret`).Query(func(rows pgx.Rows) (err error) {
		found, err := pgx.CollectRows(rows, pgx.RowTo[[]byte])
		if len(found) > 0 {
			secret = found[0]
		}
		return err
	})
	batch.Queue(`SELECT clock_timestamp() - $1::interval`, overlap).QueryRow(func(row pgx.Row) error { return row.Scan(&next) })
	batch.Queue(`SELECT id, until FROM session_ends WHERE ended_at >= $1 AND until > clock_timestamp()`, since).Query(func(rows pgx.Rows) (err error) {
		ended, err = pgx.CollectRows(rows, pgx.RowToStructByPos[session.End])
		return err
	})
	err = db.pool.SendBatch(ctx, &batch).Close()
	if err == nil && secret == nil {
		secret, err = db.sessionSecret(ctx, fresh)
	}
	if err != nil {
		return nil, nil, since, fmt.Errorf("follow sessions: %w", err)
	}
	return secret, ended, next, nil
}

// sessionSecret makes fresh what cookies are sealed with, unless another process
// was faster.
func (db *DB) sessionSecret(ctx context.Context, fresh []byte) (secret []byte, err error) {
	_, err = db.pool.Exec(ctx, `INSERT INTO session_secret (secret) VALUES ($1) ON CONFLICT DO NOTHING`, fresh)
	if err == nil {
		err = db.pool.QueryRow(ctx, `SELECT secret FROM session_secret`).Scan(&secret)
	}
	return secret, err
}

// EndSession implements session.Records, and removes what is over.
func (db *DB) EndSession(ctx context.Context, e session.End) error {
	err := db.tx(ctx, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `DELETE FROM session_ends WHERE until < clock_timestamp()`); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `INSERT INTO session_ends (id, until) VALUES ($1, $2) ON CONFLICT DO NOTHING`, e.ID, e.Until)
		return err
	})
	if err != nil {
		return fmt.Errorf("end session: %w", err)
	}
	return nil
}
