package postgres

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/busuhq/busu/internal/requests"
	"github.com/busuhq/busu/internal/rollup"
	"github.com/busuhq/busu/internal/savings"
	"github.com/busuhq/busu/internal/system"
	"github.com/busuhq/busu/internal/usage"
)

// Reader reads what people look at, and nothing that decides: from a replica
// while that is near enough to the primary, else from the primary. It is safe
// for concurrent use.
type Reader struct {
	primary *DB
	replica *DB // nil: there is none
	watch   *watch
}

// ReaderOptions say where the replica is.
type ReaderOptions struct {
	URL    string        // "": there is none
	MaxLag time.Duration // beyond which it is not read from
	Name   string
}

// NewReader makes a Reader. It does not connect, and reads from the primary
// until Follow or Look has seen that the replica can be used.
func NewReader(ctx context.Context, primary *DB, o ReaderOptions) (*Reader, error) {
	r := &Reader{primary: primary}
	if o.URL == "" {
		return r, nil
	}
	var err error
	if r.replica, err = Open(ctx, Options{URL: o.URL, Name: o.Name, readOnly: true}); err != nil {
		return nil, err
	}
	// A connection of its own: readers that have all others do not make a
	// replica look away.
	lookout, err := Open(ctx, Options{URL: o.URL, Name: o.Name, MaxConns: 1, readOnly: true})
	if err != nil {
		r.replica.Close()
		return nil, err
	}
	r.watch = newWatch(primary, lookout, o.MaxLag)
	return r, nil
}

// Close gives up the connections to the replica.
func (r *Reader) Close() {
	if r.replica != nil {
		r.replica.Close()
		r.watch.replica.Close()
	}
}

// Replica says how the replica is; nil where there is none.
func (r *Reader) Replica() *system.Replica {
	if r.replica == nil {
		return nil
	}
	return r.watch.state(time.Now())
}

// read runs f on the replica, or on the primary: when the replica cannot be
// used, and when f fails there, be it because of what the primary does (a
// conflict with recovery) or because the replica has just gone. covers is up to
// when the replica that was read had everything; zero: it was the primary.
func (r *Reader) read(ctx context.Context, f func(context.Context, *DB) error) (covers time.Time, err error) {
	if r.replica == nil {
		return time.Time{}, f(ctx, r.primary)
	}
	view, ok := r.watch.usable(time.Now())
	if !ok {
		return time.Time{}, f(ctx, r.primary)
	}
	// Who reads from a replica that hangs waits until somebody has noticed.
	within, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(view.good, cancel)()
	err = f(within, r.replica)
	if err == nil || ctx.Err() != nil || isAnswer(err) {
		return view.covers, err
	}
	if broken(err) {
		r.watch.giveUp(view)
	}
	return time.Time{}, f(ctx, r.primary)
}

// isAnswer reports whether the primary would say the same. It may know a
// request that the replica does not.
func isAnswer(err error) bool {
	_, tooMany := errors.AsType[usage.TooManyError](err)
	return tooMany
}

// broken reports whether err says that there is no server to be asked: it did
// not answer, or takes leave (57P).
func broken(err error) bool {
	said, ok := errors.AsType[*pgconn.PgError](err)
	if _, unconnected := errors.AsType[*pgconn.ConnectError](err); unconnected || !ok {
		return !errors.Is(err, requests.ErrUnknown)
	}
	return strings.HasPrefix(said.Code, "57P")
}

// History is that of DB; AsOf says up to when the replica had everything.
func (r *Reader) History(ctx context.Context, project string, s rollup.Span, now time.Time) (h rollup.History, err error) {
	covers, err := r.read(ctx, func(ctx context.Context, db *DB) (err error) {
		h, err = db.History(ctx, project, s, now)
		return err
	})
	if err == nil && !covers.IsZero() && covers.Before(h.AsOf) {
		h.AsOf = covers.UTC()
	}
	return h, err
}

// FindRequests is that of DB.
func (r *Reader) FindRequests(ctx context.Context, project string, q requests.Query, patience time.Duration) (page requests.Page, err error) {
	_, err = r.read(ctx, func(ctx context.Context, db *DB) (err error) {
		page, err = db.FindRequests(ctx, project, q, patience)
		return err
	})
	return page, err
}

// Request is that of DB. One that the replica does not have yet is looked for
// in the primary.
func (r *Reader) Request(ctx context.Context, project string, id uuid.UUID) (record requests.Record, err error) {
	_, err = r.read(ctx, func(ctx context.Context, db *DB) (err error) {
		record, err = db.Request(ctx, project, id)
		return err
	})
	return record, err
}

// Savings is that of DB. AsOf is in what is read.
func (r *Reader) Savings(ctx context.Context, project string, w savings.Window, now time.Time) (t savings.Tally, err error) {
	_, err = r.read(ctx, func(ctx context.Context, db *DB) (err error) {
		t, err = db.Savings(ctx, project, w, now)
		return err
	})
	return t, err
}

// Usage is that of DB.
func (r *Reader) Usage(ctx context.Context, q usage.Query) (report usage.Report, err error) {
	_, err = r.read(ctx, func(ctx context.Context, db *DB) (err error) {
		report, err = db.Usage(ctx, q)
		return err
	})
	return report, err
}
