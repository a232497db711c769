package postgres

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/verdict"
)

// Join takes up to most verdicts that are due, with what is stored of the
// answers that they are on, has rule say what becomes of them, and stores that
// with the lessons, in one transaction. Of several on one answer the first is
// ruled on first. It returns how many were due. What
// rule does outside is done when the transaction commits, or done again. All
// requests that arrived before until are stored. One process at a time joins:
// for the others there is nothing to do.
func (db *DB) Join(ctx context.Context, now time.Time, most int, rule func(ctx context.Context, cases []verdict.Case, until time.Time) []verdict.Ruling) (joined int, err error) {
	err = db.heeding(ctx, func(k known) error {
		joined, err = db.join(ctx, k, now, most, rule)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("join feedback: %w", err)
	}
	return joined, nil
}

func (db *DB) join(ctx context.Context, k known, now time.Time, most int, rule func(ctx context.Context, cases []verdict.Case, until time.Time) []verdict.Ruling) (joined int, err error) {
	err = db.tx(ctx, func(tx pgx.Tx) error {
		joined = 0
		cases, until, err := dueVerdicts(ctx, tx, now, most)
		if err != nil || len(cases) == 0 {
			return err
		}
		joined = len(cases)
		if cases, err = inTurn(ctx, tx, cases); err != nil || len(cases) == 0 {
			return err
		}
		if err := findAnswers(ctx, tx, cases); err != nil {
			return err
		}
		if err := findOrigins(ctx, tx, cases); err != nil {
			return err
		}
		if err := taughtLately(ctx, tx, cases); err != nil {
			return err
		}
		rulings := rule(ctx, cases, until)
		if err := storeRulings(ctx, tx, cases, rulings); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, heed, k.n) // lessons hold what was seen of prompts
		return err
	})
	return joined, err
}

// dueVerdicts reads the watermark before anything that it speaks of.
func dueVerdicts(ctx context.Context, tx pgx.Tx, now time.Time, most int) (cases []verdict.Case, until time.Time, err error) {
	var ours bool
	if err := tx.QueryRow(ctx, `SELECT pg_try_advisory_xact_lock(hashtext('busu: feedback'))`).Scan(&ours); err != nil || !ours {
		return nil, time.Time{}, err
	}
	batch := new(pgx.Batch)
	batch.Queue(watermarkSQL, watermarkArgs(now)...).QueryRow(func(row pgx.Row) (err error) {
		until, err = scanWatermark(row)
		return err
	})
	batch.Queue(`
		SELECT id, at, project, coalesce(key_id, ''), request_id, coalesce(feedback_id, ''), coalesce(source, ''), coalesce(comment, ''),
			coalesce(rating, 0), correct, score, journal, partition, seq, implicit,
			implicit AND EXISTS (SELECT FROM feedback g WHERE g.request_id = f.request_id AND NOT g.implicit AND g.project = f.project)
		FROM feedback f WHERE state = 'waiting' AND next_try <= $1 ORDER BY next_try, id LIMIT $2`, now, most).Query(func(rows pgx.Rows) (err error) {
		cases, err = pgx.CollectRows(rows, scanCase)
		return err
	})
	err = tx.SendBatch(ctx, batch).Close()
	return cases, until, err
}

