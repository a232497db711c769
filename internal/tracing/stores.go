package tracing

import (
	"context"
	"time"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/busuhq/busu/internal/cache"
	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/worker"
)

// lookup tells of one round trip to a level of the cache. What was found is not
// told, but whether.
func (t *Tracing) lookup(ctx context.Context, level string, find func(context.Context) ([]byte, error)) ([]byte, error) {
	ctx, span := t.start(ctx, spanLookup, trace.SpanKindClient, time.Now())
	if !span.IsRecording() || !span.SpanContext().IsValid() {
		return find(ctx)
	}
	defer span.End()
	body, err := find(ctx)
	span.SetAttributes(attribute.String(busuLevel, level), attribute.Bool(busuHit, body != nil))
	if err != nil {
		span.SetStatus(codes.Error, "")
	}
	return body, err
}

type redisLevel struct {
	cache.Redis
	t *Tracing
}

// Redis decorates a level of the cache.
func (t *Tracing) Redis(next cache.Redis) cache.Redis {
	if t == nil {
		return next
	}
	return redisLevel{next, t}
}

// Find implements cache.Store.
func (l redisLevel) Find(ctx context.Context, k cache.Key, models []string) ([]byte, error) {
	return l.t.lookup(ctx, event.CacheRedis, func(ctx context.Context) ([]byte, error) { return l.Redis.Find(ctx, k, models) })
}

type postgresLevel struct {
	cache.Postgres
	t *Tracing
}

// Postgres decorates a level of the cache.
func (t *Tracing) Postgres(next cache.Postgres) cache.Postgres {
	if t == nil {
		return next
	}
	return postgresLevel{next, t}
}

// Find implements cache.Store.
func (l postgresLevel) Find(ctx context.Context, k cache.Key, models []string) ([]byte, error) {
	return l.t.lookup(ctx, event.CachePostgres, func(ctx context.Context) ([]byte, error) { return l.Postgres.Find(ctx, k, models) })
}

type leases struct {
	cache.Leases
	t *Tracing
}

// Leases decorates those of a cache.
func (t *Tracing) Leases(next cache.Leases) cache.Leases {
	if t == nil {
		return next
	}
	return leases{next, t}
}

// Claim implements cache.Leases.
func (l leases) Claim(ctx context.Context, k cache.Key, models []string, owner string, lasts time.Duration) (body []byte, held time.Duration, err error) {
	body, err = l.t.lookup(ctx, event.CacheRedis, func(ctx context.Context) (body []byte, err error) {
		body, held, err = l.Leases.Claim(ctx, k, models, owner, lasts)
		return body, err
	})
	return body, held, err
}

// batches is a store whose batches are told.
type batches[F worker.Fact] struct {
	worker.Store[F]
	t    *Tracing
	from string
}

// Batches decorates a worker's store. A batch has a trace of its own, with links
// to those of its requests that began at busu and are told: their ids are those
// of the facts. Traces that callers began are not linked, since facts do not
// know them.
func Batches[F worker.Fact](t *Tracing, next worker.Store[F], lane event.Lane) worker.Store[F] {
	if t == nil {
		return next
	}
	return batches[F]{next, t, lane.Stream.String()}
}

// mostLinks of a batch.
const mostLinks = 128

// Persist implements worker.Store.
func (b batches[F]) Persist(ctx context.Context, facts []F) ([]uuid.UUID, error) {
	var links []trace.Link
	for _, f := range facts {
		if link, ok := b.t.sampler.linkTo(f.Head().ID); ok && len(links) < mostLinks {
			links = append(links, link)
		}
	}
	if len(links) == 0 {
		return b.Store.Persist(ctx, facts)
	}
	ctx, span := b.t.tracer.Start(ctx, spanPersist+" "+b.from, trace.WithSpanKind(trace.SpanKindConsumer), trace.WithLinks(links...),
		trace.WithAttributes(attribute.Int(batchCount, len(facts)), attribute.String(batchFrom, b.from), attribute.String(batchOn, "redis")))
	defer span.End()
	added, err := b.Store.Persist(ctx, facts)
	if err != nil {
		span.SetStatus(codes.Error, "")
		return added, err
	}
	span.SetAttributes(attribute.Int(busuNew, len(added)))
	return added, nil
}
