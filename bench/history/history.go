// Package history measures how long history and the request explorer take on
// a database of many completions: it fills one with generated ones, as the
// worker would, and asks the real binary over HTTP.
package history

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/busuhq/busu/bench/measure"
	"github.com/busuhq/busu/internal/localstack"
	"github.com/busuhq/busu/internal/postgres"
)

// Options of a run.
type Options struct {
	Rows     int
	Asks     int    // of each question
	Report   string // path; "" is standard output
	Dir      string // of the database; "" is a temporary one
	Progress io.Writer
}

// Validate says what is wrong with the options.
func (o Options) Validate() error {
	if o.Rows < 10_000 || o.Rows > 100_000_000 || o.Asks < 10 {
		return fmt.Errorf("%d rows, %d asks: use 10,000 to 100,000,000 rows, and at least 10 asks", o.Rows, o.Asks)
	}
	return nil
}

// bench is a database that is filled, and what is known of it.
type bench struct {
	Options
	dir   string
	stack *localstack.Stack
	db    *postgres.DB
	pool  *pgxpool.Pool
	crowd *crowd
	now   time.Time // up to which there are completions
	facts facts
}

// facts of the run, for the report.
type facts struct {
	machine *measure.Machine
	started time.Time
	filling time.Duration
	merging time.Duration
	sizes   []size
	inserts []insert
	answers []answer
}

// Run fills a database, measures and reports.
func Run(ctx context.Context, o Options) (err error) {
	b := &bench{Options: o, now: time.Now().UTC()}
	b.facts.machine, b.facts.started = measure.DescribeMachine(ctx), b.now
	b.crowd = newCrowd(o.Rows)
	if err := b.open(ctx); err != nil {
		return errors.Join(err, b.close())
	}
	defer func() { err = errors.Join(err, b.close()) }()
	for _, step := range []func(context.Context) error{b.fill, b.merge, b.settle, b.measureSizes, b.ask, b.measureInserts} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return b.write()
}

// open starts a PostgreSQL.
func (b *bench) open(ctx context.Context) (err error) {
	if b.dir = b.Dir; b.dir == "" {
		if b.dir, err = os.MkdirTemp("", "busu-history-"); err != nil {
			return err
		}
	} else if err := os.MkdirAll(b.dir, 0o755); err != nil {
		return err
	}
	if err := os.Chmod(b.dir, 0o755); err != nil { // PostgreSQL may run as somebody else, who has to pass
		return err
	}
	tools, err := localstack.CacheDir()
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(b.Progress, &slog.HandlerOptions{Level: slog.LevelWarn}))
	if b.stack, err = localstack.Start(ctx, localstack.Options{Dir: filepath.Join(b.dir, "stores"), Tools: tools, Postgres: true, Log: log}); err != nil {
		return err
	}
	if b.db, err = postgres.Open(ctx, postgres.Options{URL: b.stack.DatabaseURL, Name: "busu bench"}); err != nil {
		return err
	}
	if b.pool, err = pgxpool.New(ctx, b.stack.DatabaseURL); err != nil {
		return err
	}
	if err := b.pool.QueryRow(ctx, "SHOW server_version").Scan(&b.facts.machine.Postgres); err != nil {
		return err
	}
	_, err = b.db.Migrate(ctx)
	return err
}

func (b *bench) close() (err error) {
	if b.pool != nil {
		b.pool.Close()
	}
	if b.db != nil {
		b.db.Close()
	}
	if b.stack != nil {
		err = b.stack.Stop(context.Background())
	}
	if b.Dir == "" {
		err = errors.Join(err, os.RemoveAll(b.dir))
	}
	return err
}
