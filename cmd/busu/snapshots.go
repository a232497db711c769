package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"text/tabwriter"
	"time"

	"github.com/busuhq/busu/internal/learning"
	"github.com/busuhq/busu/internal/postgres"
)

type snapshotsCommands struct {
	List     snapshotsListCommand     `cmd:"" help:"List what was learned, the newest first."`
	RollBack snapshotsRollBackCommand `cmd:"" name:"rollback" help:"Go back to an older one."`
	Export   snapshotsExportCommand   `cmd:"" help:"Write one's model, for busu eval policy."`
}

// learnerFlags say whose snapshots are meant.
type learnerFlags struct {
	Project  string `help:"The project whose verdicts it learned from." default:"${project}"`
	Strategy string `help:"The strategy that learned." enum:"hybrid,learning" default:"hybrid"`
}

func (f learnerFlags) learner() learning.Learner {
	return learning.Learner{Project: f.Project, Strategy: f.Strategy}
}

type snapshotsListCommand struct {
	learnerFlags
	Limit int `help:"How many at most." default:"20"`
}

func (snapshotsListCommand) Help() string {
	return `Snapshots are what strategies that learn go by, numbered per project and strategy.
VERDICTS are those learned from, WEIGHT is that of what was learned beside what was
known before, from 0 to 1, LAMBDA the quality that a dollar must buy.

Example:

  busu snapshots list
  busu snapshots list --project search --strategy learning`
}

// Validate implements kong.Validatable.
func (c snapshotsListCommand) Validate() error {
	if c.Limit < 1 {
		return errors.New("--limit must be at least 1")
	}
	return nil
}

func (c snapshotsListCommand) Run(ctx context.Context) error {
	return withPostgres(ctx, func(db *postgres.DB) error {
		all, err := db.Snapshots(ctx, c.learner(), c.Limit)
		if err != nil {
			return err
		}
		table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "SNAPSHOT\tAT\tVERDICTS\tWEIGHT\tLAMBDA\tROLLED BACK TO")
		for _, s := range all {
			back := ""
			if s.RolledBackTo > 0 {
				back = fmt.Sprint(s.RolledBackTo)
			}
			fmt.Fprintf(table, "%d\t%s\t%d\t%.3f\t%.4g\t%s\n", s.Number, s.At.UTC().Format(time.RFC3339), s.Verdicts, s.Weight, s.Lambda, back)
		}
		return table.Flush()
	})
}

type snapshotsRollBackCommand struct {
	learnerFlags
	To int64 `required:"" help:"The number of the snapshot to go back to." placeholder:"N"`
}

func (snapshotsRollBackCommand) Help() string {
	return `Publishes an older snapshot again, under a new number: within seconds every gateway
goes by it. What was learned behind it is left out; verdicts that come are learned on
top of it. To undo, go back to the snapshot before.

Example:

  busu snapshots list
  busu snapshots rollback --to 41`
}

func (c snapshotsRollBackCommand) Run(ctx context.Context) error {
	return withPostgres(ctx, func(db *postgres.DB) error {
		s, err := db.RollBack(ctx, c.learner(), c.To)
		if err != nil {
			return err
		}
		fmt.Fprintf(os.Stderr, "%s of project %s goes by snapshot %d again, published as %d\n", s.Strategy, s.Project, s.RolledBackTo, s.Number)
		return nil
	})
}

type snapshotsExportCommand struct {
	learnerFlags
	Number int64 `arg:"" help:"The snapshot's, from busu snapshots list."`
}

func (snapshotsExportCommand) Help() string {
	return `Writes the model of a snapshot, without its price, to standard output.

Example:

  busu snapshots export 41 > model.bin
  busu eval decisions | busu eval policy --log - --strategy hybrid --snapshot model.bin --strong-share 0.3`
}

func (c snapshotsExportCommand) Run(ctx context.Context) error {
	return withPostgres(ctx, func(db *postgres.DB) error {
		s, err := db.Snapshot(ctx, c.learner(), c.Number)
		if err != nil {
			return err
		}
		if s.Base > 0 {
			return fmt.Errorf("snapshot %d is learned on top of what other projects taught, and says nothing without it", c.Number)
		}
		model, err := db.Model(ctx, s.Learner(), s.ModelOf)
		if err != nil {
			return err
		}
		_, err = os.Stdout.Write(model)
		return err
	})
}
