package postgres

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// The partitions of completions are days, in UTC.
const (
	dayPrefix = "completions_"
	dayLayout = "20060102"
)

func dayTable(day time.Time) string { return dayPrefix + day.Format(dayLayout) }

// lockPartitions lets one process at a time change partitions. It waits
// briefly for queries to let go of a table, rather than have all others queue
// up behind it.
func lockPartitions(ctx context.Context, tx pgx.Tx) error {
	_, err := tx.Exec(ctx, `SET LOCAL lock_timeout = '2s'; SELECT pg_advisory_xact_lock(hashtext('busu: partitions'))`)
	return err
}

// EnsureDays makes the partitions from the day of from on. Rows of such a day
// that went to the default partition move to their own. It is safe to call
// from several processes at once.
func (db *DB) EnsureDays(ctx context.Context, from time.Time, days int) error {
	err := db.tx(ctx, func(tx pgx.Tx) error {
		if err := lockPartitions(ctx, tx); err != nil {
			return err
		}
		existing, err := listDays(ctx, tx)
		if err != nil {
			return err
		}
		first := from.UTC().Truncate(24 * time.Hour)
		for i := range days {
			day := first.AddDate(0, 0, i)
			if _, ok := existing[dayTable(day)]; ok {
				continue
			}
			if err := makeDay(ctx, tx, day); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("make partitions: %w", err)
	}
	return nil
}

// listDays maps the tables of days to their days.
func listDays(ctx context.Context, tx pgx.Tx) (map[string]time.Time, error) {
	rows, err := tx.Query(ctx, `
		SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
		WHERE i.inhparent = 'completions'::regclass`)
	if err != nil {
		return nil, err
	}
	days := map[string]time.Time{}
	var table string
	_, err = pgx.ForEachRow(rows, []any{&table}, func() error {
		if day, err := time.Parse(dayLayout, strings.TrimPrefix(table, dayPrefix)); err == nil {
			days[table] = day
		}
		return nil
	})
	return days, err
}

// makeDay makes a table, fills it with what the default partition has of the
// day, and attaches it.
func makeDay(ctx context.Context, tx pgx.Tx, day time.Time) error {
	table, from, to := dayTable(day), day.Format(time.RFC3339), day.AddDate(0, 0, 1).Format(time.RFC3339)
	for _, sql := range []string{
		`CREATE TABLE ` + table + ` (LIKE completions INCLUDING DEFAULTS INCLUDING CONSTRAINTS)`,
		`WITH moved AS (DELETE FROM completions_default WHERE at >= '` + from + `' AND at < '` + to + `' RETURNING *)
			INSERT INTO ` + table + ` SELECT * FROM moved`,
		`ALTER TABLE completions ATTACH PARTITION ` + table + ` FOR VALUES FROM ('` + from + `') TO ('` + to + `')`,
	} {
		if _, err := tx.Exec(ctx, sql); err != nil {
			return err
		}
	}
	return nil
}

// DropDays removes the partitions of days that ended before a time, and
// returns their names. Rollups stay.
func (db *DB) DropDays(ctx context.Context, before time.Time) (dropped []string, err error) {
	err = db.tx(ctx, func(tx pgx.Tx) error {
		if err := lockPartitions(ctx, tx); err != nil {
			return err
		}
		days, err := listDays(ctx, tx)
		if err != nil {
			return err
		}
		for table, day := range days {
			if day.AddDate(0, 0, 1).After(before) {
				continue
			}
			// With a default partition there is no DETACH CONCURRENTLY.
			if _, err := tx.Exec(ctx, `ALTER TABLE completions DETACH PARTITION `+table+`; DROP TABLE `+table); err != nil {
				return err
			}
			dropped = append(dropped, table)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("drop partitions: %w", err)
	}
	return dropped, nil
}
