package app

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/busuhq/busu/internal/config"
	"github.com/busuhq/busu/internal/gateway"
	"github.com/busuhq/busu/internal/httpapi"
	"github.com/busuhq/busu/internal/learning"
	"github.com/busuhq/busu/internal/llm"
	"github.com/busuhq/busu/internal/routing"
	"github.com/busuhq/busu/internal/telemetry"
	"github.com/busuhq/busu/internal/worker"
)

// allStrategies are those that requests may name.
func allStrategies() []string { return append([]string{config.StrategyComplexity}, learners()...) }

// learners are the strategies that learn.
func learners() []string { return []string{config.StrategyHybrid, config.StrategyLearning} }

// startStrategies follows what the worker publishes.
func startStrategies(cfg config.Config, s *stores, m *migration, log *slog.Logger, life *lifecycle) (*gateway.Published, error) {
	prior, err := learning.Shipped()
	if err != nil {
		return nil, fmt.Errorf("read the shipped prior: %w", err)
	}
	strategies := gateway.NewPublished(prior, startPrices(cfg, prior))
	life.start("snapshots", m.then(func(ctx context.Context) error { return strategies.Follow(ctx, s.postgres, log) }))
	return strategies, nil
}

// startLearner learns when no other process does, and publishes what the
// worker decides.
func startLearner(cfg config.Config, s *stores, m *migration, health *httpapi.Health, log *slog.Logger, life *lifecycle) error {
	prior, err := learning.Shipped()
	if err != nil {
		return fmt.Errorf("read the shipped prior: %w", err)
	}
	owner := s.presence.id()
	learner := &worker.Learner{Lessons: s.postgres, Snapshots: s.postgres, Lease: s.postgres, Owner: owner,
		Prior: prior, Start: startPrices(cfg, prior), Decisions: s.postgres, Goal: goalOf(cfg), Log: log}
	announcer := &worker.Announcer{Outbox: s.postgres, Notices: s.redis, Lease: s.postgres, Owner: owner, Log: log}
	judges := &worker.Judges{Docket: s.postgres, Shelf: s.redis, Lease: s.postgres, Owner: owner, Log: log}
	life.start("learner", m.then(learner.Run), m.then(announcer.Run), m.then(judges.Run))
	telemetry.Counter(health.Registry(), "busu_judge_failures_total", "Hearings of experiments that failed and were repeated.",
		func() float64 { return float64(judges.Stats().Failures.Load()) })
	stats := learner.Stats()
	telemetry.Counter(health.Registry(), "busu_learner_lessons_total", "Lessons that were learned.",
		func() float64 { return float64(stats.Applied.Load()) })
	telemetry.Counter(health.Registry(), "busu_learner_refused_total", "Lessons that could not be learned and were passed over.",
		func() float64 { return float64(stats.Refused.Load()) })
	telemetry.Counter(health.Registry(), "busu_learner_snapshots_total", "Snapshots that were published.",
		func() float64 { return float64(stats.Published.Load()) })
	return nil
}

// goalOf is what the price of quality is steered by.
func goalOf(cfg config.Config) learning.Goal {
	r := cfg.Routing
	switch {
	case r.DailyBudget > 0:
		return learning.Goal{BudgetNanos: int64(r.DailyBudget)}
	case r.StrongShare > 0:
		return learning.Goal{StrongShare: r.StrongShare}
	default:
		return learning.Goal{Quality: r.QualityTarget}
	}
}

// startPrices are the prices of quality that the strategies that learn begin
// with. Gateways and the learner come to the same.
func startPrices(cfg config.Config, prior *learning.Prior) map[string]float64 {
	nothing := learning.New(nil, learning.Assumed())
	at := func(lambda float64) routing.Learned {
		return routing.Learned{Prior: prior, Model: nothing.At(learning.Controller{Lambda: lambda})}
	}
	var chats []routing.Candidate
	for _, c := range offer(cfg, time.Time{}).Candidates {
		if c.Model.Chats() && c.Speaks(llm.FormatChat) {
			chats = append(chats, c)
		}
	}
	start := func(plan func(float64) routing.Strategy) float64 {
		return routing.StartPrice(plan, chats, cfg.Routing.BaselineModel, goalOf(cfg))
	}
	return map[string]float64{
		config.StrategyHybrid:   start(func(lambda float64) routing.Strategy { return routing.Hybrid{Learned: at(lambda)} }),
		config.StrategyLearning: start(func(lambda float64) routing.Strategy { return routing.Learning{Learned: at(lambda)} }),
	}
}
