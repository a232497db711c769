package main

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/busuhq/busu/internal/demo"
	"github.com/busuhq/busu/internal/learning"
	"github.com/busuhq/busu/internal/replay"
)

type evalCommands struct {
	Routing   evalRoutingCommand   `cmd:"" help:"Replay recorded outcomes through the strategies that serve."`
	Policy    evalPolicyCommand    `cmd:"" help:"Estimate on logged decisions what another policy would have got."`
	Decisions evalDecisionsCommand `cmd:"" help:"Print the stored decisions, for busu eval policy."`
	Savings   evalSavingsCommand   `cmd:"" help:"Estimate what routing would have saved, from a log of calls from before busu."`
	Plot      evalPlotCommand      `cmd:"" help:"Draw what the strategies score at what they cost."`
	FitPrior  fitPriorCommand      `cmd:"" help:"Fit the prior that ships with busu."`

	ImportRoutellm importRouteLLMCommand `cmd:"" help:"Make files of recorded outcomes from a checkout of RouteLLM."`
}

type evalRoutingCommand struct {
	Data        []string `required:"" sep:"none" help:"Recorded outcomes to score on, JSON lines. Repeat it for more files." placeholder:"FILE"`
	Train       []string `sep:"none" help:"Recorded outcomes to learn from. Repeat it for more files." placeholder:"FILE" xor:"train"`
	Folds       int      `help:"Learn from the other folds of the data instead." placeholder:"N" xor:"train"`
	TrainSize   int      `help:"Rows to learn from at most; by default all." placeholder:"N"`
	Strategy    string   `default:"hybrid" enum:"complexity,prior,learning,hybrid" help:"complexity, prior, learning or hybrid."`
	Feedback    string   `default:"bandit" enum:"full,bandit" help:"What is judged: every model's answer (full), or the chosen one's (bandit)."`
	Logging     string   `default:"own" enum:"uniform,own" help:"Who chooses while learning: a coin (uniform), or the strategy (own)."`
	StrongShare float64  `default:"0.35" help:"Share of requests for the strong model, the goal where the strategy chooses."`
	Rate        float64  `default:"1" help:"Share of requests with feedback."`
	Shadow      float64  `default:"0" help:"Share of requests of which a second model's answer is judged, too."`
	LabelNoise  float64  `default:"0" help:"Share of verdicts turned round."`
	Checkpoints []int    `help:"Requests after which to score as well." placeholder:"N"`
	Seed        uint64   `default:"0" help:"Another seed is another order of requests, another chance."`
	JSON        bool     `help:"Print every measure, a list with an object per checkpoint."`
}

func (evalRoutingCommand) Help() string {
	return `Each row holds a prompt and how every model answered it, so what any choice would
have cost and scored is known:

  {"id": "…", "dataset": "…", "domain": "…", "prompt": "…",
   "outcomes": {"model": {"quality": 0.8, "cost": 0.0004}}}

Strategies that learn do so from --train, or by --folds: each row is scored by what
was learned from the other folds, by a hash of the id. The last row of the result is
the end of the training. docs/routing.md explains the measures.

Example:

  busu eval routing --data mmlu.jsonl --data gsm8k.jsonl --folds 5 --strategy hybrid
  busu eval routing --data test.jsonl --train log.jsonl --checkpoints 100,3000 --json`
}

// Validate implements kong.Validatable: what it refuses is bad usage.
func (c evalRoutingCommand) Validate() error {
	o := c.options(nil)
	if err := o.Validate(); err != nil {
		return err
	}
	if o.Learns() && len(c.Train) == 0 && c.Folds == 0 {
		return fmt.Errorf("the strategy %s learns: name --train files, or --folds 5", c.Strategy)
	}
	return nil
}

func (c evalRoutingCommand) options(prior *learning.Prior) replay.Options {
	return replay.Options{
		Strategy: c.Strategy, Feedback: c.Feedback, Logging: c.Logging, StrongShare: c.StrongShare, Rate: c.Rate, Shadow: c.Shadow,
		LabelNoise: c.LabelNoise, TrainSize: c.TrainSize, Checkpoints: c.Checkpoints, Folds: c.Folds, Seed: c.Seed,
		Shipped: prior, Now: time.Now,
	}
}

