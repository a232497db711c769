package app

import (
	"context"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"github.com/busuhq/busu/internal/access"
	"github.com/busuhq/busu/internal/config"
	"github.com/busuhq/busu/internal/postgres"
	"github.com/busuhq/busu/internal/telemetry"
)

// startKeys follows the keys that there are.
func startKeys(cfg config.Config, s *stores, m *migration, r telemetry.Registerer, log *slog.Logger, life *lifecycle) *access.Keys {
	keys := access.NewKeys(cfg.AdminKey.Reveal())
	keys.Finder, keys.Grace = s.postgres, cfg.Keys.Grace
	life.start("keys", m.then(func(ctx context.Context) error { return keys.Follow(ctx, s.postgres, log) }))
	telemetry.Gauge(r, "busu_keys_age_seconds", "Time since keys were last read; known ones go on up to keys.grace.",
		func() float64 { return keys.Age(time.Now()).Seconds() })
	return keys
}

// KeyMaker makes and ends keys in the database. known, where there is one,
// hears of it at once; others do within a second.
type KeyMaker struct {
	db    *postgres.DB
	known *access.Keys
}

// NewKeyMaker makes one for commands that work on the database.
func NewKeyMaker(db *postgres.DB) *KeyMaker { return &KeyMaker{db: db} }

// CreateKey implements httpapi.KeyMaker.
func (m *KeyMaker) CreateKey(ctx context.Context, k access.Key, by string) (access.Made, error) {
	secret, now := access.NewSecret(), moment()
	k.ID, k.CreatedAt = uuid.Must(uuid.NewV7()).String(), now
	k.Secrets = []access.Stored{{Hash: secret.Hash(), Prefix: secret.Prefix()}}
	k.Complete()
	k, err := m.db.CreateKey(ctx, k, by)
	return m.made(k, secret, err)
}

// RotateKey implements httpapi.KeyMaker.
func (m *KeyMaker) RotateKey(ctx context.Context, project, id, by string, overlap time.Duration) (access.Made, error) {
	secret := access.NewSecret()
	k, err := m.db.RotateKey(ctx, project, id, by, access.Stored{Hash: secret.Hash(), Prefix: secret.Prefix()}, overlap, moment())
	return m.made(k, secret, err)
}

// RevokeKey implements httpapi.KeyMaker.
func (m *KeyMaker) RevokeKey(ctx context.Context, project, id, by string) (access.Key, error) {
	k, err := m.db.RevokeKey(ctx, project, id, by, moment())
	return m.heard(k, err)
}

// ChangeKey implements httpapi.KeyMaker.
func (m *KeyMaker) ChangeKey(ctx context.Context, project, id, by string, change func(*access.Key) error) (access.Key, error) {
	k, err := m.db.ChangeKey(ctx, project, id, by, change)
	return m.heard(k, err)
}

func (m *KeyMaker) made(k access.Key, s access.Secret, err error) (access.Made, error) {
	if k, err = m.heard(k, err); err != nil {
		return access.Made{}, err
	}
	return access.Made{Key: k, Secret: s.Reveal()}, nil
}

func (m *KeyMaker) heard(k access.Key, err error) (access.Key, error) {
	if err == nil && m.known != nil {
		m.known.Add(k, time.Now())
	}
	return k, err
}

// KnownToKeys is what keys may be limited to.
func KnownToKeys(cfg config.Config) access.Known {
	known := access.Known{Strategies: allStrategies()}
	for _, m := range cfg.Models {
		known.Models = append(known.Models, m.ID)
	}
	return known
}

// moment is now, as PostgreSQL keeps it.
func moment() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }
