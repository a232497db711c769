// Command soak has busu answer for hours, and writes docs/soak.md.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/busuhq/busu/bench/performance"
	"github.com/busuhq/busu/bench/soak"
	"github.com/busuhq/busu/internal/heap"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends it at once
	heap.Spend()                 // as every process of busu does
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) > 0 && args[0] == performance.ServeCommand {
		return performance.Serve(ctx, args[1:])
	}
	o := soak.Options{Progress: os.Stderr}
	flags := flag.NewFlagSet("soak", flag.ExitOnError)
	flags.DurationVar(&o.For, "for", 2*time.Hour, "how long requests are sent")
	flags.Float64Var(&o.Share, "share", .6, "of the limit, which is found first")
	flags.DurationVar(&o.Warm, "warm", 0, "not judged, at first; 0 is 20m, which fill what is bounded, or a quarter of a run that is shorter than 40m")
	flags.StringVar(&o.Report, "out", "", "file for the report in Markdown, in which what is written by hand stays; standard output without one")
	flags.StringVar(&o.Plot, "plot", "", "file for the drawing, in SVG")
	flags.StringVar(&o.JSON, "json", "", "file for all samples")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if err := o.Validate(); err != nil {
		return err
	}
	return soak.Run(ctx, o)
}
