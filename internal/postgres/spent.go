package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/busuhq/busu/internal/rollup"
)

// Spent is what requests of some strategies have cost, in all projects, since
// the beginning of a day, as far as it is stored.
func (db *DB) Spent(ctx context.Context, strategies []string, day time.Time) (nanos int64, err error) {
	err = db.pool.QueryRow(ctx, `
		SELECT coalesce(sum(cost_nanos), 0)::bigint FROM (
			SELECT cost_nanos FROM rollups_days WHERE day >= $1 AND kind = $2 AND name = ANY ($3)
			UNION ALL
			SELECT cost_nanos FROM rollups_new WHERE minute >= $1 AND kind = $2 AND name = ANY ($3)) AS stored`,
		day, rollup.KindStrategy, strategies).Scan(&nanos)
	if err != nil {
		return 0, fmt.Errorf("read what was spent: %w", err)
	}
	return nanos, nil
}