func (c evalRoutingCommand) Run(ctx context.Context) error {
	prior, err := learning.Shipped()
	if err != nil {
		return err
	}
	data, err := readRows(c.Data)
	if err != nil {
		return err
	}
	train, err := readRows(c.Train)
	if err != nil {
		return err
	}
	progress := demo.NewProgress(os.Stderr, demo.IsTerminal(os.Stderr), time.Now)
	o := c.options(prior)
	o.Progress = progress.Update
	reports, err := replay.Evaluate(ctx, data, train, o)
	progress.Close()
	if err != nil {
		return err
	}
	if c.JSON {
		e := json.NewEncoder(os.Stdout)
		e.SetIndent("", "  ")
		return e.Encode(reports)
	}
	return printReports(os.Stdout, reports)
}

// readRows reads files one after the other.
func readRows(files []string) (rows []replay.Row, err error) {
	for _, name := range files {
		file, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		more, err := replay.Read(file)
		if err = errors.Join(err, file.Close()); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		rows = append(rows, more...)
	}
	return rows, nil
}

func printReports(w io.Writer, reports []replay.Report) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "LEARNED FROM\tAPGR\tTO PRIOR\t95 % INTERVAL\tCPT 50\tCPT 80\tSAVED AT 95 %\tONLINE PGR\tONLINE SHARE\t")
	for _, r := range reports {
		fmt.Fprintf(table, "%d\t%.3f\t%+.3f\t%+.3f … %+.3f\t%.3f\t%.3f\t%.0f %%\t%s\t%s\t\n", r.Trained, r.APGR,
			r.DiffToPrior.Estimate, r.DiffToPrior.Low, r.DiffToPrior.High, r.CPT50, r.CPT80, 100*r.CostSavedAt95,
			optional(r.OnlinePGR), optional(r.OnlineStrongShare))
	}
	last := reports[len(reports)-1]
	fmt.Fprintf(table, "\nPOLICY\tQUALITY\tUSD A REQUEST\t(%d rows of %s)\n", last.Tested, named(last.Datasets))
	for _, p := range []struct {
		name string
		at   replay.Point
	}{
		{"always the cheapest", last.Fixed.Cheapest}, {"always the baseline", last.Fixed.Baseline},
		{"random mix at equal cost", last.Fixed.Mix}, {last.Strategy, last.Fixed.Policy},
	} {
		fmt.Fprintf(table, "%s\t%.4f\t%.7f\t\n", p.name, p.at.Quality, p.at.Cost)
	}
	return table.Flush()
}

// named lists a few data sets, and counts many.
func named(sets []string) string {
	if len(sets) > 3 {
		return fmt.Sprintf("%d data sets", len(sets))
	}
	return strings.Join(sets, ", ")
}

func optional(x *float64) string {
	if x == nil {
		return "-"
	}
	return fmt.Sprintf("%.3f", *x)
}

type fitPriorCommand struct {
	Data string `required:"" help:"LLMRouter's recorded outcomes, JSON lines." placeholder:"FILE"`
	Out  string `required:"" help:"Where to write the prior." placeholder:"FILE"`
}

func (fitPriorCommand) Help() string {
	return `Fits the prior that strategies start from, on outcomes that LLMRouter recorded. Rows
marked as overlap are left out, and rows of other models are refused. The same file
gives the same bytes on one architecture.

Example:

  busu eval fit-prior --data llmrouter_uiuc.jsonl --out internal/learning/prior.bin`
}

func (c fitPriorCommand) Run() error {
	text, err := os.ReadFile(c.Data)
	if err != nil {
		return err
	}
	rows, err := readRows([]string{c.Data})
	if err != nil {
		return err
	}
	prior, err := replay.FitPrior(rows, fmt.Sprintf("LLMRouter (ulab-uiuc, MIT), %s, SHA-256 %x", filepath.Base(c.Data), sha256.Sum256(text)))
	if err != nil {
		return err
	}
	encoded := prior.Encode()
	if err := os.WriteFile(c.Out, encoded, 0o644); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "%d bytes: %s\n", len(encoded), prior.Source)
	return nil
}
