package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/experiment"
)

const statusColumns = `record, state, outcome, winner, ended_at, archived_at`

func scanStatus(row pgx.CollectableRow) (s experiment.Status, err error) {
	err = row.Scan(&s.Experiment, &s.State, &s.Outcome, &s.Winner, &s.EndedAt, &s.ArchivedAt)
	s.EndedAt, s.ArchivedAt = inUTC(s.EndedAt), inUTC(s.ArchivedAt)
	return s, err
}

// StartExperiment stores the record that make gives, an audit row and the fact
// that says so. make is told which parts of the layer run already; what it
// refuses is returned as it is. It is experiment.ErrNameTaken when the name is.
func (db *DB) StartExperiment(ctx context.Context, project, layer, by string, make func(taken []experiment.Segment) (experiment.Experiment, error)) (experiment.Experiment, error) {
	var e experiment.Experiment
	var refused error
	err := db.tx(ctx, func(tx pgx.Tx) error {
		taken, err := segments(ctx, tx, project, layer)
		if err != nil {
			return err
		}
		if e, refused = make(taken); refused != nil {
			return refused
		}
		if err := insertExperiment(ctx, tx, &e); err != nil {
			return err
		}
		if err := audit(ctx, tx, e.ID, "start", by, nil); err != nil {
			return err
		}
		fact, err := startedFact(&e)
		if err != nil {
			return err
		}
		return decide(ctx, tx, fact)
	})
	switch {
	case refused != nil:
		return e, refused
	case isDuplicate(err):
		return e, experiment.ErrNameTaken
	case err != nil:
		return e, fmt.Errorf("start experiment: %w", err)
	}
	return e, nil
}

// segments are the parts of a layer that run. Who starts an experiment in it
// waits for whoever does so now.
func segments(ctx context.Context, tx pgx.Tx, project, layer string) ([]experiment.Segment, error) {
	if layer == "" {
		return nil, nil
	}
	if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(hashtext('busu: layer ' || $1 || '/' || $2))`, project, layer); err != nil {
		return nil, err
	}
	rows, err := tx.Query(ctx, `SELECT record->'segment' FROM experiments WHERE project = $1 AND state = 'running' AND record->>'layer' = $2`, project, layer)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[experiment.Segment])
}

func insertExperiment(ctx context.Context, tx pgx.Tx, e *experiment.Experiment) error {
	record, err := json.Marshal(e)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `
		INSERT INTO experiments (id, project, name, record, unit, observation_us, maturity_us, started_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		e.ID, e.Project, e.Name, record, string(e.Unit), time.Duration(e.Observation).Microseconds(), e.Maturity().Microseconds(), e.StartedAt)
	return err
}

func audit(ctx context.Context, tx pgx.Tx, id, action, by string, detail any) error {
	body, err := json.Marshal(detail)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `INSERT INTO experiment_audit (experiment_id, action, by_whom, detail) VALUES ($1, $2, nullif($3, ''), nullif($4::jsonb, 'null'))`,
		id, action, by, body)
	return err
}

func startedFact(e *experiment.Experiment) (event.Fact, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return nil, err
	}
	f := event.NewExperimentStarted(id)
	f.Project, f.Experiment, f.Name = e.Project, e.ID, e.Name
	f.PrimaryMetric, f.SampleSize, f.Alpha = string(e.Primary), int64(e.SampleSize), e.Alpha
	for i, a := range e.Arms {
		f.Arms = append(f.Arms, event.StartedArm{Name: a.Name, Share: e.Shares()[i], Strategy: a.Strategy, Model: a.Model})
	}
	return f, nil
}

// StopExperiment ends an experiment without a verdict, and gives it. One that
// has ended already stays as it is.
func (db *DB) StopExperiment(ctx context.Context, project, id, by string) (s experiment.Status, err error) {
	err = db.tx(ctx, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `
			UPDATE experiments SET state = 'stopped', ended_at = date_trunc('milliseconds', clock_timestamp()), changed_at = clock_timestamp()
			WHERE project = $1 AND id = $2 AND state = 'running'`, project, id)
		if err != nil {
			return err
		}
		rows, err := tx.Query(ctx, `SELECT `+statusColumns+` FROM experiments WHERE project = $1 AND id = $2`, project, id)
		if err != nil {
			return err
		}
		if s, err = pgx.CollectExactlyOneRow(rows, scanStatus); err != nil || tag.RowsAffected() == 0 {
			return err
		}
		return noteStop(ctx, tx, &s, by)
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return s, experiment.ErrUnknown
	}
	if err != nil {
		return s, fmt.Errorf("stop experiment: %w", err)
	}
	return s, nil
}

func noteStop(ctx context.Context, tx pgx.Tx, s *experiment.Status, by string) error {
	if err := audit(ctx, tx, s.ID, "stop", by, nil); err != nil || s.NotifyURL == "" {
		return err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return err
	}
	m, err := s.StoppedNotice(id, *s.EndedAt)
	if err != nil {
		return err
	}
	return enqueue(ctx, tx, m)
}

// Experiment gives one experiment of a project, or experiment.ErrUnknown.
func (db *DB) Experiment(ctx context.Context, project, id string) (experiment.Status, error) {
	rows, err := db.pool.Query(ctx, `SELECT `+statusColumns+` FROM experiments WHERE project = $1 AND id = $2`, project, id)
	if err != nil {
		return experiment.Status{}, fmt.Errorf("read experiment: %w", err)
	}
	s, err := pgx.CollectExactlyOneRow(rows, scanStatus)
	if errors.Is(err, pgx.ErrNoRows) {
		return s, experiment.ErrUnknown
	}
	if err != nil {
		return s, fmt.Errorf("read experiment: %w", err)
	}
	return s, nil
}

// Experiments gives the experiments of a project, the newest first, those that
// are archived only where they are asked for.
func (db *DB) Experiments(ctx context.Context, project string, archived bool, most int) ([]experiment.Status, error) {
	rows, err := db.pool.Query(ctx, `SELECT `+statusColumns+` FROM experiments WHERE project = $1 AND ($2 OR archived_at IS NULL)
		ORDER BY started_at DESC, id DESC LIMIT $3`, project, archived, most)
	if err != nil {
		return nil, fmt.Errorf("list experiments: %w", err)
	}
	all, err := pgx.CollectRows(rows, scanStatus)
	if err != nil {
		return nil, fmt.Errorf("list experiments: %w", err)
	}
	return all, nil
}

// ExperimentsSince gives the experiments of all projects that have changed
// since a moment, and the moment to ask from next. Some come again.
func (db *DB) ExperimentsSince(ctx context.Context, since time.Time) (changed []experiment.Status, next time.Time, err error) {
	changed, next, err = changes(ctx, db, scanStatus, `SELECT `+statusColumns+` FROM experiments WHERE changed_at >= $1`, since)
	if err != nil {
		return nil, since, fmt.Errorf("follow experiments: %w", err)
	}
	return changed, next, nil
}

// Running names the experiments that are to be judged.
func (db *DB) Running(ctx context.Context) ([]string, error) {
	rows, err := db.pool.Query(ctx, `SELECT id FROM experiments WHERE state = 'running' ORDER BY id`)
	if err != nil {
		return nil, fmt.Errorf("list running experiments: %w", err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("list running experiments: %w", err)
	}
	return ids, nil
}
