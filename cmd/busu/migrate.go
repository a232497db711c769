package main

import (
	"context"
	"fmt"

	"github.com/busuhq/busu/internal/postgres"
)

type migrateCommand struct{}

func (migrateCommand) Help() string {
	return `Applies the migrations that the database has not seen. Processes do so by
themselves when they start; this is for those who want it as a step of its own.

Example:

  DATABASE_URL=postgres://busu@db/busu busu migrate`
}

func (migrateCommand) Run(ctx context.Context) error {
	return withPostgres(ctx, func(db *postgres.DB) error {
		applied, err := db.Migrate(ctx)
		if err != nil {
			return err
		}
		for _, name := range applied {
			fmt.Println(name)
		}
		if len(applied) == 0 {
			fmt.Println("up to date")
		}
		return nil
	})
}
