package postgres

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/busuhq/busu/internal/system"
)

const (
	lookEvery  = time.Second
	lookWithin = time.Second // at either server
)

// identity is what a primary and its replicas have alike, and nobody else. The
// schema differs while a migration is on its way.
type identity struct {
	cluster  int64
	database uint32
	schema   int64
}

const identitySQL = `(SELECT system_identifier FROM pg_control_system()), (SELECT oid FROM pg_database WHERE datname = current_database()),
	(SELECT coalesce(max(version_id), 0) FROM goose_db_version WHERE is_applied)`

// mark is how far the primary's log was at a moment: who has replayed so much
// has all that was committed until then.
type mark struct {
	at  time.Time // by our clock, before it was asked
	log int64
}

// view is what was seen of the replica last.
type view struct {
	state  string          // of system.Replica
	covers time.Time       // up to when it had everything, by our clock; zero: not known
	good   context.Context // while it answers; nil: it does not
	end    context.CancelFunc
}

// watch looks at both servers. How far the replica is behind is found out by
// the marks, so that neither a primary that is idle nor a replica that nothing
// comes to any more deceives.
type watch struct {
	primary, replica *DB
	maxLag           time.Duration

	looking sync.Mutex    // held while both are asked, and for what is below
	known   *identity     // of the primary; nil: it never answered
	marks   []mark        // oldest first; the replica has the first at most
	ahead   time.Duration // the primary's clock, of ours

	mu   sync.Mutex
	last view
}

func newWatch(primary, replica *DB, maxLag time.Duration) *watch {
	return &watch{primary: primary, replica: replica, maxLag: maxLag, last: view{state: system.ReplicaAway}}
}

// Follow looks at the replica every second until ctx ends.
func (r *Reader) Follow(ctx context.Context, log *slog.Logger) error {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for state := ""; ; {
		err := r.Look(ctx)
		now := r.Replica()
		if now == nil || ctx.Err() != nil {
			return nil
		}
		if now.State != state {
			state = now.State
			log.Info("the read replica was looked at", "state", state, "used", state == system.ReplicaUsed, "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// Look looks at the replica once. The error is why it does not answer.
func (r *Reader) Look(ctx context.Context) error {
	if r.replica == nil {
		return nil
	}
	w := r.watch
	w.looking.Lock()
	defer w.looking.Unlock()
	w.askPrimary(ctx)
	seen, err := w.askReplica(ctx)
	w.set(w.judge(seen, err, time.Now()))
	return explained(err)
}

// askPrimary makes a mark. A primary that is away makes none.
func (w *watch) askPrimary(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, lookWithin)
	defer cancel()
	var id identity
	var clock time.Time
	m := mark{at: time.Now()}
	// What is flushed is all that a replica can have; a commit is not seen before.
	err := w.primary.pool.QueryRow(ctx, `SELECT `+identitySQL+`, (pg_current_wal_flush_lsn() - '0/0'::pg_lsn)::bigint, clock_timestamp()`).
		Scan(&id.cluster, &id.database, &id.schema, &m.log, &clock)
	if err != nil {
		return
	}
	w.known, w.ahead = &id, clock.Sub(m.at)
	w.marks = append(w.marks, m)
}

// following is what a replica says of itself.
type following struct {
	identity
	recovers bool
	log      *int64     // replayed
	last     *time.Time // commit that was replayed, by the primary's clock
}

func (w *watch) askReplica(ctx context.Context) (f following, err error) {
	ctx, cancel := context.WithTimeout(ctx, lookWithin)
	defer cancel()
	err = w.replica.pool.QueryRow(ctx, `SELECT `+identitySQL+`, pg_is_in_recovery(), (pg_last_wal_replay_lsn() - '0/0'::pg_lsn)::bigint,
		pg_last_xact_replay_timestamp()`).Scan(&f.cluster, &f.database, &f.schema, &f.recovers, &f.log, &f.last)
	return f, err
}

// judge says what is to be thought of a replica, at now.
func (w *watch) judge(f following, err error, now time.Time) view {
	v := view{}
	if err == nil && f.recovers {
		v.covers = w.reached(f, now)
	}
	pg, said := errors.AsType[*pgconn.PgError](err)
	switch {
	case said && pg.Code == undefinedTable:
		v.state = system.ReplicaOther
	case err != nil || w.known == nil:
		v.state = system.ReplicaAway
	case f.cluster != w.known.cluster || f.database != w.known.database:
		v.state = system.ReplicaOther
	case !f.recovers:
		v.state = system.ReplicaPrimary
	case f.schema != w.known.schema:
		v.state = system.ReplicaSchema
	case v.covers.IsZero() || now.Sub(v.covers) > w.maxLag:
		v.state = system.ReplicaBehind
	default:
		v.state = system.ReplicaUsed
	}
	return v
}

// undefinedTable is what a database without busu's schema says.
const undefinedTable = "42P01"

// reached is up to when a replica has everything: the newest mark that it has
// come to, or the last commit that it has. It forgets the marks before, and
// those that it would be too far behind at.
func (w *watch) reached(f following, now time.Time) (covers time.Time) {
	if f.last != nil {
		covers = now.Add(f.last.Sub(now) - w.ahead)
	}
	if f.log == nil {
		return covers
	}
	kept := w.marks[:0]
	var come *mark
	for i := range w.marks {
		switch m := w.marks[i]; {
		case m.log <= *f.log:
			come = &m
		case now.Sub(m.at) <= w.maxLag:
			kept = append(kept, m)
		}
	}
	w.marks = kept
	if come != nil {
		w.marks = append([]mark{*come}, kept...)
		if come.at.After(covers) {
			covers = come.at
		}
	}
	return covers
}

// set keeps a view. Those who read meanwhile go on as long as the replica answers.
func (w *watch) set(v view) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch before := w.last; {
	case v.state == system.ReplicaAway:
		before.stop()
	case before.good != nil:
		v.good, v.end = before.good, before.end
	default:
		v.good, v.end = context.WithCancel(context.Background())
	}
	w.last = v
}

func (v view) stop() {
	if v.end != nil {
		v.end()
	}
}

// usable gives the view by which the replica can be read from.
func (w *watch) usable(now time.Time) (view, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.last, w.last.state == system.ReplicaUsed && now.Sub(w.last.covers) <= w.maxLag
}

// giveUp leaves the replica alone until the next look, unless somebody has
// looked since.
func (w *watch) giveUp(v view) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.last.good == v.good {
		v.stop()
		w.last = view{state: system.ReplicaAway, covers: v.covers}
	}
}

func (w *watch) state(now time.Time) *system.Replica {
	w.mu.Lock()
	defer w.mu.Unlock()
	r := &system.Replica{State: w.last.state}
	if !w.last.covers.IsZero() {
		r.LagMS = new(milliseconds(max(now.Sub(w.last.covers), 0).Microseconds()))
	}
	return r
}
