package pipeline

import (
	"context"
	"fmt"
	"runtime"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/errgroup"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/postgres"
	"github.com/busuhq/busu/internal/redisdb"
)

// Names of scenarios that ratios refer to.
const (
	limitAppend = "limit: XADD ×256, 1 connection"
	limitStage  = "limit: COPY stage, 1 connection"
)

const (
	appendBatch = 256  // entries in a pipeline, as the shipper sends them
	copyBatch   = 5000 // rows in a transaction
)

// limits are what the stores take when nothing but storing is done.
func limits() []scenario {
	return []scenario{
		{limitAppend, func(ctx context.Context, b *bench) (figures, error) { return limitXAdd(ctx, b, 1) }},
		{"limit: XADD ×256, 2 connections", func(ctx context.Context, b *bench) (figures, error) { return limitXAdd(ctx, b, 2) }},
		{"limit: COPY, 1 connection", func(ctx context.Context, b *bench) (figures, error) { return limitCopy(ctx, b, 1, copyPlain) }},
		{"limit: COPY, 2 connections", func(ctx context.Context, b *bench) (figures, error) { return limitCopy(ctx, b, 2, copyPlain) }},
		{limitStage, func(ctx context.Context, b *bench) (figures, error) { return limitCopy(ctx, b, 1, copyStaged) }},
		{"limit: COPY stage, 2 connections", func(ctx context.Context, b *bench) (figures, error) { return limitCopy(ctx, b, 2, copyStaged) }},
	}
}

func limitXAdd(ctx context.Context, b *bench, connections int) (figures, error) {
	key := redisdb.StreamKey(lane())
	m := b.start()
	err := share(ctx, connections, len(b.corpus.bodies), appendBatch, func(ctx context.Context, from, to int) error {
		pipe := b.rdb.Pipeline()
		for _, body := range b.corpus.bodies[from:to] {
			pipe.XAdd(ctx, &redis.XAddArgs{Stream: key, Values: []any{"event", body}})
		}
		_, err := pipe.Exec(ctx)
		return err
	})
	return m.figures(len(b.corpus.bodies)), err
}

// limitCopy stores all facts in large transactions.
func limitCopy(ctx context.Context, b *bench, connections int, store func(context.Context, pgx.Tx, []*event.CompletionRecorded) error) (figures, error) {
	n := len(b.corpus.bodies)
	facts, err := b.corpus.facts(ctx, n)
	if err != nil {
		return nil, err
	}
	runtime.GC() // what decoding left is not part of the limit
	m := b.start()
	err = share(ctx, connections, n, copyBatch, func(ctx context.Context, from, to int) error {
		return pgx.BeginFunc(ctx, b.pool, func(tx pgx.Tx) error { return store(ctx, tx, facts[from:to]) })
	})
	f := m.figures(n)
	return f, firstOf(err, b.expect(ctx, n))
}

// share lets some goroutines work through n items in batches.
func share(ctx context.Context, goroutines, n, batch int, work func(ctx context.Context, from, to int) error) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(goroutines)
	for from := 0; from < n && ctx.Err() == nil; from += batch {
		g.Go(func() error { return work(ctx, from, min(from+batch, n)) })
	}
	return g.Wait()
}

func copyPlain(ctx context.Context, tx pgx.Tx, facts []*event.CompletionRecorded) error {
	_, err := tx.CopyFrom(ctx, pgx.Identifier{"completions"}, columns(), rows(facts))
	return err
}

func copyStaged(ctx context.Context, tx pgx.Tx, facts []*event.CompletionRecorded) error {
	if err := stage(ctx, tx, facts); err != nil {
		return err
	}
	list := strings.Join(columns(), ", ")
	_, err := tx.Exec(ctx, fmt.Sprintf(`INSERT INTO completions (%s) SELECT %s FROM pg_temp.bench_stage ON CONFLICT DO NOTHING`, list, list))
	return err
}

func stage(ctx context.Context, tx pgx.Tx, facts []*event.CompletionRecorded) error {
	if _, err := tx.Exec(ctx, `CREATE TEMP TABLE IF NOT EXISTS bench_stage
		(LIKE completions INCLUDING DEFAULTS) ON COMMIT DELETE ROWS`); err != nil {
		return err
	}
	_, err := tx.CopyFrom(ctx, pgx.Identifier{"pg_temp", "bench_stage"}, columns(), rows(facts))
	return err
}

// bare stores facts as internal/postgres does, without the rollups and the
// marks that it writes in the same transaction.
type bare struct{ *postgres.DB }

// Persist stores facts and returns the ids of those that were new.
func (b bare) Persist(ctx context.Context, facts []*event.CompletionRecorded) ([]uuid.UUID, error) {
	return b.InsertCompletions(ctx, facts)
}
