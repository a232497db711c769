package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"text/tabwriter"
	"time"

	"github.com/busuhq/busu/internal/app"
	"github.com/busuhq/busu/internal/config"
	"github.com/busuhq/busu/internal/postgres"
	"github.com/busuhq/busu/internal/webhook"
)

type webhooksCommands struct {
	Secret webhooksSecretCommand `cmd:"" help:"Print the secret that webhooks are signed with."`
}

type webhooksSecretCommand struct{}

func (webhooksSecretCommand) Help() string {
	return `Receivers verify with it that a webhook comes from this busu and is as it was sent:
every library of Standard Webhooks takes it as it is. It is BUSU_WEBHOOK_SECRET, or else
one that was made for this database.

Example:

  busu webhooks secret`
}

func (webhooksSecretCommand) Run(ctx context.Context) error {
	cfg, err := config.FromEnvironment(config.Worker)
	if err != nil {
		return err
	}
	return withPostgres(ctx, func(db *postgres.DB) error {
		secret, err := app.WebhookSecret(ctx, cfg, db)
		if err == nil {
			fmt.Println(secret)
		}
		return err
	})
}

type experimentsDeliveriesCommand struct {
	apiFlags
	ID   string `arg:"" help:"Of the experiment."`
	JSON bool   `help:"Print JSON."`
}

func (experimentsDeliveriesCommand) Help() string {
	return `Lists what the address of an experiment (--notify-url) was told, and every attempt. One
that fails is repeated for about a day, then given up.

Example:

  busu experiments deliveries 019b0e4e-2b8a-7c3e-9d53-5a0f1c9f5b11`
}

func (c experimentsDeliveriesCommand) Run(ctx context.Context) error {
	answer, err := c.ask(ctx, http.MethodGet, "/experiments/"+url.PathEscape(c.ID)+"/deliveries", nil, "application/json")
	if err != nil {
		return err
	}
	return printAnswer(answer, c.JSON, func(list *struct{ Deliveries []webhook.Delivery }) error {
		return printDeliveries(os.Stdout, list.Deliveries)
	})
}

func printDeliveries(w io.Writer, all []webhook.Delivery) error {
	if len(all) == 0 {
		fmt.Fprintln(w, "nobody was told anything yet")
	}
	for _, d := range all {
		fmt.Fprintf(w, "%s to %s: %s", d.Kind, d.URL, d.State)
		if d.NextAt != nil {
			fmt.Fprintf(w, ", next attempt %s", d.NextAt.Format(time.RFC3339))
		}
		fmt.Fprintf(w, "\nwebhook-id %s\n", d.ID)
		table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "ATTEMPT\tAT\tSTATUS\tMS\tERROR")
		for _, a := range d.Attempts {
			status := "-"
			if a.Status != 0 {
				status = fmt.Sprint(a.Status)
			}
			fmt.Fprintf(table, "%d\t%s\t%s\t%.1f\t%s\n", a.Number, a.At.Format(time.RFC3339), status, a.TookMS, a.Error)
		}
		if err := table.Flush(); err != nil {
			return err
		}
	}
	return nil
}
