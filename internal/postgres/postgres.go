// Package postgres keeps the truth: every exported method is one transaction.
// There is a file per table.
package postgres

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// DB is a pool of connections to one database. It is safe for concurrent use.
type DB struct {
	pool      *pgxpool.Pool
	forgotten forgotten
}

// Options of the pool.
type Options struct {
	URL      string
	MaxConns int32 // default 8
	Name     string

	readOnly bool
}

// Open makes a DB. It does not connect: PostgreSQL may come later.
func Open(ctx context.Context, o Options) (*DB, error) {
	config, err := pgxpool.ParseConfig(o.URL)
	if err != nil {
		return nil, fmt.Errorf("open postgres: %w", err)
	}
	config.MaxConns = 8
	if o.MaxConns > 0 {
		config.MaxConns = o.MaxConns
	}
	config.MaxConnLifetime = time.Hour
	config.MaxConnLifetimeJitter = 10 * time.Minute
	config.ConnConfig.ConnectTimeout = 2 * time.Second
	config.ConnConfig.RuntimeParams["application_name"] = o.Name
	config.ConnConfig.RuntimeParams["timezone"] = "UTC"
	if o.readOnly {
		config.ConnConfig.RuntimeParams["default_transaction_read_only"] = "on"
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("open postgres: %w", err)
	}
	return &DB{pool: pool}, nil
}

// Close gives up all connections.
func (db *DB) Close() { db.pool.Close() }

// Check reports why PostgreSQL cannot be used, or nil.
func (db *DB) Check(ctx context.Context) error { return explained(db.pool.Ping(ctx)) }

// explained says what to do about a server that cannot be trusted.
func explained(err error) error {
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return fmt.Errorf("%w: add sslrootcert=/path/ca.pem to DATABASE_URL, with the authority that signed the server's certificate", err)
	}
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return fmt.Errorf("%w: write a name that the server's certificate has into DATABASE_URL", err)
	}
	return err
}

// Connections counts the pool's connections.
type Connections struct {
	Open, Busy, Most int64
	Waited           time.Duration // for a free one, in all
}

// Connections gives the pool's counters.
func (db *DB) Connections() Connections {
	s := db.pool.Stat()
	return Connections{Open: int64(s.TotalConns()), Busy: int64(s.AcquiredConns()), Most: int64(s.MaxConns()),
		Waited: s.EmptyAcquireWaitTime()}
}

// tx runs f in a transaction.
func (db *DB) tx(ctx context.Context, f func(pgx.Tx) error) error {
	return pgx.BeginFunc(ctx, db.pool, f)
}

// queryer is a pool or a transaction.
type queryer interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

func inUTC(at *time.Time) *time.Time {
	if at == nil {
		return nil
	}
	return new(at.UTC())
}

// Unstorable reports whether err says that the data itself cannot be stored,
// however often one tries: a value out of range or malformed (class 22) or a
// broken constraint (class 23).
func Unstorable(err error) bool {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) || len(pg.Code) != 5 || isOvertaken(err) {
		return false
	}
	return pg.Code[:2] == "22" || pg.Code[:2] == "23"
}

// isOvertaken reports whether a row was on its way to the default partition
// when its day was made: it breaks that partition's bounds, which are a
// constraint without a name, and the next try finds the day.
func isOvertaken(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == checkViolation && pg.ConstraintName == ""
}

const checkViolation = "23514"
