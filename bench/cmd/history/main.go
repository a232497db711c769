// Command history measures history and the request explorer on a database that
// it fills.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/busuhq/busu/bench/history"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	o, err := parse(os.Args[1:])
	if err == nil {
		err = history.Run(ctx, o)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "history:", err)
		os.Exit(1)
	}
}

func parse(args []string) (history.Options, error) {
	o := history.Options{Progress: os.Stderr}
	flags := flag.NewFlagSet("history", flag.ExitOnError)
	flags.IntVar(&o.Rows, "rows", 500_000, "completions to generate; 10,000,000 take about 15 GB and half an hour")
	flags.IntVar(&o.Asks, "asks", 200, "how often each question is asked")
	flags.StringVar(&o.Report, "out", "", "file for the report in Markdown; standard output without one")
	flags.StringVar(&o.Dir, "dir", "", "folder for the database, which is kept and used again; a temporary one without it")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	return o, o.Validate()
}
