// Package database gives benchmarks a PostgreSQL of their own, with the
// product's tables.
package database

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/busuhq/busu/internal/localstack"
	"github.com/busuhq/busu/internal/postgres"
)

// Database is one that runs.
type Database struct {
	URL     string
	DB      *postgres.DB
	Pool    *pgxpool.Pool
	Version string // of PostgreSQL
	Dir     string // for files of the benchmark, too

	stack  *localstack.Stack
	isKept bool
}

// Open starts one in a directory, which stays; or, without one, in one of its
// own. What it warns of is written to log.
func Open(ctx context.Context, dir string, log io.Writer) (_ *Database, err error) {
	d := &Database{Dir: dir, isKept: dir != ""}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.Close())
		}
	}()
	if d.isKept {
		err = os.MkdirAll(dir, 0o755)
	} else {
		d.Dir, err = os.MkdirTemp("", "busu-database-")
	}
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(d.Dir, 0o755); err != nil { // PostgreSQL may run as somebody else, who has to pass
		return nil, err
	}
	tools, err := localstack.CacheDir()
	if err != nil {
		return nil, err
	}
	warnings := slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelWarn}))
	if d.stack, err = localstack.Start(ctx, localstack.Options{Dir: filepath.Join(d.Dir, "stores"), Tools: tools, Postgres: true, Log: warnings}); err != nil {
		return nil, err
	}
	d.URL = d.stack.DatabaseURL
	if d.DB, err = postgres.Open(ctx, postgres.Options{URL: d.URL, Name: "busu bench"}); err != nil {
		return nil, err
	}
	if d.Pool, err = pgxpool.New(ctx, d.URL); err != nil {
		return nil, err
	}
	if err := d.Pool.QueryRow(ctx, "SHOW server_version").Scan(&d.Version); err != nil {
		return nil, err
	}
	_, err = d.DB.Migrate(ctx)
	return d, err
}

// Close stops it, and removes the directory if it was its own.
func (d *Database) Close() (err error) {
	if d.Pool != nil {
		d.Pool.Close()
	}
	if d.DB != nil {
		d.DB.Close()
	}
	if d.stack != nil {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		err = d.stack.Stop(ctx)
	}
	if !d.isKept {
		err = errors.Join(err, os.RemoveAll(d.Dir))
	}
	return err
}
