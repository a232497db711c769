package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// ExpireProject removes up to most requests of a project of days that ended
// before a time, with all that hangs on them, and as many days of users, and
// answers that are kept and were made before theirs. Experiments of the project
// that ended before lose their rows by ExpireExperiments. It returns how much
// that was; 0: nothing is left. That rows begin later is noted before the first
// one goes, so that what is counted from rows never misses some.
func (db *DB) ExpireProject(ctx context.Context, project string, completions, answers time.Time, most int) (removed int64, err error) {
	since := completions.UTC().Truncate(24 * time.Hour)
	err = db.tx(ctx, func(tx pgx.Tx) error {
		removed = 0
		if _, err := tx.Exec(ctx, `INSERT INTO kept_since AS k VALUES ($1, $2)
			ON CONFLICT (project) DO UPDATE SET since = excluded.since WHERE k.since < excluded.since`, project, since); err != nil {
			return err
		}
		if err := keepEntered(ctx, tx, project, since); err != nil {
			return err
		}
		for _, expire := range []func() (int64, error){
			func() (int64, error) { return expireRequests(ctx, tx, project, since, most) },
			func() (int64, error) {
				return deleted(ctx, tx, `DELETE FROM user_days WHERE ctid = ANY (ARRAY (
					SELECT ctid FROM user_days WHERE project = $1 AND day < $2::timestamptz::date LIMIT $3))`, project, since, most)
			},
			func() (int64, error) {
				return deleted(ctx, tx, `DELETE FROM response_cache WHERE ctid = ANY (ARRAY (
					SELECT ctid FROM response_cache WHERE project = $1 AND at < $2 LIMIT $3 FOR UPDATE SKIP LOCKED))`, project, answers, most)
			},
		} {
			n, err := expire()
			if err != nil {
				return err
			}
			removed += n
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("expire what is kept of project %s: %w", project, err)
	}
	return removed, nil
}

func deleted(ctx context.Context, tx pgx.Tx, sql string, args ...any) (int64, error) {
	tag, err := tx.Exec(ctx, sql, args...)
	return tag.RowsAffected(), err
}

// expireRequests goes through the oldest day of a project that has to go: it is
// one partition.
func expireRequests(ctx context.Context, tx pgx.Tx, project string, before time.Time, most int) (int64, error) {
	var day *time.Time
	if err := tx.QueryRow(ctx, `SELECT date_trunc('day', min(at), 'UTC') FROM completions WHERE project = $1 AND at < $2`, project, before).Scan(&day); err != nil || day == nil {
		return 0, err
	}
	rows, err := tx.Query(ctx, `
		DELETE FROM completions WHERE project = $1 AND at >= $2 AND at < $3 AND ctid = ANY (ARRAY (
			SELECT ctid FROM completions WHERE project = $1 AND at >= $2 AND at < $3 LIMIT $4)) RETURNING id`, project, day, day.AddDate(0, 0, 1), most)
	if err != nil {
		return 0, err
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil || len(ids) == 0 {
		return 0, err
	}
	batch := new(pgx.Batch)
	queueDependants(batch, ids, func(string, int64) {})
	list := make([][16]byte, len(ids)) // as UUIDs pgx would take them for texts
	for i, id := range ids {
		list[i] = id
	}
	batch.Queue(`DELETE FROM feedback WHERE request_id = ANY($1) AND state <> 'waiting'`, list)
	return int64(len(ids)), tx.SendBatch(ctx, batch).Close()
}
