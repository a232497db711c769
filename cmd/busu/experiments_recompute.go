package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"text/tabwriter"

	"github.com/busuhq/busu/internal/experiment"
	"github.com/busuhq/busu/internal/postgres"
)

type experimentsRecomputeCommand struct {
	ID     string `arg:"" help:"Of the experiment."`
	Totals bool   `help:"From what was summed up of each user, for experiments whose requests have gone since (retention.completions)."`
	JSON   bool   `help:"Print JSON."`
}

func (experimentsRecomputeCommand) Help() string {
	return `Judges an experiment again from its rows in PostgreSQL, user by user, and holds
every sum, every look and the verdict against what is stored, to the last digit.
Prints what comes out otherwise, and exits with 1 when anything does. It changes
nothing.

Example:

  busu experiments recompute 019b0e4e-2b8a-7c3e-9d53-5a0f1c9f5b11`
}

func (c experimentsRecomputeCommand) Run(ctx context.Context) error {
	return withPostgres(ctx, func(db *postgres.DB) error {
		s, found, err := db.Recount(ctx, c.ID, c.Totals)
		switch {
		case errors.Is(err, experiment.ErrUnknown):
			return fmt.Errorf("there is no experiment %q: busu experiments list names them", c.ID)
		case err != nil:
			return err
		case c.JSON:
			err = printJSON(os.Stdout, found)
		default:
			err = printRecount(os.Stdout, &s, &found)
		}
		if err == nil && len(found.Differences) > 0 {
			return errors.New("what is stored is not what its rows lead to")
		}
		return err
	})
}

func printRecount(w io.Writer, s *experiment.Status, found *experiment.Recounted) error {
	fmt.Fprintf(w, "%s: %s, %s\n", s.Name, s.State, orNothing(s.Outcome))
	fmt.Fprintf(w, "%d users were judged again", found.Units)
	if found.Late > 0 {
		fmt.Fprintf(w, "; of %d of them facts came late, and they are taken as they were judged", found.Late)
	}
	fmt.Fprintln(w)
	if len(found.Differences) == 0 {
		_, err := fmt.Fprintln(w, "every sum, every look and the verdict come out the same")
		return err
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "\nOF\tWHAT\tSTORED\tRECOMPUTED")
	for _, d := range found.Differences {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", d.Of, d.What, d.Stored, d.Recomputed)
	}
	if found.More > 0 {
		fmt.Fprintf(table, "\nand %d more\n", found.More)
	}
	return table.Flush()
}
