package tracing

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/busuhq/busu/internal/llm"
)

// vendor is a provider whose calls are told, each attempt apart.
type vendor struct {
	llm.Provider
	t      *Tracing
	name   string // as it is configured
	system string // as the conventions call it
}

// Provider decorates a vendor's provider, which goes by a name in the
// configuration and is of a kind.
func (t *Tracing) Provider(next llm.Provider, name, kind string) llm.Provider {
	if t == nil {
		return next
	}
	v := vendor{Provider: next, t: t, name: name, system: kind}
	if kind == "openai" { // many speak its language
		v.system = name
	}
	if known, ok := vendors[v.system]; ok {
		v.system = known
	}
	return v
}

// Complete implements llm.Provider.
func (v vendor) Complete(ctx context.Context, r llm.Request) (llm.Response, error) {
	began := time.Now()
	ctx, span := v.t.start(ctx, operationOf(r.Format)+" "+r.Model, trace.SpanKindClient, began)
	if !span.IsRecording() || !span.SpanContext().IsValid() {
		return v.Provider.Complete(ctx, r)
	}
	defer span.End()
	span.SetAttributes(v.asked(&r)...)
	pieces := &pieces{}
	if emit := r.Emit; emit != nil {
		r.Emit = func(c llm.Chunk) error { // from one goroutine at a time
			if pieces.n == 0 {
				_, pieces.span = v.t.start(ctx, spanStream, trace.SpanKindInternal, time.Now())
				span.SetAttributes(attribute.Float64(genAIFirstChunk, time.Since(began).Seconds()))
			}
			pieces.n++
			return emit(c)
		}
	}
	answer, err := v.Provider.Complete(ctx, r)
	pieces.end()
	answered(span, &answer, err)
	return answer, err
}

// pieces are those of a streamed answer.
type pieces struct {
	span trace.Span // from the first to the end
	n    int
}

func (p *pieces) end() {
	if p.n > 0 {
		p.span.SetAttributes(attribute.Int(busuChunks, p.n))
		p.span.End()
	}
}

func (v vendor) asked(r *llm.Request) []attribute.KeyValue {
	all := []attribute.KeyValue{attribute.String(genAIOperation, operationOf(r.Format)), attribute.String(genAIProvider, v.system),
		attribute.String(genAIModel, r.Model), attribute.String(busuVendor, v.name), attribute.Bool(genAIStream, r.Emit != nil)}
	if r.MaxTokens > 0 {
		all = append(all, attribute.Int(genAIMaxTokens, r.MaxTokens))
	}
	if r.Temperature != nil {
		all = append(all, attribute.Float64(genAITemperature, *r.Temperature))
	}
	if r.TopP != nil {
		all = append(all, attribute.Float64(genAITopP, *r.TopP))
	}
	if r.N > 1 {
		all = append(all, attribute.Int(genAIChoices, r.N))
	}
	return all
}

// answered says how a call ended: of a failure its kind, never its words, which
// may be the prompt's.
func answered(span trace.Span, a *llm.Response, err error) {
	if a.Model != "" {
		span.SetAttributes(attribute.String(genAIAnswered, a.Model))
	}
	if a.FinishReason != "" {
		span.SetAttributes(attribute.StringSlice(genAIFinished, []string{a.FinishReason}))
	}
	if u := a.Usage; u != (llm.Usage{}) {
		span.SetAttributes(attribute.Int64(genAITokensIn, u.In), attribute.Int64(genAITokensOut, u.Out),
			attribute.Int64(genAITokensCached, u.CachedIn), attribute.Int64(genAIReasoning, u.Reasoning))
	}
	if err == nil {
		return
	}
	kind := string(llm.ErrorUnavailable)
	if failed, ok := errors.AsType[*llm.ProviderError](err); ok {
		kind = string(failed.Kind)
		if failed.Status != 0 {
			span.SetAttributes(attribute.Int(httpStatus, failed.Status))
		}
	}
	span.SetAttributes(attribute.String(errorType, kind))
	span.SetStatus(codes.Error, "")
}
