// Package app puts the rooms together: it is the only one that knows them all.
package app

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"

	"github.com/busuhq/busu/internal/admin"
	"github.com/busuhq/busu/internal/config"
	"github.com/busuhq/busu/internal/heap"
	"github.com/busuhq/busu/internal/httpapi"
	"github.com/busuhq/busu/internal/postgres"
	"github.com/busuhq/busu/internal/redisdb"
	"github.com/busuhq/busu/internal/system"
	"github.com/busuhq/busu/internal/telemetry"
	"github.com/busuhq/busu/internal/tracing"
)

// Run runs the process that cfg is for until ctx ends, and stops it in order.
// What an operator should see once it is up goes to out; level is how much log
// takes.
func Run(ctx context.Context, cfg config.Config, log *slog.Logger, level *admin.Level, out io.Writer) (err error) {
	began := beginning(log)
	redisdb.Quiet()
	for _, w := range cfg.Warnings {
		log.Warn(w)
	}
	life := newLifecycle(log)
	defer func() { err = errors.Join(err, life.close()) }()

	listener, err := listen(cfg, log)
	if err != nil {
		return err
	}
	life.onClose("listener", func(context.Context) error { return ignoreClosed(listener.Close()) })

	shown, err := startCertificate(cfg, log, life)
	if err != nil {
		return err
	}
	if err := startAdmin(cfg, shown, level, log, life); err != nil {
		return err
	}
	life.start("heap", heap.Follow)
	stores, err := openStores(ctx, cfg, log, life)
	if err != nil {
		return err
	}
	began.passed("stores")
	migration := newMigration(stores.postgres, log)
	health := httpapi.NewHealth(telemetry.NewRegistry(string(cfg.Process)), log, stores.checks(migration)...)
	countPools(health.Registry(), stores)
	countCallers(health.Registry(), listener, shown)
	stores.presence = newPresence(cfg, health, stores.redis, log)
	stores.overview = newOverview(cfg, stores, log)
	stores.tracing = startTracing(cfg, stores.presence.id(), health.Registry(), log, life)
	telemetry.ExportSystem(health.Registry(), func() system.Report { return stores.overview.System(ctx) })
	handler, err := startParts(cfg, stores, migration, health, log, life)
	if err != nil {
		return err
	}
	began.passed("parts")
	life.start("migration", migration.Run)
	life.start("watch", health.Watch)
	life.start("presence", stores.presence.Run)
	serve(listener, shown, handler, health, stopping{drain: cfg.Drain, grace: graceOf(cfg)}, log, life)
	if err := migration.first(ctx); err != nil {
		return err
	}
	began.passed("schema")
	began.over()
	welcome(out, cfg, stores, listener.Addr())
	return life.wait(ctx)
}

// startParts starts what this process does, and gives what it answers with.
func startParts(cfg config.Config, s *stores, m *migration, health *httpapi.Health, log *slog.Logger, life *lifecycle) (http.Handler, error) {
	if runs(cfg, config.Worker) {
		if err := startWorker(cfg, s, m, health, log, life); err != nil {
			return nil, err
		}
	}
	if runs(cfg, config.Aggregator) {
		startAggregator(cfg, s, m, health, log, life)
	}
	if runs(cfg, config.API) {
		return startAPI(cfg, s, m, health, log, life)
	}
	return health.Handler(), nil
}

// runs reports whether this process does the work of part.
func runs(cfg config.Config, part config.Process) bool {
	return cfg.Process == part || cfg.Process == config.All
}

// stores are the two databases, and the private ones if there are any.
type stores struct {
	urls     urls
	redis    *redisdb.DB
	postgres *postgres.DB
	reader   *postgres.Reader // of what the dashboard shows: from a replica, where there is one
	presence *presence        // of this process, in them
	overview *overview        // of all of them

	tracing *tracing.Tracing // nil: nobody follows requests
}

func (s *stores) checks(m *migration) []httpapi.Check {
	return []httpapi.Check{
		{Name: "postgres", Run: s.postgres.Check, Store: true},
		{Name: "redis", Run: s.redis.Check, Store: true},
		{Name: "schema", Run: m.Check},
	}
}

func openStores(ctx context.Context, cfg config.Config, log *slog.Logger, life *lifecycle) (*stores, error) {
	u, err := startLocal(ctx, cfg, log, life)
	if err != nil {
		return nil, err
	}
	s := &stores{urls: u}
	if s.postgres, err = postgres.Open(ctx, postgres.Options{URL: u.database, Name: "busu " + string(cfg.Process)}); err != nil {
		return nil, err
	}
	life.onClose("postgres", func(context.Context) error { s.postgres.Close(); return nil })
	replica := postgres.ReaderOptions{MaxLag: cfg.ReadMaxLag, Name: "busu " + string(cfg.Process)}
	if runs(cfg, config.API) {
		replica.URL = cfg.Read.Reveal()
	}
	if s.reader, err = postgres.NewReader(ctx, s.postgres, replica); err != nil {
		return nil, err
	}
	life.onClose("postgres replica", func(context.Context) error { s.reader.Close(); return nil })
	if s.redis, err = redisdb.Open(u.redis); err != nil {
		return nil, err
	}
	life.onClose("redis", func(context.Context) error { return s.redis.Close() })
	return s, nil
}

// rootCause leaves out what the message around it says already.
func rootCause(err error) error {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
}

func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) || errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}
