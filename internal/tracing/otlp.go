package tracing

import (
	"encoding/hex"
	"strconv"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// What OTLP says in JSON: its protobuf messages in lowerCamelCase, with ids in
// hexadecimal, 64-bit integers as strings and enumerations as numbers.
// https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding
type (
	otlpTraces struct {
		ResourceSpans []otlpResourceSpans `json:"resourceSpans"`
	}
	otlpResourceSpans struct {
		Resource   otlpResource     `json:"resource"`
		ScopeSpans []otlpScopeSpans `json:"scopeSpans"`
	}
	otlpResource struct {
		Attributes []otlpAttribute `json:"attributes"`
	}
	otlpScopeSpans struct {
		Scope otlpScope  `json:"scope"`
		Spans []otlpSpan `json:"spans"`
	}
	otlpScope struct {
		Name string `json:"name"`
	}
	otlpSpan struct {
		TraceID      string          `json:"traceId"`
		SpanID       string          `json:"spanId"`
		TraceState   string          `json:"traceState,omitempty"`
		ParentSpanID string          `json:"parentSpanId,omitempty"`
		Flags        uint32          `json:"flags"`
		Name         string          `json:"name"`
		Kind         int             `json:"kind"`
		Start        string          `json:"startTimeUnixNano"`
		End          string          `json:"endTimeUnixNano"`
		Attributes   []otlpAttribute `json:"attributes,omitempty"`
		Links        []otlpLink      `json:"links,omitempty"`
		Status       otlpStatus      `json:"status"`
	}
	otlpLink struct {
		TraceID string `json:"traceId"`
		SpanID  string `json:"spanId"`
		Flags   uint32 `json:"flags"`
	}
	otlpStatus struct {
		Code int `json:"code,omitempty"`
	}
	otlpAttribute struct {
		Key   string    `json:"key"`
		Value otlpValue `json:"value"`
	}
	// otlpValue is one of these.
	otlpValue struct {
		String *string    `json:"stringValue,omitempty"`
		Bool   *bool      `json:"boolValue,omitempty"`
		Int    *string    `json:"intValue,omitempty"`
		Double *float64   `json:"doubleValue,omitempty"`
		Array  *otlpArray `json:"arrayValue,omitempty"`
	}
	otlpArray struct {
		Values []otlpValue `json:"values"`
	}
)

// Flags of spans beside the W3C's eight bits: whether the parent is known to be
// in another process, and whether it is.
const (
	flagKnowsRemote = 1 << 8
	flagIsRemote    = 1 << 9
)

// encode says spans in OTLP. They are all of one process and one library.
func encode(spans []sdktrace.ReadOnlySpan) otlpTraces {
	if len(spans) == 0 {
		return otlpTraces{ResourceSpans: []otlpResourceSpans{}}
	}
	all := make([]otlpSpan, len(spans))
	for i, s := range spans {
		all[i] = spanOf(s)
	}
	return otlpTraces{ResourceSpans: []otlpResourceSpans{{
		Resource:   otlpResource{attributesOf(spans[0].Resource().Attributes())},
		ScopeSpans: []otlpScopeSpans{{Scope: otlpScope{spans[0].InstrumentationScope().Name}, Spans: all}},
	}}}
}

func spanOf(s sdktrace.ReadOnlySpan) otlpSpan {
	in, parent := s.SpanContext(), s.Parent()
	o := otlpSpan{TraceID: in.TraceID().String(), SpanID: in.SpanID().String(), TraceState: in.TraceState().String(),
		Flags: flagsOf(in, parent), Name: s.Name(), Kind: int(s.SpanKind()), // the numbers are the same
		Start: strconv.FormatInt(s.StartTime().UnixNano(), 10), End: strconv.FormatInt(s.EndTime().UnixNano(), 10),
		Attributes: attributesOf(s.Attributes())}
	if parent.SpanID().IsValid() {
		id := parent.SpanID()
		o.ParentSpanID = hex.EncodeToString(id[:])
	}
	for _, l := range s.Links() {
		o.Links = append(o.Links, otlpLink{TraceID: l.SpanContext.TraceID().String(), SpanID: l.SpanContext.SpanID().String(),
			Flags: flagsOf(l.SpanContext, l.SpanContext)})
	}
	switch s.Status().Code {
	case codes.Ok:
		o.Status.Code = 1
	case codes.Error:
		o.Status.Code = 2
	}
	return o
}

func flagsOf(in, parent trace.SpanContext) uint32 {
	flags := uint32(in.TraceFlags()) | flagKnowsRemote
	if parent.IsRemote() {
		flags |= flagIsRemote
	}
	return flags
}

func attributesOf(all []attribute.KeyValue) []otlpAttribute {
	said := make([]otlpAttribute, len(all))
	for i, a := range all {
		said[i] = otlpAttribute{string(a.Key), valueOf(a.Value)}
	}
	return said
}

func valueOf(v attribute.Value) otlpValue {
	switch v.Type() {
	case attribute.BOOL:
		b := v.AsBool()
		return otlpValue{Bool: &b}
	case attribute.INT64:
		n := strconv.FormatInt(v.AsInt64(), 10)
		return otlpValue{Int: &n}
	case attribute.FLOAT64:
		f := v.AsFloat64()
		return otlpValue{Double: &f}
	case attribute.STRINGSLICE:
		texts := &otlpArray{Values: []otlpValue{}}
		for _, s := range v.AsStringSlice() {
			texts.Values = append(texts.Values, otlpValue{String: &s})
		}
		return otlpValue{Array: texts}
	default:
		s := v.String()
		return otlpValue{String: &s}
	}
}
