package pipeline

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"github.com/busuhq/busu/bench/measure"
	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/journal"
)

// Names of scenarios that ratios refer to.
const (
	emitRunning = "emit at 5k/s, Redis running"
	emitStopped = "emit at 5k/s, Redis stopped"
	emitHanging = "emit at 5k/s, Redis hanging"
	emitNothing = "emit at 5k/s, nothing at all"
)

const (
	emitRate   = 5000 // per second
	emitFor    = 4 * time.Second
	emitWarmUp = 500 * time.Millisecond
	emitSync   = 20 * time.Millisecond // busu's default
)

// emits are what a request pays for its event, whatever Redis does.
func emits() []scenario {
	return []scenario{
		{emitNothing, emitsNothing},
		{emitRunning, emit},
		{emitStopped, func(ctx context.Context, b *bench) (figures, error) {
			// Not by SIGKILL: the stack would start it again.
			if err := b.stack.Redis.Close(ctx); err != nil {
				return nil, err
			}
			f, err := emit(ctx, b)
			return f, firstOf(err, b.stack.Redis.Start(context.WithoutCancel(ctx)))
		}},
		{emitHanging, func(ctx context.Context, b *bench) (figures, error) {
			if err := b.stack.Redis.Signal(syscall.SIGSTOP); err != nil {
				return nil, err
			}
			f, err := emit(ctx, b)
			return f, firstOf(err, b.stack.Redis.Signal(syscall.SIGCONT))
		}},
	}
}

// emit journals intents and facts at a fixed rate, with the shipper at work.
func emit(ctx context.Context, b *bench) (figures, error) {
	dir, err := os.MkdirTemp(b.dir, "journal-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	j, err := journal.Open(journal.Options{Dir: filepath.Join(dir, "00"), Sync: emitSync, Boot: journal.BootID(), Log: log})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	shipper := &journal.Shipper{Journal: j, Stream: b.redis, Marks: b.postgres, Log: log}
	shipped := make(chan error, 1)
	go func() { shipped <- shipper.Run(ctx) }()
	f, err := emitAll(ctx, b, func(c *event.CompletionRecorded) error {
		if err := j.Intend(c); err != nil {
			return err
		}
		return j.Record(c)
	})
	cancel()
	return f, firstOf(err, <-shipped, j.Close())
}

// emitsNothing shows what of the others' latencies is the machine's and the
// pacing's.
func emitsNothing(ctx context.Context, b *bench) (figures, error) {
	return emitAll(ctx, b, func(*event.CompletionRecorded) error { return nil })
}

// emitAll takes the time of each emission from when it was due, so that one
// that has to wait for the one before counts its wait. It waits by spinning: a
// timer's own delay is more than what is measured.
func emitAll(ctx context.Context, b *bench, emit func(*event.CompletionRecorded) error) (figures, error) {
	patterns, err := b.corpus.facts(ctx, 1000)
	if err != nil {
		return nil, err
	}
	runtime.GC()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	const gap = time.Second / emitRate
	took := make([]time.Duration, int((emitFor+emitWarmUp)/gap))
	call := make([]time.Duration, len(took))
	start := time.Now()
	for i := range took {
		request := *patterns[i%len(patterns)]
		due := start.Add(time.Duration(i) * gap)
		began := time.Now()
		for began.Before(due) {
			began = time.Now()
		}
		if err := emit(&request); err != nil {
			return nil, fmt.Errorf("event %d: %w", i, err)
		}
		ended := time.Now()
		took[i], call[i] = ended.Sub(due), ended.Sub(began)
	}
	measured := int(emitWarmUp / gap)
	f := figures{callP99: measure.Percentile(call[measured:], .99)}
	f.AddPercentiles(took[measured:])
	return f, nil
}
