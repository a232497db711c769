package postgres

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"

	"github.com/busuhq/busu/internal/cache"
)

// ResponseCache is the table of answers that may be given again.
type ResponseCache struct{ db *DB }

// ResponseCache gives the table of answers that may be given again.
func (db *DB) ResponseCache() *ResponseCache { return &ResponseCache{db} }

// Find returns the entry of the first of models that has one, or nil.
func (c *ResponseCache) Find(ctx context.Context, k cache.Key, models []string) ([]byte, error) {
	var entry []byte
	err := c.db.pool.QueryRow(ctx, `
		SELECT entry FROM response_cache
		WHERE key = $1 AND model = ANY($2) AND expires_at > now()
		ORDER BY array_position($2, model) LIMIT 1`, k.Sum[:], models).Scan(&entry)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("find cached answer: %w", err)
	}
	return entry, nil
}

// Keep stores the items that a row can hold, each in place of the older answer
// of its model, and returns how many.
func (c *ResponseCache) Keep(ctx context.Context, items []cache.Item, _ time.Time) (int, error) {
	rows, err := newCacheRows(items)
	if err != nil {
		return 0, fmt.Errorf("keep %d answers: %w", len(items), err)
	}
	_, err = c.db.pool.Exec(ctx, `
		INSERT INTO response_cache (key, model, provider, project, user_id, request_id, experiments, holdout,
			tokens_in, tokens_out, cost_nanos, entry, at, expires_at)
		SELECT key, model, provider, project, nullif(user_id, ''), request_id, nullif(experiments, 'null'), holdout,
			tokens_in, tokens_out, cost_nanos, substring($16::bytea FROM begins FOR length), at, expires_at
		FROM unnest($1::bytea[], $2::text[], $3::text[], $4::text[], $5::text[], $6::uuid[], $7::jsonb[], $8::boolean[],
			$9::bigint[], $10::bigint[], $11::bigint[], $12::integer[], $13::integer[], $14::timestamptz[], $15::timestamptz[])
			AS t (key, model, provider, project, user_id, request_id, experiments, holdout,
				tokens_in, tokens_out, cost_nanos, begins, length, at, expires_at)
		ON CONFLICT (key, model) DO UPDATE SET provider = excluded.provider, project = excluded.project,
			user_id = excluded.user_id, request_id = excluded.request_id, experiments = excluded.experiments,
			holdout = excluded.holdout, tokens_in = excluded.tokens_in, tokens_out = excluded.tokens_out,
			cost_nanos = excluded.cost_nanos, entry = excluded.entry, at = excluded.at, stored_at = now(),
			expires_at = excluded.expires_at
		WHERE excluded.at >= response_cache.at`, rows.columns()...)
	if err != nil {
		return 0, fmt.Errorf("keep %d answers: %w", len(items), err)
	}
	return len(rows.keys), nil
}

// cacheRows are rows by columns. The entries are one text, of which each row
// takes its part: of a list of them, pgx allocates 8.6 KB for each answer of 900
// bytes, of this 5.7.
type cacheRows struct {
	keys                               [][]byte
	models, providers, projects, users []string
	requests                           [][16]byte // not uuid.UUID, which pgx writes as text, and reads that: 12 objects each
	experiments                        [][]byte
	holdouts                           []bool
	tokensIn, tokensOut, costs         []int64
	begins, lengths                    []int32 // of entries, the first byte is 1
	ats, expiries                      []time.Time
	entries                            []byte
}

func (r *cacheRows) columns() []any {
	return []any{r.keys, r.models, r.providers, r.projects, r.users, r.requests, r.experiments, r.holdouts,
		r.tokensIn, r.tokensOut, r.costs, r.begins, r.lengths, r.ats, r.expiries, r.entries}
}

// newCacheRows puts items in the order of their places, so that processes that
// store the same ones wait for each other and not in a circle; of several in
// one place the newest.
func newCacheRows(items []cache.Item) (*cacheRows, error) {
	order := make([]*cache.Item, len(items))
	var size int
	for n := range items {
		order[n] = &items[n]
		size += len(items[n].Body)
	}
	place := func(a, b *cache.Item) int {
		return cmp.Or(bytes.Compare(a.Key.Sum[:], b.Key.Sum[:]), cmp.Compare(a.Entry.Model, b.Entry.Model))
	}
	slices.SortStableFunc(order, func(a, b *cache.Item) int { return cmp.Or(place(a, b), a.Entry.At.Compare(b.Entry.At)) })
	rows := &cacheRows{entries: make([]byte, 0, size)}
	for n, i := range order {
		if n+1 < len(order) && place(i, order[n+1]) == 0 || !isStorable(i.Entry) {
			continue
		}
		if err := rows.add(i); err != nil {
			return nil, err
		}
	}
	return rows, nil
}

