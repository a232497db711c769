package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/busuhq/busu/internal/demo"
	"github.com/busuhq/busu/internal/experiment"
	"github.com/busuhq/busu/internal/selftest"
)

type experimentsCommands struct {
	Start      experimentsStartCommand      `cmd:"" help:"Begin an experiment at a running busu."`
	List       experimentsListCommand       `cmd:"" help:"List experiments, the newest first."`
	Results    experimentsResultsCommand    `cmd:"" help:"Say how an experiment stands."`
	Recompute  experimentsRecomputeCommand  `cmd:"" help:"Judge an experiment again from its rows."`
	Ramp       experimentsRampCommand       `cmd:"" help:"Change the shares of the arms."`
	Extend     experimentsExtendCommand     `cmd:"" help:"Make the sample larger, or the time longer."`
	Stop       experimentsStopCommand       `cmd:"" help:"End an experiment without a verdict."`
	Archive    experimentsArchiveCommand    `cmd:"" help:"Take an experiment that has ended out of lists."`
	Deliveries experimentsDeliveriesCommand `cmd:"" help:"Say whether the address of an experiment was told."`
	Plan       experimentsPlanCommand       `cmd:"" help:"Say what an experiment of a size can find, and how long it takes."`
	Selftest   experimentsSelftestCommand   `cmd:"" help:"Hold the judge of experiments against simulated users."`
}

type experimentsSelftestCommand struct {
	JSON  bool    `help:"Print every measure, a list with an object each."`
	Share float64 `help:"Share of the usual number of simulations, for a quick look." default:"1"`
	Seed  uint64  `help:"Another seed is another chance." default:"1"`
}

func (experimentsSelftestCommand) Help() string {
	return `Simulates experiments of which the truth is known, with the judge that serves: how
often it names a winner where there is none, though it looks a hundred times; how often
it finds the one that there is, and after how many users; whether it notices users that
are lost; and how often it crowns a cheaper arm that is too bad. docs/experiments.md
explains the cases. It takes a few minutes on all cores, and ends with 1 where a goal is
missed.

Example:

  busu experiments selftest
  busu experiments selftest --share 0.1 --json`
}

// Validate implements kong.Validatable.
func (c experimentsSelftestCommand) Validate() error {
	if !(c.Share > 0 && c.Share <= 1) {
		return fmt.Errorf("--share %g is not within 0 and 1", c.Share)
	}
	return nil
}

func (c experimentsSelftestCommand) Run(ctx context.Context) error {
	progress := demo.NewProgress(os.Stderr, demo.IsTerminal(os.Stderr), time.Now).Of("experiments")
	measures, err := selftest.Run(ctx, selftest.Options{Share: c.Share, Seed: c.Seed, Progress: progress.Update})
	progress.Close()
	if err != nil {
		return err
	}
	if c.JSON {
		err = printJSON(os.Stdout, measures)
	} else {
		err = printMeasures(os.Stdout, measures)
	}
	return errors.Join(err, missed(measures))
}

func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

func printMeasures(w io.Writer, measures []selftest.Measure) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "GOAL\tCASE\tMEASURE\tVALUE\t±\tLIMIT\t")
	for _, m := range measures {
		verdict := "ok"
		if !m.Pass {
			verdict = "MISSED"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", m.Goal, m.Case, m.What, measured(m.Value), measured(m.StdErr), measured(m.Limit), verdict)
	}
	return table.Flush()
}

// measured writes a share with four decimals, and a number of users as such.
func measured(x float64) string {
	if x > 1 {
		return fmt.Sprintf("%.0f", x)
	}
	return fmt.Sprintf("%.4f", x)
}

func missed(measures []selftest.Measure) error {
	var cases []string
	for _, m := range measures {
		if !m.Pass {
			cases = append(cases, fmt.Sprintf("%s of %s (%s)", m.What, m.Goal, m.Case))
		}
	}
	if len(cases) == 0 {
		return nil
	}
	return fmt.Errorf("%d of %d measures miss their limit: %s", len(cases), len(measures), strings.Join(cases, "; "))
}

