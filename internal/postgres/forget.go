package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/experiment"
	"github.com/busuhq/busu/internal/learning"
)

// aliasPrefix begins the name that a user's rows bear who is forgotten.
const aliasPrefix = "forgotten-"

// newAlias is a name by chance. It is kept nowhere but in the rows that bear it.
func newAlias() string { return aliasPrefix + uuid.NewString() }

// Forget cuts what is stored of a project's user from the user, and returns how
// much that was. Requests stay, for money must be countable, and so does that
// they were of one user, for or else what is proven would change: under a name
// by chance, in every table the same. What says who it was goes, with all that
// was seen of the prompts. Facts that come later, of requests from before, are
// nobody's.
//
// The user is noted in a transaction of its own, before anything is looked for:
// whoever stores something, and does not know yet, is waited for. With an error
// the user is noted or not, and nothing else is done.
func (db *DB) Forget(ctx context.Context, project, user string) (removed map[string]int64, err error) {
	if user == "" {
		return nil, errors.New("no user is named: name one")
	}
	err = db.tx(ctx, func(tx pgx.Tx) error { return noteForgotten(ctx, tx, project, user, false) })
	if err == nil {
		err = db.tx(ctx, func(tx pgx.Tx) error {
			s := sweep{tx: tx, project: project, user: user, alias: newAlias(), removed: map[string]int64{}}
			if err := s.all(ctx); err != nil {
				return err
			}
			removed = s.removed
			return noteForgotten(ctx, tx, project, user, true)
		})
	}
	if err != nil {
		return nil, fmt.Errorf("forget a user: %w", err)
	}
	return removed, nil
}

