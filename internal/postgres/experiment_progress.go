package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/busuhq/busu/internal/experiment"
)

// Progress is what the judge of an experiment knows by now, and what is known
// beyond that: it is all that results are made of. Units that are not counted yet
// are counted here, unless entered says not to: those are the ones that matured
// lately, or will.
func (db *DB) Progress(ctx context.Context, project, id string, entered bool) (s experiment.Status, state experiment.State, live experiment.Live, err error) {
	live.AsOf = time.Now()
	if s, err = db.Experiment(ctx, project, id); err != nil {
		return s, state, live, err
	}
	if state, err = readProgress(ctx, db.pool, &s, entered, &live); err != nil {
		return s, state, live, fmt.Errorf("read results of experiment %s: %w", id, err)
	}
	live.Stopped = s.State == experiment.StateStopped
	return s, state, live, nil
}

// readProgress reads what is counted and what is not in one statement, so that no
// unit is in both, or in none. Where the rows are gone it is kept who entered.
func readProgress(ctx context.Context, from queryer, s *experiment.Status, entered bool, live *experiment.Live) (state experiment.State, err error) {
	froms := make([]time.Time, len(s.Phases))
	for i, p := range s.Phases {
		froms[i] = p.From
	}
	rows, err := from.Query(ctx, `
		SELECT e.progress, e.entered, u.at, u.phase, u.arm, coalesce(u.units, 0), coalesce(u.strays, 0)
		FROM experiments e LEFT JOIN (
			SELECT date_bin($3, exposed_at, 'epoch') AS at, greatest(width_bucket(exposed_at, $2::timestamptz[]) - 1, 0) AS phase, arm,
				count(*) AS units, count(*) FILTER (WHERE strays > 0) AS strays
			FROM experiment_units WHERE experiment_id = $1 AND NOT counted AND $4 GROUP BY 1, 2, 3) AS u ON true
		WHERE e.id = $1`, s.ID, froms, s.Step(), entered)
	if err != nil {
		return state, err
	}
	var progress, kept []byte
	var at *time.Time
	var phase *int
	var arm *string
	var units, strays int64
	first := true
	_, err = pgx.ForEachRow(rows, []any{&progress, &kept, &at, &phase, &arm, &units, &strays}, func() error {
		if first && progress != nil {
			if err := json.Unmarshal(progress, &state); err != nil {
				return err
			}
			live.Begin(&state)
		}
		if first && kept != nil {
			live.Entered = nil
			if err := json.Unmarshal(kept, live); err != nil {
				return err
			}
		}
		if first = false; at == nil || kept != nil {
			return nil
		}
		if i := s.ArmNamed(*arm); i >= 0 {
			live.Enter(&s.Experiment, *at, *phase, i, units)
		}
		live.Strays += strays
		return nil
	})
	return state, err
}