type experimentsPlanCommand struct {
	SampleSize  int           `help:"Users in all arms together." default:"2000"`
	Metric      string        `help:"What decides: good, quality, cost or latency." default:"good" enum:"good,quality,cost,latency"`
	Effect      float64       `help:"Difference that is expected: of shares for good, relative for others. By default 0.02 for good, 0.05 for quality, 0.2 for cost and latency."`
	TestShare   float64       `help:"Share of users in the test." default:"0.5"`
	Alpha       float64       `help:"0.1, 0.05 or 0.01." default:"0.05"`
	Good        float64       `help:"Share of requests that are good now." default:"0.9"`
	UsersPerDay float64       `help:"New users a day." placeholder:"N"`
	Requests    float64       `help:"Requests of a user, the mean." default:"1"`
	ICC         float64       `name:"icc" help:"How alike the requests of a user are, 0 … 1." default:"0.1"`
	Variation   float64       `help:"Standard deviation of cost and latency, over the mean." default:"1.3"`
	Rated       float64       `help:"Share of requests with feedback; 0: quality is not measured." default:"0"`
	MarginGood  float64       `help:"How many good answers fewer a winner may have, a share." default:"0.02"`
	MaxDuration time.Duration `help:"When the final test is taken at the latest." default:"720h"`
	JSON        bool          `help:"Print JSON."`
}

func (experimentsPlanCommand) Help() string {
	return `Says, before an experiment is started, which effect its sample can be expected to find
(four times in five), how probably an arm with the expected effect ends as the winner,
guardrails included, how many users would be enough, and how long they take to come.

Example:

  busu experiments plan --sample-size 2000 --good 0.95 --users-per-day 300
  busu experiments plan --metric cost --effect 0.3 --requests 5`
}

// experiment is the one that is planned, and the traffic it is planned for.
func (c experimentsPlanCommand) experiment() (experiment.Experiment, experiment.Traffic, error) {
	e, err := experiment.New(experiment.Start{Name: "plan", ControlStrategy: "complexity", TestStrategy: "hybrid",
		SampleSize: c.SampleSize, Primary: experiment.Metric(c.Metric), TestShare: &c.TestShare, Alpha: &c.Alpha,
		Margins: &experiment.StartMargins{Good: &c.MarginGood}, MaxDuration: new(experiment.Duration(c.MaxDuration)),
	}, experiment.Given{ID: "plan", Salt: "plan", SlowUS: 1}, experiment.Known{})
	g := experiment.UsualGuess()
	g.UnitsPerDay, g.Good, g.Requests, g.ICC, g.Variation, g.Rated = c.UsersPerDay, c.Good, c.Requests, c.ICC, c.Variation, c.Rated
	return e, g.Traffic(), err
}

// Validate implements kong.Validatable.
func (c experimentsPlanCommand) Validate() error {
	for _, s := range []struct {
		name             string
		value, low, high float64
	}{{"good", c.Good, 0, 1}, {"icc", c.ICC, 0, 1}, {"rated", c.Rated, 0, 1}, {"effect", c.Effect, 0, 10},
		{"requests", c.Requests, 1, 1e6}, {"variation", c.Variation, 0, 100}, {"users-per-day", c.UsersPerDay, 0, 1e12}} {
		if !(s.value >= s.low && s.value <= s.high) {
			return fmt.Errorf("--%s %g is not within %g and %g", s.name, s.value, s.low, s.high)
		}
	}
	_, _, err := c.experiment()
	return err
}

func (c experimentsPlanCommand) Run() error {
	e, traffic, err := c.experiment()
	if err != nil {
		return err
	}
	p := e.Plan(traffic, c.Effect)
	if c.JSON {
		return printJSON(os.Stdout, p)
	}
	return printPlan(os.Stdout, &e, p)
}

func printPlan(w io.Writer, e *experiment.Experiment, p experiment.Plan) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	effect := func(x float64) string { return fmt.Sprintf("%.3g %%", 100*x) }
	least := p.MDERelative
	if e.Primary == experiment.Good {
		effect = func(x float64) string { return fmt.Sprintf("%.3g points", 100*x) }
		least = p.MDE
	}
	fmt.Fprintf(table, "sample size\t%d users\n", e.SampleSize)
	if p.MDE > 0 {
		fmt.Fprintf(table, "smallest effect found\t%s of %s, four times in five\n", effect(least), e.Primary)
		fmt.Fprintf(table, "power to win\t%.0f %%, if the effect is %s and nothing gets worse\n", math.Round(100*p.PowerToWin), effect(p.Effect))
	} else {
		fmt.Fprintln(table, "smallest effect found\tnot known\npower to win\tnot known")
	}
	switch {
	case p.Suggested != nil:
		fmt.Fprintf(table, "suggested sample size\t%d users, to win four times in five\n", *p.Suggested)
	case p.MDE > 0:
		fmt.Fprintln(table, "suggested sample size\tnone: no size finds that four times in five")
	}
	if p.Days != nil {
		fmt.Fprintf(table, "takes at most\t%.1f days\n", *p.Days)
	}
	for _, warning := range p.Warnings {
		fmt.Fprintf(table, "note\t%s\n", warning)
	}
	return table.Flush()
}
