package pipeline

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/postgres"
	"github.com/busuhq/busu/internal/redisdb"
	"github.com/busuhq/busu/internal/worker"
)

// Names of scenarios that ratios refer to.
const (
	bareDrain     = "busu: drain bare facts, 2 workers"
	bareProducing = "busu: produce and store bare facts, 2 workers"
	fullDrain     = "busu: drain, 2 workers"
	fullProducing = "busu: produce and store, 2 workers"
	malformed     = "busu: drain with 1 % malformed, 2 workers"
	lagOfOne      = "busu: commit lag at 20k/s, 1 worker"
	lagOfTwo      = "busu: commit lag at 20k/s, 2 workers"
)

// drains are what busu makes of the stores. Bare is without the rollups and
// marks that the worker writes in the same transaction.
func drains() []scenario {
	full := func(b *bench) worker.Store[*event.CompletionRecorded] { return b.postgres }
	withoutRollups := func(b *bench) worker.Store[*event.CompletionRecorded] { return bare{b.postgres} }
	return []scenario{
		{"busu: drain bare facts, 1 worker", func(ctx context.Context, b *bench) (figures, error) { return drain(ctx, b, 1, withoutRollups(b)) }},
		{bareDrain, func(ctx context.Context, b *bench) (figures, error) { return drain(ctx, b, 2, withoutRollups(b)) }},
		{"busu: drain, 1 worker", func(ctx context.Context, b *bench) (figures, error) { return drain(ctx, b, 1, full(b)) }},
		{fullDrain, func(ctx context.Context, b *bench) (figures, error) { return drain(ctx, b, 2, full(b)) }},
		{malformed, func(ctx context.Context, b *bench) (figures, error) { return drainMalformed(ctx, b, full(b)) }},
		{bareProducing, func(ctx context.Context, b *bench) (figures, error) {
			return produceAndStore(ctx, b, 2, withoutRollups(b))
		}},
		{fullProducing, func(ctx context.Context, b *bench) (figures, error) { return produceAndStore(ctx, b, 2, full(b)) }},
		{lagOfOne, func(ctx context.Context, b *bench) (figures, error) { return commitLag(ctx, b, 1) }},
		{lagOfTwo, func(ctx context.Context, b *bench) (figures, error) { return commitLag(ctx, b, 2) }},
		{"busu: fold a backlog, aggregator", foldBacklog},
		{liveLag, answerToSnapshot},
	}
}

// crew are workers at work.
type crew struct {
	workers []*worker.Worker[*event.CompletionRecorded]
	stop    context.CancelFunc
	wait    sync.WaitGroup
	merged  error
}

func (b *bench) employ(ctx context.Context, n int, store worker.Store[*event.CompletionRecorded]) *crew {
	ctx, cancel := context.WithCancel(ctx)
	c := &crew{stop: cancel}
	for i := range n {
		together := &worker.Gather[*event.CompletionRecorded]{Store: store, Lanes: 1} // as a process of its own has it
		w := &worker.Worker[*event.CompletionRecorded]{Source: b.redis.NewConsumer(lane(), fmt.Sprintf("bench-%d", i)),
			Store: together, Alone: store, Pause: together.Pause,
			Decode: event.Entry.Completion, Unstorable: postgres.Unstorable, Log: slog.New(slog.NewTextHandler(io.Discard, nil))}
		c.workers = append(c.workers, w)
		c.wait.Go(func() { _ = w.Run(ctx) }) // it has no error to give
	}
	c.wait.Go(func() { c.merged = b.mergeRollups(ctx) })
	return c
}

// mergeRollups does what a worker's upkeep does besides.
func (b *bench) mergeRollups(ctx context.Context) error {
	for {
		if err := sleep(ctx, time.Second); err != nil {
			return nil // the crew is done
		}
		if _, err := b.postgres.MergeRollups(ctx); err != nil && ctx.Err() == nil {
			return err
		}
	}
}

// end lets workers finish, and fails where they had to try again.
func (c *crew) end() error {
	c.stop()
	c.wait.Wait()
	var failures int64
	for _, w := range c.workers {
		failures += w.Stats().Failures.Load()
	}
	if failures > 0 {
		return fmt.Errorf("workers had to try again %d times", failures)
	}
	return c.merged
}

// done counts what is through, stored or buried.
func (c *crew) done() (persisted, buried int) {
	for _, w := range c.workers {
		persisted += int(w.Stats().Persisted.Load())
		buried += int(w.Stats().Buried.Load())
	}
	return persisted, buried
}

const pollEvery = time.Millisecond

func (c *crew) await(ctx context.Context, n int) error {
	return await(ctx, pollEvery, func() bool {
		persisted, buried := c.done()
		return persisted+buried >= n
	})
}

