package main

import (
	"context"
	"os"

	"github.com/busuhq/busu/internal/app"
	"github.com/busuhq/busu/internal/config"
	"github.com/busuhq/busu/internal/heap"
)

type upCommand struct{}

func (upCommand) Help() string {
	return `Stores come from DATABASE_URL and REDIS_URL; where one is not set, busu runs a
private server of its own and keeps its data under BUSU_STATE_DIR. Without a
provider's key, simulated models answer.

Example:

  busu up
  BUSU_ADDR=127.0.0.1:8010 OPENAI_API_KEY=… busu up`
}

func (upCommand) Run(ctx context.Context) error {
	heap.Spend()
	cfg, err := config.FromEnvironment(config.All)
	if err != nil {
		return err
	}
	log, level := app.NewLogger(cfg, os.Stderr)
	return app.Run(ctx, cfg, log, level, os.Stdout)
}
