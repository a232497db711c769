package postgres

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"github.com/busuhq/busu/schema"
)

// ErrNewerSchema says that the database was migrated by a later release, and
// that this build uses what is not there any more.
var ErrNewerSchema = errors.New("the database has a newer schema than this build can run on: run the release that migrated it, or a later one")

// Migrate brings the schema up to date and returns the names of the migrations
// that it applied. Processes that migrate at once wait for each other. A
// database that is ahead is left as it is: what later releases added does no
// harm. Where they took something away since, it returns ErrNewerSchema.
func (db *DB) Migrate(ctx context.Context) ([]string, error) {
	migrations, err := fs.Sub(schema.Migrations, "migrations")
	if err != nil {
		return nil, fmt.Errorf("migrate: %w", err)
	}
	locker, err := lock.NewPostgresSessionLocker()
	if err != nil {
		return nil, fmt.Errorf("migrate: %w", err)
	}
	std := stdlib.OpenDBFromPool(db.pool)
	defer std.Close()
	provider, err := goose.NewProvider(goose.DialectPostgres, std, migrations,
		goose.WithSessionLocker(locker))
	if err != nil {
		return nil, fmt.Errorf("migrate: %w", err)
	}
	current, target, err := provider.GetVersions(ctx)
	if err != nil {
		return nil, fmt.Errorf("migrate: %w", err)
	}
	if current > target {
		return nil, db.bearsNewer(ctx, current, target)
	}
	// Up takes the lock even where there is nothing to do, and who finds it taken
	// looks again after seconds: processes that start together would wait for it.
	pending, err := provider.HasPending(ctx)
	if err != nil {
		return nil, fmt.Errorf("migrate: %w", err)
	}
	if !pending {
		return nil, nil
	}
	results, err := provider.Up(ctx)
	if err != nil {
		return nil, fmt.Errorf("migrate: %w", err)
	}
	var applied []string
	for _, r := range results {
		applied = append(applied, r.Source.Path)
	}
	return applied, nil
}

// bearsNewer returns an error when a build that knows migrations up to known
// cannot run on a schema that is ahead of it.
func (db *DB) bearsNewer(ctx context.Context, current, known int64) error {
	var oldest int64
	if err := db.pool.QueryRow(ctx, `SELECT oldest FROM schema_compatibility`).Scan(&oldest); err != nil {
		return fmt.Errorf("migrate: the schema (%d) is newer than this build (%d), and does not say whether it can run: %w", current, known, err)
	}
	if known < oldest {
		return fmt.Errorf("%w (schema %d, which needs %d, known %d)", ErrNewerSchema, current, oldest, known)
	}
	return nil
}
