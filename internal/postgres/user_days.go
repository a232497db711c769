package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/busuhq/busu/internal/event"
)

// usersAtOnce are counted anew by one statement.
const usersAtOnce = 1_000

// CountUserDays adds what was stored since the last time to what users' requests
// of a day add up to, up to most requests and a tenth as many verdicts, and
// reports whether more is due. A user's requests are compared for the
// observation, from the first one on and at most until the day ends, and verdicts
// on them for so long after that.
//
// Every seq that is stored is counted once, whatever came before it. Users whose
// sums a request or a verdict changes otherwise than by adding are counted anew,
// from what is counted of them.
func (db *DB) CountUserDays(ctx context.Context, most int, observation, verdicts time.Duration) (more bool, err error) {
	err = db.heeding(ctx, func(k known) error {
		return db.tx(ctx, func(tx pgx.Tx) error {
			var err error
			if more, err = countUserDays(ctx, tx, most, observation, verdicts); err != nil {
				return err
			}
			_, err = tx.Exec(ctx, heed, k.n)
			return err
		})
	})
	if err != nil {
		return false, fmt.Errorf("count days of users: %w", err)
	}
	return more, nil
}

// countUserDays keeps partitions as they are: a statement that was planned before
// requests moved to the partition of their day, and is executed after, sees them
// nowhere, and they would be noted as counted.
func countUserDays(ctx context.Context, tx pgx.Tx, most int, observation, verdicts time.Duration) (more bool, err error) {
	if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(hashtext('busu: days of users')); LOCK TABLE completions_default IN ACCESS SHARE MODE`); err != nil {
		return false, err
	}
	var now time.Time
	if err := tx.QueryRow(ctx, `SELECT clock_timestamp()`).Scan(&now); err != nil {
		return false, err
	}
	due, err := dueSeqs(ctx, tx)
	if err != nil {
		return false, err
	}
	requests, moreRequests := takeDue(due, event.Completions, most)
	opinions, moreOpinions := takeDue(due, event.Feedback, (most+9)/10)
	var stale userDays
	if requests.any() {
		if err := stale.read(ctx, tx, addUserDays, requests.args(observation, verdicts)...); err != nil {
			return false, err
		}
		if err := noteCounted(ctx, tx, event.Completions, requests); err != nil {
			return false, err
		}
	}
	if opinions.any() {
		if err := stale.read(ctx, tx, judgedUserDays, opinions.args()...); err != nil {
			return false, err
		}
		if err := noteCounted(ctx, tx, event.Feedback, opinions); err != nil {
			return false, err
		}
	}
	if err := stale.recount(ctx, tx, observation, verdicts); err != nil {
		return false, err
	}
	if moreRequests || moreOpinions {
		return true, nil
	}
	_, err = tx.Exec(ctx, `INSERT INTO counted (until) VALUES ($1) ON CONFLICT (one) DO UPDATE SET until = excluded.until`, now)
	return false, err
}

// userDays are some of users' days, each perhaps several times.
type userDays struct {
	projects []string
	days     []time.Time
	users    []string
}

func (u *userDays) read(ctx context.Context, tx pgx.Tx, sql string, args ...any) error {
	rows, err := tx.Query(ctx, sql, args...)
	if err != nil {
		return err
	}
	var project, user string
	var day time.Time
	_, err = pgx.ForEachRow(rows, []any{&project, &day, &user}, func() error {
		u.projects, u.days, u.users = append(u.projects, project), append(u.days, day), append(u.users, user)
		return nil
	})
	return err
}

func (u *userDays) recount(ctx context.Context, tx pgx.Tx, observation, verdicts time.Duration) error {
	for from := 0; from < len(u.users); from += usersAtOnce {
		to := min(from+usersAtOnce, len(u.users))
		if _, err := tx.Exec(ctx, recountUserDays, u.projects[from:to], u.days[from:to], u.users[from:to], observation, verdicts); err != nil {
			return err
		}
	}
	return nil
}

// timeOf is the time in a UUIDv7, as SQL.
func timeOf(id string) string {
	return `to_timestamp(('x' || translate(left(` + id + `::text, 13), '-', ''))::bit(48)::bigint / 1000.0)`
}

// decided says of whose requests a strategy decided: callers' that named no
// model.
const decided = `strategy NOT IN ('model', '` + event.StrategyShadow + `', '` + event.StrategyJudge + `')`

// userDaySums are the columns of user_days behind its key, and what they are of
// a day's requests.
var userDaySums = []struct{ column, sum string }{
	{"first_at", `min(first_at)`},
	{"requests", `count(*)`},
	{"added", `count(*)`},
	{"cost_nanos", `sum(cost_nanos)`},
	{"origin_cost_nanos", `sum(origin_cost_nanos)`},
	{"baseline_cost_nanos", `sum(baseline_cost_nanos)`},
	{"good", `count(*) FILTER (WHERE ok AND NOT coalesce(bad, false))`},
	{"judged", `count(quality)`},
	{"quality_sum", `coalesce(sum(quality), 0)`},
	{"latency_us", `sum(latency_us)`},
	{"unpriced", `count(*) FILTER (WHERE unpriced)`},
	{"planned", `count(planned_nanos)`},
	{"planned_nanos", `coalesce(sum(planned_nanos), 0)`},
	{"planned_quality", `coalesce(sum(planned_quality), 0)`},
	{"cheapest_nanos", `coalesce(sum(cheapest_nanos), 0)`},
	{"cheapest_quality", `coalesce(sum(cheapest_quality), 0)`},
	{"dearest_nanos", `coalesce(sum(dearest_nanos), 0)`},
	{"dearest_quality", `coalesce(sum(dearest_quality), 0)`},
	{"observed_until", `min(observed_until)`},
	{"judged_until", `min(judged_until)`},
	{"observed", `count(*) FILTER (WHERE at < observed_until)`},
	{"observed_nanos", `coalesce(sum(origin_cost_nanos) FILTER (WHERE at < observed_until), 0)`},
	{"observed_good", `count(*) FILTER (WHERE at < observed_until AND ok AND NOT coalesce(bad_then, false))`},
	{"observed_judged", `count(quality_then) FILTER (WHERE at < observed_until)`},
	{"observed_quality", `coalesce(sum(quality_then) FILTER (WHERE at < observed_until), 0)`},
	{"observed_us", `coalesce(sum(latency_us) FILTER (WHERE at < observed_until), 0)`},
}

// requestOfDay is what is counted of a request. Its user is empty where it has
// none.
const requestOfDay = `c.id, c.project, (c.at AT TIME ZONE 'UTC')::date AS day, coalesce(c.user_id, '') AS user_id,
	c.holdout, c.strategy = 'baseline' AND NOT c.holdout AS guarded, c.at, c.status = 'ok' AS ok,
	c.cost_nanos, c.origin_cost_nanos, c.baseline_cost_nanos, c.latency_us, c.unpriced, coalesce(c.price_version, '') AS price_version,
	CASE WHEN NOT c.holdout AND c.strategy <> 'baseline' THEN c.candidates END AS candidates, c.planned_model, c.baseline_model`

// startOf is when a day begins, as SQL.
func startOf(day string) string { return `((` + day + `)::timestamp AT TIME ZONE 'UTC')` }

// withRequests begins a statement with the table mine, of which userDaySums are:
// requests, of which each is a requestOfDay, with what is known of the rows that
// they belong to, from groups, with verdicts, and with what their plans expected.
// Verdicts that nobody gave are left out: only answers of strategies that learn
// have any, and would look worse for it; so are a judge's, who sees none of the
// hold-out's answers.
func withRequests(requests, groups string) string {
	return `
		WITH requests AS MATERIALIZED (` + requests + `),
		groups AS MATERIALIZED (` + groups + `),
		mine AS (
			SELECT r.*, g.first_at, g.observed_until, g.judged_until, g.stale, said.*, plans.*
			FROM requests r JOIN groups g USING (project, day, user_id, holdout, guarded)
			CROSS JOIN LATERAL (
				SELECT avg(f.quality) AS quality, bool_or(f.bad) AS bad,
					avg(f.quality) FILTER (WHERE f.at < g.judged_until) AS quality_then, bool_or(f.bad) FILTER (WHERE f.at < g.judged_until) AS bad_then
				FROM feedback f WHERE f.request_id = r.id AND f.project = r.project AND f.state <> 'refused'
					AND NOT f.implicit AND NOT coalesce(starts_with(f.feedback_id, '` + event.FeedbackByJudge + `'), false)) AS said
			LEFT JOIN LATERAL (
				SELECT planned_nanos, planned_quality, cheapest_nanos, cheapest_quality, dearest_nanos, dearest_quality
				FROM (SELECT
					min(nanos) FILTER (WHERE model = r.planned_model) AS planned_nanos, min(quality) FILTER (WHERE model = r.planned_model) AS planned_quality,
					min(nanos) AS cheapest_nanos, (array_agg(quality ORDER BY nanos, quality DESC))[1] AS cheapest_quality,
					min(nanos) FILTER (WHERE model = r.baseline_model) AS dearest_nanos, min(quality) FILTER (WHERE model = r.baseline_model) AS dearest_quality
					FROM jsonb_to_recordset(r.candidates) AS c (model text, quality float8, cost_nanos bigint, unpriced boolean),
						LATERAL (SELECT c.cost_nanos AS nanos) AS n
					WHERE NOT coalesce(unpriced, false)) AS listed
				WHERE planned_nanos IS NOT NULL AND dearest_nanos IS NOT NULL) AS plans ON r.candidates IS NOT NULL)`
}

// insertUserDays is what mine adds up to, where it is not there yet, and what
// becomes of a column where it is.
func insertUserDays(where string, becomes func(column string) string) string {
	columns, sums, updates := "", "", ""
	for i, s := range userDaySums {
		if i > 0 {
			updates += ", "
		}
		columns += ", " + s.column
		sums += ", " + s.sum
		updates += s.column + " = " + becomes(s.column)
	}
	return `
		INSERT INTO user_days AS u (project, day, user_id, holdout, guarded` + columns + `)
		SELECT project, day, user_id, holdout, guarded` + sums + ` FROM mine ` + where + ` GROUP BY project, day, user_id, holdout, guarded
		ON CONFLICT (project, day, user_id, holdout, guarded) DO UPDATE SET ` + updates
}

// addUserDays takes runs of seqs, the observation, and how long verdicts are
// waited for, adds their requests, and gives the days of users that have to be
// counted anew instead: those that an earlier release counted since, and those
// whose first request was not the first. Each run is looked up by itself, and so
// is each user, whatever PostgreSQL knows of how many there are. Of requests
// without a user it is not asked when the first was.
var addUserDays = withRequests(`
		SELECT r.* FROM unnest($1::text[], $2::int[], $3::bigint[], $4::bigint[]) AS due (journal, partition, first, last) CROSS JOIN LATERAL (
			SELECT `+requestOfDay+` FROM completions c
			WHERE c.journal = due.journal AND c.partition = due.partition AND c.seq >> 10 BETWEEN due.first >> 10 AND due.last >> 10
				AND c.seq BETWEEN due.first AND due.last AND `+decided+` OFFSET 0) AS r`, `
		SELECT g.project, g.day, g.user_id, g.holdout, g.guarded, coalesce(u.first_at, g.first_at) AS first_at,
			coalesce(u.observed_until, least(g.first_at + $5::interval, `+startOf("g.day + 1")+`)) AS observed_until,
			coalesce(u.judged_until, least(g.first_at + $5::interval, `+startOf("g.day + 1")+`) + $6::interval) AS judged_until,
			coalesce(u.requests <> u.added OR g.user_id <> '' AND g.first_at < u.first_at, false) AS stale
		FROM (SELECT project, day, user_id, holdout, guarded, min(at) AS first_at FROM requests GROUP BY project, day, user_id, holdout, guarded) AS g
		LEFT JOIN LATERAL (
			SELECT first_at, observed_until, judged_until, requests, added FROM user_days u
			WHERE u.project = g.project AND u.day = g.day AND u.user_id = g.user_id AND u.holdout = g.holdout AND u.guarded = g.guarded
			OFFSET 0) AS u ON true`) + `,
		added AS (` + insertUserDays("WHERE NOT stale", func(column string) string {
	switch column {
	case "first_at":
		return "least(u.first_at, excluded.first_at)"
	case "observed_until", "judged_until":
		return "u." + column
	}
	return "u." + column + " + excluded." + column
}) + `),
		priced AS (
			INSERT INTO priced_days AS p (project, day, price_version, baseline_model, requests, unpriced)
			SELECT project, day, price_version, baseline_model, count(*), count(*) FILTER (WHERE unpriced) FROM requests GROUP BY 1, 2, 3, 4
			ON CONFLICT (project, day, price_version, baseline_model)
			DO UPDATE SET requests = p.requests + excluded.requests, unpriced = p.unpriced + excluded.unpriced)
		SELECT project, day, user_id FROM groups WHERE stale`

// judgedUserDays takes runs of seqs of verdicts, and gives the days of users
// that they are about. Of requests without a user nobody asks how good they were.
var judgedUserDays = `
		SELECT DISTINCT c.project, (c.at AT TIME ZONE 'UTC')::date, c.user_id
		FROM unnest($1::text[], $2::int[], $3::bigint[], $4::bigint[]) AS due (journal, partition, first, last) CROSS JOIN LATERAL (
			SELECT f.project, f.request_id FROM feedback f
			WHERE f.journal = due.journal AND f.partition = due.partition AND f.seq >> 10 BETWEEN due.first >> 10 AND due.last >> 10
				AND f.seq BETWEEN due.first AND due.last AND NOT f.implicit OFFSET 0) AS f
		CROSS JOIN LATERAL (
			SELECT project, at, user_id FROM completions WHERE id = f.request_id AND at = ` + timeOf("f.request_id") + `
				AND project = f.project AND user_id IS NOT NULL AND ` + decided + ` OFFSET 0) AS c`

// recountUserDays takes days of users, the observation, and how long verdicts
// are waited for. Only rows that changed are written.
var recountUserDays = func() string {
	of := func(user string) string {
		return `
			SELECT ` + requestOfDay + ` FROM completions c
			WHERE c.project = w.project AND ` + user + ` AND c.at >= ` + startOf("w.day") + ` AND c.at < ` + startOf("w.day + 1") + ` AND ` + decided + `
				AND c.seq <@ (SELECT seqs FROM counted_marks m WHERE m.journal = c.journal AND m.stream = 'completions' AND m.partition = c.partition)`
	}
	old, fresh := "", ""
	for i, s := range userDaySums {
		if i > 0 {
			old, fresh = old+", ", fresh+", "
		}
		old, fresh = old+"u."+s.column, fresh+"excluded."+s.column
	}
	return withRequests(`
		SELECT r.* FROM (SELECT DISTINCT * FROM unnest($1::text[], $2::date[], $3::text[]) AS w (project, day, user_id)) AS w CROSS JOIN LATERAL (`+
		of("w.user_id <> '' AND c.user_id = w.user_id")+` UNION ALL`+of("w.user_id = '' AND c.user_id IS NULL")+` OFFSET 0) AS r`, `
		SELECT project, day, user_id, holdout, guarded, min(at) AS first_at, least(min(at) + $4::interval, `+startOf("day + 1")+`) AS observed_until,
			least(min(at) + $4::interval, `+startOf("day + 1")+`) + $5::interval AS judged_until, false AS stale
		FROM requests GROUP BY project, day, user_id, holdout, guarded`) + insertUserDays("", func(column string) string { return "excluded." + column }) + `
		WHERE (` + old + `) IS DISTINCT FROM (` + fresh + `)`
}()

// ForgetUserDays removes the days before a time.
func (db *DB) ForgetUserDays(ctx context.Context, before time.Time) error {
	_, err := db.pool.Exec(ctx, `WITH priced AS (DELETE FROM priced_days WHERE day < $1::timestamptz::date)
		DELETE FROM user_days WHERE day < $1::timestamptz::date`, before)
	if err != nil {
		return fmt.Errorf("remove old days of users: %w", err)
	}
	return nil
}
