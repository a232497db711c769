package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/verdict"
)

// queueImplicit stores the verdicts that answers are on themselves, beside the
// facts that bring them: of those that something can be learned of. They wait
// until it is late for somebody to judge.
func queueImplicit(batch *pgx.Batch, added []*event.CompletionRecorded) {
	var ids [][16]byte
	var ats []time.Time
	var projects, keys, sources, journals []string
	var partitions []int32
	var seqs []int64
	for _, f := range added {
		if f.Implicit == "" || len(f.Features) == 0 || f.Failed() {
			continue
		}
		ids, ats, projects, keys = append(ids, f.ID), append(ats, f.At), append(projects, f.Project), append(keys, f.KeyID)
		sources = append(sources, verdict.ImplicitSource+f.Implicit)
		journals, partitions, seqs = append(journals, f.Journal), append(partitions, int32(f.Partition)), append(seqs, f.Seq)
	}
	if len(ids) == 0 {
		return
	}
	batch.Queue(`
		INSERT INTO feedback (id, at, project, key_id, request_id, source, score, quality, bad, journal, partition, seq, implicit, next_try)
		SELECT id, at, project, nullif(key_id, ''), id, source, 0, 0, true, journal, partition, seq, true, now() + $9
		FROM unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::text[], $5::text[], $6::text[], $7::int[], $8::bigint[])
			AS t (id, at, project, key_id, source, journal, partition, seq)
		ON CONFLICT DO NOTHING`, ids, ats, projects, keys, sources, journals, partitions, seqs, verdict.ImplicitWait)
}

// NoteRegenerated finds the answers of a stretch of time after which their user
// asked the same again at once, and was answered anew: verdicts that nobody
// gave. It begins at from and goes as far as all is stored, but not beyond a
// minute that verdicts have to come, nor further than most; it returns where it
// ended, which is from where another process does it. Noting one again changes
// nothing.
func (db *DB) NoteRegenerated(ctx context.Context, from, now time.Time, most time.Duration) (until time.Time, err error) {
	err = db.tx(ctx, func(tx pgx.Tx) error {
		var ours bool
		until = from
		if err := tx.QueryRow(ctx, `SELECT pg_try_advisory_xact_lock(hashtext('busu: regenerated'))`).Scan(&ours); err != nil || !ours {
			return err
		}
		stored, err := scanWatermark(tx.QueryRow(ctx, watermarkSQL, watermarkArgs(now)...))
		if err != nil {
			return err
		}
		until = earliest(stored.Add(-verdict.RegeneratedWithin), now.Add(-verdict.ImplicitWait), from.Add(most))
		if !until.After(from) {
			until = from
			return nil
		}
		// PostgreSQL's statistics are of a while ago, and say that a stretch of just
		// now has hardly a row: it would look at all of it again for each of its rows.
		if _, err := tx.Exec(ctx, `SET LOCAL enable_nestloop = off`); err != nil {
			return err
		}
		last := until.Add(verdict.RegeneratedWithin)
		_, err = tx.Exec(ctx, noteRegenerated, from, until, last, lowestID(from), lowestID(last.Add(time.Millisecond)),
			verdict.RegeneratedWithin, verdict.ImplicitSource+verdict.Regenerated, verdict.RegeneratedQuality)
		return err
	})
	if err != nil {
		return from, fmt.Errorf("find what was asked again: %w", err)
	}
	return until, nil
}

// The same question has the same words, and would cost the same: a "go on"
// behind a longer conversation costs more.
const noteRegenerated = `
	INSERT INTO feedback (id, at, project, key_id, request_id, source, score, quality, bad, journal, partition, seq, implicit)
	SELECT id, at, project, key_id, id, $7, $8, $8, true, journal, partition, seq, true
	FROM (
		SELECT c.id, c.at, c.project, c.key_id, c.status, c.journal, c.partition, c.seq, c.candidates,
			lead(c.at) OVER same AS again, lead(c.candidates) OVER same AS candidates_again
		FROM completions c JOIN features f ON f.id = c.id AND f.at = c.at
		WHERE c.at >= $1 AND c.at <= $3 AND f.at >= $1 AND f.at <= $3 AND c.id >= $4 AND c.id < $5 AND f.id >= $4 AND f.id < $5
			AND c.cache = 'miss' AND c.user_id IS NOT NULL
		WINDOW same AS (PARTITION BY c.project, c.user_id, f.features ORDER BY c.id)) AS asked
	WHERE at < $2 AND again <= at + $6::interval AND NOT ` + failed + `
		AND (SELECT max((m->>'cost_nanos')::numeric) FROM jsonb_array_elements(candidates) AS m)
			= (SELECT max((m->>'cost_nanos')::numeric) FROM jsonb_array_elements(candidates_again) AS m)
	ON CONFLICT DO NOTHING`

func earliest(first time.Time, others ...time.Time) time.Time {
	for _, t := range others {
		if t.Before(first) {
			first = t
		}
	}
	return first
}

// lessonsLately is how many lessons count as those of lately.
const lessonsLately = 2000

// taughtLately tells cases that nobody gave what taught their learners lately.
func taughtLately(ctx context.Context, tx pgx.Tx, cases []verdict.Case) error {
	tallies := map[string]*verdict.Tally{} // by project and strategy
	for i := range cases {
		if c := &cases[i]; c.Implicit && c.Answer != nil {
			key := c.Learner() + " " + c.Answer.Project
			if tallies[key] == nil {
				tallies[key] = new(verdict.Tally)
			}
			c.Lately = tallies[key]
		}
	}
	if len(tallies) == 0 {
		return nil
	}
	for i := range cases { // and the others, who teach the same learners
		if c := &cases[i]; c.Answer != nil {
			c.Lately = tallies[c.Learner()+" "+c.Answer.Project]
		}
	}
	rows, err := tx.Query(ctx, `SELECT strategy || ' ' || project, count(*) FILTER (WHERE NOT implicit), count(*) FILTER (WHERE implicit)
		FROM lessons WHERE n > (SELECT max(n) FROM lessons) - $1 AND request_id IS NOT NULL GROUP BY 1`, lessonsLately)
	if err != nil {
		return err
	}
	var key string
	var t verdict.Tally
	_, err = pgx.ForEachRow(rows, []any{&key, &t.Given, &t.Implicit}, func() error {
		if tallies[key] != nil {
			*tallies[key] = t
		}
		return nil
	})
	return err
}
