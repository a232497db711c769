package main

import (
	"context"
	"errors"

	"github.com/busuhq/busu/internal/config"
	"github.com/busuhq/busu/internal/localstack"
	"github.com/busuhq/busu/internal/postgres"
	"github.com/busuhq/busu/internal/redisdb"
)

// withStores does something with both stores.
func withStores(ctx context.Context, cfg config.Config, do func(*postgres.DB, *redisdb.DB) error) error {
	ledger, err := openPostgres(ctx, cfg)
	if err != nil {
		return err
	}
	defer ledger.Close()
	stream, err := openRedis(cfg)
	if err != nil {
		return err
	}
	return errors.Join(do(ledger, stream), stream.Close())
}

// withPostgres does something with PostgreSQL.
func withPostgres(ctx context.Context, do func(*postgres.DB) error) error {
	cfg, err := config.FromEnvironment(config.Worker)
	if err != nil {
		return err
	}
	db, err := openPostgres(ctx, cfg)
	if err != nil {
		return err
	}
	defer db.Close()
	return do(db)
}

// withRedis does something with Redis.
func withRedis(do func(*redisdb.DB) error) error {
	cfg, err := config.FromEnvironment(config.Worker)
	if err != nil {
		return err
	}
	db, err := openRedis(cfg)
	if err != nil {
		return err
	}
	return errors.Join(do(db), db.Close())
}

// openPostgres connects to DATABASE_URL, or to the private PostgreSQL of the
// busu up that runs on the state directory.
func openPostgres(ctx context.Context, cfg config.Config) (*postgres.DB, error) {
	url := cfg.Database.Reveal()
	if url == "" {
		private, _, err := localstack.Running(cfg.StateDir)
		if err != nil {
			return nil, err
		}
		url = private
	}
	if url == "" {
		return nil, errors.New("there is no database: set DATABASE_URL, or run busu up and set the BUSU_STATE_DIR that it uses")
	}
	return postgres.Open(ctx, postgres.Options{URL: url, Name: "busu command"})
}

// openRedis connects to REDIS_URL, or to the private Redis of the busu up that
// runs on the state directory.
func openRedis(cfg config.Config) (*redisdb.DB, error) {
	redisdb.Quiet()
	url := cfg.Redis.Reveal()
	if url == "" {
		_, private, err := localstack.Running(cfg.StateDir)
		if err != nil {
			return nil, err
		}
		url = private
	}
	if url == "" {
		return nil, errors.New("there is no Redis: set REDIS_URL, or run busu up and set the BUSU_STATE_DIR that it uses")
	}
	return redisdb.Open(url)
}
