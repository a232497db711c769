// Command experiments measures the judge of experiments and the reading of
// their results on a database that it fills.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/busuhq/busu/bench/experiments"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	o, err := parse(os.Args[1:])
	if err == nil {
		err = experiments.Run(ctx, o)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "experiments:", err)
		os.Exit(1)
	}
}

func parse(args []string) (experiments.Options, error) {
	o := experiments.Options{Progress: os.Stderr}
	flags := flag.NewFlagSet("experiments", flag.ExitOnError)
	flags.IntVar(&o.Users, "users", 1_000_000, "users of the experiment, with a request each; a million takes about 2 GB and five minutes")
	flags.IntVar(&o.Rate, "rate", 1000, "readers a second")
	flags.DurationVar(&o.For, "for", 20*time.Second, "how long results are read")
	flags.StringVar(&o.Report, "out", "", "file for the report in Markdown; standard output without one")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	return o, o.Validate()
}
