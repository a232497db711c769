package storetest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/busuhq/busu/internal/localstack"
)

// The servers that all tests of a process share, each started by the first
// test that asks for it.
var (
	postgresOnce = shared{variable: PostgresVariable, options: localstack.Options{Postgres: true}}
	redisOnce    = shared{variable: RedisVariable, options: localstack.Options{Redis: true}}
)

type shared struct {
	variable string
	options  localstack.Options

	once  sync.Once
	stack *Stack // nil when the variable names a server
	url   string
	err   error
}

func (s *shared) get(t testing.TB) (string, error) {
	t.Helper()
	s.once.Do(func() {
		if s.url = os.Getenv(s.variable); s.url != "" {
			return
		}
		// The servers outlive the test that happens to come first.
		s.stack, s.err = Start(context.WithoutCancel(t.Context()), s.options, t.Output())
		if s.err == nil {
			s.url = s.stack.DatabaseURL + s.stack.RedisURL // one of them is empty
		}
	})
	return s.url, s.err
}

func (s *shared) stop(ctx context.Context) {
	if s.stack == nil {
		return
	}
	if err := s.stack.Stop(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "storetest:", err)
	}
}

// Stack is a stack in a temporary directory.
type Stack struct {
	*localstack.Stack
	dir string
}

// Start starts ephemeral servers as o asks, in a temporary directory. Fetched
// programs are kept in the user's cache. Progress goes to out.
func Start(ctx context.Context, o localstack.Options, out io.Writer) (*Stack, error) {
	sweep()
	dir, err := temporary()
	if err != nil {
		return nil, err
	}
	tools, err := localstack.CacheDir()
	if err != nil {
		return nil, err
	}
	o.Dir, o.Tools, o.Ephemeral = dir, tools, true
	o.Log = slog.New(slog.NewTextHandler(out, nil))
	stack, err := localstack.Start(ctx, o)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return &Stack{Stack: stack, dir: dir}, nil
}

// Stop ends the servers and removes their files.
func (s *Stack) Stop(ctx context.Context) error {
	return errors.Join(s.Stack.Stop(ctx), os.RemoveAll(s.dir))
}

const temporaryPrefix = "busu-test-"

// temporary makes a directory that the user PostgreSQL runs as can pass.
func temporary() (string, error) {
	dir, err := os.MkdirTemp("", temporaryPrefix)
	if err != nil {
		return "", err
	}
	return dir, os.Chmod(dir, 0o711)
}

// sweep removes what killed test processes left. A living one holds its lock,
// or has only just made it.
func sweep() {
	locks, _ := filepath.Glob(filepath.Join(os.TempDir(), temporaryPrefix+"*", "lock"))
	for _, path := range locks {
		if info, err := os.Stat(path); err != nil || time.Since(info.ModTime()) < time.Minute {
			continue
		}
		f, err := os.Open(path)
		if err != nil {
			continue
		}
		if syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
			_ = os.RemoveAll(filepath.Dir(path)) // another sweep may be at it
		}
		f.Close()
	}
}
