package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/learning"
)

// Lessons gives up to most of the lessons behind a number, in order.
func (db *DB) Lessons(ctx context.Context, after int64, most int) ([]learning.Numbered, error) {
	rows, err := db.pool.Query(ctx, `SELECT n, project, strategy, lesson FROM lessons WHERE n > $1 ORDER BY n LIMIT $2`, after, most)
	if err != nil {
		return nil, fmt.Errorf("read lessons: %w", err)
	}
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (l learning.Numbered, err error) {
		err = row.Scan(&l.N, &l.Project, &l.Strategy, &l.Lesson)
		return l, err
	})
	if err != nil {
		return nil, fmt.Errorf("read lessons: %w", err)
	}
	return all, nil
}

// lockLessons makes lessons gapless in the order of commits.
const lockLessons = `SELECT pg_advisory_xact_lock(hashtext('busu: lessons'))`

// AppendLessons numbers lessons behind all others. Their own numbers do not
// count.
func (db *DB) AppendLessons(ctx context.Context, lessons []learning.Numbered) error {
	err := db.tx(ctx, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, lockLessons); err != nil {
			return err
		}
		for _, l := range lessons {
			if _, err := tx.Exec(ctx, `INSERT INTO lessons (n, project, strategy, lesson)
				SELECT coalesce(max(n), 0) + 1, $1, $2, $3 FROM lessons`, l.Project, l.Strategy, l.Lesson); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("append lessons: %w", err)
	}
	return nil
}

// Decided gives what was decided in a stretch of time by strategies that
// learn, without what came from a cache, and without arms of experiments that have
// a goal of their own: up to most of each learner's, drawn
// by the random end of their ids, and for each from how many it was drawn. Of a
// fact there is what a decision is judged by.
func (db *DB) Decided(ctx context.Context, from, to time.Time, most int) (facts []*event.CompletionRecorded, of []int64, err error) {
	rows, err := db.pool.Query(ctx, `
		SELECT at, project, strategy, baseline_model, candidates, total FROM (
			SELECT *, row_number() OVER (PARTITION BY project, strategy ORDER BY substr(id::text, 20)) AS drawn,
				count(*) OVER (PARTITION BY project, strategy) AS total
			FROM completions r WHERE at >= $1 AND at < $2 AND id >= $3 AND id < $4 AND cache = 'miss'
				AND strategy IN ('hybrid', 'learning') AND (experiments IS NULL OR NOT EXISTS (
					SELECT FROM jsonb_array_elements(r.experiments) AS x
					JOIN experiments e ON e.id = x->>'experiment' AND e.project = r.project
					CROSS JOIN jsonb_array_elements(e.record->'arms') AS a
					WHERE a->>'name' = x->>'arm' AND a->'parameters' ?| ARRAY['quality_target', 'strong_share']))) AS c
		WHERE drawn <= $5 ORDER BY at, id`, from, to, lowestID(from), lowestID(to), most)
	if err != nil {
		return nil, nil, fmt.Errorf("read decisions: %w", err)
	}
	facts, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (*event.CompletionRecorded, error) {
		var c event.CompletionRecorded
		var candidates []byte
		var total int64
		if err := row.Scan(&c.At, &c.Project, &c.Strategy, &c.BaselineModel, &candidates, &total); err != nil {
			return nil, err
		}
		of = append(of, total)
		return &c, json.Unmarshal(candidates, &c.Candidates)
	})
	if err != nil {
		return nil, nil, fmt.Errorf("read decisions: %w", err)
	}
	return facts, of, nil
}

// lowestID is the lowest UUIDv7 of a millisecond: rows of a time are found by
// their ids.
func lowestID(at time.Time) (id uuid.UUID) {
	ms := at.UnixMilli()
	for i := range 6 {
		id[i] = byte(ms >> (40 - 8*i))
	}
	id[6], id[8] = 0x70, 0x80
	return id
}
