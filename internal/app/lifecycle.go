package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// closeWithin bounds how long one part may take to close.
const closeWithin = 5 * time.Second

// lifecycle is a stack of what runs. What was started last is stopped first,
// everything is stopped whatever fails, and errors say what they are about.
type lifecycle struct {
	log     *slog.Logger
	closers []closer
	failed  chan error // holds the first failure of a part
}

type closer struct {
	name  string
	close func(context.Context) error
}

func newLifecycle(log *slog.Logger) *lifecycle {
	return &lifecycle{log: log, failed: make(chan error, 1)}
}

// onClose remembers how to close a part.
func (l *lifecycle) onClose(name string, close func(context.Context) error) {
	l.closers = append(l.closers, closer{name, close})
}

// start runs loops until they are closed, all together. A loop that fails ends
// the process.
func (l *lifecycle) start(name string, loops ...func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	var wait sync.WaitGroup
	for _, loop := range loops {
		wait.Go(func() {
			if err := loop(ctx); err != nil && ctx.Err() == nil {
				l.fail(fmt.Errorf("%s: %w", name, err))
			}
		})
	}
	l.onClose(name, func(ctx context.Context) error {
		cancel()
		done := make(chan struct{})
		go func() {
			wait.Wait()
			close(done)
		}()
		select {
		case <-done:
			return nil
		case <-ctx.Done():
			return errors.New("did not stop in time")
		}
	})
}

func (l *lifecycle) fail(err error) {
	select {
	case l.failed <- err:
	default:
	}
}

// wait returns when the process is told to stop, or with the failure of a part.
func (l *lifecycle) wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case err := <-l.failed:
		return err
	}
}

// close stops everything, the last started first.
func (l *lifecycle) close() error {
	var errs []error
	for i := len(l.closers) - 1; i >= 0; i-- {
		c := l.closers[i]
		ctx, cancel := context.WithTimeout(context.Background(), closeWithin)
		began := time.Now()
		if err := c.close(ctx); err != nil {
			errs = append(errs, fmt.Errorf("stop %s: %w", c.name, err))
		}
		cancel()
		l.log.Debug("stopped", "part", c.name, "took", time.Since(began))
	}
	return errors.Join(errs...)
}

// start is when a process began to start, and how long each part of that took.
type start struct {
	log         *slog.Logger
	began, last time.Time
	took        []any // for the log
}

func beginning(log *slog.Logger) *start {
	now := time.Now()
	return &start{log: log, began: now, last: now}
}

// passed says that a part is over, which began where the one before ended.
func (s *start) passed(part string) {
	now := time.Now()
	s.took = append(s.took, slog.Duration(part, now.Sub(s.last)))
	s.last = now
}

// over tells whoever logs all of it.
func (s *start) over() {
	s.log.Debug("started", append(s.took, slog.Duration("took", s.last.Sub(s.began)))...)
}
