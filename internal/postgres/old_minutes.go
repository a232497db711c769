package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/busuhq/busu/internal/rollup"
)

// ExpireMinutes adds up the minutes of days that are over before a time, each
// day into the row of its first minute, and removes those of keys from before
// that time: budgets, which alone go by them, look no further back than their
// periods. Hours and days stay. It takes up to most rows of either kind, and
// returns how many it removed; 0: none is left.
func (db *DB) ExpireMinutes(ctx context.Context, before time.Time, most int) (removed int64, err error) {
	err = db.tx(ctx, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, waitForMerge) // the next try would be in a minute
		if err != nil {
			return err
		}
		if removed, err = deleted(ctx, tx, expireKeyMinutes, before, most); err != nil {
			return err
		}
		var day *time.Time
		if err := tx.QueryRow(ctx, oldestOfMinutes, before.UTC().Truncate(24*time.Hour)).Scan(&day); err != nil || day == nil {
			return err
		}
		var single int64
		err = tx.QueryRow(ctx, addUpMinutes, day, day.Add(24*time.Hour), most).Scan(&single)
		removed += single
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("expire minutes: %w", err)
	}
	return removed, nil
}

const expireKeyMinutes = `
	DELETE FROM rollups_minutes WHERE ctid = ANY (ARRAY (
		SELECT m.ctid FROM keys k CROSS JOIN LATERAL (
			SELECT ctid FROM rollups_minutes WHERE kind = '` + rollup.KindKey + `' AND name = k.id AND minute < $1 LIMIT $2) AS m
		LIMIT $2))`

// oldestOfMinutes finds the oldest day before another that has more than its
// first minute. It goes from day to day by the index: what is added up already
// is years of rows.
const oldestOfMinutes = `
	WITH RECURSIVE days AS (
		SELECT date_trunc('day', min(minute), 'UTC') AS day FROM rollups_minutes
		UNION ALL
		SELECT date_trunc('day', (SELECT min(minute) FROM rollups_minutes WHERE minute >= day + interval '24 hours'), 'UTC')
		FROM days WHERE day < $1)
	SELECT (SELECT day FROM days
		WHERE day < $1 AND EXISTS (SELECT FROM rollups_minutes WHERE minute > day AND minute < day + interval '24 hours')
		LIMIT 1)`

// addUpMinutes takes rows of a day, those of a project and kind together, so
// that many go into few. Nobody asks for the latencies of so long ago: these are
// in hours and days. What keys have had that are not known goes, too.
const addUpMinutes = `
	WITH next AS (
		SELECT DISTINCT project, kind FROM (
			SELECT project, kind FROM rollups_minutes WHERE minute > $1 AND minute < $2 LIMIT $3) AS first),
	single AS (
		DELETE FROM rollups_minutes WHERE ctid = ANY (ARRAY (
			SELECT m.ctid FROM next CROSS JOIN LATERAL (
				SELECT ctid FROM rollups_minutes r
				WHERE r.project = next.project AND r.kind = next.kind AND minute > $1 AND minute < $2 LIMIT $3) AS m
			LIMIT $3))
		RETURNING *),
	added AS (
		INSERT INTO rollups_minutes AS day (partition, project, minute, kind, name, ` + rollupSums + `)
		SELECT partition, project, $1, kind, name, sum(requests)::bigint, sum(errors)::bigint, sum(cost_nanos)::bigint,
			sum(baseline_cost_nanos)::bigint, sum(tokens_in)::bigint, sum(tokens_out)::bigint, ''::bytea, ''::bytea, ''::bytea
		FROM single WHERE kind <> '` + rollup.KindKey + `' GROUP BY partition, project, kind, name
		ON CONFLICT (project, partition, minute, kind, name) DO UPDATE SET
			requests = day.requests + excluded.requests, errors = day.errors + excluded.errors,
			cost_nanos = day.cost_nanos + excluded.cost_nanos, baseline_cost_nanos = day.baseline_cost_nanos + excluded.baseline_cost_nanos,
			tokens_in = day.tokens_in + excluded.tokens_in, tokens_out = day.tokens_out + excluded.tokens_out,
			latency = '', ttft = '', overhead = '')
	SELECT count(*) FROM single`
