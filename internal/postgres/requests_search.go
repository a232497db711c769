package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/requests"
)

// search looks for a page, from the newest request back. With a default
// partition PostgreSQL cannot read partitions one after the other, so that a
// plan for all time would begin in every one of them: time is searched in
// stretches, which grow.
type search struct {
	project string
	q       requests.Query
	f       filter

	found   []requests.Entry
	before  place     // what was searched: all from here on
	oldest  time.Time // the first day with a partition of its own
	stretch time.Duration
	ended   bool // there is nothing more
	mode    pgx.QueryExecMode
}

// place is between two completions, as a Cursor is.
type place struct {
	at time.Time
	id uuid.UUID
}

var (
	highest = uuid.Max
	lowest  = uuid.Nil
)

// scanAtOnce is how many rows are looked through before a look at the clock.
const scanAtOnce = 10_000

// run fills the page, or comes to the end, or runs out of time.
func (s *search) run(ctx context.Context, tx pgx.Tx, until time.Time) error {
	if s.f.narrow && len(s.f.rest) == 0 {
		// Planning for every day's partition is what takes longest then, and
		// the plan is the same for all users.
		s.mode = pgx.QueryExecModeCacheStatement
		if _, err := tx.Exec(ctx, `SET LOCAL plan_cache_mode = force_generic_plan`); err != nil {
			return err
		}
	}
	days, err := listDays(ctx, tx, "completions")
	if err != nil {
		return err
	}
	s.begin(days)
	for {
		from, err := s.next(ctx, tx)
		if err != nil || s.ended {
			return err
		}
		if err := s.scan(ctx, tx, from); err != nil {
			return err
		}
		if len(s.found) > s.q.Limit || s.ended || time.Now().After(until) {
			return nil
		}
	}
}

// begin finds out where to begin and what is the end of days.
func (s *search) begin(days map[string]time.Time) {
	s.oldest, s.stretch = time.Now(), 24*time.Hour
	for _, day := range days {
		if day.Before(s.oldest) {
			s.oldest = day
		}
	}
	s.before = place{time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC), highest} // after any fact: see event
	if !s.q.To.IsZero() {
		s.before = place{s.q.To, lowest}
	}
	if id := s.q.Before.ID(); !s.q.Before.IsZero() {
		if c := (place{event.TimeOf(id), id}); c.at.Before(s.before.at) {
			s.before = c
		}
	}
}

