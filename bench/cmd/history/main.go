// Command history measures history and the request explorer on a database that
// it fills.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"

	"github.com/busuhq/busu/bench/history"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "history:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	o := history.Options{Progress: os.Stderr}
	g := history.GrowthOptions{Progress: os.Stderr}
	flags := flag.NewFlagSet("history", flag.ExitOnError)
	flags.IntVar(&o.Rows, "rows", 500_000, "completions to generate; 10,000,000 take about 15 GB and half an hour")
	flags.IntVar(&o.Asks, "asks", 200, "how often each question is asked")
	flags.StringVar(&o.Report, "out", "", "file for the report in Markdown; standard output without one")
	flags.StringVar(&o.Dir, "dir", "", "folder for the database, which is kept and used again; a temporary one without it")
	flags.Func("grow", "instead, measure how figures grow over sizes, such as 100000,300000,1000000; its report keeps what is written by hand", func(text string) (err error) {
		g.Sizes, err = sizes(text)
		return err
	})
	flags.StringVar(&g.Plot, "plot", "", "file for the drawing of growth, in SVG")
	flags.StringVar(&g.Beside, "beside", "", "report of a run without -grow, beside which growth is shown")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if g.Sizes == nil {
		if err := o.Validate(); err != nil {
			return err
		}
		return history.Run(ctx, o)
	}
	g.Asks, g.Report, g.Dir = o.Asks, o.Report, o.Dir
	if err := g.Validate(); err != nil {
		return err
	}
	return history.Grow(ctx, g)
}

// sizes are numbers with commas between them.
func sizes(text string) (all []int, err error) {
	for part := range strings.SplitSeq(text, ",") {
		n, err := strconv.Atoi(part)
		if err != nil {
			return nil, err
		}
		all = append(all, n)
	}
	return all, nil
}
