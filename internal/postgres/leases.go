package postgres

import (
	"context"
	"fmt"
	"time"
)

// Hold takes or prolongs a lease for an owner, and reports whether it has it:
// nobody else has until it runs out.
func (db *DB) Hold(ctx context.Context, name, owner string, lasts time.Duration) (held bool, err error) {
	tag, err := db.pool.Exec(ctx, `
		INSERT INTO leases (name, owner, until) VALUES ($1, $2, clock_timestamp() + $3)
		ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, until = excluded.until
		WHERE leases.owner = excluded.owner OR leases.until < clock_timestamp()`, name, owner, lasts)
	if err != nil {
		return false, fmt.Errorf("hold lease %s: %w", name, err)
	}
	return tag.RowsAffected() == 1, nil
}

// Yield gives a lease up before it runs out.
func (db *DB) Yield(ctx context.Context, name, owner string) error {
	if _, err := db.pool.Exec(ctx, `DELETE FROM leases WHERE name = $1 AND owner = $2`, name, owner); err != nil {
		return fmt.Errorf("yield lease %s: %w", name, err)
	}
	return nil
}
