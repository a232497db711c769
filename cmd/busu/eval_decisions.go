package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/busuhq/busu/internal/postgres"
)

type evalDecisionsCommand struct {
	Project string        `help:"Whose requests." default:"${project}"`
	Last    time.Duration `help:"Of how long until now." default:"168h" placeholder:"D"`
}

func (evalDecisionsCommand) Help() string {
	return `Prints what the stored requests decided, with the first verdict on each, as JSON lines
that busu eval policy reads. It takes busu's own stores, or DATABASE_URL.

Example:

  busu eval decisions --last 72h > decisions.jsonl
  busu eval decisions | busu eval policy --log - --strong-share 0.2`
}

// Validate implements kong.Validatable.
func (c evalDecisionsCommand) Validate() error {
	if c.Last <= 0 {
		return errors.New("--last must be a length of time, such as 72h")
	}
	return nil
}

func (c evalDecisionsCommand) Run(ctx context.Context) error {
	return withPostgres(ctx, func(db *postgres.DB) error {
		out := bufio.NewWriter(os.Stdout)
		now := time.Now()
		n, err := db.WriteDecisions(ctx, out, c.Project, now.Add(-c.Last), now)
		if err = errors.Join(err, out.Flush()); err != nil {
			return err
		}
		fmt.Fprintf(os.Stderr, "%d decisions\n", n)
		return nil
	})
}
