package postgres

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/reconcile"
	"github.com/busuhq/busu/internal/rollup"
	"github.com/busuhq/busu/internal/savings"
	"github.com/busuhq/busu/internal/statement"
)

// mostLines bounds a statement.
const mostLines = 20_000

// StatementJournals reads what is known of facts that may not be stored, at
// now: what is stored of those that were announced, as beats say and the
// database knows.
func (db *DB) StatementJournals(ctx context.Context, beats []event.Heartbeat, now time.Time) (j statement.Journals, err error) {
	if j.Watermark, err = db.Watermark(ctx, now); err != nil {
		return j, err
	}
	l := reconcile.NewLedger()
	err = pgx.BeginTxFunc(ctx, db.pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		if err := auditHeartbeats(ctx, tx, &l); err != nil {
			return err
		}
		return auditMarks(ctx, tx, &l)
	})
	if err != nil {
		return j, fmt.Errorf("read journals: %w", err)
	}
	l.Hear(beats)
	alive := now.Add(-silent)
	for _, b := range l.Heartbeats {
		switch lives := b.At.After(alive); {
		case !lives:
			j.Open += int64(b.OpenIntents)
		case b.RecordedUntil.Before(b.At) && b.RecordedUntil.Before(j.Watermark):
			j.Watermark = b.RecordedUntil.UTC()
		}
	}
	for _, lane := range reconcile.Compare(l, nil).Lanes {
		if !strings.HasPrefix(lane.LaneKey.Lane, event.Completions.String()+"/") {
			continue
		}
		at, b := l.Lane(lane.Journal, lane.LaneKey.Lane), l.Heartbeats[lane.Journal]
		buried := at.Buried.Count()
		j.Buried += buried
		if b.At.After(alive) {
			announced := b.Seqs[lane.LaneKey.Lane]
			j.Waiting += announced - upTo(at.Marked, announced) - upTo(at.Buried, announced)
		} else {
			j.Missing += lane.Missing - buried
		}
	}
	return j, nil
}

// upTo counts the seqs up to one.
func upTo(all event.Ranges, seq int64) (n int64) {
	for _, r := range all {
		n += max(min(r.Last, seq)-r.First+1, 0)
	}
	return n
}

