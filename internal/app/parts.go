package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/goccy/go-yaml"

	"github.com/busuhq/busu/internal/aggregator"
	"github.com/busuhq/busu/internal/apidocs"
	"github.com/busuhq/busu/internal/config"
	"github.com/busuhq/busu/internal/dashboard"
	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/flock"
	"github.com/busuhq/busu/internal/httpapi"
	"github.com/busuhq/busu/internal/idempotency"
	"github.com/busuhq/busu/internal/postgres"
	"github.com/busuhq/busu/internal/redisdb"
	"github.com/busuhq/busu/internal/tail"
	"github.com/busuhq/busu/internal/telemetry"
	"github.com/busuhq/busu/internal/tracing"
	"github.com/busuhq/busu/internal/worker"
	"github.com/busuhq/busu/schema"
)

// lanes are the partitions of a stream that are read.
func lanes(cfg config.Config, stream event.Stream) []event.Lane {
	var all []event.Lane
	for p := range cfg.Streams.ReadPartitions {
		all = append(all, event.Lane{Stream: stream, Partition: p})
	}
	return all
}

// startWorker persists every lane under a name that is ours again after a
// restart, once the schema is there.
func startWorker(cfg config.Config, s *stores, m *migration, health *httpapi.Health, log *slog.Logger, life *lifecycle) error {
	slot, lock, err := flock.TakeSlot(filepath.Join(cfg.StateDir, "worker"))
	if err != nil {
		return fmt.Errorf("the state directory cannot be used (%w): choose another with BUSU_STATE_DIR", err)
	}
	life.onClose("worker slot", func(context.Context) error { return lock.Close() })
	host, err := os.Hostname()
	if err != nil {
		return fmt.Errorf("find host name: %w", err)
	}
	name := fmt.Sprintf("%s-%d", host, slot)
	completions, feedback := lanes(cfg, event.Completions), lanes(cfg, event.Feedback)
	loops, stats := persisters(completions, s, event.Entry.Completion, s.postgres, name, log)
	more, moreStats := persisters(feedback, s, event.Entry.Feedback, s.postgres.Feedback(), name, log)
	loops = append(loops, more...)
	upkeep := &worker.Upkeep{Streams: s.redis, Days: s.postgres, Beats: s.redis, Keeper: s.postgres, Rollups: s.postgres,
		Lanes: slices.Concat(completions, feedback), Groups: cfg.Streams.Groups,
		Retention: cfg.Streams.Retention, Keep: cfg.Retention.Completions, KeepFeatures: cfg.Retention.Features, Log: log}
	expirer := &worker.Expirer{Leftovers: s.postgres, Ended: s.postgres, Closed: s.postgres, Projects: s.postgres, Shorter: shorter(cfg), Keep: cfg.Retention.Completions, KeepFeatures: cfg.Retention.Features, Log: log}
	noticer := &worker.Noticer{Questions: s.postgres, Log: log}
	loops = append(loops, upkeep.Run, expirer.Run, noticer.Run, expireAnswers(s.postgres.ResponseCache(), log))
	for i, loop := range loops {
		loops[i] = m.then(loop)
	}
	life.start("worker", loops...)
	countWorkers(health.Registry(), event.Completions, stats)
	countWorkers(health.Registry(), event.Feedback, moreStats)
	if err := startJoiner(cfg, s, m, health, log, life); err != nil {
		return err
	}
	startAccountant(cfg, s, m, log, life)
	startDeliverer(cfg, s, m, health.Registry(), log, life)
	startAlerter(cfg, s, m, health.Registry(), log, life)
	return startLearner(cfg, s, m, health, log, life)
}

// shorter are the projects that keep less than others.
func shorter(cfg config.Config) (all []worker.Retention) {
	for _, p := range cfg.Retention.Projects {
		all = append(all, worker.Retention{Project: p.Project, Completions: p.Completions, Answers: p.Answers})
	}
	return all
}

