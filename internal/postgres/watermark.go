package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// silent is how long a journal may be silent until it is left out: its machine
// may never come back. What it recorded and did not ship comes late then.
const silent = 10 * time.Minute

// Watermark is the time up to which all that arrived is stored: every journal
// that lives has recorded it, and what the journal had numbered by then is
// here, or buried. A zero time says that nothing is certain now. Journals that
// were given up hold it back only until all of theirs is stored; without any
// journal that lives it is ten minutes before now. It never runs ahead of what
// it is read before: read it first, and what it speaks of second.
func (db *DB) Watermark(ctx context.Context, now time.Time) (time.Time, error) {
	until, err := scanWatermark(db.pool.QueryRow(ctx, watermarkSQL, watermarkArgs(now)...))
	if err != nil {
		return time.Time{}, fmt.Errorf("read the watermark: %w", err)
	}
	return until, nil
}

// A journal's last heartbeat, when it was given up, says that all is recorded
// up to the heartbeat itself: those before are a moment behind.
const watermarkSQL = `
	SELECT coalesce(bool_and(stored), true), least($1, coalesce(min(until), $2))
	FROM (
		SELECT CASE WHEN recorded_until < heartbeat_at THEN recorded_until ELSE $1 END AS until,
			` + allStored + ` AS stored
		FROM journals j WHERE heartbeat_at > $2) AS living`

// allStored says whether all that a journal j has numbered is stored or buried.
const allStored = `NOT EXISTS (
				SELECT FROM jsonb_each_text(j.seqs) AS s (lane, seq)
				LEFT JOIN journal_marks m ON m.journal = j.id AND m.stream = split_part(s.lane, '/', 1) AND m.partition = split_part(s.lane, '/', 2)::int
				WHERE s.seq::bigint > 0
					AND NOT coalesce((m.persisted + m.buried) @> int8range(1, s.seq::bigint, '[]'), false))`

func watermarkArgs(now time.Time) []any { return []any{now, now.Add(-silent)} }

func scanWatermark(row pgx.Row) (until time.Time, err error) {
	var stored bool
	if err := row.Scan(&stored, &until); err != nil || !stored {
		return time.Time{}, err
	}
	return until.UTC(), nil
}
