package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/reconcile"
	"github.com/busuhq/busu/internal/rollup"
)

// Audit reads what the ledger says of itself, as of one moment: heartbeats,
// marks, rows and rollups. It reads every row.
func (db *DB) Audit(ctx context.Context) (reconcile.Ledger, error) {
	return db.audit(ctx, auditing{since: time.Unix(0, 0), ever: "rollups"})
}

// AuditSince is Audit over the rows and rollups from a time on, its minute
// whole, which must be one that is not added up by days yet. Marks, heartbeats
// and what there is in all are looked at anyway.
func (db *DB) AuditSince(ctx context.Context, since time.Time) (reconcile.Ledger, error) {
	return db.audit(ctx, auditing{since: since.UTC().Truncate(time.Minute), ever: `(
		SELECT project, kind, requests, errors, tokens_in, tokens_out, cost_nanos, baseline_cost_nanos FROM rollups_days UNION ALL
		SELECT project, kind, requests, errors, tokens_in, tokens_out, cost_nanos, baseline_cost_nanos FROM rollups_new) AS ever`})
}

// auditing is how much is read.
type auditing struct {
	since time.Time // rows, and rollups to hold them against
	ever  string    // where to find what all requests add up to
}

func (db *DB) audit(ctx context.Context, a auditing) (reconcile.Ledger, error) {
	l := reconcile.NewLedger()
	err := pgx.BeginTxFunc(ctx, db.pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		for _, read := range []func(context.Context, pgx.Tx, *reconcile.Ledger) error{
			auditHeartbeats, auditMarks, a.rows, a.sums, a.rollups, a.users} {
			if err := read(ctx, tx, &l); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return l, fmt.Errorf("audit the ledger: %w", err)
	}
	return l, nil
}

func auditHeartbeats(ctx context.Context, tx pgx.Tx, l *reconcile.Ledger) error {
	rows, err := tx.Query(ctx, `SELECT id, heartbeat_at, recorded_until, open_intents, seqs FROM journals`)
	if err != nil {
		return err
	}
	var b event.Heartbeat
	_, err = pgx.ForEachRow(rows, []any{&b.Journal, &b.At, &b.RecordedUntil, &b.OpenIntents, &b.Seqs}, func() error {
		l.Hear([]event.Heartbeat{b})
		b.Seqs = nil
		return nil
	})
	return err
}

func auditMarks(ctx context.Context, tx pgx.Tx, l *reconcile.Ledger) error {
	rows, err := tx.Query(ctx, `SELECT journal, stream || '/' || partition, persisted::text, (buried - persisted)::text FROM journal_marks`)
	if err != nil {
		return err
	}
	var journal, lane, persisted, buried string
	_, err = pgx.ForEachRow(rows, []any{&journal, &lane, &persisted, &buried}, func() (err error) {
		at := l.Lane(journal, lane)
		if at.Marked, err = event.ParseRanges(persisted); err != nil {
			return err
		}
		at.Buried, err = event.ParseRanges(buried)
		return err
	})
	return err
}

func (a auditing) rows(ctx context.Context, tx pgx.Tx, l *reconcile.Ledger) error {
	rows, err := tx.Query(ctx, `
		SELECT journal, $1::text || '/' || partition, count(*), count(DISTINCT seq) FROM completions WHERE at >= $3 GROUP BY 1, 2
		UNION ALL
		SELECT journal, $2::text || '/' || partition, count(*), count(DISTINCT seq) FROM feedback WHERE NOT implicit AND at >= $3 GROUP BY 1, 2`,
		event.Completions.String(), event.Feedback.String(), a.since)
	if err != nil {
		return err
	}
	var journal, lane string
	var count, distinct int64
	_, err = pgx.ForEachRow(rows, []any{&journal, &lane, &count, &distinct}, func() error {
		l.Lane(journal, lane).Rows, l.Lane(journal, lane).Distinct = count, distinct
		return nil
	})
	return err
}

// oldestDay is where the oldest partition begins: rollups reach back further.
const oldestDay = `(SELECT min(to_date(substr(relname, 13), 'YYYYMMDD')) AT TIME ZONE 'UTC'
	FROM pg_class WHERE relname ~ '^completions_[0-9]{8}$' AND relispartition)`

func (a auditing) sums(ctx context.Context, tx pgx.Tx, l *reconcile.Ledger) error {
	return readSums(ctx, tx, `
		SELECT project, count(*), count(*) FILTER (WHERE `+failed+`), sum(tokens_in)::bigint, sum(tokens_out)::bigint,
		       sum(cost_nanos)::bigint, sum(baseline_cost_nanos)::bigint
		FROM completions LEFT JOIN kept_since USING (project)
		WHERE at >= coalesce(`+oldestDay+`, '-infinity') AND at >= $1 AND at >= coalesce(since, '-infinity') GROUP BY project`,
		func(project string, c rollup.Cell) { l.Project(project).Rows = c }, a.since)
}

func (a auditing) rollups(ctx context.Context, tx pgx.Tx, l *reconcile.Ledger) error {
	const sums = `
		SELECT project, sum(requests)::bigint, sum(errors)::bigint, sum(tokens_in)::bigint, sum(tokens_out)::bigint,
		       sum(cost_nanos)::bigint, sum(baseline_cost_nanos)::bigint
		FROM `
	err := readSums(ctx, tx, sums+`rollups LEFT JOIN kept_since USING (project)
		WHERE kind = 'all' AND minute >= coalesce(`+oldestDay+`, '-infinity') AND minute >= $1 AND minute >= coalesce(since, '-infinity') GROUP BY project`,
		func(project string, c rollup.Cell) { l.Project(project).Rollups = c }, a.since)
	if err != nil {
		return err
	}
	return readSums(ctx, tx, sums+a.ever+` WHERE kind = 'all' GROUP BY project`, func(project string, c rollup.Cell) { l.Project(project).Ever = c })
}

// users reads requests that are counted in user_days, and what they add up to
// there, of whole days. A day that an earlier release counted, too, is left out:
// it is as far as that had come. Which projects have a day, and which is the
// oldest, priced_days says, which is small and written with the others.
func (a auditing) users(ctx context.Context, tx pgx.Tx, l *reconcile.Ledger) error {
	rows, err := tx.Query(ctx, `
		WITH bounds AS (
			SELECT greatest((SELECT min(day) FROM priced_days), (`+oldestDay+`)::date, ($1::timestamptz + interval '1 day' - interval '1 microsecond')::date) AS day),
		requests AS (
			SELECT project, (at AT TIME ZONE 'UTC')::date AS day, count(*) AS n, sum(cost_nanos) AS cost, sum(baseline_cost_nanos) AS baseline
			FROM completions c JOIN counted_marks m ON m.journal = c.journal AND m.stream = $2 AND m.partition = c.partition
			WHERE c.seq <@ m.seqs AND at >= (SELECT `+startOf("day")+` FROM bounds) AND `+decided+` GROUP BY 1, 2),
		users AS (
			SELECT d.project, d.day, u.* FROM (SELECT DISTINCT project, day FROM priced_days WHERE day >= (SELECT day FROM bounds)) AS d CROSS JOIN LATERAL (
				SELECT sum(requests) AS n, sum(cost_nanos) AS cost, sum(baseline_cost_nanos) AS baseline, bool_and(requests = added) AS added
				FROM user_days WHERE project = d.project AND day = d.day) AS u)
		SELECT project, coalesce(sum(r.n), 0)::bigint, coalesce(sum(r.cost), 0)::bigint, coalesce(sum(r.baseline), 0)::bigint,
			coalesce(sum(u.n), 0)::bigint, coalesce(sum(u.cost), 0)::bigint, coalesce(sum(u.baseline), 0)::bigint
		FROM requests r FULL JOIN users u USING (project, day) LEFT JOIN kept_since USING (project)
		WHERE u.added IS NOT FALSE AND day >= coalesce(since::date, '-infinity') GROUP BY project`, a.since, event.Completions.String())
	if err != nil {
		return err
	}
	var project string
	var decided, counted rollup.Cell
	_, err = pgx.ForEachRow(rows, []any{&project, &decided.Requests, &decided.CostNanos, &decided.BaselineNanos,
		&counted.Requests, &counted.CostNanos, &counted.BaselineNanos}, func() error {
		l.Project(project).Decided, l.Project(project).Counted = decided, counted
		return nil
	})
	return err
}

func readSums(ctx context.Context, tx pgx.Tx, sql string, keep func(project string, c rollup.Cell), args ...any) error {
	rows, err := tx.Query(ctx, sql, args...)
	if err != nil {
		return err
	}
	var project string
	var c rollup.Cell
	_, err = pgx.ForEachRow(rows,
		[]any{&project, &c.Requests, &c.Errors, &c.TokensIn, &c.TokensOut, &c.CostNanos, &c.BaselineNanos},
		func() error {
			keep(project, c)
			return nil
		})
	return err
}
