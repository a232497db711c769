package postgres

import (
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/experiment"
)

// queueResults queues the parts that requests have in experiments, and who
// entered by them. Units are written in one order, so that two workers do not
// wait for each other in a circle. A part in an experiment that the project
// does not have, or of nobody, is none.
func queueResults(batch *pgx.Batch, added []*event.CompletionRecorded) {
	if r := newResultRows(added); len(r.experiments) > 0 {
		batch.Queue(storeResults, r.columns()...)
	}
}

// The arm of a unit is that of its first request, which may become known late;
// when the unit was judged nothing of it changes but what is counted as late.
const storeResults = `
	WITH given AS (
		SELECT t.*, e.observation_us, e.maturity_us,
			CASE e.unit WHEN 'session' THEN t.session WHEN 'request' THEN t.completion_id::text ELSE t.user_id END AS unit
		FROM unnest($1::text[], $2::text[], $3::text[], $4::uuid[], $5::timestamptz[], $6::text[], $7::text[],
			$8::boolean[], $9::boolean[], $10::boolean[], $11::boolean[], $12::bigint[], $13::bigint[], $14::bigint[], $15::bigint[], $16::bigint[],
			$17::float8[], $18::text[], $19::text[])
			AS t (experiment_id, project, arm, completion_id, at, user_id, session,
				ok, answered, cached, fell_back, cost_nanos, paid_nanos, latency_us, tokens_in, tokens_out, complexity, key_id, confidence)
		JOIN experiments e ON e.id = t.experiment_id AND e.project = t.project
			AND e.record->'arms' @> jsonb_build_array(jsonb_build_object('name', t.arm))),
	stored AS (
		INSERT INTO experiment_results (experiment_id, completion_id, unit, arm, at,
			ok, answered, cached, fell_back, cost_nanos, paid_nanos, latency_us, tokens_in, tokens_out, complexity, key_id, confidence)
		SELECT experiment_id, completion_id, unit, arm, at,
			ok, answered, cached, fell_back, cost_nanos, paid_nanos, latency_us, tokens_in, tokens_out, complexity, nullif(key_id, ''), nullif(confidence, '')
		FROM given WHERE unit <> '' ON CONFLICT DO NOTHING RETURNING experiment_id, unit, arm, completion_id, at),
	firsts AS (
		SELECT DISTINCT ON (experiment_id, unit) experiment_id, unit, arm, completion_id, at,
			count(*) OVER (PARTITION BY experiment_id, unit) AS requests
		FROM stored ORDER BY experiment_id, unit, at, completion_id)
	INSERT INTO experiment_units AS u (experiment_id, unit, arm, first_id, exposed_at, matured_at, requests, strays)
	SELECT f.experiment_id, f.unit, f.arm, f.completion_id, f.at, f.at + e.maturity_us * interval '1 microsecond', f.requests,
		(SELECT count(*) FROM stored s WHERE (s.experiment_id, s.unit) = (f.experiment_id, f.unit) AND s.arm <> f.arm)
	FROM firsts f JOIN experiments e ON e.id = f.experiment_id
	ORDER BY f.experiment_id, f.unit
	ON CONFLICT (experiment_id, unit) DO UPDATE SET
		requests = u.requests + excluded.requests,
		strays = u.strays + excluded.strays + (u.arm <> excluded.arm)::int,
		late = u.late + CASE WHEN u.judged AND excluded.exposed_at <= u.matured_at THEN excluded.requests ELSE 0 END,
		(arm, first_id, exposed_at, matured_at) = (SELECT n.arm, n.first_id, n.exposed_at, n.matured_at
			FROM (VALUES (u.arm, u.first_id, u.exposed_at, u.matured_at), (excluded.arm, excluded.first_id, excluded.exposed_at, excluded.matured_at))
				AS n (arm, first_id, exposed_at, matured_at)
			ORDER BY CASE WHEN u.judged THEN n.first_id <> u.first_id ELSE false END, n.exposed_at, n.first_id LIMIT 1)`

// resultRows are rows by columns.
type resultRows struct {
	experiments, projects, arms                          []string
	ids                                                  []uuid.UUID
	ats                                                  []time.Time
	users, sessions                                      []string
	ok, answered, cached, fellBack                       []bool
	costNanos, paidNanos, latencyUS, tokensIn, tokensOut []int64
	complexities                                         []float64
	keys, confidences                                    []string
}

func newResultRows(facts []*event.CompletionRecorded) *resultRows {
	r := new(resultRows)
	for _, f := range facts {
		for _, a := range f.Experiments {
			s, asked := experiment.ServedOf(f), experiment.AskedOf(f)
			r.experiments, r.projects, r.arms = append(r.experiments, a.Experiment), append(r.projects, f.Project), append(r.arms, a.Arm)
			r.ids, r.ats, r.users, r.sessions = append(r.ids, f.ID), append(r.ats, f.At), append(r.users, f.UserID), append(r.sessions, f.SessionID)
			r.ok, r.answered = append(r.ok, s.OK), append(r.answered, s.Answered)
			r.cached, r.fellBack = append(r.cached, s.Cached), append(r.fellBack, s.FellBack)
			r.costNanos, r.paidNanos, r.latencyUS = append(r.costNanos, s.CostNanos), append(r.paidNanos, s.PaidNanos), append(r.latencyUS, s.LatencyUS)
			r.tokensIn, r.tokensOut = append(r.tokensIn, s.TokensIn), append(r.tokensOut, s.TokensOut)
			r.complexities = append(r.complexities, asked.Complexity)
			r.keys, r.confidences = append(r.keys, asked.Key), append(r.confidences, asked.Confidence)
		}
	}
	return r
}

func (r *resultRows) columns() []any {
	return []any{r.experiments, r.projects, r.arms, r.ids, r.ats, r.users, r.sessions,
		r.ok, r.answered, r.cached, r.fellBack, r.costNanos, r.paidNanos, r.latencyUS, r.tokensIn, r.tokensOut,
		r.complexities, r.keys, r.confidences}
}
