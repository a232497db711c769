package app

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/mattn/go-isatty"

	"github.com/busuhq/busu/internal/admin"
	"github.com/busuhq/busu/internal/config"
	"github.com/busuhq/busu/internal/heap"
)

// Exit codes of every command.
const (
	ExitOK     = 0
	ExitFailed = 1
	ExitUsage  = 2
)

// Main is the whole of a process: configuration, signals, exit code.
func Main(p config.Process, args []string) int {
	flags := flag.NewFlagSet(string(p), flag.ContinueOnError)
	flags.Usage = func() { printUsage(flags.Output(), p) }
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return ExitOK
	} else if err != nil || flags.NArg() > 0 {
		fmt.Fprintf(os.Stderr, "%s takes no arguments: see %s --help\n", p, p)
		return ExitUsage
	}
	if err := runProcess(p); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", p, err)
		return ExitFailed
	}
	return ExitOK
}

func printUsage(w io.Writer, p config.Process) {
	fmt.Fprintf(w, `Runs busu's %s. It takes its settings from the environment and from the file
that BUSU_CONFIG names; 'busu config print' shows what is in force.

Example:

  DATABASE_URL=postgres://busu@db/busu REDIS_URL=redis://cache:6379 %s
`, p, p)
}

func runProcess(p config.Process) error {
	heap.Spend()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends us at once
	cfg, err := config.FromEnvironment(p)
	if err != nil {
		return err
	}
	log, level := NewLogger(cfg, os.Stderr)
	return Run(ctx, cfg, log, level, os.Stdout)
}

// NewLogger writes as the configuration says: by default text to a terminal,
// JSON otherwise. How much can be changed while it is used.
func NewLogger(cfg config.Config, w io.Writer) (*slog.Logger, *admin.Level) {
	level := admin.NewLevel(cfg.LogLevel)
	options := &slog.HandlerOptions{Level: level}
	f, isFile := w.(*os.File)
	isTerminal := isFile && isatty.IsTerminal(f.Fd())
	if cfg.LogFormat == config.LogText || cfg.LogFormat == config.LogAuto && isTerminal {
		return slog.New(slog.NewTextHandler(w, options)), level
	}
	return slog.New(slog.NewJSONHandler(w, options)), level
}