// inTurn puts verdicts in the order in which they came, for the first on an
// answer teaches, and leaves out those before which another on the same answer
// waits that is not among them. They are due when that is, so that they do not
// stand before others until then. What nobody gave comes last, and holds up
// nobody.
func inTurn(ctx context.Context, tx pgx.Tx, cases []verdict.Case) (those []verdict.Case, err error) {
	type answer struct {
		project string
		request uuid.UUID
	}
	type first struct {
		answer
		id   uuid.UUID
		next time.Time
	}
	var requests [][16]byte
	among := map[uuid.UUID]bool{}
	for _, c := range cases {
		requests, among[c.Feedback.ID] = append(requests, c.Feedback.RequestID), true
	}
	rows, err := tx.Query(ctx, firstWaiting, requests)
	if err != nil {
		return nil, err
	}
	var f first
	firsts := map[answer]first{}
	if _, err := pgx.ForEachRow(rows, []any{&f.request, &f.project, &f.id, &f.next}, func() error {
		firsts[f.answer] = f
		return nil
	}); err != nil {
		return nil, err
	}
	var later [][16]byte
	var nexts []time.Time
	for _, c := range cases {
		if f, waits := firsts[answer{c.Feedback.Project, c.Feedback.RequestID}]; waits && !c.Implicit && !among[f.id] {
			later, nexts = append(later, c.Feedback.ID), append(nexts, f.next)
			continue
		}
		those = append(those, c)
	}
	slices.SortStableFunc(those, func(a, b verdict.Case) int {
		switch {
		case a.Implicit && !b.Implicit:
			return 1
		case b.Implicit && !a.Implicit:
			return -1
		}
		return bytes.Compare(a.Feedback.ID[:], b.Feedback.ID[:])
	})
	if len(later) > 0 {
		_, err = tx.Exec(ctx, `UPDATE feedback f SET next_try = t.next FROM unnest($1::uuid[], $2::timestamptz[]) AS t (id, next) WHERE f.id = t.id`, later, nexts)
	}
	return those, err
}

// firstWaiting gives the first verdict that waits on each of some answers. It
// has no LIMIT, with which the planner might look for them in the order of all ids.
const firstWaiting = `
	SELECT DISTINCT ON (request_id, project) request_id, project, id, next_try
	FROM feedback WHERE request_id = ANY($1::uuid[]) AND state = 'waiting' AND NOT implicit ORDER BY request_id, project, id`

func scanCase(row pgx.CollectableRow) (c verdict.Case, err error) {
	f := event.NewFeedback(uuid.Nil)
	err = row.Scan(&f.ID, &f.At, &f.Project, &f.KeyID, &f.RequestID, &f.FeedbackID, &f.Source, &f.Comment,
		&f.Rating, &f.Correct, &f.Score, &f.Journal, &f.Partition, &f.Seq, &c.Implicit, &c.Given)
	f.At = f.At.UTC()
	c.Feedback = f
	return c, err
}

// findAnswers looks answers up one by one, each in the partition of its day:
// a LIMIT keeps the planner from reading days as a whole.
func findAnswers(ctx context.Context, tx pgx.Tx, cases []verdict.Case) error {
	ids, ats := make([][16]byte, len(cases)), make([]time.Time, len(cases))
	first, last := event.TimeOf(cases[0].Feedback.RequestID), time.Time{}
	for i, c := range cases {
		ids[i], ats[i] = c.Feedback.RequestID, event.TimeOf(c.Feedback.RequestID)
		if ats[i].Before(first) {
			first = ats[i]
		}
		if ats[i].After(last) {
			last = ats[i]
		}
	}
	rows, err := tx.Query(ctx, `
		SELECT w.n, c.project, c.strategy, c.planned_model, c.baseline_model, c.propensity, coalesce(c.model, ''), c.status, c.cache, c.origin_id, c.fallbacks,
			c.candidates, f.features, EXISTS (SELECT FROM lessons l WHERE l.request_id = w.id)
		FROM unnest($1::uuid[], $2::timestamptz[]) WITH ORDINALITY AS w (id, at, n)
		CROSS JOIN LATERAL (SELECT * FROM completions c WHERE c.id = w.id AND c.at = w.at AND c.at BETWEEN $3 AND $4 LIMIT 1) AS c
		LEFT JOIN LATERAL (SELECT features FROM features f WHERE f.id = w.id AND f.at = w.at AND f.at BETWEEN $3 AND $4 LIMIT 1) AS f ON true`,
		ids, ats, first, last)
	if err != nil {
		return err
	}
	for rows.Next() {
		if err := scanAnswer(rows, cases); err != nil {
			rows.Close()
			return err
		}
	}
	return rows.Err()
}

