// Command performance measures what busu costs with everything on, beside bare
// proxies and peers, and writes docs/performance.md.
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

	"github.com/busuhq/busu/bench/performance"
	"github.com/busuhq/busu/internal/heap"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	heap.Spend() // as every process of busu does
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "performance:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) > 0 && args[0] == performance.ServeCommand {
		return performance.Serve(ctx, args[1:])
	}
	o, err := parse(args)
	if err != nil {
		return err
	}
	return performance.Run(ctx, o)
}

func parse(args []string) (performance.Options, error) {
	o := performance.Options{Progress: os.Stderr}
	flags := flag.NewFlagSet("performance", flag.ExitOnError)
	flags.IntVar(&o.Rounds, "rounds", 5, "how often everything is measured, in turns")
	flags.DurationVar(&o.Within, "within", 14*time.Minute, "begin no round that would probably end later")
	flags.BoolVar(&o.Quick, "quick", false, "one round of short loads: shows that everything works, its figures say nothing")
	only := flags.String("only", "", "regular expression of the scenarios to measure")
	flags.Func("peer", performance.PeerHelp, func(text string) error {
		p, err := performance.ParsePeer(text)
		o.Peers = append(o.Peers, p)
		return err
	})
	flags.StringVar(&o.Mock, "mock", "", "address of the upstream, for peers to ask; any port without one")
	flags.StringVar(&o.Report, "out", "", "file for the report in Markdown, in which what is written by hand stays; standard output without one")
	flags.StringVar(&o.Plot, "plot", "", "file for the drawing of latencies, in SVG")
	flags.StringVar(&o.JSON, "json", "", "file for all figures of all rounds")
	flags.StringVar(&o.Profiles, "profile", "", "folder for CPU profiles of the API under each load")
	flags.BoolVar(&o.List, "list", false, "list the scenarios and end")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if o.Quick {
		o.Rounds = 1
	}
	var err error
	if o.Only, err = regexp.Compile(*only); err != nil {
		return o, fmt.Errorf("-only: %w", err)
	}
	return o, o.Validate()
}