// noteForgotten waits for all who store something without knowing, for as long
// as they take to commit.
func noteForgotten(ctx context.Context, tx pgx.Tx, project, user string, swept bool) error {
	if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(hashtext('busu: forgotten'))`); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, `
		INSERT INTO forgotten AS f (project, who, swept) VALUES ($1, $2, $3)
		ON CONFLICT (project, who) DO UPDATE SET n = DEFAULT, swept = excluded.swept,
			at = CASE WHEN excluded.swept THEN f.at ELSE clock_timestamp() END`, project, whoIs(project, user), swept)
	return err
}

// sweep is a user's rows while they are gone through.
type sweep struct {
	tx                   pgx.Tx
	project, user, alias string
	removed              map[string]int64
}

// all begins with units: a judge who has one in hands is waited for, and sees
// units and requests under the same name.
func (s *sweep) all(ctx context.Context) error {
	sessions, err := s.sessions(ctx)
	if err != nil {
		return err
	}
	if err := s.units(ctx, experiment.UnitUser, []string{s.user}, []string{s.alias}); err != nil {
		return err
	}
	aliases := make([]string, len(sessions))
	for i := range aliases {
		aliases[i] = newAlias()
	}
	if err := s.units(ctx, experiment.UnitSession, sessions, aliases); err != nil {
		return err
	}
	days, err := s.days(ctx)
	if err != nil {
		return err
	}
	for _, day := range days {
		if err := s.day(ctx, day); err != nil {
			return err
		}
	}
	return s.userDays(ctx)
}

// sessions are those of the user that an experiment may know.
func (s *sweep) sessions(ctx context.Context) ([]string, error) {
	rows, err := s.tx.Query(ctx, `SELECT DISTINCT session_id FROM completions
		WHERE project = $1 AND user_id = $2 AND session_id IS NOT NULL AND experiments IS NOT NULL`, s.project, s.user)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// units gives units of the project's experiments other names.
func (s *sweep) units(ctx context.Context, kind experiment.UnitKind, names, aliases []string) error {
	if len(names) == 0 {
		return nil
	}
	if _, err := s.tx.Exec(ctx, `
		SELECT FROM experiments e JOIN experiment_units u ON u.experiment_id = e.id AND u.unit = ANY($3)
		WHERE e.project = $1 AND e.unit = $2 ORDER BY u.experiment_id, u.unit FOR UPDATE OF u`, s.project, kind, names); err != nil {
		return err
	}
	for _, table := range []string{"experiment_units", "experiment_results"} {
		tag, err := s.tx.Exec(ctx, `
			UPDATE `+table+` r SET unit = t.alias FROM experiments e, unnest($3::text[], $4::text[]) AS t (name, alias)
			WHERE e.project = $1 AND e.unit = $2 AND r.experiment_id = e.id AND r.unit = t.name`, s.project, kind, names, aliases)
		if err != nil {
			return err
		}
		s.removed[table] += tag.RowsAffected()
	}
	return nil
}

func (s *sweep) days(ctx context.Context) ([]time.Time, error) {
	rows, err := s.tx.Query(ctx, `SELECT DISTINCT date_trunc('day', at, 'UTC') FROM completions WHERE project = $1 AND user_id = $2`, s.project, s.user)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[time.Time])
}

// day goes through the user's requests of a day, which are in one partition.
func (s *sweep) day(ctx context.Context, day time.Time) error {
	rows, err := s.tx.Query(ctx, `
		UPDATE completions SET user_id = $3, session_id = NULL, caller_id = NULL, metadata = NULL, forgotten = true
		WHERE project = $1 AND user_id = $2 AND at >= $4 AND at < $5 RETURNING id`, s.project, s.user, s.alias, day, day.AddDate(0, 0, 1))
	if err != nil {
		return err
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil {
		return err
	}
	s.removed["completions"] += int64(len(ids))
	for len(ids) > 0 {
		n := min(len(ids), forgetAtOnce)
		if err := s.dependants(ctx, ids[:n]); err != nil {
			return err
		}
		ids = ids[n:]
	}
	return nil
}

// forgetAtOnce bounds the requests that one statement is about.
const forgetAtOnce = 1000

// dependants removes what hangs on requests.
func (s *sweep) dependants(ctx context.Context, ids []uuid.UUID) error {
	batch := new(pgx.Batch)
	queueDependants(batch, ids, func(table string, n int64) { s.removed[table] += n })
	return s.tx.SendBatch(ctx, batch).Close()
}

// withBackground are requests and the calls in the background that were made for
// them, as the tables mine: with their times, by which their days are found.
const withBackground = `WITH mine AS MATERIALIZED (
	SELECT id, to_timestamp(('x' || translate(left(id::text, 13), '-', ''))::bit(48)::bigint / 1000.0) AS at FROM (
		SELECT id FROM unnest($1::uuid[]) AS t (id) UNION
		SELECT c.id FROM completions c WHERE c.origin_id = ANY($1) AND c.strategy IN ('` + event.StrategyShadow + `', '` + event.StrategyJudge + `')) AS all_of_them)
	`

// queueDependants removes what was seen of the prompts of requests, what was
// learned from is blank then, and what people wrote to verdicts on them.
func queueDependants(batch *pgx.Batch, ids []uuid.UUID, tell func(table string, n int64)) {
	list := make([][16]byte, len(ids)) // as UUIDs pgx would take them for texts
	for i, id := range ids {
		list[i] = id
	}
	queue := func(table, sql string, args ...any) {
		batch.Queue(withBackground+sql, append([]any{list}, args...)...).Exec(func(tag pgconn.CommandTag) error {
			tell(table, tag.RowsAffected())
			return nil
		})
	}
	queue("features", `DELETE FROM features f USING mine m WHERE f.id = m.id AND f.at = m.at`)
	queue("lessons", `UPDATE lessons l SET lesson = $2 FROM mine m WHERE l.request_id = m.id AND l.lesson <> $2`, learning.Blank().Encode())
	queue("feedback", `UPDATE feedback f SET comment = NULL, `+wordless+` FROM mine m
		WHERE f.request_id = m.id AND (f.comment IS NOT NULL OR NOT f.implicit AND (f.source IS NOT NULL OR f.feedback_id IS NOT NULL))`)
}

// wordless takes from verdicts the words of those who gave them, but what tells
// verdicts apart that busu gave.
const wordless = `
	source = CASE WHEN implicit OR starts_with(feedback_id, '` + event.FeedbackByJudge + `') THEN source END,
	feedback_id = CASE WHEN starts_with(feedback_id, '` + event.FeedbackByJudge + `') THEN feedback_id END`

// queueForgotten marks facts that were nobody's when they were stored, and
// removes what was stored before them.
func queueForgotten(batch *pgx.Batch, ids []uuid.UUID) {
	if len(ids) == 0 {
		return
	}
	list, ats := make([][16]byte, len(ids)), make([]time.Time, len(ids))
	for i, id := range ids {
		list[i], ats[i] = id, event.TimeOf(id)
	}
	batch.Queue(`UPDATE completions c SET forgotten = true FROM unnest($1::uuid[], $2::timestamptz[]) AS t (id, at) WHERE c.id = t.id AND c.at = t.at`, list, ats)
	queueDependants(batch, ids, func(string, int64) {})
}

// queueWordless takes the words from verdicts on requests that are forgotten.
func queueWordless(batch *pgx.Batch, k known, rows *feedbackRows) {
	var list [][16]byte
	var ats []time.Time
	for _, id := range rows.requests {
		if at := event.TimeOf(id); k.mayBeOf(at) {
			list, ats = append(list, id), append(ats, at)
		}
	}
	if len(list) == 0 {
		return
	}
	batch.Queue(`
		UPDATE feedback f SET comment = NULL, `+wordless+` FROM unnest($1::uuid[], $2::timestamptz[]) AS t (id, at)
		CROSS JOIN LATERAL (SELECT forgotten FROM completions c WHERE c.id = t.id AND c.at = t.at LIMIT 1) AS c
		WHERE f.request_id = t.id AND c.forgotten`, list, ats)
}

// userDays gives what is added up of the user's days the same name.
func (s *sweep) userDays(ctx context.Context) error {
	tag, err := s.tx.Exec(ctx, `
		UPDATE user_days SET user_id = $3 WHERE project = $1 AND user_id = $2 AND day IN (
			SELECT generate_series(min(day), max(day), '1 day')::date FROM user_days WHERE project = $1)`, s.project, s.user, s.alias)
	if err == nil {
		s.removed["user_days"] += tag.RowsAffected()
	}
	return err
}

// ExpireForgotten removes up to most notes of users who were forgotten before a
// time, and returns how many; 0: none is left.
func (db *DB) ExpireForgotten(ctx context.Context, before time.Time, most int) (removed int64, err error) {
	tag, err := db.pool.Exec(ctx, `DELETE FROM forgotten WHERE (project, who) IN (SELECT project, who FROM forgotten WHERE at < $1 ORDER BY at LIMIT $2)`, before, most)
	if err != nil {
		return 0, fmt.Errorf("expire who is forgotten: %w", err)
	}
	return tag.RowsAffected(), nil
}