// persisters are the loops that persist lanes of one kind of fact, and what
// they count.
func persisters[F worker.Fact](lanes []event.Lane, s *stores, decode func(event.Entry) (F, error), store worker.Store[F], name string, log *slog.Logger) (
	loops []func(context.Context) error, stats []*worker.Stats) {
	together := &worker.Gather[F]{Store: store, Lanes: len(lanes)}
	for _, lane := range lanes {
		w := &worker.Worker[F]{Source: s.redis.NewConsumer(lane, name), Decode: decode, Unstorable: postgres.Unstorable, Log: log,
			Store: tracing.Batches[F](s.tracing, together, lane), Alone: tracing.Batches(s.tracing, store, lane), Pause: together.Pause}
		loops, stats = append(loops, w.Run), append(stats, w.Stats())
	}
	return loops, stats
}

// startAggregator counts the partitions that no other process counts, and
// publishes when no other does.
func startAggregator(cfg config.Config, s *stores, m *migration, health *httpapi.Health, log *slog.Logger, life *lifecycle) {
	owner := s.presence.id()
	publisher := &aggregator.Publisher{Partitions: cfg.Streams.ReadPartitions, Owner: owner, Chair: s.redis, Board: s.redis, Providers: s.redis, Log: log}
	loops := []func(context.Context) error{publisher.Run}
	var all []*aggregator.Aggregator
	for p := range cfg.Streams.ReadPartitions {
		a := &aggregator.Aggregator{Partition: p, Owner: owner, Feed: s.redis, State: s.redis, Ledger: ledger{s.postgres, m},
			None: func(err error) bool { return errors.Is(err, redisdb.ErrNone) }, Log: log}
		all = append(all, a)
		loops = append(loops, a.Run)
	}
	life.start("aggregator", loops...)
	telemetry.Counter(health.Registry(), "busu_aggregator_folded_total", "Facts that this process has counted.", func() float64 {
		var n int64
		for _, a := range all {
			n += a.Folded()
		}
		return float64(n)
	})
}

// startAPI starts what stands behind the routes, and gives them.
func startAPI(cfg config.Config, s *stores, m *migration, health *httpapi.Health, log *slog.Logger, life *lifecycle) (http.Handler, error) {
	j, err := startJournal(cfg, s, health.Registry(), log, life)
	if err != nil {
		return nil, err
	}
	completions, decisions := startTail(cfg, s, health, log, life)
	providers, err := newProviders(cfg, s.tracing)
	if err != nil {
		return nil, err
	}
	startAgreement(providers, s, health, log, life)
	answers, budget, err := openCacheRedis(cfg, s, life)
	if err != nil {
		return nil, err
	}
	strategies, err := startStrategies(cfg, s, m, log, life)
	if err != nil {
		return nil, err
	}
	recorder := telemetry.NewLedger(health.Registry(), s.tracing.Ledger(j))
	gateway := newGateway(cfg, providers, strategies, recorder)
	if gateway.Redaction, err = newRedaction(cfg.Redaction); err != nil {
		return nil, err
	}
	gateway.Guarded = guarded(startGuards(s, m, log, life))
	keys := startKeys(cfg, s, m, health.Registry(), log, life)
	budgets := startBudgets(cfg, gateway, j.ID(), s, m, health.Registry(), log, life)
	limits := startLimits(cfg, s, answers, health.Registry(), log, life)
	trials := startTrials(cfg, gateway, s, m, log, life)
	kept := newCache(cfg, answers, budget, s, m, log)
	gateway.Reuse = startCache(cfg, kept, health, life)
	startShadow(cfg, gateway, providers, s, m, health, log, life)
	life.start("read replica", m.then(func(ctx context.Context) error { return s.reader.Follow(ctx, log) }))
	openAPI, docs := reference()
	metrics := newMetrics(s.redis, s.postgres, s.reader)
	accounts, err := newBooks(cfg, NewStatements(s.postgres, s.redis), s.reader)
	if err != nil {
		return nil, err
	}
	api := &httpapi.API{
		Gateway: gateway, Names: namesOf(gateway), Metrics: metrics, Ledger: recorder,
		Requests: newRecords(s.reader, pricesOf(gateway)),
		Savings:  newReports(s.reader),
		Accounts: accounts,
		Starter:  trials, Steward: trials, Experiments: trials, Deliveries: trials,
		Repeats:     idempotency.NewSpared(redisdb.Idempotency{DB: answers}),
		Users:       forgetters(answers, s.redis, s.postgres, kept),
		OnDisk:      JournalOptions(cfg, log).OnDisk(),
		Completions: completions, Decisions: decisions,
		Lineup: newLineups(cfg, gateway, metrics, s.postgres, log), Snapshots: snapshots{s.postgres},
		System: s.overview, Letters: letters{s.redis, s.postgres}, Books: newAuditor(s),
		Budgets: budgets, Limits: limits, Keys: keys, KeyMaker: &KeyMaker{s.postgres, keys}, KeyList: s.postgres, Audit: s.postgres, Health: health,
		Sessions: startSessions(cfg, keys, s, m, log, life), SessionEnds: s.postgres, SignOn: newSignOn(cfg.OIDC), Proxies: cfg.Sessions.Proxies,
		Dashboard: dashboard.Handler(docs), OpenAPI: openAPI, Log: log,
	}
	follow(s.tracing, api, gateway, recorder)
	return api.Handler(), nil
}

