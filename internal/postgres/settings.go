package postgres

import (
	"context"
	"fmt"
	"strconv"

	"github.com/jackc/pgx/v5"
)

// Settings are those of the server that matter, by its own names: sizes of its
// log in MiB; and beside them how many connections are open, and whether the
// database was ever migrated (yes or no).
func (db *DB) Settings(ctx context.Context) (map[string]string, error) {
	settings := map[string]string{}
	err := db.tx(ctx, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `SELECT name, CASE unit WHEN 'MB' THEN setting ELSE current_setting(name) END FROM pg_settings
			WHERE name IN ('server_version', 'fsync', 'full_page_writes', 'synchronous_commit', 'max_connections', 'max_wal_size', 'min_wal_size')`)
		if err != nil {
			return err
		}
		var name, value string
		if _, err = pgx.ForEachRow(rows, []any{&name, &value}, func() error { settings[name] = value; return nil }); err != nil {
			return err
		}
		var connections int
		var migrated bool
		err = tx.QueryRow(ctx, `SELECT (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'), to_regclass('goose_db_version') IS NOT NULL`).
			Scan(&connections, &migrated)
		settings["connections"], settings["migrated"] = strconv.Itoa(connections), map[bool]string{true: "yes", false: "no"}[migrated]
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the settings of the database: %w", err)
	}
	return settings, nil
}
