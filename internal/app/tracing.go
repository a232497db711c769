package app

import (
	"log/slog"

	"github.com/busuhq/busu/internal/config"
	"github.com/busuhq/busu/internal/gateway"
	"github.com/busuhq/busu/internal/httpapi"
	"github.com/busuhq/busu/internal/release"
	"github.com/busuhq/busu/internal/telemetry"
	"github.com/busuhq/busu/internal/tracing"
)

// startTracing tells a collector what becomes of requests, where one is
// configured. nil: there is none.
func startTracing(cfg config.Config, instance string, r telemetry.Registerer, log *slog.Logger, life *lifecycle) *tracing.Tracing {
	if cfg.OTLP.Endpoint == "" {
		return nil
	}
	t := tracing.New(tracing.Options{Endpoint: cfg.OTLP.Endpoint, Headers: cfg.OTLP.Headers.Pairs(), Ratio: cfg.OTLP.Ratio,
		Role: string(cfg.Process), Version: release.Current().Version, Instance: instance, Log: log})
	life.onClose("tracing", t.Close)
	telemetry.Counter(r, "busu_spans_exported_total", "Spans that the collector has taken.",
		func() float64 { return float64(t.Stats().Exported) })
	telemetry.Counter(r, "busu_spans_failed_total", "Spans that the collector did not take: they are lost.",
		func() float64 { return float64(t.Stats().Failed) })
	return t
}

// follow lets requests be followed through the API. Without a collector nothing
// is changed.
func follow(t *tracing.Tracing, api *httpapi.API, g *gateway.Gateway, recorder *telemetry.Ledger) {
	if t == nil {
		return
	}
	api.Tracer, g.Planned, recorder.TraceOf = t, t.Planned, t.TraceOf
}