// findOrigins looks up the requests beside which second models were asked for
// the answers.
func findOrigins(ctx context.Context, tx pgx.Tx, cases []verdict.Case) error {
	var ids []uuid.UUID
	var ats []time.Time
	var of []int
	for i, c := range cases {
		if a := c.Answer; a != nil && a.Strategy == event.StrategyShadow && a.OriginID != uuid.Nil {
			ids, ats, of = append(ids, a.OriginID), append(ats, event.TimeOf(a.OriginID)), append(of, i)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	rows, err := tx.Query(ctx, `
		SELECT w.n, c.project, c.strategy
		FROM unnest($1::uuid[], $2::timestamptz[]) WITH ORDINALITY AS w (id, at, n)
		CROSS JOIN LATERAL (SELECT project, strategy FROM completions c WHERE c.id = w.id AND c.at = w.at AND c.at BETWEEN $3 AND $4 LIMIT 1) AS c`,
		ids, ats, slices.MinFunc(ats, time.Time.Compare), slices.MaxFunc(ats, time.Time.Compare))
	if err != nil {
		return err
	}
	var n int64
	var project, strategy string
	_, err = pgx.ForEachRow(rows, []any{&n, &project, &strategy}, func() error {
		o := event.NewCompletion(ids[n-1])
		o.Project, o.Strategy = project, strategy
		cases[of[n-1]].Origin = o
		return nil
	})
	return err
}

// scanAnswer reads an answer into its case. Candidates that cannot be read
// count as none: nothing can be learned of them.
func scanAnswer(row pgx.Row, cases []verdict.Case) error {
	var n int64
	var origin *uuid.UUID
	var candidates []byte
	var taught bool
	a := new(event.CompletionRecorded)
	if err := row.Scan(&n, &a.Project, &a.Strategy, &a.PlannedModel, &a.BaselineModel, &a.Propensity, &a.Model, &a.Status, &a.Cache, &origin, &a.Fallbacks,
		&candidates, &a.Features, &taught); err != nil {
		return err
	}
	c := &cases[n-1]
	a.ID = c.Feedback.RequestID
	if origin != nil {
		a.OriginID = *origin
	}
	if len(a.Features) > 0 && json.Unmarshal(candidates, &a.Candidates) != nil {
		a.Candidates = nil
	}
	c.Answer, c.Taught = a, taught
	return nil
}

// storeRulings appends the lessons behind all others, and says what became of
// the verdicts.
func storeRulings(ctx context.Context, tx pgx.Tx, cases []verdict.Case, rulings []verdict.Ruling) error {
	if len(rulings) != len(cases) {
		return fmt.Errorf("%d cases have %d rulings", len(cases), len(rulings))
	}
	var ids, requests [][16]byte
	var states, notes, projects, strategies []string
	var nexts []time.Time
	var lessons [][]byte
	var implicits []bool
	for i, r := range rulings {
		f := cases[i].Feedback
		ids, states, notes, nexts = append(ids, f.ID), append(states, string(r.State)), append(notes, r.Note), append(nexts, r.Next)
		if r.State == verdict.Learned {
			a := cases[i].Answer
			projects, strategies = append(projects, a.Project), append(strategies, r.Learns)
			requests, lessons = append(requests, a.ID), append(lessons, r.Lesson)
			implicits = append(implicits, cases[i].Implicit)
		}
	}
	batch := new(pgx.Batch)
	batch.Queue(`
		UPDATE feedback f SET state = t.state, note = nullif(t.note, ''), next_try = t.next
		FROM unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[]) AS t (id, state, note, next) WHERE f.id = t.id`, ids, states, notes, nexts)
	if len(lessons) > 0 {
		batch.Queue(lockLessons)
		batch.Queue(`
			INSERT INTO lessons (n, project, strategy, request_id, lesson, implicit)
			SELECT (SELECT coalesce(max(n), 0) FROM lessons) + t.i, t.project, t.strategy, t.request_id, t.lesson, t.implicit
			FROM unnest($1::text[], $2::text[], $3::uuid[], $4::bytea[], $5::bool[]) WITH ORDINALITY AS t (project, strategy, request_id, lesson, implicit, i)`,
			projects, strategies, requests, lessons, implicits)
	}
	return tx.SendBatch(ctx, batch).Close()
}
