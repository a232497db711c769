package postgres

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/busuhq/busu/internal/rollup"
)

// fiveMinutes are those since a time: what is older is in minutes only. They
// are of what history is told by, and not of keys.
var fiveMinutes = level{"rollups_five_minutes", "minute", 5 * time.Minute}

const fiveMinutesSince = `(SELECT since FROM rollups_five_minutes_since)`

// mostFilled bounds how many minutes a transaction fills in at once, but for
// those of one stretch.
const mostFilled = 20_000

// KeepFiveMinutes lets the sums of five minutes reach back to a time, and no
// further: it fills in what is missing, or removes what is too old, as much as
// a transaction should. It returns how many rows that were; 0: nothing is left
// to do, or another process does it.
func (db *DB) KeepFiveMinutes(ctx context.Context, from time.Time) (rows int64, err error) {
	from = from.UTC().Truncate(fiveMinutes.step)
	err = db.tx(ctx, func(tx pgx.Tx) error {
		rows = 0
		var isOurs bool
		err := tx.QueryRow(ctx, beginMerge).Scan(&isOurs)
		if err != nil || !isOurs {
			return err
		}
		since, err := readFiveMinutesSince(ctx, tx)
		if err != nil {
			return err
		}
		if since.InfinityModifier == pgtype.Infinity || since.Time.After(from) {
			rows, err = fillFiveMinutes(ctx, tx, from, since)
		} else {
			rows, err = expireFiveMinutes(ctx, tx, from)
		}
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("keep sums of five minutes: %w", err)
	}
	return rows, nil
}

func readFiveMinutesSince(ctx context.Context, tx pgx.Tx) (since pgtype.Timestamptz, err error) {
	err = tx.QueryRow(ctx, `SELECT since FROM rollups_five_minutes_since`).Scan(&since)
	return since, err
}

// fillFiveMinutes adds up the newest minutes before those that are added up
// already, in the place of what may be there.
func fillFiveMinutes(ctx context.Context, tx pgx.Tx, from time.Time, since pgtype.Timestamptz) (int64, error) {
	begin := from
	var oldest *time.Time // of as many as are to be filled in
	err := tx.QueryRow(ctx, `SELECT (SELECT minute FROM rollups_minutes WHERE minute >= $1 AND minute < $2
		ORDER BY minute DESC OFFSET $3 LIMIT 1)`, from, since, mostFilled).Scan(&oldest)
	if err != nil {
		return 0, err
	}
	if oldest != nil {
		begin = oldest.UTC().Truncate(fiveMinutes.step)
	}
	rows, err := tx.Query(ctx, `SELECT `+rollupValues+` FROM rollups_minutes WHERE minute >= $1 AND minute < $2 AND kind <> $3`,
		begin, since, rollup.KindKey)
	if err != nil {
		return 0, err
	}
	sums := partitionSums{}
	n, err := sums.addAll(rows)
	if err != nil {
		return 0, err
	}
	if err := writeLevel(ctx, tx, fiveMinutes, sums.together().over(fiveMinutes.step)); err != nil {
		return 0, err
	}
	_, err = tx.Exec(ctx, `UPDATE rollups_five_minutes_since SET since = $1`, begin)
	return int64(max(n, 1)), err // where there is none, that is known now
}

func expireFiveMinutes(ctx context.Context, tx pgx.Tx, from time.Time) (int64, error) {
	if _, err := tx.Exec(ctx, `UPDATE rollups_five_minutes_since SET since = $1 WHERE since < $1`, from); err != nil {
		return 0, err
	}
	// Kind by kind: an index by time alone would be one more to write, and the
	// planner's choice for histories, which it serves badly.
	return deleted(ctx, tx, `
		WITH RECURSIVE kinds AS (
			(SELECT project, kind FROM rollups_five_minutes ORDER BY project, kind LIMIT 1)
			UNION ALL
			SELECT next.project, next.kind FROM kinds k CROSS JOIN LATERAL (
				SELECT project, kind FROM rollups_five_minutes
				WHERE (project, kind) > (k.project, k.kind) ORDER BY project, kind LIMIT 1) AS next)
		DELETE FROM rollups_five_minutes WHERE ctid = ANY (ARRAY (
			SELECT old.ctid FROM kinds k CROSS JOIN LATERAL (
				SELECT ctid FROM rollups_five_minutes f
				WHERE f.project = k.project AND f.kind = k.kind AND minute < $1 LIMIT $2) AS old
			LIMIT $2))`, from, mostFilled)
}

// mergeFiveMinutes adds what is new to the stretches that are kept.
func mergeFiveMinutes(ctx context.Context, tx pgx.Tx, added slotSums) error {
	since, err := readFiveMinutesSince(ctx, tx)
	if err != nil {
		return err
	}
	from := int64(math.MaxInt64)
	if since.InfinityModifier == pgtype.Finite {
		from = since.Time.Unix()
	}
	kept := slotSums{}
	for slot, c := range added {
		if slot.Start >= from && slot.Dim.Kind != rollup.KindKey {
			kept[slot] = c
		}
	}
	return mergeLevel(ctx, tx, fiveMinutes, kept.over(fiveMinutes.step))
}