// StatementEvidence reads what the ledger says of a project's month, of one
// moment: what was settled when j was read is in it. It reads the rows of the
// month.
func (db *DB) StatementEvidence(ctx context.Context, project string, m statement.Month, j statement.Journals, now time.Time) (statement.Evidence, error) {
	e := statement.Evidence{Project: project, Month: m, AsOf: now.UTC(), Journals: j}
	err := pgx.BeginTxFunc(ctx, db.pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		for _, read := range []func(context.Context, pgx.Tx, *statement.Evidence) error{evidenceOfRows, evidenceOfRollups, evidenceOfUsers} {
			if err := read(ctx, tx, &e); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return e, fmt.Errorf("read the statement of %s: %w", m, err)
	}
	return e, nil
}

// partOf says which part of a statement a row is in.
const partOf = `CASE WHEN strategy = '` + event.StrategyShadow + `' THEN '` + statement.PartShadow + `'
	WHEN strategy = '` + event.StrategyJudge + `' THEN '` + statement.PartJudge + `'
	WHEN strategy = 'model' THEN '` + statement.PartNamed + `'
	WHEN holdout THEN '` + statement.PartHoldout + `' ELSE '` + statement.PartRouted + `' END`

func evidenceOfRows(ctx context.Context, tx pgx.Tx, e *statement.Evidence) error {
	rows, err := tx.Query(ctx, `
		SELECT `+partOf+`, coalesce(key_id, ''), coalesce(model, ''), baseline_model, coalesce(price_version, ''),
			count(*), count(*) FILTER (WHERE `+failed+`), sum(tokens_in)::bigint, sum(tokens_out)::bigint, sum(cost_nanos)::bigint,
			sum(baseline_cost_nanos)::bigint, count(*) FILTER (WHERE unpriced), count(*) FILTER (WHERE user_id <> ''), max(persisted_at)
		FROM completions WHERE project = $1 AND at >= $2 AND at < $3 GROUP BY 1, 2, 3, 4, 5 LIMIT $4`,
		pgx.QueryExecModeDescribeExec, e.Project, e.Month.From(), e.Month.To(), mostLines+1)
	if err != nil {
		return err
	}
	var l statement.Line
	var stored time.Time
	_, err = pgx.ForEachRow(rows, []any{&l.Part, &l.KeyID, &l.Model, &l.BaselineModel, &l.PriceVersion, &l.Requests, &l.Errors, &l.TokensIn, &l.TokensOut,
		&l.PaidNanos, &l.BaselineNanos, &l.Unpriced, &l.UserRequests, &stored}, func() error {
		if len(e.Lines) == mostLines {
			return fmt.Errorf("there are more than %d lines: keys, models and price tables", mostLines)
		}
		e.Lines = append(e.Lines, l)
		if stored.After(e.LastStored) {
			e.LastStored = stored.UTC()
		}
		return nil
	})
	return err
}

// evidenceOfRollups reads what was counted as rows were stored: it stays when
// rows go.
func evidenceOfRollups(ctx context.Context, tx pgx.Tx, e *statement.Evidence) error {
	const of = `SELECT requests, errors, tokens_in, tokens_out, cost_nanos, baseline_cost_nanos FROM `
	r := &e.Rollups
	return tx.QueryRow(ctx, `
		SELECT coalesce(sum(requests), 0)::bigint, coalesce(sum(errors), 0)::bigint, coalesce(sum(tokens_in), 0)::bigint,
			coalesce(sum(tokens_out), 0)::bigint, coalesce(sum(cost_nanos), 0)::bigint, coalesce(sum(baseline_cost_nanos), 0)::bigint
		FROM (`+of+`rollups_days WHERE project = $1 AND kind = $4 AND day >= $2 AND day < $3 UNION ALL
			`+of+`rollups_new WHERE project = $1 AND kind = $4 AND minute >= $2 AND minute < $3) AS counted`,
		e.Project, e.Month.From(), e.Month.To(), rollup.KindAll).
		Scan(&r.Requests, &r.Errors, &r.TokensIn, &r.TokensOut, &r.PaidNanos, &r.BaselineNanos)
}

// evidenceOfUsers reads the comparison over the month: a look at the sequence
// that begins on its first day.
func evidenceOfUsers(ctx context.Context, tx pgx.Tx, e *statement.Evidence) error {
	var first *time.Time // day with a hold-out
	from, to := e.Month.From(), e.Month.To()
	t := &savings.Tally{From: from}
	err := tx.QueryRow(ctx, `SELECT coalesce((SELECT until FROM counted), 'epoch'), (SELECT min(day) FROM user_days WHERE project = $1 AND holdout)`,
		e.Project).Scan(&e.Counted, &first)
	if err != nil {
		return err
	}
	e.Counted = e.Counted.UTC()
	err = tx.QueryRow(ctx, `SELECT count(DISTINCT user_id) FROM user_days WHERE project = $1 AND day >= $2::timestamptz::date AND day < $3::timestamptz::date
		AND user_id <> '' AND judged_until > $4`, e.Project, from, to, e.Counted).Scan(&e.Immature)
	if err != nil {
		return err
	}
	units := unitsOf{project: e.Project, from: from, to: &to, asOf: e.Counted, rows: "true"}
	if first != nil {
		t.Start = max(int(from.Sub(*first).Hours()/24), 0)
		if first.After(from) {
			units.from = *first // until then there was nothing to compare with
		}
	}
	if t.Limit, err = limitBefore(ctx, tx, e.Project, from); err != nil {
		return err
	}
	t.Since, t.Routed, t.Holdout, err = units.read(ctx, tx, "holdout", t.Limit)
	e.Groups = *t
	return err
}
