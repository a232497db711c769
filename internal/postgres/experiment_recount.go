package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/busuhq/busu/internal/experiment"
)

// recountAtOnce is how many units are read at a time.
const recountAtOnce = 2000

// Recount judges an experiment of any project again, from its rows, or with
// totals from what was summed up of its units, and says what comes out
// otherwise. It is experiment.ErrUnknown for one that there is not.
func (db *DB) Recount(ctx context.Context, id string, totals bool) (s experiment.Status, found experiment.Recounted, err error) {
	err = pgx.BeginTxFunc(ctx, db.pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `SELECT `+statusColumns+` FROM experiments WHERE id = $1`, id)
		if err != nil {
			return err
		}
		if s, err = pgx.CollectExactlyOneRow(rows, scanStatus); err != nil {
			return err
		}
		recount := experiment.NewRecount(&s.Experiment)
		if err := recountUnits(ctx, tx, &s.Experiment, recount, totals); err != nil {
			return err
		}
		found, err = finishRecount(ctx, tx, id, recount)
		return err
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return s, found, experiment.ErrUnknown
	}
	if err != nil {
		return s, found, fmt.Errorf("judge experiment %s again: %w", id, err)
	}
	return s, found, nil
}

// recountUnits takes those that were counted, in the judge's order.
func recountUnits(ctx context.Context, tx pgx.Tx, e *experiment.Experiment, recount *experiment.Recount, totals bool) error {
	after, last := time.Time{}, uuid.Nil
	for {
		units, late, err := countedUnits(ctx, tx, e, after, last)
		if err != nil || len(units) == 0 {
			return err
		}
		evidence := make([]experiment.Evidence, len(units))
		if !totals {
			names := make([]string, len(units))
			for i := range units {
				names[i] = units[i].ID
			}
			if err := gather(ctx, tx, e, names, evidence); err != nil {
				return err
			}
		}
		for i := range units {
			known := &evidence[i]
			if totals {
				known = nil
			}
			if err := recount.Take(units[i], late[i], known); err != nil {
				return err
			}
		}
		after, last = units[len(units)-1].MaturesAt, units[len(units)-1].First
	}
}

func countedUnits(ctx context.Context, tx pgx.Tx, e *experiment.Experiment, after time.Time, last uuid.UUID) (units []experiment.Unit, late []bool, err error) {
	rows, err := tx.Query(ctx, `
		SELECT unit, arm, first_id, exposed_at, matured_at, strays, late > 0, totals, history, traits FROM experiment_units
		WHERE experiment_id = $1 AND counted AND (matured_at, first_id) > ($2, $3) ORDER BY matured_at, first_id LIMIT $4`,
		e.ID, after, last, recountAtOnce)
	if err != nil {
		return nil, nil, err
	}
	var u experiment.Unit
	var arm string
	var isLate bool
	var totals, history, traits []byte
	_, err = pgx.ForEachRow(rows, []any{&u.ID, &arm, &u.First, &u.ExposedAt, &u.MaturesAt, &u.Stray, &isLate, &totals, &history, &traits}, func() error {
		u.Arm, u.ExposedAt, u.MaturesAt = e.ArmNamed(arm), u.ExposedAt.UTC(), u.MaturesAt.UTC()
		u.Phase, u.Totals, u.History, u.Traits = e.PhaseAt(u.ExposedAt), experiment.Totals{}, nil, nil
		for _, column := range []struct {
			body []byte
			into any
		}{{totals, &u.Totals}, {history, &u.History}, {traits, &u.Traits}} {
			if column.body == nil {
				continue
			}
			if err := json.Unmarshal(column.body, column.into); err != nil {
				return err
			}
		}
		units, late = append(units, u), append(late, isLate)
		return nil
	})
	return units, late, err
}

func finishRecount(ctx context.Context, tx pgx.Tx, id string, recount *experiment.Recount) (found experiment.Recounted, err error) {
	var progress, decision []byte
	var watermark *time.Time
	if err := tx.QueryRow(ctx, `
		SELECT e.progress, coalesce(d.watermark, e.watermark), d.decision FROM experiments e LEFT JOIN experiment_decisions d ON d.experiment_id = e.id
		WHERE e.id = $1`, id).Scan(&progress, &watermark, &decision); err != nil {
		return found, err
	}
	var state experiment.State
	if progress != nil {
		if err := json.Unmarshal(progress, &state); err != nil {
			return found, err
		}
	}
	var stored *experiment.Decision
	if decision != nil {
		if err := json.Unmarshal(decision, &stored); err != nil {
			return found, err
		}
	}
	if watermark == nil {
		watermark = new(time.Time)
	}
	return recount.Finish(*watermark, state, stored), nil
}
