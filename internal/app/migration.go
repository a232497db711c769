package app

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/busuhq/busu/internal/postgres"
	"github.com/busuhq/busu/internal/rollup"
)

// migration brings the database up to date as soon as it answers, and holds back
// what needs that.
type migration struct {
	db    *postgres.DB
	log   *slog.Logger
	tried chan struct{} // closed after the first attempt
	done  chan struct{} // closed when the schema is there
	newer error         // the database is ahead; set before tried is closed
}

const (
	migrateAgain  = time.Second
	migrateWithin = time.Minute
)

func newMigration(db *postgres.DB, log *slog.Logger) *migration {
	return &migration{db: db, log: log, tried: make(chan struct{}), done: make(chan struct{})}
}

// Run migrates once PostgreSQL answers. It fails only when the database is
// ahead of this build.
func (m *migration) Run(ctx context.Context) error {
	for first := true; ; first = false {
		err := m.migrate(ctx)
		if err == nil {
			close(m.done)
		}
		if errors.Is(err, postgres.ErrNewerSchema) {
			m.newer = err
		}
		if first {
			close(m.tried)
		}
		if err == nil || m.newer != nil {
			return m.newer
		}
		m.log.Warn("the database cannot be brought up to date yet", "err", err)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(migrateAgain):
		}
	}
}

func (m *migration) migrate(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, migrateWithin)
	defer cancel()
	applied, err := m.db.Migrate(ctx)
	for _, name := range applied {
		m.log.Info("database migrated", "to", name)
	}
	return err
}

// first waits for the first attempt, and returns an error when the process
// must not go on.
func (m *migration) first(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case <-m.tried:
		return m.newer
	}
}

// Check reports whether the schema is there.
func (m *migration) Check(context.Context) error {
	select {
	case <-m.done:
		return nil
	default:
		return errors.New("the database is not up to date yet")
	}
}

// wait waits until the schema is there, or ctx ends.
func (m *migration) wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-m.done:
		return nil
	}
}

// then runs loop when the schema is there.
func (m *migration) then(loop func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		if m.wait(ctx) != nil {
			return nil
		}
		return loop(ctx)
	}
}

// ledger is PostgreSQL for the aggregator, which may start before the schema
// is there.
type ledger struct {
	*postgres.DB
	schema *migration
}

// Rebuild implements aggregator.Ledger.
func (l ledger) Rebuild(ctx context.Context, partition int, now time.Time) (rollup.Checkpoint, error) {
	if err := l.schema.wait(ctx); err != nil {
		return rollup.Checkpoint{}, err
	}
	return l.DB.Rebuild(ctx, partition, now)
}