func (r *cacheRows) add(i *cache.Item) error {
	e := i.Entry
	experiments, err := json.Marshal(e.Experiments)
	if err != nil {
		return err
	}
	r.keys = append(r.keys, i.Key.Sum[:])
	r.begins, r.lengths = append(r.begins, int32(len(r.entries)+1)), append(r.lengths, int32(len(i.Body)))
	r.entries = append(r.entries, i.Body...)
	r.models, r.providers = append(r.models, e.Model), append(r.providers, e.Provider)
	r.projects, r.users, r.requests = append(r.projects, e.Project), append(r.users, e.UserID), append(r.requests, e.RequestID)
	r.experiments, r.holdouts = append(r.experiments, experiments), append(r.holdouts, e.Holdout)
	r.tokensIn, r.tokensOut = append(r.tokensIn, e.Response.Usage.In), append(r.tokensOut, e.Response.Usage.Out)
	r.costs, r.ats, r.expiries = append(r.costs, e.CostNanos), append(r.ats, e.At), append(r.expiries, i.Until)
	return nil
}

// isStorable reports whether PostgreSQL can hold the entry's texts.
func isStorable(e *cache.Entry) bool {
	ok := func(s string) bool { return utf8.ValidString(s) && !strings.ContainsRune(s, 0) }
	for _, a := range e.Experiments {
		if !ok(a.Experiment) || !ok(a.Arm) {
			return false
		}
	}
	return ok(e.Model) && ok(e.Provider) && ok(e.Project) && ok(e.UserID)
}

// Forget removes entries, and returns how many.
func (c *ResponseCache) Forget(ctx context.Context, g cache.Gone) (int64, error) {
	sql, args := `DELETE FROM response_cache WHERE project = $1`, []any{g.Project}
	switch {
	case len(g.Requests) > 0:
		sql, args = sql+` AND request_id = ANY ($2)`, append(args, g.Requests)
	case g.UserID != "":
		sql, args = sql+` AND user_id = $2`, append(args, g.UserID)
	}
	tag, err := c.db.pool.Exec(ctx, sql, args...)
	if err != nil {
		return 0, fmt.Errorf("forget cached answers: %w", err)
	}
	return tag.RowsAffected(), nil
}

// storingTakes is longer than it takes to store a batch: what was begun before
// a look at the table may have become visible since.
const storingTakes = 3 * time.Second

// Kept calls kept for the fingerprint of each entry that was stored since a
// time and has not expired. It returns the time to go on from.
func (c *ResponseCache) Kept(ctx context.Context, since time.Time, kept func(fp uint64)) (until time.Time, err error) {
	rows, err := c.db.pool.Query(ctx, `
		SELECT now(), NULL
		UNION ALL
		SELECT stored_at, substring(key for 8) FROM response_cache WHERE stored_at >= $1 AND expires_at > now()`, since)
	if err != nil {
		return time.Time{}, fmt.Errorf("read what answers are kept: %w", err)
	}
	var at time.Time
	var fp []byte
	_, err = pgx.ForEachRow(rows, []any{&at, &fp}, func() error {
		if fp == nil {
			until = at.Add(-storingTakes)
		} else if len(fp) == 8 {
			kept(binary.LittleEndian.Uint64(fp))
		}
		return nil
	})
	if err != nil {
		return time.Time{}, fmt.Errorf("read what answers are kept: %w", err)
	}
	return until, nil
}

// expiredAtOnce bounds the rows that one statement removes.
const expiredAtOnce = 1000

// DropExpired removes answers that expired before a time, and returns how many.
// It is safe to call from several processes at once: they share the work.
func (c *ResponseCache) DropExpired(ctx context.Context, before time.Time) (removed int64, err error) {
	// In the order of the index, or PostgreSQL reads through what is kept; from
	// where the step before ended, or each goes through what all before removed.
	from := time.Unix(0, 0)
	for {
		var n int64
		err := c.db.pool.QueryRow(ctx, `
			WITH gone AS (
				DELETE FROM response_cache WHERE ctid = ANY (ARRAY (
					SELECT ctid FROM response_cache WHERE expires_at >= $1 AND expires_at < $2 ORDER BY expires_at LIMIT $3 FOR UPDATE SKIP LOCKED))
				RETURNING expires_at)
			SELECT count(*), coalesce(max(expires_at), $2) FROM gone`, from, before, expiredAtOnce).Scan(&n, &from)
		if err != nil {
			return removed, fmt.Errorf("drop expired answers: %w", err)
		}
		if removed += n; n < expiredAtOnce {
			return removed, nil
		}
	}
}
