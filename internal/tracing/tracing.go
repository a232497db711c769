// Package tracing tells an OpenTelemetry collector what became of requests:
// spans of the request, its plan, what the caches were asked, each call of a
// provider, and the batches that facts are stored in.
//
// It looks on from outside, as decorators of what the rooms call, and it is
// only there when an operator wants it: all methods of a nil *Tracing give back
// what they were given. No prompt, no answer, and nothing that a vendor wrote
// goes into a span; nor does who asked.
//
// A trace that begins here has the id of its request, so that whoever knows one
// finds the other: a fact on the stream, a row, an answer's X-Request-Id.
package tracing

import (
	"context"
	"crypto/rand"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// Options of a Tracing.
type Options struct {
	Endpoint string            // of the collector, such as http://127.0.0.1:4318
	Headers  map[string]string // sent to it; may hold a key
	Ratio    float64           // of traces that begin here and are told, 0 … 1
	Role     string            // of the process
	Version  string
	Instance string
	Log      *slog.Logger
}

// Tracing is how requests are followed. nil: they are not.
type Tracing struct {
	provider *sdktrace.TracerProvider
	tracer   trace.Tracer
	sampler  sampler
	exporter *exporter
	wire     propagation.TraceContext
	active   sync.Map // of requests that are told, uuid.UUID → trace.Span
}

// How spans leave: in the background, and where the collector does not keep up
// they are lost.
const (
	mostQueued   = 8192
	mostAtOnce   = 512
	exportEvery  = time.Second
	exportWithin = 10 * time.Second
)

// New begins to tell o.Endpoint. Close ends it.
func New(o Options) *Tracing {
	t := &Tracing{sampler: newSampler(o.Ratio), exporter: newExporter(o)}
	about := resource.NewSchemaless(attribute.String(service, "busu"), attribute.String(version, o.Version),
		attribute.String(instance, o.Instance), attribute.String(busuRole, o.Role))
	t.provider = sdktrace.NewTracerProvider(
		sdktrace.WithSampler(t.sampler), sdktrace.WithIDGenerator(ids{}), sdktrace.WithResource(about),
		sdktrace.WithBatcher(t.exporter, sdktrace.WithMaxQueueSize(mostQueued), sdktrace.WithMaxExportBatchSize(mostAtOnce),
			sdktrace.WithBatchTimeout(exportEvery), sdktrace.WithExportTimeout(exportWithin)))
	t.tracer = t.provider.Tracer("github.com/busuhq/busu")
	return t
}

// Close tells what is left, as long as ctx lets it.
func (t *Tracing) Close(ctx context.Context) error {
	if t == nil {
		return nil
	}
	return t.provider.Shutdown(ctx)
}

// Stats count spans.
type Stats struct{ Exported, Failed int64 }

// Stats are of spans that the collector took and did not take.
func (t *Tracing) Stats() Stats {
	return Stats{Exported: t.exporter.exported.Load(), Failed: t.exporter.failed.Load()}
}

// Propagate writes the trace that ctx is in into the headers of a call, or is
// nil.
func (t *Tracing) Propagate() func(ctx context.Context, h http.Header) {
	if t == nil {
		return nil
	}
	return func(ctx context.Context, h http.Header) { t.wire.Inject(ctx, propagation.HeaderCarrier(h)) }
}

// start begins a span within the one of ctx. Without one nothing begins: what
// nobody asked for, such as a second answer, has no trace.
func (t *Tracing) start(ctx context.Context, name string, kind trace.SpanKind, at time.Time) (context.Context, trace.Span) {
	within := trace.SpanFromContext(ctx)
	if !within.SpanContext().IsValid() {
		return ctx, within
	}
	return t.tracer.Start(ctx, name, trace.WithSpanKind(kind), trace.WithTimestamp(at))
}

// ids gives a trace that begins with a request the request's id.
type ids struct{}

type requestKey struct{}

// NewIDs implements trace.IDGenerator.
func (ids) NewIDs(ctx context.Context) (trace.TraceID, trace.SpanID) {
	id, ok := ctx.Value(requestKey{}).(uuid.UUID)
	if !ok {
		id = uuid.New()
	}
	return trace.TraceID(id), rootOf(id)
}

// NewSpanID implements trace.IDGenerator.
func (ids) NewSpanID(context.Context, trace.TraceID) (id trace.SpanID) {
	for !id.IsValid() {
		_, _ = rand.Read(id[:]) // never fails
	}
	return id
}

// rootOf is the first span of a trace that began with a request: known to all
// who know the request.
func rootOf(request uuid.UUID) trace.SpanID { return trace.SpanID(request[:8]) }
