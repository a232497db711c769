package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/busuhq/busu/internal/app"
	"github.com/busuhq/busu/internal/config"
	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/redisdb"
)

type forgetCommand struct {
	User    string `required:"" help:"Whom to forget, as requests name the user." placeholder:"ID"`
	Project string `help:"The project that the user is of." default:"${project}"`
}

func (forgetCommand) Help() string {
	return `Removes what is kept of a user: the answers to the user's questions, from the
memory of every process, Redis and PostgreSQL, those kept for a repetition under an
Idempotency-Key, what was seen of the prompts and learned from that, and what people
wrote to verdicts. Rows that money is counted from stay, under a name by chance that
is noted nowhere, without session, caller's id and metadata. Prints how much that was,
by where it was; what processes had in memory goes within a second, and is not counted.
Says up to when files of journals may hold the user's name yet.
When it fails, some may be left: repeat it. docs/privacy.md says what is out of reach.

Example:

  busu forget --user ada
  DATABASE_URL=… REDIS_URL=… busu forget --user ada@example.com --project search`
}

// Validate implements kong.Validatable.
func (c forgetCommand) Validate() error {
	if c.User == "" || c.Project == "" {
		return errors.New("--user and --project must not be empty")
	}
	return nil
}

func (c forgetCommand) Run(ctx context.Context) error {
	cfg, err := config.FromEnvironment(config.Worker)
	if err != nil {
		return err
	}
	ledger, err := openPostgres(ctx, cfg)
	if err != nil {
		return err
	}
	defer ledger.Close()
	answers, err := openAnswers(cfg)
	if err != nil {
		return err
	}
	log, _ := app.NewLogger(cfg, os.Stderr)
	redis, err := openRedis(cfg)
	if err != nil {
		return errors.Join(err, answers.Close())
	}
	removed, err := app.NewForgetter(cfg, answers, redis, ledger, log).ForgetUser(ctx, c.Project, c.User)
	if err = errors.Join(err, answers.Close(), redis.Close()); err != nil {
		return fmt.Errorf("some may be left, repeat it: %w", err)
	}
	delete(removed, event.CacheMemory) // this process had none
	if err := printRemoved(os.Stdout, removed); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "Files of journals may hold what requests said of the user until %s (journal.rotate_after), longer only while facts wait to be stored.\n",
		time.Now().Add(app.JournalOptions(cfg, log).OnDisk()).UTC().Format(time.RFC3339))
	return nil
}

// openAnswers connects to the Redis that answers are kept in.
func openAnswers(cfg config.Config) (*redisdb.DB, error) {
	if own := cfg.RedisCache.Reveal(); own != "" {
		redisdb.Quiet()
		return redisdb.Open(own)
	}
	return openRedis(cfg)
}

func printRemoved(w io.Writer, removed map[string]int64) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "KEPT IN\tREMOVED")
	for _, place := range slices.Sorted(maps.Keys(removed)) {
		fmt.Fprintf(table, "%s\t%d\n", place, removed[place])
	}
	return table.Flush()
}
