package postgres

import (
	"context"
	"fmt"

	"github.com/busuhq/busu/internal/system"
)

// Note writes down what an operator is about to change.
func (db *DB) Note(ctx context.Context, a system.Action) error {
	_, err := db.pool.Exec(ctx, `INSERT INTO actions (project, by_whom, action, target) VALUES ($1, nullif($2, ''), $3, $4)`,
		a.Project, a.By, a.Action, a.Target)
	if err != nil {
		return fmt.Errorf("note %s %s: %w", a.Action, a.Target, err)
	}
	return nil
}
