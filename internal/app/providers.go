package app

import (
	"fmt"
	"log/slog"

	"github.com/busuhq/busu/internal/config"
	"github.com/busuhq/busu/internal/httpapi"
	"github.com/busuhq/busu/internal/provider/guard"
	"github.com/busuhq/busu/internal/rollup"
	"github.com/busuhq/busu/internal/telemetry"
	"github.com/busuhq/busu/internal/tracing"
)

// newProviders makes the configured providers, each behind its guard.
func newProviders(cfg config.Config, t *tracing.Tracing) ([]*guard.Provider, error) {
	var all []*guard.Provider
	for _, p := range cfg.Providers {
		vendor, err := newProvider(p, t)
		if err != nil {
			return nil, fmt.Errorf("provider %s: %w", p.Name, err)
		}
		all = append(all, guard.New(t.Provider(vendor, p.Name, p.Kind), guardOptions(p)))
	}
	return all, nil
}

func guardOptions(p config.Provider) guard.Options {
	return guard.Options{
		Name: p.Name, MaxConcurrency: p.MaxConcurrency, Queue: p.Queue, Retries: p.Retries,
		Timeout: p.Timeout, AttemptTimeout: p.AttemptTimeout, FirstTokenTimeout: p.FirstTokenTimeout, IdleTimeout: p.IdleTimeout,
	}
}

// startAgreement lets the breakers of all processes hear of each other, and
// shows how the providers fare.
func startAgreement(providers []*guard.Provider, s *stores, health *httpapi.Health, log *slog.Logger, life *lifecycle) {
	a := &guard.Agreement{Process: s.presence.id(), Providers: providers, Board: s.redis, Log: log}
	life.start("providers", a.Run)
	for _, p := range providers {
		countProvider(telemetry.Labelled(health.Registry(), "provider", p.Name()), p.State)
	}
}

func countProvider(r telemetry.Registerer, state func() rollup.ProviderState) {
	of := func(value func(rollup.ProviderState) float64) func() float64 {
		return func() float64 { return value(state()) }
	}
	telemetry.Gauge(r, "busu_provider_in_flight", "Calls under way.",
		of(func(s rollup.ProviderState) float64 { return float64(s.InFlight) }))
	telemetry.Gauge(r, "busu_provider_limit", "Calls that may be under way: what the provider is found to bear.",
		of(func(s rollup.ProviderState) float64 { return float64(s.Limit) }))
	telemetry.Gauge(r, "busu_provider_waiting", "Calls in the queue.",
		of(func(s rollup.ProviderState) float64 { return float64(s.Waiting) }))
	telemetry.Gauge(r, "busu_provider_oldest_wait_seconds", "How long the oldest call in the queue has waited.",
		of(func(s rollup.ProviderState) float64 { return s.OldestWaitMS / 1000 }))
	telemetry.Gauge(r, "busu_provider_breaker", "The breaker: 0 closed, 1 half open, 2 open.",
		of(func(s rollup.ProviderState) float64 { return float64(rollup.Severity(s.Breaker)) }))
	telemetry.Counter(r, "busu_provider_breaker_opened_total", "Times that the breaker opened for what this process saw.",
		of(func(s rollup.ProviderState) float64 { return float64(s.Opened) }))
	telemetry.Counter(r, "busu_provider_shed_total", "Calls refused for want of room.",
		of(func(s rollup.ProviderState) float64 { return float64(s.Shed) }))
	telemetry.Counter(r, "busu_provider_retries_total", "Calls made again.",
		of(func(s rollup.ProviderState) float64 { return float64(s.Retries) }))
	telemetry.Counter(r, "busu_provider_rate_limited_total", "Calls that the provider refused as too many.",
		of(func(s rollup.ProviderState) float64 { return float64(s.RateLimited) }))
	telemetry.Counter(r, "busu_provider_timeouts_total", "Calls that the provider did not answer in time.",
		of(func(s rollup.ProviderState) float64 { return float64(s.Timeouts) }))
}
