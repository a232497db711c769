package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/busuhq/busu/internal/experiment"
)

// ChangeExperiment stores what change makes of the record of an experiment that
// runs, with an audit row, and gives it. change is told how many units have been
// judged, and no more are until it is done; what it refuses is returned as it
// is. It is experiment.ErrUnknown, or experiment.ErrEnded.
func (db *DB) ChangeExperiment(ctx context.Context, project, id, action, by string,
	change func(e *experiment.Experiment, matured int) (detail any, err error)) (s experiment.Status, err error) {
	var refused error
	err = db.tx(ctx, func(tx pgx.Tx) error {
		var matured int
		if s, matured, err = lockExperiment(ctx, tx, project, id); err != nil {
			return err
		}
		if s.State != experiment.StateRunning {
			refused = experiment.ErrEnded
			return refused
		}
		var detail any
		if detail, refused = change(&s.Experiment, matured); refused != nil {
			return refused
		}
		record, err := json.Marshal(s.Experiment)
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `UPDATE experiments SET record = $2, changed_at = clock_timestamp() WHERE id = $1`, id, record); err != nil {
			return err
		}
		return audit(ctx, tx, id, action, by, detail)
	})
	switch {
	case refused != nil:
		return s, refused
	case errors.Is(err, pgx.ErrNoRows):
		return s, experiment.ErrUnknown
	case err != nil:
		return s, fmt.Errorf("%s experiment: %w", action, err)
	}
	return s, nil
}

// lockExperiment reads an experiment that nobody judges or changes until the
// transaction ends.
func lockExperiment(ctx context.Context, tx pgx.Tx, project, id string) (s experiment.Status, matured int, err error) {
	rows, err := tx.Query(ctx, `SELECT `+statusColumns+` FROM experiments WHERE project = $1 AND id = $2 FOR UPDATE`, project, id)
	if err != nil {
		return s, 0, err
	}
	if s, err = pgx.CollectExactlyOneRow(rows, scanStatus); err != nil {
		return s, 0, err
	}
	err = tx.QueryRow(ctx, `SELECT coalesce((progress->>'units')::int, 0) FROM experiments WHERE id = $1`, id).Scan(&matured)
	return s, matured, err
}

// ArchiveExperiment puts an experiment that has ended out of sight, and gives it.
// It is experiment.ErrUnknown, or experiment.ErrRunning; one that is archived
// stays so.
func (db *DB) ArchiveExperiment(ctx context.Context, project, id, by string) (s experiment.Status, err error) {
	err = db.tx(ctx, func(tx pgx.Tx) error {
		if s, _, err = lockExperiment(ctx, tx, project, id); err != nil || s.ArchivedAt != nil {
			return err
		}
		if s.State == experiment.StateRunning {
			return experiment.ErrRunning
		}
		var at time.Time
		if err := tx.QueryRow(ctx, `UPDATE experiments SET archived_at = date_trunc('milliseconds', clock_timestamp()), changed_at = clock_timestamp()
			WHERE id = $1 RETURNING archived_at`, id).Scan(&at); err != nil {
			return err
		}
		s.ArchivedAt = new(at.UTC())
		return audit(ctx, tx, id, "archive", by, nil)
	})
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return s, experiment.ErrUnknown
	case err != nil:
		return s, fmt.Errorf("archive experiment: %w", err)
	}
	return s, nil
}

// Entered tells of every unit that has entered an experiment before a time, and
// of its arm. all is true when all facts of that time are stored, so that no
// other can become known.
func (db *DB) Entered(ctx context.Context, id string, before time.Time, tell func(unit, arm string, at time.Time)) (all bool, err error) {
	until, err := db.Watermark(ctx, time.Now())
	if err != nil {
		return false, err
	}
	rows, err := db.pool.Query(ctx, `SELECT unit, arm, exposed_at FROM experiment_units WHERE experiment_id = $1 AND exposed_at < $2`, id, before)
	if err != nil {
		return false, fmt.Errorf("read who entered experiment %s: %w", id, err)
	}
	var unit, arm string
	var at time.Time
	if _, err := pgx.ForEachRow(rows, []any{&unit, &arm, &at}, func() error { tell(unit, arm, at); return nil }); err != nil {
		return false, fmt.Errorf("read who entered experiment %s: %w", id, err)
	}
	return !until.Before(before), nil
}

// ExpireExperiments removes up to most rows each of the requests and of the units
// of experiments that ended before a time, and returns how many; 0: none is left.
// How many entered is kept, and all that a verdict can be recomputed from.
func (db *DB) ExpireExperiments(ctx context.Context, before time.Time, most int) (removed int64, err error) {
	err = db.tx(ctx, func(tx pgx.Tx) error {
		removed = 0
		if err := keepEntered(ctx, tx, "", before); err != nil {
			return err
		}
		for _, table := range []string{"experiment_results", "experiment_units"} {
			tag, err := tx.Exec(ctx, `
				DELETE FROM `+table+` WHERE ctid IN (
					SELECT r.ctid FROM experiments e CROSS JOIN LATERAL (SELECT ctid FROM `+table+` WHERE experiment_id = e.id LIMIT $1) AS r
					WHERE e.entered IS NOT NULL LIMIT $1)`, most)
			if err != nil {
				return err
			}
			removed += tag.RowsAffected()
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("expire experiments: %w", err)
	}
	return removed, nil
}

// keepEntered counts who entered the experiments whose rows may go from now on:
// of a project, or with "" of all.
func keepEntered(ctx context.Context, tx pgx.Tx, project string, before time.Time) error {
	rows, err := tx.Query(ctx, `SELECT `+statusColumns+` FROM experiments WHERE state <> 'running' AND ended_at < $1 AND entered IS NULL
		AND ($2 = '' OR project = $2) ORDER BY id LIMIT 10 FOR UPDATE SKIP LOCKED`, before, project)
	if err != nil {
		return err
	}
	all, err := pgx.CollectRows(rows, scanStatus)
	if err != nil {
		return err
	}
	for _, s := range all {
		var live experiment.Live
		_, err := readProgress(ctx, tx, &s, true, &live)
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `UPDATE experiments SET entered = $2 WHERE id = $1`, s.ID, live); err != nil {
			return err
		}
	}
	return nil
}
