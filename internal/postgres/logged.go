package postgres

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/jackc/pgx/v5"
)

// WriteDecisions writes what a project's requests of a stretch of time decided,
// with the first verdict on each, as JSON lines that busu eval policy reads, in
// the order in which they came. It returns how many there were.
func (db *DB) WriteDecisions(ctx context.Context, w io.Writer, project string, from, to time.Time) (n int64, err error) {
	rows, err := db.pool.Query(ctx, `
		SELECT json_strip_nulls(json_build_object('id', c.id, 'at', c.at, 'user_id', c.user_id, 'strategy', c.strategy, 'holdout', c.holdout,
			'planned_model', c.planned_model, 'propensity', c.propensity, 'complexity', c.complexity, 'candidates', c.candidates,
			'baseline_model', c.baseline_model, 'model', c.model, 'status', c.status, 'cache', c.cache,
			'tokens_in', c.tokens_in, 'tokens_in_cached', c.tokens_in_cached, 'tokens_in_cache_write', c.tokens_in_cache_write,
			'tokens_out', c.tokens_out, 'cost_nanos', c.cost_nanos, 'unpriced', c.unpriced,
			'features', translate(encode(f.features, 'base64'), E'\n', ''),
			'quality', (SELECT quality FROM feedback v WHERE v.request_id = c.id AND v.project = c.project AND v.state IN ('learned', 'kept')
				AND NOT v.implicit ORDER BY v.id LIMIT 1)))::text
		FROM completions c LEFT JOIN features f ON f.id = c.id AND f.at = c.at
		WHERE c.project = $1 AND c.at >= $2 AND c.at < $3 ORDER BY c.at, c.id`, project, from, to)
	if err != nil {
		return 0, fmt.Errorf("read decisions: %w", err)
	}
	var line string
	_, err = pgx.ForEachRow(rows, []any{&line}, func() error {
		n++
		_, err := io.WriteString(w, line+"\n")
		return err
	})
	if err != nil {
		return n, fmt.Errorf("read decisions: %w", err)
	}
	return n, nil
}
