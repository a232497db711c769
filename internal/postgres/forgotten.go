package postgres

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/busuhq/busu/internal/event"
)

// known is what a process knows of those who are to be forgotten.
type known struct {
	n     int64     // the last number that was given
	until time.Time // what arrived before may be of one of them
}

// mayBeOf reports whether a request that arrived at a time may be of one who is
// forgotten.
func (k known) mayBeOf(at time.Time) bool { return at.Before(k.until) }

// forgotten keeps it between two batches.
type forgotten struct {
	mu   sync.Mutex
	last *known // nil: to be read
}

// clocksDiffer is how far the clock of a process that took a request may be ahead
// of PostgreSQL's.
const clocksDiffer = time.Minute

func (db *DB) knownForgotten(ctx context.Context) (known, error) {
	db.forgotten.mu.Lock()
	defer db.forgotten.mu.Unlock()
	if db.forgotten.last == nil {
		var k known
		var at *time.Time
		if err := db.pool.QueryRow(ctx, `SELECT coalesce(max(n), 0), max(at) FROM forgotten`).Scan(&k.n, &at); err != nil {
			return k, fmt.Errorf("read who is forgotten: %w", err)
		}
		if at != nil {
			k.until = at.Add(clocksDiffer)
		}
		db.forgotten.last = &k
	}
	return *db.forgotten.last, nil
}

func (db *DB) outdateForgotten() {
	db.forgotten.mu.Lock()
	defer db.forgotten.mu.Unlock()
	db.forgotten.last = nil
}

// forgetTries bounds how often a batch begins anew because of somebody who is to
// be forgotten; whoever stores it tries again after that.
const forgetTries = 10

// heeding has do store what may be of users, as often as somebody was to be
// forgotten meanwhile. do ends its transaction with heed.
func (db *DB) heeding(ctx context.Context, do func(known) error) error {
	for try := 1; ; try++ {
		k, err := db.knownForgotten(ctx)
		if err != nil {
			return err
		}
		if err = do(k); !isForgottenMeanwhile(err) {
			return err
		}
		db.outdateForgotten()
		if try == forgetTries {
			return err
		}
	}
}

// heed fails where somebody was to be forgotten of whom is not known: what is
// stored may be of that user.
const heed = `SELECT forgotten_behind($1)`

func isForgottenMeanwhile(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == "BU001"
}

// whoIs is what is kept of a user who is forgotten.
func whoIs(project, user string) []byte {
	sum := sha256.Sum256([]byte(project + "\x00" + user))
	return sum[:]
}

// namelessFacts takes from facts whose they are, where that is a user who is
// forgotten: facts that come late, of requests from before. It gives the ids of
// these.
func (db *DB) namelessFacts(ctx context.Context, k known, facts []*event.CompletionRecorded) ([]*event.CompletionRecorded, []uuid.UUID, error) {
	of, err := db.ofForgotten(ctx, k, facts)
	if err != nil || !slices.Contains(of, true) {
		return facts, nil, err
	}
	nameless, ids := slices.Clone(facts), []uuid.UUID(nil)
	for i, f := range facts {
		if of[i] {
			cut := *f
			cut.UserID, cut.SessionID, cut.CallerID, cut.Metadata, cut.Features = "", "", "", nil, nil
			nameless[i], ids = &cut, append(ids, f.ID)
		}
	}
	return nameless, ids, nil
}

// ofForgotten says of each fact whether it is of a user who is forgotten, or of
// a call in the background beside such a one. Most batches are newer than
// anybody's forgetting, and cost nothing.
func (db *DB) ofForgotten(ctx context.Context, k known, facts []*event.CompletionRecorded) ([]bool, error) {
	of := make([]bool, len(facts))
	var projects []string
	var who [][]byte
	var ats []time.Time
	var places, beside []int
	for i, f := range facts {
		switch {
		case f.UserID != "" && k.mayBeOf(f.At):
			projects, who, ats, places = append(projects, f.Project), append(who, whoIs(f.Project, f.UserID)), append(ats, f.At), append(places, i)
		case f.Background() && f.OriginID != uuid.Nil && k.mayBeOf(event.TimeOf(f.OriginID)):
			beside = append(beside, i)
		}
	}
	if len(places)+len(beside) == 0 {
		return of, nil
	}
	rows, err := db.pool.Query(ctx, `
		SELECT t.i FROM unnest($1::text[], $2::bytea[], $3::timestamptz[]) WITH ORDINALITY AS t (project, who, at, i)
		JOIN forgotten f ON f.project = t.project AND f.who = t.who AND t.at < f.at + $4::interval`, projects, who, ats, clocksDiffer)
	if err != nil {
		return nil, fmt.Errorf("read who is forgotten: %w", err)
	}
	var n int
	if _, err := pgx.ForEachRow(rows, []any{&n}, func() error { of[places[n-1]] = true; return nil }); err != nil {
		return nil, fmt.Errorf("read who is forgotten: %w", err)
	}
	return of, db.besideForgotten(ctx, facts, beside, of)
}

// besideForgotten marks calls in the background whose request is forgotten and
// stored. Where the request comes with them, or behind them, it takes theirs
// along.
func (db *DB) besideForgotten(ctx context.Context, facts []*event.CompletionRecorded, beside []int, of []bool) error {
	if len(beside) == 0 {
		return nil
	}
	origins, ats := make([]uuid.UUID, len(beside)), make([]time.Time, len(beside))
	for n, i := range beside {
		origins[n], ats[n] = facts[i].OriginID, event.TimeOf(facts[i].OriginID)
	}
	rows, err := db.pool.Query(ctx, `
		SELECT t.i FROM unnest($1::uuid[], $2::timestamptz[]) WITH ORDINALITY AS t (id, at, i)
		CROSS JOIN LATERAL (SELECT forgotten FROM completions c WHERE c.id = t.id AND c.at = t.at LIMIT 1) AS c WHERE c.forgotten`, origins, ats)
	if err != nil {
		return fmt.Errorf("read whose calls in the background are: %w", err)
	}
	var n int
	_, err = pgx.ForEachRow(rows, []any{&n}, func() error { of[beside[n-1]] = true; return nil })
	if err != nil {
		return fmt.Errorf("read whose calls in the background are: %w", err)
	}
	return nil
}
