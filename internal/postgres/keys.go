package postgres

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/busuhq/busu/internal/access"
)

// keyColumns end in the secrets that still work, the newest first.
const keyColumns = `k.id, k.project, k.name, k.role, k.models, k.strategies, k.experiments, k.created_at, k.expires_at, k.revoked_at, k.last_used_at,
	k.budget_nanos, k.budget_period, k.requests_per_minute, k.tokens_per_minute,
	k.concurrency, k.user_requests_per_minute, k.user_tokens_per_minute, k.user_concurrency, k.changed_at,
	(SELECT coalesce(json_agg(json_build_object('hash', encode(s.hash, 'hex'), 'prefix', s.prefix, 'until', s.until) ORDER BY s.made_at DESC), '[]')
		FROM key_secrets s WHERE s.key_id = k.id AND (s.until IS NULL OR s.until > now())) AS secrets`

func scanKey(row pgx.CollectableRow) (k access.Key, err error) {
	var secrets []struct {
		Hash, Prefix string
		Until        *time.Time
	}
	var user access.UserLimits
	err = row.Scan(&k.ID, &k.Project, &k.Name, &k.Role, &k.Models, &k.Strategies, &k.Experiments, &k.CreatedAt, &k.ExpiresAt, &k.RevokedAt, &k.LastUsedAt,
		&k.Budget, &k.BudgetPeriod, &k.RequestsPerMinute, &k.TokensPerMinute,
		&k.Concurrency, &user.RequestsPerMinute, &user.TokensPerMinute, &user.Concurrency, &k.ChangedAt, &secrets)
	if err != nil {
		return k, err
	}
	if user != (access.UserLimits{}) {
		k.PerUser = &user
	}
	for _, s := range secrets {
		stored := access.Stored{Prefix: s.Prefix, Until: inUTC(s.Until)}
		if n, err := hex.Decode(stored.Hash[:], []byte(s.Hash)); err != nil || n != len(stored.Hash) {
			return k, fmt.Errorf("key %s has a secret of %d bytes (%w)", k.ID, n, err)
		}
		k.Secrets = append(k.Secrets, stored)
	}
	k.CreatedAt, k.ChangedAt = k.CreatedAt.UTC(), k.ChangedAt.UTC()
	k.ExpiresAt, k.RevokedAt, k.LastUsedAt = inUTC(k.ExpiresAt), inUTC(k.RevokedAt), inUTC(k.LastUsedAt)
	k.Show(k.ChangedAt)
	return k, nil
}

// CreateKey stores a new key with its secret, and who made it.
func (db *DB) CreateKey(ctx context.Context, k access.Key, by string) (made access.Key, err error) {
	err = db.tx(ctx, func(tx pgx.Tx) error {
		user := userLimits(&k)
		_, err := tx.Exec(ctx, `INSERT INTO keys (id, project, name, role, models, strategies, experiments, created_at, expires_at,
				budget_nanos, budget_period, requests_per_minute, tokens_per_minute,
				concurrency, user_requests_per_minute, user_tokens_per_minute, user_concurrency)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)`,
			k.ID, k.Project, k.Name, k.Role, k.Models, k.Strategies, k.Experiments, k.CreatedAt, k.ExpiresAt,
			k.Budget, k.BudgetPeriod, k.RequestsPerMinute, k.TokensPerMinute,
			k.Concurrency, user.RequestsPerMinute, user.TokensPerMinute, user.Concurrency)
		if err != nil {
			return err
		}
		if err := insertSecret(ctx, tx, k.ID, k.Secrets[0], k.CreatedAt); err != nil {
			return err
		}
		if made, err = readKey(ctx, tx, `k.id = $1`, k.ID); err != nil {
			return err
		}
		return note(ctx, tx, k.Project, by, "key.create", k.ID, made)
	})
	if err != nil {
		return made, fmt.Errorf("create key: %w", err)
	}
	return made, nil
}

// userLimits are what a key limits its users to.
func userLimits(k *access.Key) access.UserLimits {
	if k.PerUser == nil {
		return access.UserLimits{}
	}
	return *k.PerUser
}

func insertSecret(ctx context.Context, tx pgx.Tx, key string, s access.Stored, at time.Time) error {
	_, err := tx.Exec(ctx, `INSERT INTO key_secrets (hash, key_id, prefix, made_at) VALUES ($1, $2, $3, $4)`, s.Hash[:], key, s.Prefix, at)
	return err
}

// readKey gives the key that a condition names, or access.ErrUnknown.
func readKey(ctx context.Context, from queryer, where string, args ...any) (access.Key, error) {
	rows, err := from.Query(ctx, `SELECT `+keyColumns+` FROM keys k WHERE `+where, args...)
	if err != nil {
		return access.Key{}, err
	}
	k, err := pgx.CollectExactlyOneRow(rows, scanKey)
	if errors.Is(err, pgx.ErrNoRows) {
		return k, access.ErrUnknown
	}
	return k, err
}

// changeKey does something with a key that is locked, and gives it as it is
// then. project "" is any.
func (db *DB) changeKey(ctx context.Context, project, id, by, action string, change func(tx pgx.Tx, k *access.Key) (detail any, err error)) (k access.Key, err error) {
	err = db.tx(ctx, func(tx pgx.Tx) error {
		if k, err = readKey(ctx, tx, `k.id = $1 AND ($2 = '' OR k.project = $2) FOR UPDATE OF k`, id, project); err != nil {
			return err
		}
		detail, err := change(tx, &k)
		if err != nil {
			return err
		}
		if err := note(ctx, tx, k.Project, by, action, id, detail); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `UPDATE keys SET changed_at = clock_timestamp() WHERE id = $1`, id); err != nil {
			return err
		}
		k, err = readKey(ctx, tx, `k.id = $1`, id)
		return err
	})
	if err != nil {
		return k, fmt.Errorf("%s: %w", action, err)
	}
	return k, nil
}

