// Command busu runs everything in one process, and holds the operator's
// commands.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/busuhq/busu/internal/app"
	"github.com/busuhq/busu/internal/event"
)

// commands is the command line.
type commands struct {
	Up          upCommand           `cmd:"" help:"Run API, worker, aggregator and dashboard in one process."`
	Demo        demoCommand         `cmd:"" help:"Send realistic traffic to a running busu."`
	Migrate     migrateCommand      `cmd:"" help:"Bring the database up to date."`
	Reconcile   reconcileCommand    `cmd:"" help:"Hold what was answered against what is stored and counted."`
	Statement   statementCommands   `cmd:"" help:"Say what a month cost and saved, signed, or check that."`
	Forget      forgetCommand       `cmd:"" help:"Remove what is kept of a user."`
	Keys        keysCommands        `cmd:"" help:"Make, list, rotate and revoke keys."`
	Guard       guardCommands       `cmd:"" help:"Say whether routed answers are good enough, and route again."`
	Prices      pricesCommands      `cmd:"" help:"List, show or import what models cost."`
	Eval        evalCommands        `cmd:"" help:"Measure how well prompts are routed."`
	Experiments experimentsCommands `cmd:"" help:"Plan, start and read experiments, and test the judge of them."`
	Snapshots   snapshotsCommands   `cmd:"" help:"List what was learned, or go back to an older state."`
	Webhooks    webhooksCommands    `cmd:"" help:"Show what webhooks are signed with."`
	Config      configCommands      `cmd:"" help:"Check or print the configuration."`
	Adopt       adoptCommand        `cmd:"" help:"Ship the journal of an API process that is gone."`
	Dead        deadCommands        `cmd:"" help:"List, show or replay events that could not be processed."`
	Doctor      doctorCommand       `cmd:"" help:"Look at everything that busu needs, and say what to do."`
	Health      healthCommand       `cmd:"" help:"Ask a running process whether it is ready."`
	Completion  completionCommand   `cmd:"" help:"Print a script that lets a shell complete commands."`
	Man         manCommand          `cmd:"" help:"Print the manual as a page for man."`
	Version     versionCommand      `cmd:"" help:"Print the version."`
}

const description = `Routes each prompt to the cheapest model that is good enough, and proves it.

Example:

  busu up      # in one terminal
  busu demo    # in another`

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends us at once
	helped := false
	parser, err := kong.New(new(commands), kong.Name("busu"),
		kong.Description(description),
		kong.Exit(func(int) { helped = true }),
		kong.BindTo(ctx, (*context.Context)(nil)), kong.Vars{"project": event.DefaultProject}, kong.ConfigureHelp(kong.HelpOptions{Compact: true}))
	if err != nil {
		fmt.Fprintln(os.Stderr, "busu:", err)
		return app.ExitFailed
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	command, err := parser.Parse(args)
	if helped {
		return app.ExitOK
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "busu: %v (see busu --help)\n", err)
		return app.ExitUsage
	}
	if err := command.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "busu:", err)
		return app.ExitFailed
	}
	return app.ExitOK
}
