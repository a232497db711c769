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

// ErrNewerSchema says that the database was migrated by a later release.
var ErrNewerSchema = errors.New("the database has a newer schema than this build knows: run the release that migrated it, or a later one")

// Migrate brings the schema up to date and returns the names of the migrations
// that it applied. Processes that migrate at once wait for each other. It
// returns ErrNewerSchema, and changes nothing, when the database is ahead.
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
		return nil, fmt.Errorf("%w (schema %d, known %d)", ErrNewerSchema, current, target)
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
