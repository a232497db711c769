// Command live measures the live metrics: many WebSockets that listen, and plain
// requests beside them.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/busuhq/busu/bench/live"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	o, err := parse(os.Args[1:])
	if err == nil {
		err = live.Run(ctx, o)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "live:", err)
		os.Exit(1)
	}
}

func parse(args []string) (live.Options, error) {
	o := live.Options{Progress: os.Stderr}
	flags := flag.NewFlagSet("live", flag.ExitOnError)
	flags.IntVar(&o.Listeners, "listeners", 5000, "WebSockets that listen at once")
	flags.DurationVar(&o.Interval, "interval", time.Second, "between two snapshots of one of them")
	flags.IntVar(&o.Rate, "rate", 1000, "plain requests a second")
	flags.IntVar(&o.Traffic, "traffic", 50, "prompts a second, so that there is something to tell")
	flags.DurationVar(&o.For, "for", 20*time.Second, "how long each part is measured")
	flags.StringVar(&o.Report, "out", "", "file for the report in Markdown; standard output without one")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	return o, o.Validate()
}
