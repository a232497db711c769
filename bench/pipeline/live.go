package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/busuhq/busu/bench/measure"
	"github.com/busuhq/busu/internal/aggregator"
	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/eventtest"
	"github.com/busuhq/busu/internal/journal"
	"github.com/busuhq/busu/internal/redisdb"
)

const liveLag = "busu: answer to live snapshot at 1k/s"

const (
	liveRate = 1000 // per second
	liveFor  = 10 * time.Second
	liveLook = 5 * time.Millisecond // between two looks at the snapshot
)

// answerToSnapshot is the time from when a request's fact is recorded, which
// is when its caller gets the answer, to the first live snapshot that counts
// it. Journal, shipper, worker, aggregator and publisher all run, as in
// `busu up`.
func answerToSnapshot(ctx context.Context, b *bench) (figures, error) {
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
	running, stop := context.WithCancel(ctx)
	var loops sync.WaitGroup
	for _, run := range []func(context.Context) error{
		(&journal.Shipper{Journal: j, Stream: b.redis, Marks: b.postgres, Log: log}).Run,
		b.newAggregator(log).Run,
		(&aggregator.Publisher{Partitions: 1, Owner: "bench", Chair: b.redis, Board: b.redis, Providers: b.redis, Log: log}).Run,
	} {
		loops.Go(func() { _ = run(running) }) // they have no error to give
	}
	crew := b.employ(ctx, 1, b.postgres)
	lags, err := b.recordAndLook(ctx, j)
	stop()
	loops.Wait()
	if err := firstOf(err, crew.end(), j.Close()); err != nil {
		return nil, err
	}
	f := figures{}
	f.AddPercentiles(lags)
	return f, nil
}

func (b *bench) newAggregator(log *slog.Logger) *aggregator.Aggregator {
	return &aggregator.Aggregator{Owner: "bench", Feed: b.redis, State: b.redis, Ledger: b.postgres,
		None: func(err error) bool { return errors.Is(err, redisdb.ErrNone) }, Log: log}
}

// recordAndLook records facts at a fixed rate, and looks at the snapshot until
// it has them all.
func (b *bench) recordAndLook(ctx context.Context, j *journal.Journal) ([]time.Duration, error) {
	if err := await(ctx, liveLook, func() bool { return b.shown(ctx) == 0 }); err != nil {
		return nil, fmt.Errorf("there is no snapshot: %w", err)
	}
	n := int(liveFor.Seconds() * liveRate)
	recorded := make([]time.Time, n)
	ended := make(chan error, 1)
	go func() { ended <- record(ctx, j, recorded) }()
	lags := make([]time.Duration, 0, n)
	err := await(ctx, liveLook, func() bool {
		now, counted := time.Now(), b.shown(ctx)
		for counted > len(lags) { // facts are counted in the order of the journal
			lags = append(lags, now.Sub(recorded[len(lags)]))
		}
		return counted >= n
	})
	return lags, firstOf(err, <-ended)
}

// shown is how many requests the live snapshot has; -1 without one.
func (b *bench) shown(ctx context.Context) int {
	s, err := b.redis.Live(ctx, event.DefaultProject)
	if err != nil {
		return -1
	}
	return int(s.Totals.TotalRequests)
}

// record notes when each fact was recorded.
func record(ctx context.Context, j *journal.Journal, recorded []time.Time) error {
	r := rand.New(rand.NewPCG(corpusSeed, 0))
	start := time.Now()
	for i := range recorded {
		measure.SleepExactly(time.Until(start.Add(time.Duration(i) * time.Second / liveRate)))
		c := eventtest.Completion(r, time.Now())
		c.Project, c.Journal, c.Seq = event.DefaultProject, "", 0
		if err := firstOf(ctx.Err(), j.Intend(c), j.Record(c)); err != nil {
			return err
		}
		recorded[i] = time.Now()
	}
	return nil
}
