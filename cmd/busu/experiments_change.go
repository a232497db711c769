package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/busuhq/busu/internal/experiment"
)

// changed is an experiment that was to be changed.
type changed struct {
	apiFlags
	ID   string `arg:"" help:"Of the experiment."`
	JSON bool   `help:"Print the record as JSON."`
}

// change asks for a change, and prints what the experiment is then: the record,
// or a line about it.
func (c changed) change(ctx context.Context, what string, body any, line func(*experiment.Status) string) error {
	answer, err := c.ask(ctx, http.MethodPost, "/experiments/"+url.PathEscape(c.ID)+"/"+what, body, "application/json")
	if err != nil {
		return err
	}
	return printAnswer(answer, c.JSON, func(s *experiment.Status) error {
		_, err := fmt.Println(line(s))
		return err
	})
}

type experimentsRampCommand struct {
	changed
	TestShare *float64      `help:"Share of new users in the test, where there are two arms." placeholder:"SHARE" xor:"shares"`
	Shares    []float64     `help:"Shares of all arms, in their order." placeholder:"SHARE,…" xor:"shares"`
	In        time.Duration `help:"When they begin; by default as soon as all gateways have heard, in ten seconds." placeholder:"5m"`
	Note      string        `help:"Why; kept with who and when."`
}

func (experimentsRampCommand) Help() string {
	return `Changes the shares of the arms of an experiment that runs. Who is in an arm stays there;
who comes new is split by the new shares. Once users have been counted, shares can only
be brought nearer to each other, and no more when a twentieth of the sample has come.

Example:

  busu experiments ramp 019b0e4e-2b8a-7c3e-9d53-5a0f1c9f5b11 --test-share 0.5 --note "nobody complained"
  busu experiments ramp 019b0e4e-2b8a-7c3e-9d53-5a0f1c9f5b11 --shares 0.4,0.3,0.3 --in 5m`
}

// Validate implements kong.Validatable.
func (c experimentsRampCommand) Validate() error {
	if c.TestShare == nil && c.Shares == nil {
		return errors.New("the new shares are missing: give --test-share or --shares")
	}
	return nil
}

func (c experimentsRampCommand) Run(ctx context.Context) error {
	r := experiment.Ramp{TestShare: c.TestShare, Shares: c.Shares, Note: c.Note}
	if c.In != 0 {
		r.At = new(time.Now().Add(c.In).UTC())
	}
	return c.change(ctx, "ramp", r, func(s *experiment.Status) string {
		var arms []string
		for i, share := range s.Shares() {
			arms = append(arms, fmt.Sprintf("%s %.4g", s.Arms[i].Name, share))
		}
		return fmt.Sprintf("%s: from %s on %s", s.Name, s.Phases[len(s.Phases)-1].From.UTC().Format(time.RFC3339), strings.Join(arms, ", "))
	})
}

type experimentsStopCommand struct{ changed }

func (experimentsStopCommand) Help() string {
	return `Ends an experiment without a verdict: nobody is assigned any more, and the control
serves. One that has ended stays as it is.

Example:

  busu experiments stop 019b0e4e-2b8a-7c3e-9d53-5a0f1c9f5b11`
}

func (c experimentsStopCommand) Run(ctx context.Context) error {
	return c.change(ctx, "stop", nil, func(s *experiment.Status) string {
		return fmt.Sprintf("%s: %s, %s serves", s.Name, s.State, s.Arms[s.Stays()].Does())
	})
}

type experimentsExtendCommand struct {
	changed
	SampleSize  int           `help:"Users in all arms together, from the start on." placeholder:"N"`
	MaxDuration time.Duration `help:"When it ends at the latest, from the start on." placeholder:"1440h"`
	Note        string        `help:"Why; kept with who and when."`
}

func (experimentsExtendCommand) Help() string {
	return `Makes the sample of a running experiment larger, or its time longer. As long as no user
has been counted, all is as if it had been asked for at the start. From then on there is
no single test at the end any more: a winner must be shown by what holds at all looks
together, at a smaller level.

Example:

  busu experiments extend 019b0e4e-2b8a-7c3e-9d53-5a0f1c9f5b11 --max-duration 1440h --note "fewer come than we thought"
  busu experiments extend 019b0e4e-2b8a-7c3e-9d53-5a0f1c9f5b11 --sample-size 4000`
}

// Validate implements kong.Validatable.
func (c experimentsExtendCommand) Validate() error {
	if c.SampleSize == 0 && c.MaxDuration == 0 {
		return errors.New("nothing is asked for: give --sample-size, --max-duration or both")
	}
	return nil
}

func (c experimentsExtendCommand) Run(ctx context.Context) error {
	x := experiment.Extension{SampleSize: c.SampleSize, Note: c.Note}
	if c.MaxDuration != 0 {
		x.MaxDuration = new(experiment.Duration(c.MaxDuration))
	}
	return c.change(ctx, "extend", x, func(s *experiment.Status) string {
		said := fmt.Sprintf("%s: %d users, until %s at the latest", s.Name, s.SampleSize, s.End().Format(time.RFC3339))
		if s.Planned > 0 {
			said += fmt.Sprintf("; planned were %d, so there is no single test at the end", s.Planned)
		}
		return said
	})
}

type experimentsArchiveCommand struct{ changed }

func (experimentsArchiveCommand) Help() string {
	return `Takes an experiment that has ended out of lists. Nothing of it is deleted: its results
can be read, and "busu experiments list --archived" names it.

Example:

  busu experiments archive 019b0e4e-2b8a-7c3e-9d53-5a0f1c9f5b11`
}

func (c experimentsArchiveCommand) Run(ctx context.Context) error {
	return c.change(ctx, "archive", nil, func(s *experiment.Status) string { return s.Name + ": archived" })
}
