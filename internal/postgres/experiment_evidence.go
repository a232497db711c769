package postgres

import (
	"context"
	"math"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/busuhq/busu/internal/experiment"
)

// gather finds all that is stored of units, in the order of their names.
func gather(ctx context.Context, from queryer, e *experiment.Experiment, units []string, evidence []experiment.Evidence) error {
	at := make(map[string]*experiment.Evidence, len(units))
	for i, unit := range units {
		at[unit] = &evidence[i]
	}
	if err := findResults(ctx, from, e, units, at); err != nil {
		return err
	}
	if err := findOpinions(ctx, from, e, units, at); err != nil {
		return err
	}
	if e.Unit != experiment.UnitUser {
		return nil
	}
	return findPasts(ctx, from, e, units, at)
}

func findResults(ctx context.Context, from queryer, e *experiment.Experiment, units []string, at map[string]*experiment.Evidence) error {
	rows, err := from.Query(ctx, `
		SELECT unit, completion_id, arm, at, ok, answered, cached, fell_back, cost_nanos, paid_nanos, latency_us, tokens_in, tokens_out,
			coalesce(complexity, 0), coalesce(key_id, ''), coalesce(confidence, '')
		FROM experiment_results WHERE experiment_id = $1 AND unit = ANY($2)`, e.ID, units)
	if err != nil {
		return err
	}
	var r experiment.Result
	var arm string
	_, err = pgx.ForEachRow(rows, []any{&r.Unit, &r.Completion, &arm, &r.At, &r.OK, &r.Answered, &r.Cached, &r.FellBack,
		&r.CostNanos, &r.PaidNanos, &r.LatencyUS, &r.TokensIn, &r.TokensOut,
		&r.Complexity, &r.Key, &r.Confidence}, func() error {
		r.Arm, r.At = e.ArmNamed(arm), r.At.UTC()
		at[r.Unit].Results = append(at[r.Unit].Results, r)
		return nil
	})
	return err
}

// findOpinions takes every verdict that somebody gave, whatever became of it as a
// lesson: that depends on the order in which they came.
func findOpinions(ctx context.Context, from queryer, e *experiment.Experiment, units []string, at map[string]*experiment.Evidence) error {
	rows, err := from.Query(ctx, `
		SELECT r.unit, r.completion_id, f.id, f.at, f.quality, f.bad
		FROM experiment_results r JOIN feedback f ON f.request_id = r.completion_id AND f.project = $3 AND NOT f.implicit
		WHERE r.experiment_id = $1 AND r.unit = ANY($2)`, e.ID, units, e.Project)
	if err != nil {
		return err
	}
	var unit string
	var request uuid.UUID
	var quality float64
	o := experiment.Opinion{Rated: true}
	_, err = pgx.ForEachRow(rows, []any{&unit, &request, &o.Feedback, &o.RatedAt, &quality, &o.Bad}, func() error {
		o.QualityMicros, o.RatedAt = int64(math.Round(quality*1e6)), o.RatedAt.UTC()
		known := at[unit]
		if known.Said == nil {
			known.Said = map[uuid.UUID][]experiment.Opinion{}
		}
		known.Said[request] = append(known.Said[request], o)
		return nil
	})
	return err
}

// findPasts tells what users had done in the week before their first request, or
// only whether they had done anything. All of that is known: it is from before
// the watermark. Days that are added up (user_days) would not do, for a verdict
// would depend on when they were.
func findPasts(ctx context.Context, from queryer, e *experiment.Experiment, units []string, at map[string]*experiment.Evidence) error {
	firsts := make([]time.Time, len(units))
	for i, unit := range units {
		for _, r := range at[unit].Results {
			if firsts[i].IsZero() || r.At.Before(firsts[i]) {
				firsts[i] = r.At
			}
		}
	}
	what := pastExists
	if e.CUPED {
		what = pastTotals
	}
	rows, err := from.Query(ctx, what, e.Project, units, firsts)
	if err != nil {
		return err
	}
	var unit string
	var t experiment.Totals
	_, err = pgx.ForEachRow(rows, []any{&unit, &t.Requests, &t.Answered, &t.CostNanos, &t.LatencyUS, &t.Rated, &t.QualityMicros}, func() error {
		at[unit].Returning = new(t.Requests > 0)
		if e.CUPED && t.Requests > 0 {
			at[unit].History = new(t)
		}
		return nil
	})
	return err
}

const pastRows = `FROM completions c WHERE c.project = $1 AND c.user_id = t.unit AND c.at >= t.first - interval '7 days' AND c.at < t.first AND ` + decided

// pastTotals takes the verdicts that had been given by the first request.
const pastTotals = `
	SELECT t.unit, p.* FROM unnest($2::text[], $3::timestamptz[]) AS t (unit, first) CROSS JOIN LATERAL (
		SELECT count(*), count(*) FILTER (WHERE NOT (` + failed + `)), coalesce(sum(origin_cost_nanos), 0)::bigint,
			coalesce(sum(latency_us) FILTER (WHERE NOT (` + failed + `)), 0)::bigint, count(f.quality), coalesce(sum(round(f.quality * 1e6)), 0)::bigint
		FROM (SELECT * ` + pastRows + `) AS c LEFT JOIN LATERAL (
			SELECT quality FROM feedback f WHERE f.request_id = c.id AND f.project = $1 AND NOT f.implicit AND f.at < t.first
			ORDER BY f.at DESC, f.id DESC LIMIT 1) AS f ON true) AS p`

const pastExists = `
	SELECT t.unit, EXISTS (SELECT ` + pastRows + `)::int::bigint, 0::bigint, 0::bigint, 0::bigint, 0::bigint, 0::bigint
	FROM unnest($2::text[], $3::timestamptz[]) AS t (unit, first)`
