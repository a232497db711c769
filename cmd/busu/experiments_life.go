package main

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/busuhq/busu/internal/experiment"
)

type experimentsStartCommand struct {
	apiFlags
	Name        string        `help:"Of no other experiment; by default the arms and the time."`
	Control     string        `required:"" help:"The strategy that there was before, or model:ID." placeholder:"STRATEGY"`
	Test        string        `required:"" help:"What it is compared with, in the same way." placeholder:"STRATEGY"`
	SampleSize  int           `required:"" help:"Users in all arms together." placeholder:"N"`
	TestShare   float64       `help:"Share of users in the test." default:"0.5"`
	Metric      string        `help:"What decides: good, quality, cost or latency." default:"good" enum:"good,quality,cost,latency"`
	Alpha       float64       `help:"0.1, 0.05 or 0.01." default:"0.05"`
	Observation time.Duration `help:"How long a user's requests count." default:"24h"`
	MinDuration time.Duration `help:"Before it nobody wins." default:"24h"`
	MaxDuration time.Duration `help:"When the final test is taken at the latest." default:"720h"`
	Layer       string        `help:"Experiments of one layer share no user."`
	LayerShare  float64       `help:"Share of the layer; by default all of it." placeholder:"SHARE"`
	NotifyURL   string        `name:"notify-url" help:"Address that is told when it has ended, by a signed webhook." placeholder:"URL"`
	JSON        bool          `help:"Print JSON."`
}

func (experimentsStartCommand) Help() string {
	return `Begins an experiment at a running busu: requests that name its id get the answer of
their user's arm. "busu experiments plan" says beforehand what a sample can find.

Example:

  busu experiments start --control complexity --test hybrid --sample-size 2000
  busu experiments start --control hybrid --test model:small --metric cost --test-share 0.1 --sample-size 5000`
}

// body is the request.
func (c experimentsStartCommand) body(now time.Time) experiment.Start {
	s := experiment.Start{Name: cmp.Or(c.Name, fmt.Sprintf("%s against %s, %s", c.Test, c.Control, now.UTC().Format("2006-01-02 15:04:05"))),
		Control: armSpec(c.Control), Test: armSpec(c.Test), TestShare: &c.TestShare, SampleSize: c.SampleSize,
		Primary: experiment.Metric(c.Metric), Alpha: &c.Alpha, Observation: new(experiment.Duration(c.Observation)),
		MinDuration: new(experiment.Duration(c.MinDuration)), MaxDuration: new(experiment.Duration(c.MaxDuration)), Layer: c.Layer, NotifyURL: c.NotifyURL}
	if c.LayerShare != 0 {
		s.LayerShare = &c.LayerShare
	}
	return s
}

func armSpec(text string) *experiment.ArmSpec {
	if model, ok := strings.CutPrefix(text, "model:"); ok {
		return &experiment.ArmSpec{Model: model}
	}
	return &experiment.ArmSpec{Strategy: text}
}

func (c experimentsStartCommand) Run(ctx context.Context) error {
	answer, err := c.ask(ctx, http.MethodPost, "/experiments/start", c.body(time.Now()), "application/json")
	if err != nil {
		return err
	}
	return printAnswer(answer, c.JSON, func(started *experiment.Started) error {
		fmt.Printf("id  %s\n", started.ID)
		return printPlan(os.Stdout, &started.Experiment, started.Plan)
	})
}

type experimentsListCommand struct {
	apiFlags
	Archived bool `help:"With those that are archived."`
	JSON     bool `help:"Print JSON."`
}

func (experimentsListCommand) Help() string {
	return `Lists the project's experiments, the newest first.

Example:

  busu experiments list
  busu experiments list --archived`
}

func (c experimentsListCommand) Run(ctx context.Context) error {
	answer, err := c.ask(ctx, http.MethodGet, fmt.Sprintf("/experiments?archived=%t", c.Archived), nil, "application/json")
	if err != nil {
		return err
	}
	return printAnswer(answer, c.JSON, func(list *struct{ Experiments []experiment.Status }) error {
		table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "ID\tNAME\tSTARTED\tSTATE\tOUTCOME\tWINNER")
		for _, s := range list.Experiments {
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", s.ID, s.Name, s.StartedAt.UTC().Format(time.RFC3339), s.State, orNothing(s.Outcome), orNothing(s.Winner))
		}
		return table.Flush()
	})
}

func orNothing[T ~string](v *T) string {
	if v == nil {
		return "-"
	}
	return string(*v)
}

type experimentsResultsCommand struct {
	apiFlags
	ID     string `arg:"" help:"Of the experiment."`
	Format string `help:"text, json or csv." default:"text" enum:"text,json,csv"`
}

func (experimentsResultsCommand) Help() string {
	return `Says how an experiment stands. Looking is free: intervals hold at all looks together.

Example:

  busu experiments results 019b0e4e-2b8a-7c3e-9d53-5a0f1c9f5b11
  busu experiments results 019b0e4e-2b8a-7c3e-9d53-5a0f1c9f5b11 --format csv`
}

func (c experimentsResultsCommand) Run(ctx context.Context) error {
	accept := "application/json"
	if c.Format == "csv" {
		accept = "text/csv"
	}
	answer, err := c.ask(ctx, http.MethodGet, "/experiments/"+url.PathEscape(c.ID)+"/results", nil, accept)
	if err != nil {
		return err
	}
	return printAnswer(answer, c.Format != "text", func(r *experiment.Results) error { return printResults(os.Stdout, r) })
}
