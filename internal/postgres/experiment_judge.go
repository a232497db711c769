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

// Hear brings up to most units that have matured before a judge, and stores
// what it says of them, in one transaction: the units' totals, what the judge
// knows now, and the decision with the fact that says so, once. more is true
// when further units wait. One that does not run, or is heard by another
// process now, is passed over.
func (db *DB) Hear(ctx context.Context, id string, now time.Time, most int, judge func(*experiment.Hearing) error) (more bool, err error) {
	err = db.tx(ctx, func(tx pgx.Tx) error {
		more = false
		h, err := openHearing(ctx, tx, id, now, most)
		if err != nil || h == nil {
			return err
		}
		if err := judge(h); err != nil {
			return err
		}
		more = !h.All && h.State.Decision == nil
		return closeHearing(ctx, tx, h)
	})
	if err != nil {
		return false, fmt.Errorf("judge experiment %s: %w", id, err)
	}
	return more, nil
}

// openHearing reads the watermark before anything that it speaks of. It is nil
// where there is nothing to hear.
func openHearing(ctx context.Context, tx pgx.Tx, id string, now time.Time, most int) (*experiment.Hearing, error) {
	h := &experiment.Hearing{Experiment: new(experiment.Experiment)}
	var err error
	if h.Watermark, err = scanWatermark(tx.QueryRow(ctx, watermarkSQL, watermarkArgs(now)...)); err != nil || h.Watermark.IsZero() {
		return nil, err
	}
	var progress []byte
	err = tx.QueryRow(ctx, `SELECT record, progress FROM experiments WHERE id = $1 AND state = 'running' AND (watermark IS NULL OR watermark <= $2)
		FOR UPDATE SKIP LOCKED`, id, h.Watermark).Scan(h.Experiment, &progress)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if progress != nil {
		if err := json.Unmarshal(progress, &h.State); err != nil {
			return nil, err
		}
	}
	return h, findEvidence(ctx, tx, h, most)
}

// findEvidence takes the units that have matured and were not judged, the first
// of the judge's order, with all that is stored of them. Who adds to them now
// waits, and is late then.
func findEvidence(ctx context.Context, tx pgx.Tx, h *experiment.Hearing, most int) error {
	rows, err := tx.Query(ctx, `
		SELECT unit FROM experiment_units WHERE experiment_id = $1 AND NOT judged AND matured_at <= $2
		ORDER BY matured_at, first_id LIMIT $3 FOR UPDATE`, h.Experiment.ID, h.Watermark, most)
	if err != nil {
		return err
	}
	units, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	h.All = len(units) < most
	h.Evidence = make([]experiment.Evidence, len(units))
	if len(units) == 0 {
		return nil
	}
	return gather(ctx, tx, h.Experiment, units, h.Evidence)
}

func closeHearing(ctx context.Context, tx pgx.Tx, h *experiment.Hearing) error {
	if err := storeUnits(ctx, tx, h); err != nil {
		return err
	}
	progress, err := json.Marshal(h.State)
	if err != nil {
		return err
	}
	if h.State.Decision != nil {
		if err := storeDecision(ctx, tx, h); err != nil {
			return err
		}
	} else if len(h.Evidence) == 0 {
		return nil
	}
	_, err = tx.Exec(ctx, `UPDATE experiments SET progress = $2, watermark = $3 WHERE id = $1`, h.Experiment.ID, progress, h.Watermark)
	return err
}

func storeUnits(ctx context.Context, tx pgx.Tx, h *experiment.Hearing) error {
	var units []string
	var strays []int64
	var counted []bool
	var totals, histories, traits [][]byte
	for i := range h.Units {
		u := &h.Units[i]
		units, strays, counted = append(units, u.ID), append(strays, u.Stray), append(counted, u.Counted)
		for _, column := range []struct {
			rows  *[][]byte
			value any
		}{{&totals, u.Totals}, {&histories, u.History}, {&traits, u.Traits}} {
			body, err := json.Marshal(column.value)
			if err != nil {
				return err
			}
			*column.rows = append(*column.rows, body)
		}
	}
	_, err := tx.Exec(ctx, `
		UPDATE experiment_units u SET judged = true, counted = t.counted, strays = t.strays, totals = t.totals,
			history = nullif(t.history, 'null'), traits = nullif(t.traits, 'null')
		FROM unnest($2::text[], $3::bigint[], $4::boolean[], $5::jsonb[], $6::jsonb[], $7::jsonb[]) AS t (unit, strays, counted, totals, history, traits)
		WHERE u.experiment_id = $1 AND u.unit = t.unit`, h.Experiment.ID, units, strays, counted, totals, histories, traits)
	return err
}

// storeDecision writes a decision, which nobody has done before: the experiment
// was running, and is locked.
func storeDecision(ctx context.Context, tx pgx.Tx, h *experiment.Hearing) error {
	e, d := h.Experiment, h.State.Decision
	decision, err := json.Marshal(d)
	if err != nil {
		return err
	}
	record, err := json.Marshal(e)
	if err != nil {
		return err
	}
	fact, err := decidedFact(e, d)
	if err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, `
		INSERT INTO experiment_decisions (experiment_id, watermark, outcome, winner, verdict, decision, record) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		e.ID, h.Watermark, string(d.Outcome), d.Winner, d.Verdict, decision, record); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, `
		UPDATE experiments SET state = 'decided', outcome = $2, winner = $3, ended_at = $4, changed_at = clock_timestamp() WHERE id = $1`,
		e.ID, string(d.Outcome), d.Winner, fact.At); err != nil {
		return err
	}
	if err := audit(ctx, tx, e.ID, "decide", "", map[string]any{"outcome": d.Outcome, "winner": d.Winner}); err != nil {
		return err
	}
	if err := decide(ctx, tx, fact); err != nil || e.NotifyURL == "" {
		return err
	}
	m, err := e.DecidedNotice(fact)
	if err != nil {
		return err
	}
	return enqueue(ctx, tx, m)
}

func decidedFact(e *experiment.Experiment, d *experiment.Decision) (*event.ExperimentDecided, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return nil, err
	}
	f := event.NewExperimentDecided(id, d.Outcome != experiment.InvalidSRM && d.Outcome != experiment.InvalidFeedback)
	f.Project, f.Experiment, f.Name = e.Project, e.ID, e.Name
	f.Outcome, f.Reason, f.Verdict, f.Units = string(d.Outcome), string(d.Reason), d.Verdict, int64(d.Units)
	f.PValue, f.AlwaysValidP = d.PValue, d.AlwaysValidP
	if d.Winner != nil {
		f.Winner = *d.Winner
	}
	return f, nil
}
