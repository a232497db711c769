package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/busuhq/busu/internal/config"
	"github.com/busuhq/busu/internal/demo"
	"github.com/busuhq/busu/internal/forecast"
	"github.com/busuhq/busu/internal/learning"
	"github.com/busuhq/busu/internal/pricing"
	"github.com/busuhq/busu/internal/routing"
	"github.com/busuhq/busu/internal/trafficlog"
)

type evalSavingsCommand struct {
	Log           string   `required:"" help:"A log of calls, JSON lines of OpenAI's or LiteLLM's; - for standard input." placeholder:"FILE"`
	Models        []string `help:"Models to choose among; by default those of busu.yaml." placeholder:"MODEL"`
	Baseline      string   `help:"The model that quality is measured against; by default that of busu.yaml, or the dearest." placeholder:"MODEL"`
	QualityTarget float64  `default:"0.95" help:"Share of the baseline's predicted quality that hybrid keeps."`
	Prices        string   `help:"Prices to pay instead: a price file, over those in force." placeholder:"FILE"`
	Days          float64  `help:"Days that the log covers; by default from its first to its last time." placeholder:"N"`
	Seed          uint64   `default:"0" help:"Another seed is another chance in the intervals."`
	JSON          bool     `name:"json" help:"Print every figure, as JSON."`
}

func (evalSavingsCommand) Help() string {
	return `Routes every prompt of an existing log as busu would on its first day, and prices the
tokens that were used on the models that it would have chosen, by the price table in
force. Nothing is asked of anybody. Each line is one of

  {"request": {"model": …, "messages": […]}, "response": {"usage": {…}, …}}
      OpenAI's, as batches and proxies log it: body for request, input for messages,
      a response inside a body, or all side by side
  {"model": …, "messages": […], "prompt_tokens": …, "completion_tokens": …,
   "response_cost": …, "startTime": …}
      LiteLLM's standard logging payload, or a spend log with its messages

Lines that are something else, failed, came from a cache or hold no messages are counted
on standard error, with the reason and the first line of each. The file may be of any
size: one line of it is held at a time.

Money comes with intervals of 95 % over users. Quality is predicted and not measured: it
stands beside the lowest and the highest that there is reason to expect.

Example:

  busu eval savings --log calls.jsonl --models gpt-6-luna,gpt-6.1-terra,gpt-6.2-sol
  zcat spend.jsonl.gz | busu eval savings --log - --days 30 --json`
}

// Validate implements kong.Validatable: what it refuses is bad usage.
func (c evalSavingsCommand) Validate() error {
	switch {
	case len(c.Models) == 1:
		return errors.New("models: name two or more to choose among")
	case !(c.QualityTarget >= 0 && c.QualityTarget <= 1):
		return fmt.Errorf("quality-target %v is not in 0 … 1", c.QualityTarget)
	case !(c.Days >= 0):
		return fmt.Errorf("days %v is below 0", c.Days)
	}
	return nil
}

func (c evalSavingsCommand) Run(ctx context.Context) error {
	cfg, err := config.FromEnvironment(config.All)
	if err != nil {
		return err
	}
	f, err := c.forecast(cfg, time.Now())
	if err != nil {
		return err
	}
	skipped, err := c.read(ctx, f)
	if err != nil {
		return err
	}
	report := f.Report(c.Days)
	report.Skipped = append(report.Skipped, skipped...)
	printSkipped(os.Stderr, report)
	if report.Calls == 0 {
		return fmt.Errorf("%s: no line holds a call that can be used; see busu eval savings --help for what it may look like", c.Log)
	}
	if c.JSON {
		e := json.NewEncoder(os.Stdout)
		e.SetIndent("", "  ")
		return e.Encode(report)
	}
	return printForecast(os.Stdout, report, cfg.Prices.Table.Version)
}

func (c evalSavingsCommand) forecast(cfg config.Config, now time.Time) (*forecast.Forecast, error) {
	candidates, err := c.candidates(cfg, now)
	if err != nil {
		return nil, err
	}
	prior, err := learning.Shipped()
	if err != nil {
		return nil, err
	}
	file, err := readPriceFile(c.Prices)
	if err != nil {
		return nil, err
	}
	served := servedModels{cfg: cfg, file: file, now: now, seen: map[string]*routing.Candidate{}}
	return forecast.New(forecast.Options{Candidates: candidates, Baseline: baselineAmong(candidates, cmp.Or(c.Baseline, cfg.Routing.BaselineModel), c.Baseline != ""),
		Keep: c.QualityTarget, Prior: prior, Seed: c.Seed, AsIs: served.of})
}