// next is the stretch to search now: from its result to what was searched
// before. It begins behind the hours in which a name that is looked for has
// nothing.
func (s *search) next(ctx context.Context, tx pgx.Tx) (from time.Time, err error) {
	if s.f.narrow { // what there is of it is found at once
		s.ended = s.q.From.After(s.before.at)
		return s.q.From, nil
	}
	for _, d := range s.f.dims {
		hour, err := lastHour(ctx, tx, s.project, d, s.before)
		if errors.Is(err, pgx.ErrNoRows) {
			s.ended = true
			return from, nil
		}
		if err != nil {
			return from, err
		}
		if end := hour.Add(time.Hour); end.Before(s.before.at) {
			s.before = place{end, lowest}
		}
	}
	if s.q.From.After(s.before.at) {
		s.ended = true
		return from, nil
	}
	from = s.before.at
	if now := time.Now(); from.After(now) {
		from = now.UTC()
	}
	from = from.Truncate(24 * time.Hour).Add(24*time.Hour - s.stretch)
	if from.Equal(s.before.at) { // nothing of the day is left
		from = from.AddDate(0, 0, -1)
	}
	s.stretch *= 2
	if !from.After(s.oldest) {
		from = time.Time{} // what is in no day of its own
	}
	return later(from, s.q.From), nil
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// lastHour is the last hour before a place in which a dimension's names have
// requests, or pgx.ErrNoRows. Rollups are of the same transactions as the rows.
func lastHour(ctx context.Context, tx pgx.Tx, project string, d dimension, before place) (hour time.Time, err error) {
	at := before.at
	if before.id != lowest {
		at = at.Add(time.Millisecond) // it may be within the place's own
	}
	err = tx.QueryRow(ctx, `
		SELECT hour FROM (
			(SELECT hour FROM rollups_hours WHERE project = $1 AND kind = $2 AND name = ANY ($3) AND hour < $4 ORDER BY hour DESC LIMIT 1)
			UNION ALL
			SELECT date_trunc('hour', max(minute), 'UTC') FROM rollups_new
			WHERE project = $1 AND kind = $2 AND name = ANY ($3) AND minute < $4) AS hours
		WHERE hour IS NOT NULL ORDER BY hour DESC LIMIT 1`, project, d.kind, d.names, at).Scan(&hour)
	return hour, err
}

// scan looks through a stretch, or the newest part of it that can be looked
// through at once.
func (s *search) scan(ctx context.Context, tx pgx.Tx, from time.Time) error {
	args := []any{s.project, from, s.before.at, s.before.id, s.q.Limit + 1 - len(s.found)}
	path := `FROM completions WHERE project = $1 AND at >= $2 AND at <= $3 AND (at, id) < ($3, $4)` + where(&args, s.f.path...) + newestFirst
	if len(s.f.rest) == 0 {
		if err := s.collect(ctx, tx, `SELECT `+entryColumns+` `+path+` LIMIT $5`, args); err != nil {
			return err
		}
		s.searched(from)
		return nil
	}
	pathArgs := slices.Clone(args)
	sql := fmt.Sprintf(`SELECT %s FROM (SELECT * %s LIMIT %d) AS scanned WHERE true%s %s LIMIT $5`,
		entryColumns, path, scanAtOnce, where(&args, s.f.rest...), newestFirst)
	if err := s.collect(ctx, tx, sql, args); err != nil || len(s.found) > s.q.Limit {
		return err
	}
	pathArgs[4] = scanAtOnce - 1
	var last place
	err := tx.QueryRow(ctx, `SELECT at, id `+path+` OFFSET $5 LIMIT 1`, append([]any{pgx.QueryExecModeDescribeExec}, pathArgs...)...).
		Scan(&last.at, &last.id)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		s.searched(from)
	case err != nil:
		return err
	default:
		s.before, s.stretch = last, 24*time.Hour
	}
	return nil
}

const newestFirst = ` ORDER BY at DESC, id DESC`

// searched notes that a stretch was looked through.
func (s *search) searched(from time.Time) {
	s.before = place{from, lowest}
	s.ended = s.ended || !from.After(s.q.From)
}

// collect adds what a query finds.
func (s *search) collect(ctx context.Context, tx pgx.Tx, sql string, args []any) error {
	rows, err := tx.Query(ctx, sql, append([]any{s.mode}, args...)...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var r entryRow
		if err := rows.Scan(r.into()...); err != nil {
			return err
		}
		s.found = append(s.found, r.entry())
	}
	return rows.Err()
}

// page is what was found, and where to go on.
func (s *search) page() requests.Page {
	p := requests.Page{Requests: slices.Grow([]requests.Entry{}, len(s.found))}
	switch {
	case len(s.found) > s.q.Limit:
		p.Requests = append(p.Requests, s.found[:s.q.Limit]...)
		last := p.Requests[s.q.Limit-1]
		p.GoOn(requests.Cursor(last.ID), last.At)
	case s.ended:
		p.Requests = append(p.Requests, s.found...)
	default:
		p.Requests = append(p.Requests, s.found...)
		p.GoOn(s.before.cursor(), s.before.at.UTC())
	}
	return p
}

// cursor is the place as callers get it.
func (p place) cursor() requests.Cursor {
	if p.id != lowest {
		return requests.Cursor(p.id)
	}
	return requests.CursorAt(p.at)
}
