// Command pipeline measures busu's pipeline beside the limits of the stores
// that it uses and beside its peers, all in one run on one machine.
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

	"github.com/busuhq/busu/bench/pipeline"
	"github.com/busuhq/busu/internal/heap"
)

func main() {
	heap.Spend() // as every process of busu does
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	o, err := parse(os.Args[1:])
	if err == nil {
		err = pipeline.Run(ctx, o)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "pipeline:", err)
		os.Exit(1)
	}
}

func parse(args []string) (pipeline.Options, error) {
	o := pipeline.Options{Progress: os.Stderr}
	flags := flag.NewFlagSet("pipeline", flag.ExitOnError)
	flags.IntVar(&o.Events, "events", 200_000, "facts in a backlog; a peer gets a tenth")
	flags.IntVar(&o.Rounds, "rounds", 3, "how often everything is measured, in turns")
	flags.DurationVar(&o.Within, "within", 10*time.Minute, "begin no round that would probably end later")
	only := flags.String("only", "", "regular expression of the scenarios to measure")
	flags.StringVar(&o.AppendFsync, "aof", "everysec", "appendfsync of Redis: everysec or always")
	flags.StringVar(&o.Report, "out", "", "file for the report in Markdown; standard output without one")
	flags.StringVar(&o.JSON, "json", "", "file for all figures of all rounds")
	flags.StringVar(&o.Profiles, "profile", "", "folder for CPU profiles of each scenario")
	flags.BoolVar(&o.List, "list", false, "list the scenarios and end")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	var err error
	if o.Only, err = regexp.Compile(*only); err != nil {
		return o, fmt.Errorf("-only: %w", err)
	}
	return o, o.Validate()
}
