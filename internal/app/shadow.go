package app

import (
	"context"
	"log/slog"
	"time"

	"github.com/busuhq/busu/internal/config"
	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/gateway"
	"github.com/busuhq/busu/internal/httpapi"
	"github.com/busuhq/busu/internal/pricing"
	"github.com/busuhq/busu/internal/provider/guard"
	"github.com/busuhq/busu/internal/telemetry"
)

// startShadow has second models asked beside the gateway's requests, where that
// is wished.
func startShadow(cfg config.Config, g *gateway.Gateway, providers []*guard.Provider, s *stores, m *migration, health *httpapi.Health, log *slog.Logger, life *lifecycle) {
	if cfg.Shadow.Share == 0 {
		return
	}
	guards := map[string]*guard.Provider{}
	for _, p := range providers {
		guards[p.Name()] = p
	}
	g.Shadow = gateway.NewShadow(g, gateway.ShadowOptions{
		Share: cfg.Shadow.Share, Budget: cfg.Shadow.DailyBudget, Judge: cfg.Shadow.Judge, Log: log,
		Spent: func(ctx context.Context, since time.Time) (pricing.Nanos, error) {
			n, err := s.postgres.Spent(ctx, []string{event.StrategyShadow, event.StrategyJudge}, since)
			return pricing.Nanos(n), err
		},
		Room: func(provider string) bool { p, ok := guards[provider]; return ok && p.Spare() },
	})
	life.start("second models", m.then(g.Shadow.Run))
	countShadow(health.Registry(), g.Shadow.Stats())
}

func countShadow(r telemetry.Registerer, stats *gateway.ShadowStats) {
	telemetry.Counter(r, "busu_shadow_total", "Second models that were asked in the background.",
		func() float64 { return float64(stats.Asked()) })
	telemetry.Counter(r, "busu_shadow_judged_total", "Pairs of answers that a judge has rated.",
		func() float64 { return float64(stats.Judged()) })
	telemetry.Counter(r, "busu_shadow_cost_usd_total", "What second models and the judge have cost, in dollars.",
		func() float64 { return float64(stats.Cost()) / 1e9 })
	for _, why := range gateway.Skips() {
		telemetry.Counter(telemetry.Labelled(r, "reason", why.String()), "busu_shadow_skipped_total", "Requests that were drawn and taught nothing, by reason.",
			func() float64 { return float64(stats.Skipped(why)) })
	}
}
