// Command answers measures what callers of busu's chat completions get, from
// the outside, on stores of its own.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"syscall"
	"time"

	"github.com/busuhq/busu/bench/answers"
	"github.com/busuhq/busu/internal/heap"
)

func main() {
	heap.Spend() // as every process of busu does
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	o, flood, err := parse(os.Args[1:])
	switch {
	case err != nil:
	case flood > 0:
		err = answers.Flood(ctx, flood, os.Stdout)
	default:
		err = answers.Run(ctx, o)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "answers:", err)
		os.Exit(1)
	}
}

func parse(args []string) (o answers.Options, flood int, err error) {
	o.Progress = os.Stderr
	flags := flag.NewFlagSet("answers", flag.ExitOnError)
	flags.IntVar(&o.Rounds, "rounds", 2, "how often everything is measured, in turns")
	flags.DurationVar(&o.Within, "within", 15*time.Minute, "begin no round that would probably end later")
	only := flags.String("only", "", "regular expression of the scenarios to measure")
	flags.IntVar(&o.Flood, "flood", 1_000_000, "different prompts for the cache alone")
	flags.StringVar(&o.Report, "out", "", "file for the report in Markdown; standard output without one")
	flags.StringVar(&o.JSON, "json", "", "file for all figures of all rounds")
	flags.StringVar(&o.Profiles, "profile", "", "folder for CPU profiles of busu under each load")
	flags.BoolVar(&o.List, "list", false, "list the scenarios and end")
	flags.IntVar(&flood, answers.FloodFlag, 0, "only flood a cache with so many prompts, and print what it took: a run does so")
	if err := flags.Parse(args); err != nil {
		return o, flood, err
	}
	if o.Only, err = regexp.Compile(*only); err != nil {
		return o, flood, fmt.Errorf("-only: %w", err)
	}
	return o, flood, o.Validate()
}
