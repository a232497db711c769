package pipeline

import (
	"context"
	"io"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/busuhq/busu/bench/measure"
	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/worker"
)

const (
	lagRate   = 20_000 // per second
	lagFor    = 4 * time.Second
	lagWarmUp = time.Second // for connections, prepared statements and the staging table
	lagTick   = time.Millisecond
)

// clocked notes when facts were committed.
type clocked struct {
	worker.Store[*event.CompletionRecorded]
	began     time.Time
	committed []atomic.Int64 // by seq − 1, in nanoseconds since began
}

// Persist notes the time after the transaction.
func (c *clocked) Persist(ctx context.Context, facts []*event.CompletionRecorded) ([]uuid.UUID, error) {
	added, err := c.Store.Persist(ctx, facts)
	if err != nil {
		return nil, err
	}
	now := int64(time.Since(c.began))
	for _, f := range facts {
		c.committed[f.Seq-1].Store(now)
	}
	return added, nil
}

// commitLag is the time from when an event was due at the stream to its
// commit, at a fixed rate. Whoever is late, producer or worker, adds to it.
func commitLag(ctx context.Context, b *bench, workers int) (figures, error) {
	n := min(int((lagFor+lagWarmUp)/time.Second)*lagRate, len(b.corpus.bodies))
	c := &clocked{Store: b.postgres, began: time.Now(), committed: make([]atomic.Int64, n)}
	due := make([]int64, n)
	crew := b.employ(ctx, workers, c)
	m := b.start()
	err := firstOf(b.pace(ctx, c.began, due), crew.await(ctx, n))
	f := m.figures(n)
	if err := firstOf(err, crew.end()); err != nil {
		return nil, err
	}
	lags := make([]time.Duration, 0, n)
	for i := range n {
		if due[i]-due[0] >= int64(lagWarmUp) {
			lags = append(lags, time.Duration(c.committed[i].Load()-due[i]))
		}
	}
	f.AddPercentiles(lags)
	return f, b.expect(ctx, n)
}

// pace appends what has become due, every tick, and notes when that was.
func (b *bench) pace(ctx context.Context, began time.Time, due []int64) error {
	perTick := int(lagRate * lagTick / time.Second)
	start := time.Now()
	for sent := 0; sent < len(due); {
		ticks := int(time.Since(start)/lagTick) + 1
		ready := min(ticks*perTick, len(due))
		if ready == sent {
			measure.SleepExactly(time.Until(start.Add(time.Duration(ticks) * lagTick)))
			continue
		}
		for i := sent; i < ready; i++ {
			due[i] = int64(start.Sub(began)) + int64(i/perTick)*int64(lagTick)
		}
		if err := b.redis.Append(ctx, entries(b.corpus.bodies[sent:ready])); err != nil {
			return err
		}
		sent = ready
	}
	return nil
}

// foldBacklog is how fast an aggregator catches up.
func foldBacklog(ctx context.Context, b *bench) (figures, error) {
	if err := b.fill(ctx, b.corpus.bodies); err != nil {
		return nil, err
	}
	n := len(b.corpus.bodies)
	a := b.newAggregator(slog.New(slog.NewTextHandler(io.Discard, nil)))
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, 1)
	m := b.start()
	go func() { ended <- a.Run(ctx) }()
	err := await(ctx, pollEvery, func() bool { return a.Folded() >= int64(n) })
	f := m.figures(n)
	cancel()
	return f, firstOf(err, <-ended)
}
