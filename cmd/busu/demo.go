package main

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/busuhq/busu/internal/config"
	"github.com/busuhq/busu/internal/demo"
)

type demoCommand struct {
	URL          string  `help:"Where busu is; by default BUSU_ADDR." placeholder:"URL"`
	Requests     int     `help:"How many prompts to send." default:"400"`
	Concurrency  int     `help:"How many at once." default:"16"`
	Users        int     `help:"How many users there are; a few send most." default:"3000"`
	FeedbackRate float64 `help:"The share of answers that users judge, from 0 to 1." default:"0.3"`
	Seed         uint64  `help:"Another seed sends other prompts." default:"1"`
}

func (demoCommand) Help() string {
	return `Many users send prompts of many kinds; at the end, one screen says what happened
and where to look. Where the simulated models answer, it knows which answers
were good, and users say so of some: strategies that learn get better by it.

Example:

  busu demo
  busu demo --requests 5000 --concurrency 64
  busu demo --feedback-rate 0
  BUSU_ADMIN_KEY=… busu demo --url https://busu.example.com`
}

func (c demoCommand) Validate() error {
	if c.Requests < 1 || c.Concurrency < 1 || c.Users < 1 {
		return errors.New("--requests, --concurrency and --users are at least 1")
	}
	if !(c.FeedbackRate >= 0 && c.FeedbackRate <= 1) {
		return errors.New("--feedback-rate is between 0 and 1")
	}
	return nil
}

func (c demoCommand) Run(ctx context.Context) error {
	cfg, err := config.FromEnvironment(config.All)
	if err != nil {
		return err
	}
	base, client, err := callerOf(cfg, c.URL)
	if err != nil {
		return err
	}
	client.Timeout = 2 * time.Minute
	progress := demo.NewProgress(os.Stderr, demo.IsTerminal(os.Stderr), time.Now)
	report, err := demo.Drive(ctx, demo.Options{
		BaseURL: base, APIKey: cfg.AdminKey.Reveal(), Requests: c.Requests, Concurrency: c.Concurrency,
		Seed: c.Seed, Users: c.Users, Feedback: c.FeedbackRate, TruthSeed: truthSeed(cfg), Progress: progress.Update,
		Client: client,
	})
	progress.Close()
	if err != nil {
		return err
	}
	report.Write(os.Stdout)
	return nil
}

// truthSeed is the seed of the simulated models: only with it is their truth
// known.
func truthSeed(cfg config.Config) uint64 {
	for _, p := range cfg.Providers {
		if p.Kind == config.KindSimulated {
			return p.Simulation.Seed
		}
	}
	return 0
}
