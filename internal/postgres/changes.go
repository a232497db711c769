package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// overlap is how long a transaction may take that changes a row, and still be
// seen by those who follow.
const overlap = time.Minute

// changes reads rows that have changed, and the moment to ask from next: some
// come again. It takes one round trip, as gateways ask all the time.
func changes[T any](ctx context.Context, db *DB, scan pgx.RowToFunc[T], sql string, args ...any) (changed []T, next time.Time, err error) {
	var batch pgx.Batch
	batch.Queue(`SELECT clock_timestamp() - $1::interval`, overlap).QueryRow(func(row pgx.Row) error { return row.Scan(&next) })
	batch.Queue(sql, args...).Query(func(rows pgx.Rows) (err error) {
		changed, err = pgx.CollectRows(rows, scan)
		return err
	})
	err = db.pool.SendBatch(ctx, &batch).Close()
	return changed, next, err
}