// reference is the description of the routes, as JSON and as a page, made when
// it is first asked for: it took half of the processor time of a start, and
// 25 MB that stayed. What cannot be read of it is a mistake made at build time,
// which a test finds.
func reference() (openAPI, docs func() []byte) {
	openAPI = sync.OnceValue(func() []byte {
		text, err := yaml.YAMLToJSON(schema.OpenAPI)
		if err != nil {
			panic(fmt.Sprintf("app: read openapi.yaml: %v", err))
		}
		return text
	})
	return openAPI, func() []byte {
		page, err := apidocs.Page(openAPI())
		if err != nil {
			panic(fmt.Sprintf("app: show openapi.yaml: %v", err))
		}
		return page
	}
}

// startTail follows the result streams for those who listen to them.
func startTail(cfg config.Config, s *stores, health *httpapi.Health, log *slog.Logger, life *lifecycle) (completions, decisions *tail.Hub) {
	completions = tail.NewHub(s.redis, log, lanes(cfg, event.Completions)...)
	decisions = tail.NewHub(s.redis, log, event.Lane{Stream: event.Decisions})
	life.start("tail", completions.Run, decisions.Run)
	telemetry.Gauge(health.Registry(), "busu_stream_listeners", "Listeners to the event streams.",
		func() float64 { return float64(completions.Listeners() + decisions.Listeners()) })
	return completions, decisions
}

func countWorkers(r telemetry.Registerer, stream event.Stream, workers []*worker.Stats) {
	r = telemetry.Labelled(r, "stream", stream.String())
	sum := func(of func(*worker.Stats) int64) func() float64 {
		return func() float64 {
			var n int64
			for _, w := range workers {
				n += of(w)
			}
			return float64(n)
		}
	}
	telemetry.Counter(r, "busu_worker_persisted_total", "Facts stored for the first time.",
		sum(func(s *worker.Stats) int64 { return s.Persisted.Load() }))
	telemetry.Counter(r, "busu_worker_repeated_total", "Facts that came again and were stored already.",
		sum(func(s *worker.Stats) int64 { return s.Repeated.Load() }))
	telemetry.Counter(r, "busu_worker_buried_total", "Entries that went to the dead letters.",
		sum(func(s *worker.Stats) int64 { return s.Buried.Load() }))
	telemetry.Counter(r, "busu_worker_failures_total", "Attempts that failed and were repeated.",
		sum(func(s *worker.Stats) int64 { return s.Failures.Load() }))
}
