package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/busuhq/busu/internal/config"
	"github.com/busuhq/busu/internal/learning"
	"github.com/busuhq/busu/internal/replay"
	"github.com/busuhq/busu/internal/routing"
)

type evalPolicyCommand struct {
	Log           string   `required:"" help:"Logged decisions, JSON lines; - for standard input." placeholder:"FILE"`
	Strategy      string   `default:"logged" enum:"logged,prior,complexity,learning,hybrid" help:"logged, prior, complexity, learning or hybrid: whose predictions the policy goes by."`
	Snapshot      string   `help:"What learning or hybrid knows: a snapshot's model." placeholder:"FILE"`
	Lambda        *float64 `help:"What a dollar must buy: quality per dollar." placeholder:"Q"`
	StrongShare   *float64 `help:"Share of decisions for the baseline model, instead." placeholder:"R"`
	QualityTarget *float64 `help:"Share of the baseline's predicted quality to keep, instead." placeholder:"R"`
	Models        []string `help:"Models that may be chosen; by default all." placeholder:"MODEL"`
	Baseline      string   `help:"The baseline model; by default what each decision names." placeholder:"MODEL"`
	Prices        string   `help:"Prices to pay instead: a price file, over those in force." placeholder:"FILE"`
	LoggedBy      string   `help:"Only decisions of this strategy." placeholder:"STRATEGY"`
	CostOnly      bool     `help:"Estimate costs alone: the log needs no verdicts."`
	JSON          bool     `name:"json" help:"Print every estimate, as JSON."`
}

func (evalPolicyCommand) Help() string {
	return `Estimates what another policy would have cost and scored, from decisions that were
made by one that tries models out: each counts by how likely it was. Nothing is asked
again, and no prompt is needed. One decision a line, some members of the fact
completion.recorded (schema/events) joined with the verdict:

  {"id": "…", "user_id": "…", "strategy": "hybrid", "planned_model": "small",
   "propensity": 0.9, "complexity": 0.2, "baseline_model": "large",
   "candidates": [{"model": "small", "quality": 0.8, "prior": 0.7,
                   "cost_nanos": 21000, "probability": 0.9}, …],
   "model": "small", "status": "ok", "cache": "miss",
   "tokens_in": 100, "tokens_out": 80, "cost_nanos": 20000, "quality": 1}

A log holds predictions and not prompts, so what can be evaluated is: quality − λ·cost
by the logged predictions (logged), or by those of before anything was learned (prior),
at another λ, share of strong calls or quality target; the tiers by the logged score
(complexity, with the models of busu.yaml); fewer models; other prices. Where the facts
have "features", so can learning and hybrid as they are at another snapshot, which must
not have learned from these decisions. Beside it stand always the cheapest, always the
baseline and the random mix at equal cost.

What was answered from a cache, named its model or belongs to the hold-out is left out
and counted. Where the log cannot say, because too little of what the policy would do
was tried, the command fails and says what would be needed.

Example:

  busu eval policy --log decisions.jsonl --strong-share 0.2
  busu eval policy --log - --quality-target 0.98 --models small,large --json < log.jsonl
  busu eval policy --log decisions.jsonl --strategy complexity
  busu eval policy --log decisions.jsonl --strategy hybrid --snapshot model.bin --strong-share 0.3
  busu eval policy --log decisions.jsonl --lambda 150 --prices prices.yaml --cost-only`
}

// Validate implements kong.Validatable: what it refuses is bad usage.
func (c evalPolicyCommand) Validate() error {
	t := c.target()
	if c.Strategy == replay.Complexity {
		t.Catalog = catalog{} // made later
	}
	if c.learns() != (c.Snapshot != "") {
		return errors.New("snapshot: learning and hybrid need one, and no other strategy has one")
	}
	if c.learns() {
		t.Predict = replay.PredictBy(nil, nil) // made later
	}
	return t.Validate()
}

func (c evalPolicyCommand) learns() bool {
	return c.Strategy == replay.Learning || c.Strategy == replay.Hybrid
}

func (c evalPolicyCommand) target() replay.Target {
	return replay.Target{Strategy: c.Strategy, Lambda: c.Lambda, StrongShare: c.StrongShare, QualityTarget: c.QualityTarget,
		Models: c.Models, Baseline: c.Baseline}
}

func (c evalPolicyCommand) Run() error {
	target := c.target()
	log, err := c.read()
	if err != nil {
		return err
	}
	if c.Prices != "" || c.Strategy == replay.Complexity {
		if target.Catalog, err = c.catalog(log); err != nil {
			return err
		}
	}
	if c.learns() {
		if target.Predict, err = c.predictor(log); err != nil {
			return err
		}
	}
	report, err := replay.EvaluatePolicy(log, target, replay.PolicyOptions{CostOnly: c.CostOnly})
	for _, left := range log.LeftOut {
		fmt.Fprintf(os.Stderr, "left out: %d %s\n", left.Count, left.Reason)
	}
	if err != nil {
		return err
	}
	if w := report.Cost.MeanWeight; w.Low > 1 || w.High < 1-report.Untried {
		fmt.Fprintf(os.Stderr, "busu: weights average %.3f (%.3f … %.3f) where 1 is expected: the logged propensities may not be true\n", w.Estimate, w.Low, w.High)
	}
	if c.JSON {
		e := json.NewEncoder(os.Stdout)
		e.SetIndent("", "  ")
		return e.Encode(report)
	}
	return printPolicy(os.Stdout, report)
}

