package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/busuhq/busu/internal/webhook"
)

// enqueue writes a message into the transaction that it tells of. Who tells the
// same twice tells it once.
func enqueue(ctx context.Context, tx pgx.Tx, m webhook.Message) error {
	_, err := tx.Exec(ctx, `
		INSERT INTO webhooks (id, project, kind, subject, url, body) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (project, subject, kind) DO NOTHING`, m.ID, m.Project, m.Kind, m.Subject, m.URL, m.Body)
	return err
}

// ClaimWebhooks gives up to most of the messages that are due, the most overdue
// first. They are the caller's alone for a while; then, unless it has said what
// came of them, they are given to another.
func (db *DB) ClaimWebhooks(ctx context.Context, now time.Time, most int, lasts time.Duration) ([]webhook.Claim, error) {
	rows, err := db.pool.Query(ctx, `
		UPDATE webhooks SET claims = claims + 1, claimed_until = clock_timestamp() + $3
		WHERE id IN (
			SELECT id FROM webhooks WHERE state = 'waiting' AND due_at <= $1 AND (claimed_until IS NULL OR claimed_until < clock_timestamp())
			ORDER BY due_at, id LIMIT $2 FOR UPDATE SKIP LOCKED)
		RETURNING id, project, kind, subject, url, body::text, claims`, now, most, lasts)
	if err != nil {
		return nil, fmt.Errorf("claim webhooks: %w", err)
	}
	claims, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (c webhook.Claim, err error) {
		var body string
		err = row.Scan(&c.ID, &c.Project, &c.Kind, &c.Subject, &c.URL, &body, &c.Number)
		c.Body = []byte(body)
		return c, err
	})
	if err != nil {
		return nil, fmt.Errorf("claim webhooks: %w", err)
	}
	return claims, nil
}

// RecordAttempt writes down what came of a claimed message, and what follows.
// One that another has claimed since is the other's to go on with; what was
// delivered is delivered, whoever did it.
func (db *DB) RecordAttempt(ctx context.Context, id uuid.UUID, a webhook.Attempt, next webhook.Next) error {
	err := db.tx(ctx, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `
			INSERT INTO webhook_attempts (webhook_id, number, at, status, error, took_us) VALUES ($1, $2, $3, $4, $5, $6)
			ON CONFLICT DO NOTHING`, id, a.Number, a.At, a.Status, a.Error, int64(a.TookMS*1000)); err != nil {
			return err
		}
		if next.State == webhook.Waiting {
			_, err := tx.Exec(ctx, `UPDATE webhooks SET due_at = $3, claimed_until = NULL WHERE id = $1 AND claims = $2 AND state = 'waiting'`,
				id, a.Number, next.At)
			return err
		}
		_, err := tx.Exec(ctx, `
			UPDATE webhooks SET state = $3, ended_at = clock_timestamp(), claimed_until = NULL
			WHERE id = $1 AND state <> 'delivered' AND (claims = $2 AND state = 'waiting' OR $3 = 'delivered')`, id, a.Number, string(next.State))
		return err
	})
	if err != nil {
		return fmt.Errorf("record attempt %d of webhook %s: %w", a.Number, id, err)
	}
	return nil
}

// Deliveries are all messages about a subject of a project, in the order they
// were written, with what came of them.
func (db *DB) Deliveries(ctx context.Context, project, subject string) ([]webhook.Delivery, error) {
	all, err := db.deliveries(ctx, project, subject)
	if err != nil {
		return nil, fmt.Errorf("read deliveries: %w", err)
	}
	return all, nil
}

func (db *DB) deliveries(ctx context.Context, project, subject string) ([]webhook.Delivery, error) {
	rows, err := db.pool.Query(ctx, `
		SELECT id, kind, url, state, created_at, CASE WHEN state = 'waiting' THEN due_at END, ended_at
		FROM webhooks WHERE project = $1 AND subject = $2 ORDER BY created_at, id`, project, subject)
	if err != nil {
		return nil, err
	}
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (d webhook.Delivery, err error) {
		err = row.Scan(&d.ID, &d.Kind, &d.URL, &d.State, &d.CreatedAt, &d.NextAt, &d.EndedAt)
		d.URL, d.CreatedAt, d.NextAt, d.EndedAt = webhook.Shown(d.URL), d.CreatedAt.UTC(), inUTC(d.NextAt), inUTC(d.EndedAt)
		return d, err
	})
	if err != nil {
		return nil, err
	}
	for i := range all {
		if all[i].Attempts, err = db.attempts(ctx, all[i].ID); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func (db *DB) attempts(ctx context.Context, id uuid.UUID) ([]webhook.Attempt, error) {
	rows, err := db.pool.Query(ctx, `SELECT number, at, status, error, took_us FROM webhook_attempts WHERE webhook_id = $1 ORDER BY number`, id)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (a webhook.Attempt, err error) {
		var took int64
		err = row.Scan(&a.Number, &a.At, &a.Status, &a.Error, &took)
		a.At, a.TookMS = a.At.UTC(), float64(took)/1000
		return a, err
	})
}

// WebhookSecret is the secret that this database holds; fresh becomes it where
// there is none yet.
func (db *DB) WebhookSecret(ctx context.Context, fresh string) (secret string, err error) {
	_, err = db.pool.Exec(ctx, `INSERT INTO webhook_secret (secret) VALUES ($1) ON CONFLICT DO NOTHING`, fresh)
	if err == nil {
		err = db.pool.QueryRow(ctx, `SELECT secret FROM webhook_secret`).Scan(&secret)
	}
	if err != nil {
		return "", fmt.Errorf("read webhook secret: %w", err)
	}
	return secret, nil
}
