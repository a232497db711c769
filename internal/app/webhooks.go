package app

import (
	"context"
	"fmt"
	"log/slog"
	"sync"

	"github.com/busuhq/busu/internal/config"
	"github.com/busuhq/busu/internal/courier"
	"github.com/busuhq/busu/internal/postgres"
	"github.com/busuhq/busu/internal/telemetry"
	"github.com/busuhq/busu/internal/webhook"
	"github.com/busuhq/busu/internal/worker"
)

// startDeliverer delivers webhooks, beside other processes that do.
func startDeliverer(cfg config.Config, s *stores, m *migration, r telemetry.Registerer, log *slog.Logger, life *lifecycle) {
	d := &worker.Deliverer{Post: s.postgres, Courier: courier.New(cfg.Webhooks.Allow), Keys: signers(cfg, s.postgres), Log: log}
	life.start("webhooks", m.then(d.Run))
	stats := d.Stats()
	telemetry.Counter(r, "busu_webhooks_delivered_total", "Webhooks that were delivered.",
		func() float64 { return float64(stats.Delivered.Load()) })
	telemetry.Counter(r, "busu_webhook_attempts_failed_total", "Attempts to deliver a webhook that failed.",
		func() float64 { return float64(stats.Failures.Load()) })
	telemetry.Counter(r, "busu_webhooks_given_up_total", "Webhooks that could not be delivered in a day, or that the receiver wants no more of.",
		func() float64 { return float64(stats.GivenUp.Load()) })
}

// signers give the keys that are configured, or else those of the database, read
// once.
func signers(cfg config.Config, db *postgres.DB) func(context.Context) (webhook.Keys, error) {
	var mu sync.Mutex
	var keys webhook.Keys
	return func(ctx context.Context) (webhook.Keys, error) {
		mu.Lock()
		defer mu.Unlock()
		if keys.Any() {
			return keys, nil
		}
		secret, err := WebhookSecret(ctx, cfg, db)
		if err == nil {
			keys, err = webhook.ParseKeys(secret)
		}
		if err != nil {
			return webhook.Keys{}, fmt.Errorf("find the secret of webhooks: %w", err)
		}
		return keys, nil
	}
}

// WebhookSecret is what signs: BUSU_WEBHOOK_SECRET, or else the secret that the
// database holds, which is made when it is first asked for.
func WebhookSecret(ctx context.Context, cfg config.Config, db *postgres.DB) (string, error) {
	if cfg.WebhookSecret.IsSet() {
		return cfg.WebhookSecret.Reveal(), nil
	}
	return db.WebhookSecret(ctx, webhook.NewSecret())
}
