package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/busuhq/busu/internal/app"
	"github.com/busuhq/busu/internal/config"
	"github.com/busuhq/busu/internal/journal"
	"github.com/busuhq/busu/internal/postgres"
	"github.com/busuhq/busu/internal/redisdb"
)

type adoptCommand struct {
	Dir string `arg:"" help:"The state directory of an API process that is gone." type:"existingdir"`
}

func (adoptCommand) Help() string {
	return `Ships what a process that does not come back has left in its journal, and waits
until it is stored; then the journal is removed. Processes do so by themselves
for those that shared their state directory. Stores come from the environment.

Example:

  DATABASE_URL=… REDIS_URL=… busu adopt /mnt/old-pod/busu`
}

func (c adoptCommand) Run(ctx context.Context) error {
	cfg, err := config.FromEnvironment(config.Worker)
	if err != nil {
		return err
	}
	return withStores(ctx, cfg, func(ledger *postgres.DB, stream *redisdb.DB) error {
		log, _ := app.NewLogger(cfg, os.Stderr)
		a := &journal.Adopter{Dir: filepath.Join(c.Dir, "journal"), Options: app.JournalOptions(cfg, log),
			Stream: stream, Marks: ledger, Log: log}
		adopted, err := a.Adopt(ctx)
		fmt.Printf("%d journals shipped, stored and removed\n", adopted)
		return errors.Join(err, ctx.Err())
	})
}
