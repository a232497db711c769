package postgres

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/learning"
)

// ErrSnapshotTaken says that a snapshot with the number is there already:
// somebody else has learned meanwhile.
var ErrSnapshotTaken = errors.New("another process has published a snapshot with this number")

const snapshotColumns = `project, strategy, snapshot, at, lesson, verdicts, weight, lambda, coalesce(rolled_back_to, 0), coalesce(base, 0), model_of, controller`

func scanSnapshot(row pgx.CollectableRow) (s learning.Snapshot, err error) {
	err = row.Scan(&s.Project, &s.Strategy, &s.Number, &s.At, &s.Lesson, &s.Verdicts, &s.Weight, &s.Lambda, &s.RolledBackTo, &s.Base, &s.ModelOf, &s.Controller)
	return s, err
}

// Latest gives the newest snapshot of every learner, without its model.
func (db *DB) Latest(ctx context.Context) ([]learning.Snapshot, error) {
	rows, err := db.pool.Query(ctx, `SELECT DISTINCT ON (project, strategy) `+snapshotColumns+`
		FROM snapshots ORDER BY project, strategy, snapshot DESC`)
	if err != nil {
		return nil, fmt.Errorf("read snapshots: %w", err)
	}
	all, err := pgx.CollectRows(rows, scanSnapshot)
	if err != nil {
		return nil, fmt.Errorf("read snapshots: %w", err)
	}
	return all, nil
}

// Snapshots gives a learner's snapshots, the newest first, without models.
func (db *DB) Snapshots(ctx context.Context, l learning.Learner, most int) ([]learning.Snapshot, error) {
	return db.SnapshotsBefore(ctx, l, math.MaxInt64, most)
}

// SnapshotsBefore gives those with lower numbers than one.
func (db *DB) SnapshotsBefore(ctx context.Context, l learning.Learner, before int64, most int) ([]learning.Snapshot, error) {
	rows, err := db.pool.Query(ctx, `SELECT `+snapshotColumns+` FROM snapshots
		WHERE project = $1 AND strategy = $2 AND snapshot < $3 ORDER BY snapshot DESC LIMIT $4`, l.Project, l.Strategy, before, most)
	if err != nil {
		return nil, fmt.Errorf("read snapshots: %w", err)
	}
	all, err := pgx.CollectRows(rows, scanSnapshot)
	if err != nil {
		return nil, fmt.Errorf("read snapshots: %w", err)
	}
	return all, nil
}

// Model gives the bytes of the model that a snapshot has of its own.
func (db *DB) Model(ctx context.Context, l learning.Learner, number int64) (model []byte, err error) {
	err = db.pool.QueryRow(ctx, `SELECT coalesce(model, '') FROM snapshots WHERE project = $1 AND strategy = $2 AND snapshot = $3`,
		l.Project, l.Strategy, number).Scan(&model)
	if err != nil {
		return nil, fmt.Errorf("read model of snapshot %d: %w", number, err)
	}
	return model, nil
}

// Publish stores snapshots and the facts that say so, all or nothing. It is
// ErrSnapshotTaken when one's number is.
func (db *DB) Publish(ctx context.Context, snapshots []learning.Snapshot) error {
	err := db.tx(ctx, func(tx pgx.Tx) error {
		var facts []event.Fact
		for _, s := range snapshots {
			if err := insertSnapshot(ctx, tx, s); err != nil {
				return err
			}
			fact, err := published(s)
			if err != nil {
				return err
			}
			facts = append(facts, fact)
		}
		return decide(ctx, tx, facts...)
	})
	if isDuplicate(err) {
		err = ErrSnapshotTaken
	}
	if err != nil {
		return fmt.Errorf("publish snapshots: %w", err)
	}
	return nil
}

func insertSnapshot(ctx context.Context, tx pgx.Tx, s learning.Snapshot) error {
	model := s.Model
	if s.ModelOf != s.Number {
		model = nil
	}
	_, err := tx.Exec(ctx, `
		INSERT INTO snapshots (project, strategy, snapshot, lesson, verdicts, weight, lambda, rolled_back_to, base, model_of, controller, model)
		VALUES ($1, $2, $3, $4, $5, $6, $7, nullif($8, 0), nullif($9, 0), $10, $11, $12)`,
		s.Project, s.Strategy, s.Number, s.Lesson, s.Verdicts, s.Weight, s.Lambda, s.RolledBackTo, s.Base, s.ModelOf, s.Controller, model)
	return err
}