// RotateKey gives a key a new secret. Those before it end after an overlap.
func (db *DB) RotateKey(ctx context.Context, project, id, by string, s access.Stored, overlap time.Duration, now time.Time) (access.Key, error) {
	return db.changeKey(ctx, project, id, by, "key.rotate", func(tx pgx.Tx, k *access.Key) (any, error) {
		if err := k.Rotate(s, overlap, now); err != nil {
			return nil, err
		}
		_, err := tx.Exec(ctx, `UPDATE key_secrets SET until = least(until, $2) WHERE key_id = $1`, id, now.Add(overlap))
		if err != nil {
			return nil, err
		}
		return map[string]any{"prefix": s.Prefix, "overlapping": k.Overlapping}, insertSecret(ctx, tx, id, s, now)
	})
}

// RevokeKey ends a key. One that is revoked already stays as it is.
func (db *DB) RevokeKey(ctx context.Context, project, id, by string, now time.Time) (access.Key, error) {
	k, err := db.changeKey(ctx, project, id, by, "key.revoke", func(tx pgx.Tx, k *access.Key) (any, error) {
		if k.RevokedAt != nil {
			return nil, access.ErrRevoked
		}
		_, err := tx.Exec(ctx, `UPDATE keys SET revoked_at = $2 WHERE id = $1`, id, now)
		return nil, err
	})
	if errors.Is(err, access.ErrRevoked) {
		return k, nil
	}
	return k, err
}

// ChangeKey gives a key other names and limits: what change makes of it.
func (db *DB) ChangeKey(ctx context.Context, project, id, by string, change func(*access.Key) error) (access.Key, error) {
	return db.changeKey(ctx, project, id, by, "key.change", func(tx pgx.Tx, k *access.Key) (any, error) {
		if k.RevokedAt != nil {
			return nil, access.ErrRevoked
		}
		if err := change(k); err != nil {
			return nil, err
		}
		user := userLimits(k)
		_, err := tx.Exec(ctx, `UPDATE keys SET name = $2, models = $3, strategies = $4, experiments = $5, expires_at = $6,
				budget_nanos = $7, budget_period = $8, requests_per_minute = $9, tokens_per_minute = $10,
				concurrency = $11, user_requests_per_minute = $12, user_tokens_per_minute = $13, user_concurrency = $14 WHERE id = $1`,
			id, k.Name, k.Models, k.Strategies, k.Experiments, k.ExpiresAt, k.Budget, k.BudgetPeriod, k.RequestsPerMinute, k.TokensPerMinute,
			k.Concurrency, user.RequestsPerMinute, user.TokensPerMinute, user.Concurrency)
		return k, err
	})
}

// Key gives a project's key, or access.ErrUnknown. project "" is any.
func (db *DB) Key(ctx context.Context, project, id string) (access.Key, error) {
	k, err := readKey(ctx, db.pool, `k.id = $1 AND ($2 = '' OR k.project = $2)`, id, project)
	if err != nil {
		return k, fmt.Errorf("read key: %w", err)
	}
	return k, nil
}

// Keys gives a project's keys, the newest first, behind the id of another one;
// project "" is all.
func (db *DB) Keys(ctx context.Context, project, before string, most int) ([]access.Key, error) {
	rows, err := db.pool.Query(ctx, `SELECT `+keyColumns+` FROM keys k
		WHERE ($1 = '' OR k.project = $1) AND ($2 = '' OR k.id < $2) ORDER BY k.id DESC LIMIT $3`, project, before, most)
	if err != nil {
		return nil, fmt.Errorf("list keys: %w", err)
	}
	all, err := pgx.CollectRows(rows, scanKey)
	if err != nil {
		return nil, fmt.Errorf("list keys: %w", err)
	}
	return all, nil
}

// FindKey implements access.Finder.
func (db *DB) FindKey(ctx context.Context, h access.Hash) (access.Key, error) {
	k, err := readKey(ctx, db.pool, `k.id = (SELECT key_id FROM key_secrets WHERE hash = $1)`, h[:])
	if err != nil {
		return k, fmt.Errorf("find key: %w", err)
	}
	return k, nil
}

// KeysSince implements access.Records.
func (db *DB) KeysSince(ctx context.Context, since time.Time) (changed []access.Key, next time.Time, err error) {
	where, args := `k.changed_at >= $1`, []any{since}
	if since.IsZero() {
		where, args = `k.revoked_at IS NULL`, nil
	}
	changed, next, err = changes(ctx, db, scanKey, `SELECT `+keyColumns+` FROM keys k WHERE `+where, args...)
	if err != nil {
		return nil, since, fmt.Errorf("follow keys: %w", err)
	}
	return changed, next, nil
}

// KeysUsed implements access.Records. It is no change that anybody follows.
func (db *DB) KeysUsed(ctx context.Context, used map[string]time.Time) error {
	ids := slices.Sorted(maps.Keys(used)) // in one order, so that no two processes wait for each other
	times := make([]time.Time, len(ids))
	for i, id := range ids {
		times[i] = used[id]
	}
	_, err := db.pool.Exec(ctx, `
		UPDATE keys k SET last_used_at = greatest(k.last_used_at, u.at) FROM unnest($1::text[], $2::timestamptz[]) AS u(id, at) WHERE k.id = u.id`, ids, times)
	if err != nil {
		return fmt.Errorf("note when keys were used: %w", err)
	}
	return nil
}
