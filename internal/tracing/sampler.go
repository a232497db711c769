package tracing

import (
	"encoding/binary"

	"github.com/google/uuid"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// sampler decides as the caller has decided, and of traces that begin here by
// their ids: so all processes decide alike, before and after.
//
// Of an id it looks at the last 56 bits, as the W3C's recommendation for
// sampling says. They are random in the ids of requests (UUIDv7), which other
// bits are not.
type sampler struct{ least uint64 } // of these bits, to be told

const randomBits = 56

func newSampler(ratio float64) sampler {
	return sampler{least: uint64((1 - min(max(ratio, 0), 1)) * (1 << randomBits))}
}

// takes reports whether a trace that begins with this id is told.
func (s sampler) takes(id trace.TraceID) bool {
	return binary.BigEndian.Uint64(id[8:])&(1<<randomBits-1) >= s.least
}

// ShouldSample implements trace.Sampler. What links to traces links to those
// that are told.
func (s sampler) ShouldSample(p sdktrace.SamplingParameters) sdktrace.SamplingResult {
	parent := trace.SpanContextFromContext(p.ParentContext)
	takes := len(p.Links) > 0
	switch {
	case parent.IsValid():
		takes = parent.IsSampled()
	case !takes:
		takes = s.takes(p.TraceID)
	}
	result := sdktrace.SamplingResult{Decision: sdktrace.Drop, Tracestate: parent.TraceState()}
	if takes {
		result.Decision = sdktrace.RecordAndSample
	}
	return result
}

// Description implements trace.Sampler.
func (s sampler) Description() string { return "parent, else by the last 56 bits of the id" }

// linkTo is the trace of a request, when it is one that is told and has begun
// here.
func (s sampler) linkTo(request uuid.UUID) (trace.Link, bool) {
	if id := trace.TraceID(request); s.takes(id) {
		return trace.Link{SpanContext: trace.NewSpanContext(trace.SpanContextConfig{
			TraceID: id, SpanID: rootOf(request), TraceFlags: trace.FlagsSampled, Remote: true})}, true
	}
	return trace.Link{}, false
}