func published(s learning.Snapshot) (*event.ModelPublished, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return nil, err
	}
	m := event.NewModelPublished(id)
	m.Project, m.Strategy, m.Snapshot, m.Verdicts = s.Project, s.Strategy, s.Number, s.Verdicts
	m.Weight, m.Lambda, m.RolledBackTo = s.Weight, s.Lambda, s.RolledBackTo
	return m, nil
}

// Snapshot gives one, without its model.
func (db *DB) Snapshot(ctx context.Context, l learning.Learner, number int64) (learning.Snapshot, error) {
	return readSnapshot(ctx, db.pool, l, number)
}

func readSnapshot(ctx context.Context, q queryer, l learning.Learner, number int64) (s learning.Snapshot, err error) {
	rows, err := q.Query(ctx, `SELECT `+snapshotColumns+` FROM snapshots WHERE project = $1 AND strategy = $2 AND snapshot = $3`,
		l.Project, l.Strategy, number)
	if err == nil {
		s, err = pgx.CollectExactlyOneRow(rows, scanSnapshot)
	}
	if errors.Is(err, pgx.ErrNoRows) {
		return s, fmt.Errorf("%s of project %s, snapshot %d: %w", l.Strategy, l.Project, number, learning.ErrNoSnapshot)
	}
	if err != nil {
		return s, fmt.Errorf("read snapshot %d: %w", number, err)
	}
	return s, nil
}

// RollBack publishes an older snapshot's model under a new number, and gives
// it: what was learned since is left out, what comes is learned on top of it.
func (db *DB) RollBack(ctx context.Context, l learning.Learner, to int64) (s learning.Snapshot, err error) {
	err = db.tx(ctx, func(tx pgx.Tx) error {
		if s, err = readSnapshot(ctx, tx, l, to); err != nil {
			return err
		}
		s.RolledBackTo = to
		err = tx.QueryRow(ctx, `SELECT max(snapshot) + 1, (SELECT max(lesson) FROM snapshots) FROM snapshots WHERE project = $1 AND strategy = $2`,
			l.Project, l.Strategy).Scan(&s.Number, &s.Lesson)
		if err != nil {
			return err
		}
		if err := insertSnapshot(ctx, tx, s); err != nil {
			return err
		}
		fact, err := published(s)
		if err != nil {
			return err
		}
		return decide(ctx, tx, fact)
	})
	if isDuplicate(err) {
		err = ErrSnapshotTaken
	}
	if err != nil {
		return s, fmt.Errorf("roll back: %w", err)
	}
	return s, nil
}

// PruneSnapshots removes what nobody goes back to: of each learner stay the
// newest, one of each hour for a week, and those whose model another has.
func (db *DB) PruneSnapshots(ctx context.Context, newest int) (pruned int64, err error) {
	tag, err := db.pool.Exec(ctx, `
		WITH ranked AS (
			SELECT project, strategy, snapshot, at,
				row_number() OVER (PARTITION BY project, strategy ORDER BY snapshot DESC) AS age,
				row_number() OVER (PARTITION BY project, strategy, date_trunc('hour', at) ORDER BY snapshot DESC) AS in_hour
			FROM snapshots),
		kept AS (SELECT * FROM ranked WHERE age <= $1 OR in_hour = 1 AND at > now() - interval '7 days')
		DELETE FROM snapshots s WHERE NOT EXISTS (SELECT FROM kept k WHERE (k.project, k.strategy, k.snapshot) = (s.project, s.strategy, s.snapshot))
			AND NOT EXISTS (SELECT FROM kept k JOIN snapshots o USING (project, strategy, snapshot)
				WHERE (o.project, o.strategy, o.model_of) = (s.project, s.strategy, s.snapshot)
					OR (o.strategy, o.base) = (s.strategy, s.snapshot) AND s.project = $2)`, newest, learning.Everyone)
	if err != nil {
		return 0, fmt.Errorf("prune snapshots: %w", err)
	}
	return tag.RowsAffected(), nil
}
