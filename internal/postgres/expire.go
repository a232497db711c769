package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// ExpireLate removes up to most rows each of completions and of features from
// before their times, of those that came when their days were gone. It returns
// how many; 0: none is left.
func (db *DB) ExpireLate(ctx context.Context, completions, features time.Time, most int) (removed int64, err error) {
	err = db.tx(ctx, func(tx pgx.Tx) error {
		removed = 0
		for i, before := range [len(daily)]time.Time{completions, features} {
			table := daily[i] + "_default"
			tag, err := tx.Exec(ctx, `DELETE FROM `+table+` WHERE id IN (SELECT id FROM `+table+` WHERE id < $1 ORDER BY id LIMIT $2)`,
				lowestID(before), most)
			if err != nil {
				return err
			}
			removed += tag.RowsAffected()
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("expire late rows: %w", err)
	}
	return removed, nil
}

// ExpireFeedback removes up to most verdicts from before a time, and returns
// how many; 0: none is left.
func (db *DB) ExpireFeedback(ctx context.Context, before time.Time, most int) (removed int64, err error) {
	tag, err := db.pool.Exec(ctx, `DELETE FROM feedback WHERE id IN (SELECT id FROM feedback WHERE at < $1 ORDER BY at LIMIT $2)`, before, most)
	if err != nil {
		return 0, fmt.Errorf("expire feedback: %w", err)
	}
	return tag.RowsAffected(), nil
}

// ExpireLessons removes up to most lessons each of verdicts and about the
// price, from before their times, of those that a snapshot holds. The last
// lesson of all stays: the next one is numbered behind it. It returns how many;
// 0: none is left.
func (db *DB) ExpireLessons(ctx context.Context, verdicts, prices time.Time, most int) (removed int64, err error) {
	err = db.tx(ctx, func(tx pgx.Tx) error {
		removed = 0
		for _, kind := range []struct {
			which  string
			before time.Time
		}{{"IS NOT NULL", verdicts}, {"IS NULL", prices}} {
			// Lessons are numbered in the order of their times: only the lowest can
			// be past theirs, and only these are looked at.
			tag, err := tx.Exec(ctx, `
				WITH lowest AS (
					SELECT n, at FROM lessons WHERE request_id `+kind.which+` AND n < (SELECT max(n) FROM lessons)
						AND n <= (SELECT max(lesson) FROM snapshots) ORDER BY n LIMIT $2)
				DELETE FROM lessons WHERE n IN (SELECT n FROM lowest WHERE at < $1)`, kind.before, most)
			if err != nil {
				return err
			}
			removed += tag.RowsAffected()
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("expire lessons: %w", err)
	}
	return removed, nil
}

// ExpireWebhooks removes up to most messages from before a time that were
// delivered or given up, with their attempts, and returns how many; 0: none is
// left.
func (db *DB) ExpireWebhooks(ctx context.Context, before time.Time, most int) (removed int64, err error) {
	tag, err := db.pool.Exec(ctx, `
		DELETE FROM webhooks WHERE id IN (SELECT id FROM webhooks WHERE id < $1 AND state <> 'waiting' ORDER BY id LIMIT $2)`, lowestID(before), most)
	if err != nil {
		return 0, fmt.Errorf("expire webhooks: %w", err)
	}
	return tag.RowsAffected(), nil
}

// ExpireAlerts removes up to most alerts and refusals each of periods that began
// before a time, and returns how many; 0: none is left.
func (db *DB) ExpireAlerts(ctx context.Context, before time.Time, most int) (removed int64, err error) {
	err = db.tx(ctx, func(tx pgx.Tx) error {
		removed = 0
		for _, table := range []string{"budget_alerts", "budget_refusals"} {
			tag, err := tx.Exec(ctx, `DELETE FROM `+table+` WHERE ctid IN (SELECT ctid FROM `+table+` WHERE began < $1 LIMIT $2)`, before, most)
			if err != nil {
				return err
			}
			removed += tag.RowsAffected()
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("expire alerts: %w", err)
	}
	return removed, nil
}
