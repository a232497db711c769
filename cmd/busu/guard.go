package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/busuhq/busu/internal/postgres"
	"github.com/busuhq/busu/internal/savings"
)

type guardCommands struct {
	Status guardStatusCommand `cmd:"" help:"Say of each project whether routing goes on."`
	Reset  guardResetCommand  `cmd:"" help:"Arm a guard that has tripped: route again."`
}

type guardStatusCommand struct {
	JSON bool `help:"Print JSON, a guard by project."`
}

func (guardStatusCommand) Help() string {
	return `A guard trips when the answers of routed users are shown to be worse than those
of the hold-out by more than 2 points, in good answers or in verdicts. Then the baseline
answers all users but a tenth, until those are shown to be no worse, or an operator
resets it. Projects without a hold-out have no guard.

Example:

  busu guard status`
}

func (c guardStatusCommand) Run(ctx context.Context) error {
	return withPostgres(ctx, func(db *postgres.DB) error {
		guards, err := db.Guards(ctx)
		if err != nil {
			return err
		}
		if c.JSON {
			return printJSON(os.Stdout, guards)
		}
		table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "PROJECT\tGUARD\tSINCE\tBECAUSE")
		for _, project := range slices.Sorted(maps.Keys(guards)) {
			g := guards[project]
			since := "always"
			if g.At != nil {
				since = g.At.Format(time.RFC3339)
			}
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", project, g.State, since, because(g.Evidence))
		}
		return table.Flush()
	})
}

func because(e *savings.Evidence) string {
	switch {
	case e == nil:
		return "nothing is shown to be worse"
	case e.By == savings.ByOperator:
		return "an operator reset it"
	}
	bound := "at most"
	if e.Bound > -e.Margin {
		bound = "at least"
	}
	return fmt.Sprintf("%s %.1f %% for %d routed users, %.1f %% for %d of the baseline: %+.1f points, %s %+.1f", e.Metric,
		100*e.Routed, e.RoutedUsers, 100*e.Baseline, e.OtherUsers, 100*e.Difference, bound, 100*e.Bound)
}

type guardResetCommand struct {
	Project string `help:"Whose guard." default:"${project}"`
}

func (guardResetCommand) Help() string {
	return `Gateways hear of it within a second. The guard begins anew: what made it trip is not
looked at again.

Example:

  busu guard reset
  busu guard reset --project search`
}

func (c guardResetCommand) Run(ctx context.Context) error {
	return withPostgres(ctx, func(db *postgres.DB) error {
		changed, err := db.SetGuard(ctx, c.Project, savings.GuardArmed, savings.Evidence{By: savings.ByOperator})
		if err != nil {
			return err
		}
		if !changed {
			fmt.Printf("the guard of project %s had not tripped\n", c.Project)
			return nil
		}
		fmt.Printf("the guard of project %s is armed: it is routed again\n", c.Project)
		return nil
	})
}