func (c evalSavingsCommand) candidates(cfg config.Config, now time.Time) ([]routing.Candidate, error) {
	names := c.Models
	if len(names) == 0 {
		if !slices.ContainsFunc(cfg.Providers, func(p config.Provider) bool { return p.Kind != config.KindSimulated }) {
			return nil, errors.New("no model is configured but simulated ones: name those to choose among, such as --models gpt-6-luna,gpt-6.2-sol (busu prices list shows all)")
		}
		for _, m := range cfg.Models {
			if m.Chats() {
				names = append(names, m.ID)
			}
		}
	}
	described, err := catalogOf(cfg, c.Prices, names, now)
	if err != nil {
		return nil, err
	}
	var candidates []routing.Candidate
	for _, name := range names {
		candidates = append(candidates, described[name])
	}
	return candidates, nil
}

// baselineAmong is the wanted model, or, where it was not named and is none of
// the candidates, the one whose answers cost most.
func baselineAmong(candidates []routing.Candidate, wanted string, named bool) string {
	if named || slices.ContainsFunc(candidates, func(c routing.Candidate) bool { return c.Model.ID == wanted }) {
		return wanted
	}
	return slices.MaxFunc(candidates, func(a, b routing.Candidate) int { return cmp.Compare(a.Price.Output, b.Price.Output) }).Model.ID
}

// servedModels finds the models that answered, by the names that logs give
// them.
type servedModels struct {
	cfg  config.Config
	file pricing.Table
	now  time.Time
	seen map[string]*routing.Candidate // nil: not known
}

// manyNames bounds what is remembered of a log that names something else on
// every line.
const manyNames = 10_000

func (s servedModels) of(c *trafficlog.Call) (routing.Candidate, bool) {
	for _, name := range []string{c.Model, c.Served} {
		found, looked := s.seen[name]
		if !looked {
			found = s.find(name)
			if len(s.seen) < manyNames {
				s.seen[name] = found
			}
		}
		if found != nil {
			return *found, true
		}
	}
	return routing.Candidate{}, false
}

var dated = regexp.MustCompile(`-(\d{4}-\d{2}-\d{2}|\d{8})$`)

// find tries a name as a provider's and a model's, as it is, and without a
// vendor before it; each also without the day of a version after it. What is
// found without a tier has a price all the same.
func (s servedModels) find(name string) *routing.Candidate {
	for rest, more := name, name != ""; more; _, rest, more = strings.Cut(rest, "/") {
		for _, n := range []string{strings.Replace(rest, "/", ":", 1), rest} {
			for _, n := range []string{n, dated.ReplaceAllString(n, "")} {
				if c, known := describedBy(s.cfg, s.file, n, s.now); known || c.Model.ID != "" && !c.Price.Unknown {
					return &c
				}
			}
		}
	}
	return nil
}

// read adds every call of the log up, and counts what cannot be.
func (c evalSavingsCommand) read(ctx context.Context, f *forecast.Forecast) (skipped []forecast.SkippedLines, err error) {
	file, size := os.Stdin, int64(0)
	if c.Log != "-" {
		if file, err = os.Open(c.Log); err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, file.Close()) }()
	}
	if info, err := file.Stat(); err == nil && info.Mode().IsRegular() {
		size = info.Size()
	}
	in := counter{Reader: file}
	progress := demo.NewProgress(os.Stderr, demo.IsTerminal(os.Stderr), time.Now)
	defer progress.Close()
	err = trafficlog.Read(&in, func(n int, call trafficlog.Call, unusable *trafficlog.UnusableError) error {
		switch {
		case unusable != nil:
			skipped = skip(skipped, n, unusable.Reason, unusable.Detail)
		default:
			if err := f.Add(&call); err != nil {
				skipped = skip(skipped, n, err.Error(), call.Model)
			}
		}
		if in.n > 0 && in.n < size { // about as many lines as fit
			progress.Update(n, max(n+1, int(float64(n)*float64(size)/float64(in.n))))
		}
		return ctx.Err()
	})
	return skipped, err
}

// counter counts the bytes that are read.
type counter struct {
	io.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n += int64(n)
	return n, err
}

func skip(skipped []forecast.SkippedLines, line int, reason, example string) []forecast.SkippedLines {
	for i := range skipped {
		if skipped[i].Reason == reason {
			skipped[i].Count++
			return skipped
		}
	}
	return append(skipped, forecast.SkippedLines{Reason: reason, Count: 1, First: line, Example: example})
}

func printSkipped(w io.Writer, r forecast.Report) {
	for _, s := range r.Skipped {
		example := ""
		if s.Example != "" {
			example = ", " + s.Example
		}
		fmt.Fprintf(w, "skipped: %d %s (first on line %d%s)\n", s.Count, s.Reason, s.First, example)
	}
}
