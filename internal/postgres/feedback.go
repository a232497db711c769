package postgres

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/requests"
)

// Feedback is the table of verdicts on answers.
type Feedback struct{ db *DB }

// Feedback gives the table of verdicts on answers.
func (db *DB) Feedback() *Feedback { return &Feedback{db} }

// Discard is DB.Discard.
func (t *Feedback) Discard(ctx context.Context, f event.Fact) error { return t.db.Discard(ctx, f) }

// Persist stores verdicts and marks the seqs of all as stored, in one
// transaction. It returns the ids of those that were not there before. Storing
// one again changes nothing, and neither does another with the same
// feedback_id; but one that was refused, and is put back from the dead letters,
// is looked at again. An error for which Unstorable is true means that one of
// them can never be stored.
func (t *Feedback) Persist(ctx context.Context, facts []*event.FeedbackRecorded) (added []uuid.UUID, err error) {
	err = t.db.heeding(ctx, func(k known) error {
		added, err = t.persist(ctx, k, facts)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("persist %d verdicts: %w", len(facts), err)
	}
	return added, nil
}

func (t *Feedback) persist(ctx context.Context, k known, facts []*event.FeedbackRecorded) (added []uuid.UUID, err error) {
	rows := newFeedbackRows(facts)
	err = t.db.tx(ctx, func(tx pgx.Tx) error {
		added = nil
		batch := new(pgx.Batch)
		batch.Queue(`UPDATE feedback SET state = 'waiting', note = NULL, next_try = now() WHERE id = ANY($1) AND state = 'refused'`, rows.ids)
		batch.Queue(`
			INSERT INTO feedback (id, at, project, key_id, request_id, feedback_id, source, comment,
				rating, correct, score, quality, bad, journal, partition, seq)
			SELECT id, at, project, nullif(key_id, ''), request_id, nullif(feedback_id, ''), nullif(source, ''), nullif(comment, ''),
				nullif(rating, 0), correct, score, quality, bad, journal, partition, seq
			FROM unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::text[], $5::uuid[], $6::text[], $7::text[], $8::text[],
				$9::smallint[], $10::boolean[], $11::float8[], $12::float8[], $13::boolean[], $14::text[], $15::int[], $16::bigint[])
				AS t (id, at, project, key_id, request_id, feedback_id, source, comment,
					rating, correct, score, quality, bad, journal, partition, seq)
			ON CONFLICT DO NOTHING RETURNING id`, rows.columns()...).Query(func(ids pgx.Rows) (err error) {
			added, err = pgx.CollectRows(ids, pgx.RowTo[uuid.UUID])
			return err
		})
		queueWordless(batch, k, rows)
		queueMarks(batch, facts) // late: workers compete for them
		batch.Queue(heed, k.n)
		return tx.SendBatch(ctx, batch).Close()
	})
	return added, err
}

// feedbackRows are rows by columns.
type feedbackRows struct {
	ids, requests              [][16]byte // as UUIDs pgx would take them for texts
	ats                        []time.Time
	projects, keys             []string
	callers, sources, comments []string
	ratings                    []int16
	corrects                   []*bool
	scores                     []*float64
	qualities                  []float64
	bads                       []bool
	journals                   []string
	partitions                 []int32
	seqs                       []int64
}

// newFeedbackRows puts verdicts in the order of their ids, so that workers who
// store the same ones wait for each other and not in a circle.
func newFeedbackRows(facts []*event.FeedbackRecorded) *feedbackRows {
	facts = slices.SortedStableFunc(slices.Values(facts), func(a, b *event.FeedbackRecorded) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	r := new(feedbackRows)
	for _, f := range facts {
		r.ids, r.ats, r.requests = append(r.ids, f.ID), append(r.ats, f.At), append(r.requests, f.RequestID)
		r.projects, r.keys = append(r.projects, f.Project), append(r.keys, f.KeyID)
		r.callers, r.sources, r.comments = append(r.callers, f.FeedbackID), append(r.sources, f.Source), append(r.comments, f.Comment)
		r.ratings, r.corrects, r.scores = append(r.ratings, int16(f.Rating)), append(r.corrects, f.Correct), append(r.scores, f.Score)
		r.qualities, r.bads = append(r.qualities, f.Quality()), append(r.bads, f.Bad())
		r.journals, r.partitions, r.seqs = append(r.journals, f.Journal), append(r.partitions, int32(f.Partition)), append(r.seqs, f.Seq)
	}
	return r
}

func (r *feedbackRows) columns() []any {
	return []any{r.ids, r.ats, r.projects, r.keys, r.requests, r.callers, r.sources, r.comments,
		r.ratings, r.corrects, r.scores, r.qualities, r.bads, r.journals, r.partitions, r.seqs}
}

// mostVerdicts bounds what is shown of one request.
const mostVerdicts = 1000

// FeedbackOf gives the verdicts of a project on one of its requests, in the
// order in which they came: the first thousand.
func (db *DB) FeedbackOf(ctx context.Context, project string, request uuid.UUID) ([]requests.Feedback, error) {
	rows, err := db.pool.Query(ctx, `
		SELECT id, at, feedback_id, source, comment, rating, correct, score, quality, bad, state, note
		FROM feedback WHERE request_id = $1 AND project = $2 ORDER BY id LIMIT $3`, request, project, mostVerdicts)
	if err != nil {
		return nil, fmt.Errorf("read feedback on %s: %w", request, err)
	}
	verdicts, err := pgx.CollectRows(rows, pgx.RowToStructByPos[requests.Feedback])
	if err != nil {
		return nil, fmt.Errorf("read feedback on %s: %w", request, err)
	}
	for i := range verdicts {
		verdicts[i].At = verdicts[i].At.UTC()
	}
	return verdicts, nil
}