// predictor is the strategy as it would predict with the snapshot.
func (c evalPolicyCommand) predictor(log replay.Log) (replay.Predictor, error) {
	prior, err := learning.Shipped()
	if err != nil {
		return nil, err
	}
	encoded, err := os.ReadFile(c.Snapshot)
	if err != nil {
		return nil, err
	}
	model, err := learning.Decode(encoded, nil)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.Snapshot, err)
	}
	models, err := c.catalog(log)
	if err != nil {
		return nil, err
	}
	known := routing.Learned{Prior: prior, Model: model}
	if c.Strategy == replay.Learning {
		return replay.PredictBy(routing.Learning{Learned: known}, models), nil
	}
	return replay.PredictBy(routing.Hybrid{Learned: known}, models), nil
}

func (c evalPolicyCommand) read() (log replay.Log, err error) {
	file := os.Stdin
	if c.Log != "-" {
		if file, err = os.Open(c.Log); err != nil {
			return log, err
		}
		defer func() { err = errors.Join(err, file.Close()) }()
	}
	if log, err = replay.ReadLog(file, c.LoggedBy); err != nil {
		return log, fmt.Errorf("%s: %w", c.Log, err)
	}
	return log, nil
}

func (c evalPolicyCommand) catalog(log replay.Log) (catalog, error) {
	cfg, err := config.FromEnvironment(config.All)
	if err != nil {
		return nil, err
	}
	offered := map[string]bool{}
	for _, d := range log.Decisions {
		for _, candidate := range d.Candidates {
			offered[candidate.Model] = true
		}
		if d.Model != "" {
			offered[d.Model] = true
		}
	}
	return catalogOf(cfg, c.Prices, slices.Sorted(maps.Keys(offered)), time.Now())
}

func printPolicy(w io.Writer, r replay.PolicyReport) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "POLICY\tUSD A REQUEST\t95 % INTERVAL\tQUALITY\t95 % INTERVAL\t")
	line := func(name string, cost replay.Interval, quality *replay.Interval) {
		fmt.Fprintf(table, "%s\t%.7f\t%.7f … %.7f\t", name, cost.Estimate, cost.Low, cost.High)
		if quality == nil {
			fmt.Fprintln(table, "-\t\t")
			return
		}
		fmt.Fprintf(table, "%.4f\t%.4f … %.4f\t\n", quality.Estimate, quality.Low, quality.High)
	}
	of := func(pick func(replay.Estimates) replay.Interval) (cost replay.Interval, quality *replay.Interval) {
		if r.Quality != nil {
			q := pick(*r.Quality)
			quality = &q
		}
		return pick(r.Cost), quality
	}
	name := r.Strategy
	if r.Lambda != nil {
		name = fmt.Sprintf("%s, λ = %.4g", r.Strategy, *r.Lambda)
	}
	line("as it was", r.Logged.Cost, r.Logged.Quality)
	cost, quality := of(func(e replay.Estimates) replay.Interval { return e.DoublyRobust })
	line(name+" (doubly robust)", cost, quality)
	cost, quality = of(func(e replay.Estimates) replay.Interval { return e.SelfNormalised })
	line("  self-normalised", cost, quality)
	cost, quality = of(func(e replay.Estimates) replay.Interval { return e.IPS })
	line("  inverse propensity", cost, quality)
	cost, quality = of(func(e replay.Estimates) replay.Interval { return e.Difference })
	line("  difference to as it was", cost, quality)
	for _, fixed := range []struct {
		name string
		at   replay.Means
	}{{"always the cheapest", r.Fixed.Cheapest}, {"always the baseline", r.Fixed.Baseline}} {
		if fixed.at.Refused != "" {
			fmt.Fprintf(table, "%s\t-\t\t-\t\t\n", fixed.name)
			continue
		}
		line(fixed.name, fixed.at.Cost, fixed.at.Quality)
	}
	if m := r.Fixed.Mix; m != nil {
		fmt.Fprintf(table, "random mix at equal cost\t%.7f\t\t%.4f\t\t\n", m.Cost, m.Quality)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\n%s\n", basis(r))
	return err
}

// basis says in a few lines what the estimates rest on.
func basis(r replay.PolicyReport) string {
	var models []string
	for _, m := range slices.Sorted(maps.Keys(r.Models)) {
		models = append(models, fmt.Sprintf("%s %.1f %%", m, 100*r.Models[m]))
	}
	text := fmt.Sprintf("It would take %s. %d decisions are worth %.0f under it", strings.Join(models, ", "), r.Cost.Decisions, r.Cost.Effective)
	if r.Quality != nil {
		text += fmt.Sprintf(", %d with verdicts %.0f", r.Quality.Decisions, r.Quality.Effective)
	}
	text += fmt.Sprintf("; the largest weight is %.1f; intervals are over %d %ss.", r.Cost.LargestWeight, r.Units, r.Unit)
	if r.Untried > 0 {
		text += fmt.Sprintf("\nOf %.2f %% of them nothing is known: what it takes there was never tried.", 100*r.Untried)
	}
	for _, refused := range []struct{ name, why string }{{"cheapest", r.Fixed.Cheapest.Refused}, {"baseline", r.Fixed.Baseline.Refused}} {
		if refused.why != "" {
			text += fmt.Sprintf("\nAlways the %s cannot be told: %s.", refused.name, refused.why)
		}
	}
	return text
}
