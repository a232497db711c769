package tracing

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/busuhq/busu/internal/event"
	"github.com/busuhq/busu/internal/llm"
	"github.com/busuhq/busu/internal/routing"
)

// Begin follows a request that has come in: within its caller's trace, or in
// one of its own that has its id. done ends that, with the status of the
// answer. It implements httpapi.Tracer.
func (t *Tracing) Begin(r *http.Request, route string, id uuid.UUID) (ctx context.Context, done func(status int)) {
	ctx = t.wire.Extract(r.Context(), propagation.HeaderCarrier(r.Header))
	ctx, span := t.tracer.Start(context.WithValue(ctx, requestKey{}, id), r.Method+" "+route, trace.WithSpanKind(trace.SpanKindServer),
		trace.WithAttributes(attribute.String(httpMethod, r.Method), attribute.String(httpRoute, route), attribute.String(busuRequest, id.String())))
	if span.IsRecording() {
		t.active.Store(id, span)
	}
	return ctx, func(status int) {
		span.SetAttributes(attribute.Int(httpStatus, status))
		if status >= http.StatusInternalServerError {
			span.SetStatus(codes.Error, "")
		}
		span.End()
		t.active.Delete(id)
	}
}

// TraceOf is the id of the trace that a request under way is told in, or "".
func (t *Tracing) TraceOf(request uuid.UUID) string {
	if span, ok := t.active.Load(request); ok {
		return span.(trace.Span).SpanContext().TraceID().String()
	}
	return ""
}

// Planned is told of a plan once it is made. It is for gateway.Gateway.
func (t *Tracing) Planned(ctx context.Context, began time.Time, p routing.Plan, err error) {
	_, span := t.start(ctx, spanPlan, trace.SpanKindInternal, began)
	defer span.End()
	if !span.IsRecording() {
		return
	}
	if err != nil {
		span.SetStatus(codes.Error, "") // the caller's words may be in it
		return
	}
	span.SetAttributes(attribute.String(busuStrategy, p.Strategy), attribute.String(busuConfidence, string(p.Confidence)),
		attribute.Float64(busuComplexity, p.Complexity), attribute.Int64(busuSnapshot, p.Snapshot))
	models := make([]string, len(p.Choices))
	for i := range p.Choices {
		models[i] = p.Choices[i].Model.ID
	}
	span.SetAttributes(attribute.StringSlice(busuChoices, models))
}

// ledger is what is decorated: see gateway.Ledger.
type ledger interface {
	Intend(c *event.CompletionRecorded) error
	Record(f event.Fact) error
}

// observed is a ledger whose facts say in spans what became of requests.
type observed struct {
	ledger
	t *Tracing
}

// Ledger decorates next.
func (t *Tracing) Ledger(next ledger) ledger {
	if t == nil {
		return next
	}
	return observed{next, t}
}

// Record implements gateway.Ledger.
func (o observed) Record(f event.Fact) error {
	if c, ok := f.(*event.CompletionRecorded); ok {
		if span, ok := o.t.active.Load(c.ID); ok {
			describe(span.(trace.Span), c)
		}
	}
	return o.ledger.Record(f)
}

const (
	nanosPerDollar = 1e9
	microsPerMilli = 1e3
)

// describe leaves out what says who asked: users, sessions, keys, metadata.
func describe(span trace.Span, c *event.CompletionRecorded) {
	span.SetAttributes(
		attribute.String(busuProject, c.Project), attribute.String(busuStrategy, c.Strategy), attribute.String(busuVendor, c.Provider),
		attribute.String(busuModel, c.Model), attribute.String(busuStatus, c.Status), attribute.String(busuCache, c.Cache),
		attribute.Int64(genAITokensIn, c.TokensIn), attribute.Int64(genAITokensOut, c.TokensOut),
		attribute.Float64(busuCost, float64(c.CostNanos)/nanosPerDollar), attribute.Float64(busuOverhead, float64(c.OverheadUS)/microsPerMilli))
	if c.CacheMatch != "" {
		span.SetAttributes(attribute.String(busuCacheMatch, c.CacheMatch))
	}
	if len(c.Fallbacks) > 0 {
		span.SetAttributes(attribute.StringSlice(busuFallbacks, c.Fallbacks))
	}
	if len(c.Degraded) > 0 {
		span.SetAttributes(attribute.StringSlice(busuDegraded, c.Degraded))
	}
	if c.Holdout {
		span.SetAttributes(attribute.Bool(busuHoldout, true))
	}
	for _, arm := range c.Experiments {
		span.SetAttributes(attribute.String(busuArms, arm.Experiment+"/"+arm.Arm))
	}
	if c.ErrorKind != "" {
		span.SetAttributes(attribute.String(errorType, c.ErrorKind))
	}
}

// operationOf is what is asked of a model.
func operationOf(f llm.Format) string {
	if f == llm.FormatEmbeddings {
		return opEmbeddings
	}
	return opChat
}
