package pipeline

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill-redisstream/pkg/redisstream"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/hibiken/asynq"
	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
)

// Names of scenarios that ratios refer to.
const (
	peerWatermill = "peer: watermill-redisstream, 16 subscribers"
	peerAsynq     = "peer: asynq, concurrency 16"
	peerRiver     = "peer: river, 16 workers"
)

const (
	handlers   = 16
	peerTopic  = "completions"
	riverBatch = 500
)

// peers store the same facts in the same table as their documentation has it:
// a handler that is called for each message.
func peers() []scenario {
	return []scenario{
		{peerWatermill, drainPeer(watermillPeer)},
		{peerAsynq, drainPeer(asynqPeer)},
		{peerRiver, drainPeer(riverPeer)},
	}
}

// peer is a library at work: produce makes the backlog, consume begins to
// hand it to its handler and returns what ends that.
type peer struct {
	produce func(ctx context.Context, bodies [][]byte) error
	consume func(ctx context.Context) (end func() error, err error)
}

// handler is called for each message.
type handler func(ctx context.Context, body []byte) error

func drainPeer(of func(b *bench, handle handler) (peer, error)) func(context.Context, *bench) (figures, error) {
	return func(ctx context.Context, b *bench) (figures, error) {
		var stored atomic.Int64
		one := b.oneByOne()
		p, err := of(b, func(ctx context.Context, body []byte) error {
			err := one.store(ctx, body)
			if err == nil {
				stored.Add(1)
			}
			return err
		})
		if err != nil {
			return nil, err
		}
		n := max(len(b.corpus.bodies)/peerShare, 1)
		making := b.start()
		if err := p.produce(ctx, b.corpus.bodies[:n]); err != nil {
			return nil, fmt.Errorf("produce: %w", err)
		}
		made := making.figures(n)
		m := b.start()
		end, err := p.consume(ctx)
		if err != nil {
			return nil, fmt.Errorf("consume: %w", err)
		}
		err = await(ctx, pollEvery, func() bool { return stored.Load() >= int64(n) })
		f := m.figures(n)
		f[producedPerSecond] = made[perSecond]
		return f, firstOf(err, end(), b.expect(ctx, n))
	}
}

func watermillPeer(b *bench, handle handler) (peer, error) {
	client := redis.NewClient(b.rdb.Options()) // of its own: it closes what it was given
	log := watermill.NopLogger{}
	publisher, err := redisstream.NewPublisher(redisstream.PublisherConfig{Client: client}, log)
	if err != nil {
		return peer{}, err
	}
	produce := func(ctx context.Context, bodies [][]byte) error {
		return share(ctx, handlers, len(bodies), 1, func(_ context.Context, from, to int) error {
			return publisher.Publish(peerTopic, message.NewMessage(watermill.NewUUID(), bodies[from]))
		})
	}
	consume := func(ctx context.Context) (func() error, error) {
		router, err := message.NewRouter(message.RouterConfig{}, log)
		if err != nil {
			return nil, err
		}
		for i := range handlers {
			// One subscriber has one message in flight: many of a group are its way to concurrency.
			subscriber, err := redisstream.NewSubscriber(redisstream.SubscriberConfig{Client: client,
				ConsumerGroup: "persist", Consumer: fmt.Sprintf("bench-%d", i), OldestId: "0", DisableIndefiniteInitialBlock: true}, log)
			if err != nil {
				return nil, err
			}
			router.AddConsumerHandler(fmt.Sprintf("persist-%d", i), peerTopic, subscriber,
				func(m *message.Message) error { return handle(m.Context(), m.Payload) })
		}
		ended := make(chan error, 1)
		go func() { ended <- router.Run(ctx) }()
		return func() error { return firstOf(router.Close(), <-ended) }, nil
	}
	return peer{produce, consume}, nil
}

func asynqPeer(b *bench, handle handler) (peer, error) {
	client := asynq.NewClientFromRedisClient(b.rdb)
	produce := func(ctx context.Context, bodies [][]byte) error {
		return share(ctx, handlers, len(bodies), 1, func(ctx context.Context, from, to int) error {
			_, err := client.EnqueueContext(ctx, asynq.NewTask(peerTopic, bodies[from]))
			return err
		})
	}
	consume := func(context.Context) (func() error, error) {
		server := asynq.NewServerFromRedisClient(b.rdb, asynq.Config{Concurrency: handlers, LogLevel: asynq.FatalLevel})
		mux := asynq.NewServeMux()
		mux.HandleFunc(peerTopic, func(ctx context.Context, t *asynq.Task) error { return handle(ctx, t.Payload()) })
		return func() error { server.Shutdown(); return nil }, server.Start(mux)
	}
	return peer{produce, consume}, nil
}

// persistArgs are a fact as a river job: as text, so that PostgreSQL need not
// take it apart.
type persistArgs struct {
	Fact string `json:"fact"`
}

func (persistArgs) Kind() string { return "persist" }

type persistWorker struct {
	river.WorkerDefaults[persistArgs]
	handle handler
}

// Work stores one fact.
func (w *persistWorker) Work(ctx context.Context, job *river.Job[persistArgs]) error {
	return w.handle(ctx, []byte(job.Args.Fact))
}

func riverPeer(b *bench, handle handler) (peer, error) {
	workers := river.NewWorkers()
	river.AddWorker(workers, &persistWorker{handle: handle})
	client, err := river.NewClient(riverpgxv5.New(b.pool), &river.Config{
		Queues: map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: handlers}}, Workers: workers,
		// With the default of 100 ms it fetches ten times a second only.
		FetchCooldown: river.FetchCooldownMin, FetchPollInterval: 100 * time.Millisecond,
		Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	if err != nil {
		return peer{}, err
	}
	produce := func(ctx context.Context, bodies [][]byte) error {
		return share(ctx, 1, len(bodies), riverBatch, func(ctx context.Context, from, to int) error {
			jobs := make([]river.InsertManyParams, 0, to-from)
			for _, body := range bodies[from:to] {
				jobs = append(jobs, river.InsertManyParams{Args: persistArgs{string(body)}})
			}
			_, err := client.InsertManyFast(ctx, jobs)
			return err
		})
	}
	consume := func(ctx context.Context) (func() error, error) {
		return func() error { return client.Stop(context.WithoutCancel(ctx)) }, client.Start(ctx)
	}
	return peer{produce, consume}, nil
}

// migrateRiver makes the tables that river keeps its jobs in.
func (s *stores) migrateRiver(ctx context.Context) error {
	migrator, err := rivermigrate.New[pgx.Tx](riverpgxv5.New(s.pool), &rivermigrate.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	if _, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return fmt.Errorf("make river's tables: %w", err)
	}
	return nil
}