// fill makes a backlog.
func (b *bench) fill(ctx context.Context, bodies [][]byte) error {
	return share(ctx, 2, len(bodies), appendBatch, func(ctx context.Context, from, to int) error {
		return b.redis.Append(ctx, entries(bodies[from:to]))
	})
}

func drain(ctx context.Context, b *bench, workers int, store worker.Store[*event.CompletionRecorded]) (figures, error) {
	if err := b.fill(ctx, b.corpus.bodies); err != nil {
		return nil, err
	}
	n := len(b.corpus.bodies)
	m := b.start()
	c := b.employ(ctx, workers, store)
	err := c.await(ctx, n)
	f := m.figures(n)
	if err := firstOf(err, c.end()); err != nil {
		return nil, err
	}
	return f, firstOf(b.expect(ctx, n), b.expectAcknowledged(ctx))
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// expectAcknowledged fails when anything in the stream is still pending.
func (s *stores) expectAcknowledged(ctx context.Context) error {
	groups, err := s.rdb.XInfoGroups(ctx, redisdb.StreamKey(lane())).Result()
	if err != nil {
		return err
	}
	for _, g := range groups {
		if g.Pending > 0 {
			return fmt.Errorf("%d entries of group %s are still pending", g.Pending, g.Name)
		}
	}
	return nil
}

// backlogCap is how far the producer may be ahead of the workers.
const backlogCap = 20_000

// produceAndStore appends as fast as the shipper would, and stores at once.
func produceAndStore(ctx context.Context, b *bench, workers int, store worker.Store[*event.CompletionRecorded]) (figures, error) {
	n := len(b.corpus.bodies)
	m := b.start()
	c := b.employ(ctx, workers, store)
	produced := make(chan error, 1)
	go func() { produced <- b.produce(ctx, c) }()
	err := firstOf(<-produced, c.await(ctx, n))
	f := m.figures(n)
	if err := firstOf(err, c.end()); err != nil {
		return nil, err
	}
	return f, b.expect(ctx, n)
}

func (b *bench) produce(ctx context.Context, c *crew) error {
	bodies := b.corpus.bodies
	for from := 0; from < len(bodies); from += appendBatch {
		err := await(ctx, pollEvery, func() bool { persisted, _ := c.done(); return from-persisted < backlogCap })
		if err != nil {
			return err
		}
		if err := b.redis.Append(ctx, entries(bodies[from:min(from+appendBatch, len(bodies))])); err != nil {
			return err
		}
	}
	return nil
}

const malformedEvery = 100

// drainMalformed is a drain in which every hundredth entry cannot be decoded.
func drainMalformed(ctx context.Context, b *bench, store worker.Store[*event.CompletionRecorded]) (figures, error) {
	n := len(b.corpus.bodies)
	bad, err := b.fillMalformed(ctx)
	if err != nil {
		return nil, err
	}
	m := b.start()
	c := b.employ(ctx, 2, store)
	err = c.await(ctx, n)
	f := m.figures(n)
	if err := firstOf(err, c.end()); err != nil {
		return nil, err
	}
	dead, err := b.rdb.XLen(ctx, "busu:dead").Result()
	if err == nil && dead != int64(bad) {
		err = fmt.Errorf("%d entries are in busu:dead of %d malformed ones", dead, bad)
	}
	return f, firstOf(err, b.expect(ctx, n-bad), b.expectAcknowledged(ctx))
}

// fillMalformed makes a backlog with bad entries, and counts them.
func (b *bench) fillMalformed(ctx context.Context) (bad int, err error) {
	bodies, key := b.corpus.bodies, redisdb.StreamKey(lane())
	for from := 0; from < len(bodies); from += appendBatch {
		pipe := b.rdb.Pipeline()
		for i := from; i < min(from+appendBatch, len(bodies)); i++ {
			values := []any{"event", bodies[i]}
			if i%malformedEvery == 0 {
				values = ruin(bodies[i], bad)
				bad++
			}
			pipe.XAdd(ctx, &redis.XAddArgs{Stream: key, Values: values})
		}
		if _, err := pipe.Exec(ctx); err != nil {
			return bad, err
		}
	}
	return bad, nil
}

// ruin makes an entry that cannot be processed, in turn for each reason.
func ruin(body []byte, turn int) []any {
	text := string(body)
	switch turn % 5 {
	case 0:
		return []any{"event", text[:len(text)/2]}
	case 1:
		return []any{"event", `{"v":9,` + text[len(`{"v":1,`):]}
	case 2:
		return []any{"event", `{"v":1,"type":"completion.forgotten"}`}
	case 3:
		return []any{"event", `{"v":1,"type":"completion.recorded","id":"00000000-0000-4000-8000-000000000000"}`}
	default:
		return []any{"other", text} // without the field
	}
}
