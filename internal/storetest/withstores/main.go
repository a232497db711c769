// Command withstores runs a command, such as go test, with a PostgreSQL and a
// Redis that last as long as it does:
//
//	go run ./internal/storetest/withstores -- go test ./...
//
// All test processes then share them, instead of each starting its own.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"github.com/busuhq/busu/internal/localstack"
	"github.com/busuhq/busu/internal/storetest"
)

func main() {
	command := os.Args[1:]
	if len(command) > 0 && command[0] == "--" {
		command = command[1:]
	}
	if len(command) == 0 {
		fmt.Fprintln(os.Stderr, "withstores: no command; for example: withstores -- go test ./...")
		os.Exit(2)
	}
	code, err := run(context.Background(), command)
	if err != nil {
		fmt.Fprintln(os.Stderr, "withstores:", err)
	}
	os.Exit(code)
}

// run starts the stores, then the command, and returns the command's code.
func run(ctx context.Context, command []string) (code int, err error) {
	ending := []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT}
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, ending...)
	defer signal.Stop(signals)

	starting, started := signal.NotifyContext(ctx, ending...)
	defer started()
	stack, err := storetest.Start(starting, localstack.Options{Postgres: true, Redis: true}, os.Stderr)
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, stack.Stop(ctx)) }()
	if _, err := storetest.Template(starting, stack.DatabaseURL); err != nil {
		return 1, fmt.Errorf("the template database: %w", err)
	}
	started()

	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(),
		storetest.PostgresVariable+"="+stack.DatabaseURL,
		storetest.RedisVariable+"="+stack.RedisURL)
	if err := cmd.Start(); err != nil {
		return 1, err
	}
	return wait(cmd, signals)
}

// wait passes signals on to the command until it ends.
func wait(cmd *exec.Cmd, signals <-chan os.Signal) (int, error) {
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for {
		select {
		case s := <-signals:
			_ = cmd.Process.Signal(s) // it may just have ended
		case err := <-ended:
			var exit *exec.ExitError
			if err != nil && !errors.As(err, &exit) {
				return 1, err
			}
			return exitCode(cmd.ProcessState), nil
		}
	}
}

// exitCode is the shell's: 128 and the signal for a command that one ended.
func exitCode(state *os.ProcessState) int {
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal())
	}
	return state.ExitCode()
}
