package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"text/tabwriter"
	"time"

	"github.com/busuhq/busu/internal/app"
	"github.com/busuhq/busu/internal/config"
	"github.com/busuhq/busu/internal/postgres"
	"github.com/busuhq/busu/internal/reconcile"
	"github.com/busuhq/busu/internal/redisdb"
)

type reconcileCommand struct {
	Wait time.Duration `help:"How long to wait for what is still under way." default:"30s"`
}

func (reconcileCommand) Help() string {
	return `Compares what was answered, by the numbers that journals gave out, with what
PostgreSQL holds and with what the live metrics say, and what Redis has as spent
of budgets with what is stored. Prints one table, and exits
with 1 when anything differs. It reads every row.

Example:

  busu reconcile
  busu reconcile --wait 0s`
}

func (c reconcileCommand) Run(ctx context.Context) error {
	cfg, err := config.FromEnvironment(config.Worker)
	if err != nil {
		return err
	}
	return withStores(ctx, cfg, func(ledger *postgres.DB, live *redisdb.DB) error {
		report, err := c.settled(ctx, ledger, live)
		if err != nil {
			return err
		}
		if err := printReport(os.Stdout, report); err != nil {
			return err
		}
		if !report.Settled() {
			return errors.New("there are differences")
		}
		return nil
	})
}

// settled compares until nothing differs or the wait is over.
func (c reconcileCommand) settled(ctx context.Context, ledger *postgres.DB, live *redisdb.DB) (reconcile.Report, error) {
	const again = 500 * time.Millisecond
	for deadline := time.Now().Add(c.Wait); ; {
		report, err := compare(ctx, ledger, live)
		if err != nil || report.Settled() || time.Now().After(deadline) {
			return report, err
		}
		select {
		case <-ctx.Done():
			return report, ctx.Err()
		case <-time.After(again):
		}
	}
}

func compare(ctx context.Context, ledger *postgres.DB, live *redisdb.DB) (reconcile.Report, error) {
	audit, err := ledger.Audit(ctx)
	if err != nil {
		return reconcile.Report{}, err
	}
	report, unasked, err := app.HoldAgainst(ctx, audit, ledger, live)
	for _, err := range unasked {
		fmt.Fprintln(os.Stderr, "busu:", err) // what is in PostgreSQL must do
	}
	return report, err
}

func printReport(w io.Writer, r reconcile.Report) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "JOURNAL\tLANE\tANNOUNCED\tSTORED\tMISSING\tREPEATED\t")
	for _, l := range r.Lanes {
		note := l.Problem
		if l.Unheard {
			note += " (no heartbeat was heard)"
		}
		fmt.Fprintf(table, "%s\t%s\t%d\t%d\t%d\t%d\t%s\n", l.Journal, l.Lane, l.Announced, l.Stored, l.Missing, l.Repeated, note)
	}
	fmt.Fprintln(table, "\nPROJECT\tSTORED\tLIVE\tCOST USD\tBASELINE USD\tDIFFERENCE\t")
	for _, p := range r.Projects {
		fmt.Fprintf(table, "%s\t%d\t%d\t%s\t%s\t%d\t%s\n", p.Project, p.Stored.TotalRequests, p.Live.TotalRequests,
			p.Stored.CostUSD, p.Stored.BaselineCostUSD, p.Stored.TotalRequests-p.Live.TotalRequests, p.Problem)
	}
	if len(r.Budgets) > 0 {
		fmt.Fprintln(table, "\nBUDGET OF\tPERIOD\tSTORED USD\tREDIS USD\tDIFFERENCE USD\t")
		for _, b := range r.Budgets {
			note := b.Problem
			if b.Problem == "" && b.Redis != b.Stored {
				note = "(counts too much for a minute or two)"
			}
			fmt.Fprintf(table, "%s %s\t%s from %s\t%s\t%s\t%s\t%s\n", b.Scope, b.Name, b.Period, b.Began.Format(time.DateOnly), b.Stored, b.Redis, b.Stored-b.Redis, note)
		}
	}
	fmt.Fprintf(table, "\nintents that are not settled: %d\n", r.Open)
	return table.Flush()
}
