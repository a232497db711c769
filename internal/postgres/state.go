package postgres

import (
	"context"
	"fmt"
	"io/fs"
	"regexp"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/busuhq/busu/internal/system"
	"github.com/busuhq/busu/schema"
)

// State is what PostgreSQL knows of how busu fares: its schema, the partitions
// of days, leases, and what each project's strategies and guard go by.
func (db *DB) State(ctx context.Context) (*system.Postgres, error) {
	s := &system.Postgres{Leases: []system.Lease{}, Snapshots: []system.Snapshot{}, Guards: []system.Guard{}}
	err := pgx.BeginTxFunc(ctx, db.pool, pgx.TxOptions{AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		for _, read := range []func(context.Context, pgx.Tx, *system.Postgres) error{
			readClock, readSchema, readDays, readLeases, readLatest, readGuards} {
			if err := read(ctx, tx, s); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the state of the database: %w", err)
	}
	return s, nil
}

func readClock(ctx context.Context, tx pgx.Tx, s *system.Postgres) error {
	var clock time.Time
	sent := time.Now()
	if err := tx.QueryRow(ctx, `SELECT clock_timestamp()`).Scan(&clock); err != nil {
		return err
	}
	took := time.Since(sent)
	s.RoundTripMS = milliseconds(took.Microseconds())
	s.ClockMS = milliseconds(clock.Sub(sent.Add(took / 2)).Microseconds())
	return nil
}

func readSchema(ctx context.Context, tx pgx.Tx, s *system.Postgres) (err error) {
	if s.Schema.Known, err = newestMigration(); err != nil {
		return err
	}
	return tx.QueryRow(ctx, `SELECT coalesce(max(version_id), 0) FROM goose_db_version WHERE is_applied`).Scan(&s.Schema.Version)
}

var migrationPattern = regexp.MustCompile(`^([0-9]+)_`)

// newestMigration is the highest number that this build brings.
func newestMigration() (newest int64, err error) {
	files, err := fs.ReadDir(schema.Migrations, "migrations")
	if err != nil {
		return 0, err
	}
	for _, f := range files {
		if m := migrationPattern.FindStringSubmatch(f.Name()); m != nil {
			n, err := strconv.ParseInt(m[1], 10, 64)
			if err != nil {
				return 0, err
			}
			newest = max(newest, n)
		}
	}
	return newest, nil
}

// readDays counts the days that are there without a gap from today on.
func readDays(ctx context.Context, tx pgx.Tx, s *system.Postgres) error {
	tables, err := listDays(ctx, tx, "completions")
	if err != nil {
		return err
	}
	var now time.Time
	if err := tx.QueryRow(ctx, `SELECT now(), EXISTS (SELECT FROM completions_default)`).Scan(&now, &s.Days.Strayed); err != nil {
		return err
	}
	s.Days.Kept, s.Days.Ahead = len(tables), -1
	for day := now.UTC().Truncate(24 * time.Hour); ; day = day.AddDate(0, 0, 1) {
		if _, ok := tables[dayTable("completions", day)]; !ok {
			return nil
		}
		s.Days.Until = day.Format(time.DateOnly)
		s.Days.Ahead++
	}
}

func readLeases(ctx context.Context, tx pgx.Tx, s *system.Postgres) error {
	rows, err := tx.Query(ctx, `SELECT name, owner, extract(epoch FROM until - clock_timestamp())::float8 * 1000 FROM leases
		WHERE until > clock_timestamp() ORDER BY name`)
	if err != nil {
		return err
	}
	s.Leases, err = pgx.AppendRows(s.Leases, rows, func(row pgx.CollectableRow) (l system.Lease, err error) {
		err = row.Scan(&l.Name, &l.Owner, &l.EndsMS)
		return l, err
	})
	return err
}

func readLatest(ctx context.Context, tx pgx.Tx, s *system.Postgres) error {
	rows, err := tx.Query(ctx, `SELECT DISTINCT ON (project, strategy) project, strategy, snapshot, at, verdicts, weight, lambda, rolled_back_to
		FROM snapshots ORDER BY project, strategy, snapshot DESC`)
	if err != nil {
		return err
	}
	s.Snapshots, err = pgx.AppendRows(s.Snapshots, rows, func(row pgx.CollectableRow) (n system.Snapshot, err error) {
		err = row.Scan(&n.Project, &n.Strategy, &n.Number, &n.At, &n.Verdicts, &n.Weight, &n.Lambda, &n.RolledBackTo)
		n.At = n.At.UTC()
		return n, err
	})
	return err
}

func readGuards(ctx context.Context, tx pgx.Tx, s *system.Postgres) error {
	rows, err := tx.Query(ctx, `SELECT DISTINCT ON (project) project, state, at FROM guards ORDER BY project, n DESC`)
	if err != nil {
		return err
	}
	s.Guards, err = pgx.AppendRows(s.Guards, rows, func(row pgx.CollectableRow) (g system.Guard, err error) {
		err = row.Scan(&g.Project, &g.State, &g.Since)
		g.Since = inUTC(g.Since)
		return g, err
	})
	return err
}
