package postgres

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// Tables whose partitions are days, in UTC. They are locked in this order.
var daily = [...]string{"completions", "features"}

const dayLayout = "20060102"

func dayTable(parent string, day time.Time) string { return parent + "_" + day.Format(dayLayout) }

// lockPartitions lets one process at a time change partitions. It waits
// briefly for queries to let go of a table, rather than have all others queue
// up behind it.
func lockPartitions(ctx context.Context, tx pgx.Tx) error {
	_, err := tx.Exec(ctx, `SET LOCAL lock_timeout = '2s'; SELECT pg_advisory_xact_lock(hashtext('busu: partitions'))`)
	return err
}

// EnsureDays makes the partitions from the day of from on, of completions and
// of features. Rows of such a day that went to the default partition move to
// their own. It is safe to call from several processes at once.
func (db *DB) EnsureDays(ctx context.Context, from time.Time, days int) error {
	err := db.tx(ctx, func(tx pgx.Tx) error {
		if err := lockPartitions(ctx, tx); err != nil {
			return err
		}
		for _, parent := range daily {
			if err := makeDays(ctx, tx, parent, from.UTC().Truncate(24*time.Hour), days); err != nil {
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

func makeDays(ctx context.Context, tx pgx.Tx, parent string, first time.Time, days int) error {
	existing, err := listDays(ctx, tx, parent)
	if err != nil {
		return err
	}
	for i := range days {
		day := first.AddDate(0, 0, i)
		if _, ok := existing[dayTable(parent, day)]; ok {
			continue
		}
		if err := makeDay(ctx, tx, parent, day); err != nil {
			return err
		}
	}
	return nil
}

// listDays maps the tables of days to their days.
func listDays(ctx context.Context, tx pgx.Tx, parent string) (map[string]time.Time, error) {
	rows, err := tx.Query(ctx, `
		SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
		WHERE i.inhparent = $1::text::regclass`, parent)
	if err != nil {
		return nil, err
	}
	days := map[string]time.Time{}
	var table string
	_, err = pgx.ForEachRow(rows, []any{&table}, func() error {
		if day, err := time.Parse(dayLayout, strings.TrimPrefix(table, parent+"_")); err == nil {
			days[table] = day
		}
		return nil
	})
	return days, err
}

// makeDay makes a table, fills it with what the default partition has of the
// day, and attaches it.
func makeDay(ctx context.Context, tx pgx.Tx, parent string, day time.Time) error {
	table, from, to := dayTable(parent, day), day.Format(time.RFC3339), day.AddDate(0, 0, 1).Format(time.RFC3339)
	for _, sql := range []string{
		`CREATE TABLE ` + table + ` (LIKE ` + parent + ` INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE)`,
		`WITH moved AS (DELETE FROM ` + parent + `_default WHERE at >= '` + from + `' AND at < '` + to + `' RETURNING *)
			INSERT INTO ` + table + ` SELECT * FROM moved`,
		`ALTER TABLE ` + parent + ` ATTACH PARTITION ` + table + ` FOR VALUES FROM ('` + from + `') TO ('` + to + `')`,
	} {
		if _, err := tx.Exec(ctx, sql); err != nil {
			return err
		}
	}
	return nil
}

// DropDays removes the days of completions and of features that ended before
// their times, and returns the names of their partitions. Rollups stay.
func (db *DB) DropDays(ctx context.Context, completions, features time.Time) (dropped []string, err error) {
	err = db.tx(ctx, func(tx pgx.Tx) error {
		if err := lockPartitions(ctx, tx); err != nil {
			return err
		}
		dropped = nil
		for i, before := range [len(daily)]time.Time{completions, features} {
			tables, err := dropDays(ctx, tx, daily[i], before)
			if err != nil {
				return err
			}
			dropped = append(dropped, tables...)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("drop partitions: %w", err)
	}
	return dropped, nil
}

func dropDays(ctx context.Context, tx pgx.Tx, parent string, before time.Time) (dropped []string, err error) {
	days, err := listDays(ctx, tx, parent)
	if err != nil {
		return nil, err
	}
	for table, day := range days {
		if day.AddDate(0, 0, 1).After(before) {
			continue
		}
		// With a default partition there is no DETACH CONCURRENTLY.
		if _, err := tx.Exec(ctx, `ALTER TABLE `+parent+` DETACH PARTITION `+table+`; DROP TABLE `+table); err != nil {
			return nil, err
		}
		dropped = append(dropped, table)
	}
	return dropped, nil
}
